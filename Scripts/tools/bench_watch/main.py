"""The command line of `Scripts/bench-watch`, and what it measures."""

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from ..bench_live.database import make
from ..command import fail, say
from ..files import MIB, tree_size
from ..holdfast import SCRIPTS, binary
from ..report import figure, markdown
from .replicas import RESTORED, Holdfast, Litestream, Replica, litestream
from .writer import life, lost_s, newest_mark, prepare, write

DESCRIPTION = ("Measure `holdfast watch` beside Litestream on one SQLite database that a program writes to; the "
               "results as Markdown.")
SETTLE_S = 2.5  # files are older than the grain of clocks


@dataclass
class Found:
    """What was measured of one program."""
    version: str
    first_bytes: int = 0
    bytes: int = 0
    processor_s: float = 0.0
    written_s: float = 0.0
    commits: int = 0
    losses_s: list[float] = field(default_factory=list)
    stalls_s: list[float] = field(default_factory=list)
    restores_s: list[float] = field(default_factory=list)
    backs_s: list[float] = field(default_factory=list)
    back_misses_s: list[float] = field(default_factory=list)


def moments(random: Random, seconds: float, kills: int) -> list[float]:
    """How long everything runs before each kill: random shares, which together are all the seconds."""
    shares = [random.uniform(0.5, 1.5) for _ in range(kills)]
    return [seconds * share / sum(shares) for share in shares]


class Bench:
    """One program beside the writer."""

    def __init__(self, replica: Replica, arguments: argparse.Namespace, seed: int) -> None:
        self.replica, self.arguments, self.random = replica, arguments, Random(seed)
        self.found = Found(replica.version())

    def live(self, number: int, seconds: float) -> None:
        """Lets both run for a while, kills everything, restores, and compares."""
        commits = self.replica.work / f"commits-{number}"
        begun = multiprocessing.Event()
        self.replica.start()
        if not number:
            self.replica.settle()
            self.found.first_bytes = tree_size(self.replica.stored)[0]
        took_before = self.replica.processor_s
        before = self.found.processor_s
        writer = multiprocessing.Process(
            target=write, args=(self.replica.database, self.arguments.rate, self.random.randrange(1 << 30), begun,
                                commits))
        writer.start()
        begun.wait()
        time.sleep(seconds)
        writer.kill()
        self.replica.kill()
        writer.join()
        self.found.processor_s = before + self.replica.processor_s - took_before
        done = life(commits)
        self.found.written_s += seconds
        self.found.commits += done.commits
        self.found.stalls_s.append(done.longest_s)
        took, restored = self.replica.restore()
        self.found.restores_s.append(took)
        self.found.losses_s.append(lost_s(done, newest_mark(restored)))
        say(f"{self.replica.name}, kill {number + 1}: {self.found.losses_s[-1]:.2f} s lost, restored in {took:.2f} s")

    def back(self) -> None:
        """Restores the state of some minutes ago."""
        at = float(int(life(sorted(self.replica.work.glob("commits-*"), key=lambda file: file.stat().st_mtime)[-1])
                       .last_time - self.arguments.back))
        took, restored = self.replica.restore(at)
        _, stamp = newest_mark(restored)
        if stamp >= at + 2:
            fail(f"{self.replica.name} gave back what was written {stamp - at:.1f} s after the point in time")
        self.found.backs_s.append(took)
        self.found.back_misses_s.append(max(0.0, at - stamp))

    def run(self) -> Found:
        """All lives."""
        self.replica.prepare()
        try:
            for number, seconds in enumerate(moments(self.random, self.arguments.seconds, self.arguments.kills)):
                self.live(number, seconds)
            self.back()
        finally:
            self.replica.kill()
        self.found.bytes = tree_size(self.replica.stored)[0]
        shutil.rmtree(self.replica.work / RESTORED, ignore_errors=True)
        return self.found


