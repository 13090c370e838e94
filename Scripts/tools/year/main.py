"""The command line of `Scripts/simulate-year`, and the year."""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from random import Random

from ..command import fail
from ..holdfast import SCRIPTS, Holdfast
from .disasters import DISASTERS
from .shop import Shop

DESCRIPTION = """Backs up a year of a small shop, a snapshot a day, and counts how often holdfast takes a normal day for
a disaster, and a disaster for a normal day. Every week all disasters happen to a copy of the shop, and are tried
without being committed.

Usage: Scripts/simulate-year [--days N] [--seed N] [--program FILE]

It prints one markdown table; about three minutes a year.
"""
QUIET_DAYS = 30  # before the first disaster
MERGE_EVERY_DAYS = 30


class Year:
    """A shop, its repository, and what holdfast said."""

    def __init__(self, work: Path, program: str, seed: int) -> None:
        self.work, self.holdfast = work, Holdfast(work, program)
        self.random = Random(seed)
        self.shop = Shop(work / "shop", self.random)
        self.alarms: list[str] = []
        self.found = {name: [0, 0] for name in DISASTERS}

    def backup(self, source: Path, *more: str) -> list[str]:
        """A backup; the anomalies that it found."""
        done = self.holdfast.attempt("backup", str(source), "--name", "shop", "--json", "--quiet", *more)
        if done.returncode not in (0, 3):
            fail(done.stderr)
        return [each["kind"] for each in json.loads(done.stdout)["snapshot"]["anomalies"]]

    def run(self, days: int) -> None:
        """The days, one after the other."""
        self.holdfast.run("init", "--unsealed")
        self.backup(self.shop.root)
        for day in range(1, days + 1):
            self.shop.live()
            if found := self.backup(self.shop.root):
                self.alarms.append(f"day {day}: {', '.join(found)}")
                self.holdfast.run("accept", "latest")
            if day % MERGE_EVERY_DAYS == 0:
                self.holdfast.run("merge", "--quiet")
            if day >= QUIET_DAYS and day % 7 == 0:
                self.strike()

    def strike(self) -> None:
        """Every disaster, each on a copy."""
        for name, disaster in DISASTERS.items():
            copy = self.work / "copy"
            shutil.copytree(self.shop.root, copy)
            disaster(copy, self.random)
            self.found[name][0] += 1
            self.found[name][1] += bool(self.backup(copy, "--dry-run"))
            shutil.rmtree(copy)


def main() -> None:
    """Simulates, and prints the tables."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--program", default=str(SCRIPTS.parent / ".build/release/holdfast"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holdfast-year-") as directory:
        year = Year(Path(directory), arguments.program, arguments.seed)
        year.run(arguments.days)
    print(f"{arguments.days} days, seed {arguments.seed}: {len(year.alarms)} false alarms"
          + "".join(f"\n- {alarm}" for alarm in year.alarms))
    print("\n| disaster | tried | found |\n|---|---:|---:|")
    for name, (tried, found) in year.found.items():
        print(f"| {name} | {tried} | {found} |")
