"""The database that is captured, at rest and live, and who writes into it."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ..command import fail
from ..files import MIB

ROW_BYTES = 400
STATES = ("shipped", "paid", "open")
ROWS_EACH = 10_000  # inserted in one transaction when the database is made
WAL_SHARE = 32  # the WAL of the live database holds a page of so many


def connect(path: Path) -> sqlite3.Connection:
    """A connection as a shop's program has it; transactions are begun by hand."""
    database = sqlite3.connect(path, isolation_level=None, timeout=60)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    return database


def note(random: Random) -> str:
    """Text of an order that compresses about as orders do."""
    return " ".join(f"{random.choice(STATES)} {random.randrange(10**9):x}" for _ in range(ROW_BYTES // 14))


def make(path: Path, mebibytes: int, seed: int) -> None:
    """A database of so many MiB, at rest: nothing lies beside it."""
    random, database = Random(seed), connect(path)
    database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER NOT NULL, note TEXT NOT NULL)")
    while path.stat().st_size < mebibytes * MIB:
        database.execute("BEGIN")
        database.executemany("INSERT INTO orders (total, note) VALUES (?, ?)",
                             ((random.randrange(100_000), note(random)) for _ in range(ROWS_EACH)))
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    if list(path.parent.iterdir()) != [path]:
        fail(f"the database is not at rest: {sorted(path.parent.iterdir())}")


def make_live(path: Path) -> sqlite3.Connection:
    """Opens the database and commits into its WAL, which nobody checkpoints.

    What is changed is changed back, so the content stays that of the database at rest.
    """
    database = connect(path)
    database.execute("PRAGMA wal_autocheckpoint = 0")
    for change in (1, -1):
        database.execute("UPDATE orders SET total = total + ? WHERE id % ? = 0", (change, WAL_SHARE * 10))
    return database


@dataclass
class Writing:
    """What a writer got done."""
    seconds: float
    commits: int
    longest_s: float

    @property
    def rate(self) -> float:
        """Commits a second."""
        return self.commits / self.seconds


def write(path: Path, rate: int, seconds: float, seed: int, begun: Any, report: Any) -> None:
    """The life of the writer's process: a transaction at each of its times, late ones at once."""
    random, database = Random(seed), connect(path)
    last = database.execute("SELECT max(id) FROM orders").fetchone()[0]
    begun.set()
    start, longest, commits = time.monotonic(), 0.0, 0
    while (now := time.monotonic()) < start + seconds:
        if (due := start + commits / rate) > now:
            time.sleep(due - now)
        begin = time.monotonic()
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE orders SET total = total + 1 WHERE id = ?", (random.randrange(1, last),))
        database.execute("INSERT INTO orders (total, note) VALUES (?, ?)", (random.randrange(100_000), note(random)))
        database.execute("COMMIT")
        longest, commits = max(longest, time.monotonic() - begin), commits + 1
    report.put(Writing(time.monotonic() - start, commits, longest))
