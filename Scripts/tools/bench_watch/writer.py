"""Who writes into the database that is replicated, and how much of that came back."""

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from ..bench_live.database import connect, note
from ..command import fail

MARKS = "CREATE TABLE IF NOT EXISTS marks (number INTEGER PRIMARY KEY, time REAL NOT NULL)"
RECORD_BYTES = 16  # of the times of a life: the number of a transaction, and when its commit had returned


def prepare(path: Path) -> None:
    """Makes the table of marks, and leaves the database at rest."""
    database = connect(path)
    database.execute(MARKS)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def write(path: Path, rate: int, seed: int, begun: Any, commits: Path) -> None:
    """The life of the writer's process until it is killed: a transaction at each of its times, late ones at once.

    Each transaction has a mark, its number and the time of day at which it began. Behind its commit stand, in a file
    that outlives the process, its number, that time, and how long it took.
    """
    random, database = Random(seed), connect(path)
    last = database.execute("SELECT max(id) FROM orders").fetchone()[0]
    number = database.execute("SELECT coalesce(max(number), 0) FROM marks").fetchone()[0]
    begun.set()
    with commits.open("a", encoding="ascii") as file:
        start, done = time.monotonic(), 0
        while True:
            if (due := start + done / rate) > (now := time.monotonic()):
                time.sleep(due - now)
            begin, stamp = time.monotonic(), time.time()
            number, done = number + 1, done + 1
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE orders SET total = total + 1 WHERE id = ?", (random.randrange(1, last),))
            database.execute("INSERT INTO orders (total, note) VALUES (?, ?)",
                             (random.randrange(100_000), note(random)))
            database.execute("INSERT INTO marks VALUES (?, ?)", (number, stamp))
            database.execute("COMMIT")
            file.write(f"{number} {stamp} {time.monotonic() - begin}\n")
            file.flush()


@dataclass(frozen=True)
class Life:
    """What the writer got done until it was killed."""
    last: int
    last_time: float
    longest_s: float
    commits: int


def life(commits: Path) -> Life:
    """What a life of the writer says of itself. A last line that is not whole was being written when it was killed."""
    lines = commits.read_text(encoding="ascii").split("\n")[:-1]
    if not lines:
        fail("the writer has committed nothing before it was killed: give it more --seconds")
    rows = [line.split() for line in lines]
    return Life(int(rows[-1][0]), float(rows[-1][1]), max(float(row[2]) for row in rows), len(rows))


def newest_mark(path: Path) -> tuple[int, float]:
    """The number and the time of the last transaction of a restored database, which must be sound and without gaps."""
    database = sqlite3.connect(path)
    try:
        if (found := database.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
            fail(f"{path} is not sound: {found}")
        number, count, stamp = database.execute("SELECT max(number), count(*), max(time) FROM marks").fetchone()
    finally:
        database.close()
    if (number or 0) != count:
        fail(f"{path} has {count} marks, and {number} is the last: transactions are missing before it")
    return number or 0, stamp or 0.0


def lost_s(done: Life, restored: tuple[int, float]) -> float:
    """The seconds of transactions that did not come back: from the last that a restore has to the last there was."""
    number, stamp = restored
    return 0.0 if number >= done.last else done.last_time - stamp
