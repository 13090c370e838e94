"""The live part: pgbench writes at a fixed rate, alone and while a tool takes one full after the other."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..command import fail, say
from ..postgres_cluster import Cluster
from ..report import figure
from .peers import Tool

LIVE_COLUMNS = ["tool", "fulls", "tps alone", "tps during", "lost %", "longest ms alone", "longest ms during"]


@dataclass(frozen=True)
class Load:
    """What pgbench did in a span of time."""
    per_s: float
    longest_ms: float


@dataclass(frozen=True)
class Live:
    """What a tool cost the writers."""
    tool: str
    quiet: Load
    during: Load
    captures: int

    @property
    def lost_percent(self) -> float:
        """Of the throughput."""
        return 100 * (1 - self.during.per_s / self.quiet.per_s) if self.quiet.per_s else 0


def load_between(log: Path, begin_s: float, end_s: float) -> Load:
    """What the log of pgbench says of the transactions that ended in a span; a latency counts from when it was due."""
    count, longest_us = 0, 0
    for path in log.parent.glob(f"{log.name}.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            if begin_s <= int(fields[4]) + int(fields[5]) / 1e6 < end_s:
                count, longest_us = count + 1, max(longest_us, int(fields[2]))
    return Load(count / (end_s - begin_s), longest_us / 1000)


@contextmanager
def load(cluster: Cluster, log: Path, rate: int, seconds: float) -> Iterator[None]:
    """pgbench at a rate, or without bounds; left when it has ended, for its log is whole only then."""
    bounds = ["-R", str(rate)] if rate else []
    running = cluster.load("-c", "4", "-j", "1", *bounds, "-T", str(round(seconds)), "-l", f"--log-prefix={log}")
    try:
        yield
        if running.wait():
            fail(f"pgbench: exit {running.returncode}")
    finally:
        running.kill()
        running.wait()


def live(tool: Tool, cluster: Cluster, directory: Path, rate: int, seconds: float) -> Live:
    """Some seconds of pgbench alone, and as many while the tool takes fulls."""
    tool.reset()
    log, captures = directory / "load", 0
    with load(cluster, log, rate, 2 * seconds + 2):
        time.sleep(1)  # until all sessions write
        begun_s = time.time()
        time.sleep(seconds)
        quiet_s = time.time()
        while time.time() < quiet_s + seconds:
            tool.measure(tool.backup(is_full=True))
            captures += 1
        # pgbench may have ended before the last capture has.
        ended_s = min(time.time(), quiet_s + seconds)
    found = Live(tool.title, load_between(log, begun_s, quiet_s), load_between(log, quiet_s, ended_s), captures)
    say(f"live, {tool.title}: {found.quiet.per_s:.1f}, then {found.during.per_s:.1f} transactions a second")
    return found


def live_rows(found: list[Live]) -> list[list[str]]:
    """What every tool cost the writers."""
    return [[each.tool, str(each.captures), *map(figure, (each.quiet.per_s, each.during.per_s)),
             f"{each.lost_percent:.1f}", *map(figure, (each.quiet.longest_ms, each.during.longest_ms))]
            for each in found]