def table(found: list[Found], arguments: argparse.Namespace) -> str:
    """What was measured, as a table with a column for each program."""
    def row(what: str, unit: str, values: list[float]) -> list[str]:
        return [what, unit, *map(figure, values)]

    def each(numbers: list[list[float]], of: str) -> list[float]:
        return [median(values) if of == "median" else max(values) for values in numbers]

    losses = [one.losses_s for one in found]
    rows = [
        row("transactions lost, median", "s", each(losses, "median")),
        row(f"transactions lost, the worst of {arguments.kills}", "s", each(losses, "worst")),
        row("stored of the database before it is written to", "MiB", [one.first_bytes / MIB for one in found]),
        row("stored in the end", "MiB", [one.bytes / MIB for one in found]),
        row("processor time for each second of writing, first copy included", "s",
            [one.processor_s / one.written_s for one in found]),
        row("longest transaction of the writer", "ms", [1000 * max(one.stalls_s) for one in found]),
        row("transactions of the writer", "1/s", [one.commits / one.written_s for one in found]),
        row("restore of the newest, median", "s", each([one.restores_s for one in found], "median")),
        row(f"restore of {arguments.back:g} s back", "s", [one.backs_s[0] for one in found]),
        row("how much older than that it is", "s", [one.back_misses_s[0] for one in found]),
    ]
    return markdown(["Measured", "Unit", *(one.version for one in found)], rows)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("mebibytes", nargs="?", type=int, default=512, metavar="MIB",
                        help="size of the database (default: 512)")
    parser.add_argument("--seconds", type=float, default=900, metavar="S",
                        help="how long is written beside each program, all kills together (default: 900)")
    parser.add_argument("--kills", type=int, default=15, metavar="N",
                        help="how often everything is killed (default: 15)")
    parser.add_argument("--back", type=float, default=300, metavar="S",
                        help="how old the older state is that is restored (default: 300)")
    parser.add_argument("--rate", type=int, default=200, metavar="N", help="transactions a second (default: 200)")
    parser.add_argument("--min-interval", default="1s", metavar="TIME",
                        help="of holdfast watch (default: 1s, as often as Litestream copies)")
    parser.add_argument("--seed", type=int, default=1, help="what orders and moments are drawn from")
    parser.add_argument("--directory", metavar="DIR", help="where to work: on a disk, or /dev/shm to leave it out")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    parser.add_argument("--litestream", metavar="PROGRAM",
                        help="default: that of Scripts/install-engines, or of the PATH")
    arguments = parser.parse_args()
    if arguments.kills < 1 or arguments.seconds <= 0 or arguments.back >= arguments.seconds:
        fail("--kills is 1 at least, and --seconds is more than --back")
    return arguments


def main() -> None:
    """Read the command line, and measure."""
    arguments = parse()
    programs = binary(arguments.holdfast), litestream(arguments.litestream, SCRIPTS.parent / ".build/engines")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-watch-", dir=arguments.directory) as name:
        work = Path(name)
        (work / "source").mkdir()
        say(f"making a database of {arguments.mebibytes} MiB")
        make(work / "source/orders.db", arguments.mebibytes, arguments.seed)
        prepare(work / "source/orders.db")
        found = []
        for kind in (Holdfast, Litestream):
            own = work / kind.name
            (own / "source").mkdir(parents=True)
            shutil.copyfile(work / "source/orders.db", own / "source/orders.db")
            time.sleep(SETTLE_S)
            replica = (Holdfast(own, programs[0], arguments.min_interval) if kind is Holdfast
                       else Litestream(own, programs[1]))
            one = Bench(replica, arguments, arguments.seed).run()
            one.version = f"{kind.name} {one.version}"
            found.append(one)
            shutil.rmtree(own)
        text = table(found, arguments)
    print(f"A database of {arguments.mebibytes} MiB, {os.cpu_count()} cores, {arguments.rate} transactions/s for "
          f"{arguments.seconds:g} s, killed {arguments.kills} times, holdfast with min-interval "
          f"{arguments.min_interval}, seed {arguments.seed}\n")
    print(text, end="")
