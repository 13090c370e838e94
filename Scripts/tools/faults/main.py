"""The command line of `Scripts/fault-runs`."""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from random import Random

from ..command import Failure, end_on_signals, fail
from ..files import MIB, place
from ..holdfast import binary
from .loss import tell_loss, tell_silence
from .places import Place, S3Place, SFTPPlace
from .seaweed import SeaweedFS
from .story import Result, Story

DESCRIPTION = "Drives holdfast against a real server through faults, and looks whether anything is lost."
CRASH_SHARE = 0.06
JOBS_PER_CORE = 3  # they often wait
NO_SEEDS = "--seeds 0 "  # stories that have none are told alone


class Runs:
    """All seeds of one kind of server."""

    def __init__(self, directory: Path, program: str, kind: str, is_short: bool = False) -> None:
        self.directory, self.program, self.kind, self.is_short = directory, program, kind, is_short
        self.server = SeaweedFS(directory / "server") if kind == "s3" else None

    def tell(self, seed: int) -> Result:
        """One seed, of which nothing is left afterwards."""
        with tempfile.TemporaryDirectory(prefix=f"seed-{seed}-", dir=self.directory) as name:
            own_server = self.own_server(seed, Path(name))
            try:
                where = self.place(seed, Path(name), own_server)
                try:
                    return Story(seed, Path(name), self.program, where, self.is_short).tell()
                finally:
                    where.close()
            finally:
                if own_server:
                    own_server.kill()

    def tell_outage(self, seed: int) -> Result:
        """What becomes of a run when nothing works any more."""
        with tempfile.TemporaryDirectory(prefix="outage-", dir=self.directory) as name:
            where = self.place(seed, Path(name), None)
            try:
                result = Story(seed, Path(name), self.program, where).tell_outage()
            finally:
                where.close()
        result.name, result.options = "outage", NO_SEEDS + "--outage"
        return result

    def tell_loss(self) -> Result:
        """What becomes of runs when a volume server dies."""
        return self.tell_interrupted(Result("loss", NO_SEEDS + "--loss"),
                                     lambda directory: tell_loss(directory, self.program))

    def tell_silence(self) -> Result:
        """What becomes of runs when nothing is answered any more."""
        server = self.server
        assert server is not None
        return self.tell_interrupted(Result("silence", NO_SEEDS + "--outage"),
                                     lambda directory: tell_silence(directory, self.program, server))

    def tell_interrupted(self, result: Result, tell: Callable[[Path], Counter[str]]) -> Result:
        """What a story found that fails at the first mistake."""
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"{result.name}-", dir=self.directory) as name:
            try:
                result.figures = tell(Path(name))
            except Failure as failure:
                result.mistakes.append(str(failure))
        result.took_s = time.monotonic() - begun
        return result

    def crashes(self, seed: int) -> bool:
        """Whether the server of a seed is killed."""
        return self.server is not None and Random(f"crash {seed}").random() < CRASH_SHARE

    def own_server(self, seed: int, directory: Path) -> SeaweedFS | None:
        """A server that can be killed without harm to other seeds, where the seed wants that."""
        return SeaweedFS(directory / "server") if self.crashes(seed) else None

    def place(self, seed: int, directory: Path, own_server: SeaweedFS | None) -> Place:
        """Where the repository of a seed is."""
        if server := own_server or self.server:
            return S3Place(seed, server, can_crash=own_server is not None)
        return SFTPPlace(seed, directory / "sftp")

    def close(self) -> None:
        """Ends the server."""
        if self.server:
            self.server.kill()


def repetition(kind: str, results: list[Result]) -> str:
    """What tells those again that went wrong; empty when none did."""
    return ", ".join(f"`fault-runs {kind} {options}`"
                     for options in dict.fromkeys(result.options for result in results if result.mistakes))


def summary(kind: str, results: list[Result], took_s: float) -> str:
    """All seeds together."""
    runs, faults, figures = Counter[str](), Counter[str](), Counter[str]()
    for result in results:
        runs, faults, figures = runs + result.runs, faults + result.faults, figures + result.figures

    def listed(counts: Counter[str]) -> str:
        return ", ".join(f"{count} {name}" for name, count in counts.most_common())

    return (f"{kind}: {len(results)} seeds in {took_s:.0f} s: {runs.total()} runs ({listed(runs)}); "
            f"{figures['failed']} failed, {figures['killed']} killed ({figures['leases']} leases given back for them); "
            f"{faults.total()} faults ({listed(faults)}); {figures['acknowledged']} snapshots acknowledged, "
            f"{figures['restored']} restored, {figures['unacknowledged']} of them not acknowledged")


def main() -> None:
    """Runs the seeds, and fails at any loss."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("kind", choices=["s3", "sftp"])
    parser.add_argument("--seeds", type=int, default=30, metavar="N", help="so many seeds, from 1 on (default: 30)")
    parser.add_argument("--seed", type=int, metavar="N", help="only this one")
    parser.add_argument("--short", action="store_true",
                        help="one to three changes and runs of each source, in place of four to seven")
    parser.add_argument("--outage", action="store_true",
                        help="also a server that refuses everything: a run must give up in time (two minutes)")
    parser.add_argument("--loss", action="store_true",
                        help="also (s3) a cluster of three volume servers, each of which is killed in turn")
    parser.add_argument("--jobs", type=int, default=JOBS_PER_CORE * (os.cpu_count() or 1), metavar="N",
                        help="seeds at the same time")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    end_on_signals()
    program = binary(arguments.holdfast)
    seeds = [arguments.seed] if arguments.seed is not None else range(1, arguments.seeds + 1)
    results, begun = list[Result](), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-faults-", dir=place(None, 2048 * MIB)) as name:
        runs = Runs(Path(name), program, arguments.kind, arguments.short)
        pool = ThreadPoolExecutor(arguments.jobs)
        try:
            # Those that take longest come first.
            seeds = sorted(seeds, key=lambda seed: not runs.crashes(seed))
            outages = [pool.submit(runs.tell_outage, 0)] if arguments.outage else []
            if arguments.loss and arguments.kind == "s3":
                outages.append(pool.submit(runs.tell_loss))
            if arguments.outage and arguments.kind == "s3":
                outages.append(pool.submit(runs.tell_silence))
            for done in as_completed(outages + [pool.submit(runs.tell, seed) for seed in seeds]):
                results.append(done.result())
                print(results[-1].line(), flush=True)
        finally:
            pool.shutdown(cancel_futures=True)
            runs.close()
    print(summary(arguments.kind, results, time.monotonic() - begun))
    if again := repetition(arguments.kind, sorted(results, key=lambda result: result.name)):
        fail(f"something is lost or wrong. Repeat with {again}")
