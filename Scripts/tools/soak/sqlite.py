"""The soak of SQLite: two databases that share one invariant, their writers, and captures of both.

What leaves an account of one arrives in the other, in one step of the writer that holds both. Writers also checkpoint,
restart and truncate the WAL, vacuum, close and reopen, and some are killed.
"""

import multiprocessing
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from random import Random
from typing import Any

from ..command import fail
from ..holdfast import Holdfast, whole_snapshot

ACCOUNTS, MONEY = 2000, 1000
DATABASES = ("orders.db", "stock.db")
WRITERS = 2


def connect(directory: Path, name: str) -> sqlite3.Connection:
    """A connection whose transactions are begun by hand."""
    return sqlite3.connect(directory / name, isolation_level=None, timeout=60)


def make(directory: Path, mode: str, page_bytes: int) -> None:
    """Both databases, with all the money in equal parts."""
    directory.mkdir(parents=True)
    for name in DATABASES:
        database = connect(directory, name)
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("PRAGMA auto_vacuum = INCREMENTAL")
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("CREATE TABLE account (id INTEGER PRIMARY KEY, money INTEGER NOT NULL)")
        database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, note BLOB NOT NULL)")
        database.execute("BEGIN")
        database.executemany("INSERT INTO account VALUES (?, ?)", ((number, MONEY) for number in range(ACCOUNTS)))
        database.execute("COMMIT")
        database.close()


class Writer:
    """Moves money within a database and between both."""

    def __init__(self, directory: Path, mode: str, seed: int, pause_s: float) -> None:
        self.directory, self.mode, self.random, self.pause_s = directory, mode, Random(seed), pause_s
        self.databases = [connect(directory, name) for name in DATABASES]
        self.longest_wait_s, self.commits = 0.0, 0

    def step(self, number: int) -> None:
        """One transaction in both databases at once, and now and then some upkeep."""
        random, begun = self.random, time.monotonic()
        amount, giver, taker = random.randrange(50), random.randrange(ACCOUNTS), random.randrange(ACCOUNTS)
        try:
            for database in self.databases:
                database.execute("BEGIN IMMEDIATE")
            for database, account, change in zip(self.databases, (giver, taker), (-amount, amount)):
                database.execute("UPDATE account SET money = money + ? WHERE id = ?", (change, account))
                database.execute("INSERT INTO entry (number, note) VALUES (?, randomblob(?))",
                                 (number, random.randrange(3000)))
            for database in self.databases:
                database.execute("COMMIT")
            self.commits += 1
        except sqlite3.OperationalError:
            self.roll_back()
        self.longest_wait_s = max(self.longest_wait_s, time.monotonic() - begun)
        self.upkeep()

    def roll_back(self) -> None:
        """Ends what could not be committed."""
        for database in self.databases:
            if database.in_transaction:
                database.execute("ROLLBACK")

    def upkeep(self) -> None:
        """What real programs do to a database beside writing."""
        index, chance = self.random.randrange(2), self.random.random()
        database = self.databases[index]
        try:
            if chance < 0.03 and self.mode == "wal":
                how = self.random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
                database.execute(f"PRAGMA wal_checkpoint({how})")
            elif chance < 0.035:
                database.execute("DELETE FROM entry WHERE id % 3 = 0")
                database.execute("PRAGMA incremental_vacuum")
            elif chance < 0.037:
                database.execute("VACUUM")
            elif chance < 0.04:
                database.close()
                self.databases[index] = connect(self.directory, DATABASES[index])
        except sqlite3.OperationalError:
            pass  # somebody else was in the way


