"""The command line of `Scripts/bench-live`, and what it measures."""

import argparse
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from ..command import fail, say
from ..files import MIB
from ..holdfast import Holdfast, binary
from .database import Writing, make, make_live, write

DESCRIPTION = ("Measure what it costs to capture a live SQLite database, and what a writer notices of it; the results "
               "as Markdown.")

# The project's targets.
COST_MAX = 1.15  # times the full of the same file at rest
LOSS_MAX_PERCENT = 10
COMMIT_MS_MAX = 100

SETTLE_S = 2.5  # files are older than the grain of clocks


class Bench:
    """A database at rest, the same live, and repositories for both."""

    def __init__(self, work: Path, program: str) -> None:
        self.work, self.holdfast = work, Holdfast(work, program)
        self.run = self.holdfast.run

    def begin(self) -> None:
        """An empty repository."""
        for name in ("repository", "cache", "state"):
            shutil.rmtree(self.work / name, ignore_errors=True)
        self.run("init", "--unsealed")

    def full(self, source: str) -> tuple[float, dict[str, Any]]:
        """How long a full takes, and what it says of itself."""
        self.begin()
        start = time.monotonic()
        said = json.loads(self.run("backup", str(self.work / source), "--name", source, "--full", "--json"))
        return time.monotonic() - start, said

    def compare(self, runs: int) -> tuple[list[float], list[float]]:
        """Seconds of fulls at rest and live, in turn."""
        at_rest, live, roots = [], [], set()
        for number in range(runs + 1):
            pair = {source: self.full(source) for source in (("rest", "live") if number % 2 else ("live", "rest"))}
            classes = tuple(pair[source][1]["snapshot"]["consistency"] for source in ("rest", "live"))
            if classes != ("stable", "sqlite-read-transaction"):
                fail(f"captured as {classes}")
            roots.add(pair["rest"][1]["snapshot"]["stateBytes"] == pair["live"][1]["snapshot"]["stateBytes"])
            if number:  # the first of each warms the page cache
                at_rest.append(pair["rest"][0])
                live.append(pair["live"][0])
                say(f"full {number} of {runs}: {at_rest[-1]:.3f} s at rest, {live[-1]:.3f} s live")
        if roots != {True}:
            fail("the live database is not the one at rest")
        return at_rest, live

    def writing(self, rate: int, seconds: float, seed: int, captures: bool) -> tuple[Writing, list[dict[str, Any]]]:
        """What a writer gets done, alone or beside captures; and what those said."""
        begun, report, said = multiprocessing.Event(), multiprocessing.Queue(), []
        self.begin()
        database = self.work / "live/orders.db"
        writer = multiprocessing.Process(target=write, args=(database, rate, seconds, seed, begun, report))
        writer.start()
        begun.wait()
        while captures and writer.is_alive():
            kind = "--incremental" if len(said) % 2 else "--full"
            said.append(json.loads(self.run("backup", str(self.work / "live"), "--name", "live", kind, "--json")))
        done = report.get(timeout=seconds + 120)
        writer.join()
        return done, said


def table(bench: Bench, arguments: argparse.Namespace) -> list[str]:
    """Measures; the lines of the table."""
    lines = ["| SQLite, WAL mode | measured | target | met |", "| --- | ---: | ---: | ---: |"]

    def add(what: str, value: str, target: str = "", met: bool | None = None) -> None:
        lines.append(f"| {what} | {value} | {target} | {'' if met is None else 'yes' if met else 'no'} |")

    open_database = make_live(bench.work / "live/orders.db")
    wal_mib = (bench.work / "live/orders.db-wal").stat().st_size / MIB
    time.sleep(SETTLE_S)
    at_rest, live = bench.compare(arguments.runs)
    open_database.close()
    ratio = median(live) / median(at_rest)
    add("full of the file at rest, median", f"{median(at_rest):.3f} s")
    add(f"full of the live database, {wal_mib:.1f} MiB in its WAL, median", f"{median(live):.3f} s")
    add("times the file at rest", f"{ratio:.3f}", f"≤ {COST_MAX}", ratio <= COST_MAX)

    say("the writer alone")
    alone, _ = bench.writing(arguments.rate, arguments.seconds, arguments.seed, captures=False)
    say("the writer beside captures")
    beside, said = bench.writing(arguments.rate, arguments.seconds, arguments.seed + 1, captures=True)
    loss, growth = 100 * (1 - beside.rate / alone.rate), [capture["walGrowthBytes"] / MIB for capture in said]
    add("writer alone", f"{alone.rate:.1f} transactions/s, the longest {alone.longest_s * 1000:.0f} ms")
    add(f"writer beside {len(said)} captures", f"{beside.rate:.1f} transactions/s")
    add("throughput lost", f"{loss:.1f} %", f"≤ {LOSS_MAX_PERCENT} %", loss <= LOSS_MAX_PERCENT)
    add("longest commit beside captures", f"{beside.longest_s * 1000:.0f} ms", f"≤ {COMMIT_MS_MAX} ms",
        beside.longest_s * 1000 <= COMMIT_MS_MAX)
    add("growth of the WAL in a capture, as reported, median and most",
        f"{median(growth):.1f} and {max(growth):.1f} MiB")
    return lines


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("mebibytes", nargs="?", type=int, default=512, metavar="MIB",
                        help="size of the database (default: 512)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="fulls of each kind (default: 5)")
    parser.add_argument("--seconds", type=float, default=30, metavar="S",
                        help="how long the writer writes, each time (default: 30)")
    parser.add_argument("--rate", type=int, default=200, metavar="N", help="its transactions a second (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="what the orders are drawn from")
    parser.add_argument("--directory", metavar="DIR", help="where to work: on a disk, or /dev/shm to leave it out")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    program = binary(arguments.holdfast)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-live-", dir=arguments.directory) as name:
        work = Path(name)
        for source in ("rest", "live"):
            (work / source).mkdir()
        say(f"making a database of {arguments.mebibytes} MiB")
        make(work / "rest/orders.db", arguments.mebibytes, arguments.seed)
        shutil.copyfile(work / "rest/orders.db", work / "live/orders.db")
        lines = table(Bench(work, program), arguments)
    print(f"A database of {arguments.mebibytes} MiB, {os.cpu_count()} cores, {arguments.runs} fulls of each kind, "
          f"a writer for {arguments.seconds:g} s at {arguments.rate} transactions/s, seed {arguments.seed}\n")
    print("\n".join(lines))
