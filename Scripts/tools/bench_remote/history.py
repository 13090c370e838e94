"""Repositories with many snapshots, made on this machine by the tools themselves."""

from pathlib import Path

from ..bench.peers import Tool
from ..command import say
from ..running import quietly

CHAIN = 100  # a full, and so many less one incrementals
FILE = "day"  # a small file, which is another each day
UNCHANGED_FILES = 20


class History:
    """A small source, and so many snapshots of it by each tool. `file` is one to read, as it was stored in the middle
    of the last chain."""

    def __init__(self, work: Path, snapshots: int) -> None:
        self.source, self.snapshots = work / "history", snapshots
        self.file = f"{FILE}-{max(0, snapshots - CHAIN // 2)}"

    def is_full(self, number: int) -> bool:
        """Whether a chain begins there: the last one is whole, if there are enough snapshots for it."""
        return number == 0 or (self.snapshots - number) % CHAIN == 0

    def make(self, tools: list[Tool]) -> None:
        """Makes the snapshots."""
        self.source.mkdir()
        for number in range(UNCHANGED_FILES):
            (self.source / f"kept-{number}").write_text(f"{number}\n" * 1000)
        for tool in tools:
            tool.reset()
        for number in range(self.snapshots):
            (self.source / f"{FILE}-{number}").write_text(f"the orders of day {number}\n" * 100)
            for tool in tools:
                quietly(tool.backup("full" if self.is_full(number) else "changed")[0], self.source, tool.environment)
            if number % 20 == 19:
                say(f"a history of {number + 1} of {self.snapshots} snapshots")