def write(directory: Path, mode: str, seed: int, pause_s: float, stop: Any, report: Any) -> None:
    """The life of a writer's process. All lock both databases in one order, so none waits in a circle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    writer, number = Writer(directory, mode, seed, pause_s), 0
    while not stop.is_set():
        writer.step(number)
        number += 1
        time.sleep(writer.random.random() * pause_s)
    report.put((writer.commits, writer.longest_wait_s))


def check(directory: Path) -> None:
    """A restored capture: opens anywhere, sound, both databases of one instant."""
    found = sorted(path.name for path in directory.iterdir())
    if found != sorted(DATABASES):
        fail(f"the restored directory holds {found}")
    money, numbers = 0, []
    for name in DATABASES:
        database = connect(directory, name)
        if (said := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            fail(f"{name}: {said[:200]}")
        money += database.execute("SELECT sum(money) FROM account").fetchone()[0]
        numbers.append(database.execute("SELECT coalesce(max(id), 0) FROM entry").fetchone()[0])
        database.close()
    if money != 2 * ACCOUNTS * MONEY:
        fail(f"the databases are of different instants: {money} instead of {2 * ACCOUNTS * MONEY}")


class Soak:
    """A shop, its writers, and a repository."""

    def __init__(self, work: Path, holdfast: str, mode: str, seed: int) -> None:
        self.work, self.mode, self.seed = work, mode, seed
        self.source, self.restored = work / "source", work / "restored"
        self.holdfast = Holdfast(work, holdfast)
        self.run = self.holdfast.run
        self.anomalies = 0
        self.stop, self.reports = multiprocessing.Event(), multiprocessing.Queue()

    def start_writer(self, number: int) -> multiprocessing.Process:
        """A writer in a process of its own."""
        pause_s = 0.008 if self.mode == "wal" else 0.05
        writer = multiprocessing.Process(
            target=write, args=(self.source, self.mode, self.seed + number, pause_s, self.stop, self.reports))
        writer.start()
        return writer

    def capture(self, random: Random, number: int) -> str:
        """One capture, restored and checked; its consistency class."""
        kind = ["--full"] if number % 20 == 0 else ["--differential"] if random.random() < 0.2 else []
        done = self.holdfast.attempt("backup", str(self.source), "--name", "soak", "--json", *kind)
        # The entries hold random bytes: what is encrypted looks no different.
        if not (snapshot := whole_snapshot(done, {"encryption"})):
            fail(f"holdfast backup {' '.join(kind)}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr}")
        self.anomalies += bool(snapshot["anomalies"])
        shutil.rmtree(self.restored, ignore_errors=True)
        self.run("restore", "latest", "--target", str(self.restored), "--quiet")
        check(self.restored)
        return str(snapshot["consistency"])

    def soak(self, captures: int, until: float) -> None:
        """Captures until so many are done and the time is up."""
        random, classes, killed = Random(self.seed), {}, 0
        self.run("init", "--unsealed")
        writers = [self.start_writer(number) for number in range(WRITERS)]
        try:
            number = 0
            while number < captures or time.monotonic() < until:
                kind = self.capture(random, number)
                classes[kind] = classes.get(kind, 0) + 1
                number += 1
                if self.mode == "wal" and random.random() < 0.05:
                    # A writer that dies between its two commits breaks the invariant itself: an idle one is killed.
                    killed += self.kill_idler(random)
                time.sleep(random.random() * 0.05)
        finally:
            self.stop.set()
            ended = [self.reports.get(timeout=120) for _ in writers]
            for writer in writers:
                writer.join()
        commits, wait_s = sum(each[0] for each in ended), max(each[1] for each in ended)
        said = ", ".join(f"{count} {kind}" for kind, count in sorted(classes.items()))
        print(f"{self.mode}, seed {self.seed}: {number} captures sound ({said}); {commits} commits meanwhile, the "
              f"longest took {wait_s * 1000:.0f} ms; {killed} idle connections killed; "
              f"{self.anomalies} seen as an anomaly")

    def kill_idler(self, random: Random) -> int:
        """Kills a process that has both databases open and does nothing: what it leaves is for others to recover."""
        idler = multiprocessing.Process(target=idle, args=(self.source,))
        idler.start()
        time.sleep(0.05 + random.random() * 0.05)
        idler.kill()
        idler.join()
        return 1


def large(work: Path, holdfast: str) -> None:
    """A database that is longer than 1 GiB, where SQLite keeps a page for its locks that is never written."""
    source, restored = work / "source", work / "restored"
    source.mkdir()
    database = connect(source, "large.db")
    for statement in ("PRAGMA page_size = 65536", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF",
                      "CREATE TABLE blob (id INTEGER PRIMARY KEY, content BLOB)",
                      "INSERT INTO blob (content) VALUES (zeroblob(700000000)), (zeroblob(400000000)), "
                      "(randomblob(9000000))"):
        database.execute(statement)
    soak = Soak(work, holdfast, "wal", 0)
    soak.run("init", "--unsealed")
    soak.run("backup", str(source))
    soak.run("restore", "latest", "--target", str(restored))
    copy = connect(restored, "large.db")
    query = "SELECT count(*), sum(length(content)), max(substr(content, 1, 9000000)) FROM blob"
    is_sound = copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    if not is_sound or copy.execute(query).fetchone() != database.execute(query).fetchone():
        fail("a database of more than 1 GiB came back changed")
    print(f"a database of {(restored / 'large.db').stat().st_size >> 20} MiB came back whole")


def idle(directory: Path) -> None:
    """Reads from both databases, and waits to be killed."""
    databases = [connect(directory, name) for name in DATABASES]
    for database in databases:
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM account").fetchone()
    time.sleep(60)
