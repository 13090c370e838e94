"""Tests of Scripts/bench-watch: what is killed comes back, what is lost is counted, and the moments are the seconds."""

import argparse
import multiprocessing
import shutil
import sqlite3
import stat
import time
import unittest
from pathlib import Path
from random import Random

from support import TestInDirectory, script

from tools.bench_live.database import make
from tools.bench_watch.main import Bench, Found, moments, table
from tools.bench_watch.replicas import Holdfast, Litestream, Replica, litestream, processor_s
from tools.bench_watch.writer import Life, life, lost_s, newest_mark, prepare, write
from tools.command import Failure

FOLLOWER = """\
import shutil, sqlite3, sys, time
source, stored = sys.argv[1:]
while True:
    with sqlite3.connect(source) as one, sqlite3.connect(stored + "/part") as other:
        one.backup(other)
    shutil.move(stored + "/part", stored + "/orders.db")
    time.sleep(0.05)
"""


class Copier(Replica):
    """A program that stores copies, one after the other."""
    name = "copier"

    def version(self) -> str:
        return "1"

    def prepare(self) -> None:
        self.stored.mkdir()
        (self.work / "follower.py").write_text(FOLLOWER, encoding="ascii")

    def follow(self) -> list[str]:
        return [self.program, str(self.work / "follower.py"), str(self.database), str(self.stored)]

    def bring_back(self, target: Path, at: float | None) -> list[str]:
        return ["sh", "-c", f"mkdir {target} && cp {self.stored}/orders.db {target}/"]

    def settle(self) -> None:
        limit = time.monotonic() + 60
        while not (self.stored / "orders.db").exists() and time.monotonic() < limit:
            time.sleep(0.02)


class WriterTests(TestInDirectory):
    """Who writes, and what is said of it."""

    def test_a_writer_that_is_killed_says_what_it_had_committed(self) -> None:
        """And all of that is in the database."""
        database = self.root / "source/orders.db"
        database.parent.mkdir()
        make(database, 1, 1)
        prepare(database)
        begun, commits = multiprocessing.Event(), self.root / "commits"
        writer = multiprocessing.Process(target=write, args=(database, 500, 1, begun, commits))
        writer.start()
        while not commits.exists() or commits.stat().st_size < 2000:
            time.sleep(0.01)
        writer.kill()
        writer.join()
        done = life(commits)
        number, stamp = newest_mark(database)
        self.assertIn(number - done.last, (0, 1))
        self.assertEqual(lost_s(done, (number, stamp)), 0)
        self.assertGreater(done.longest_s, 0)

    def test_what_is_lost_is_counted_from_the_last_that_came_back(self) -> None:
        """A line that was being written does not count."""
        commits = self.write("commits", "1 100.0 0.002\n2 101.5 0.050\n3 104.0 0.001\n4 10")
        done = life(commits)
        self.assertEqual(done, Life(3, 104.0, 0.05, 3))
        self.assertEqual(lost_s(done, (2, 101.5)), 2.5)
        self.assertEqual(lost_s(done, (3, 104.0)), 0)

    def test_a_database_with_gaps_is_no_restore(self) -> None:
        """A restore that lacks a transaction in the middle is worse than an older one."""
        path = self.root / "orders.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE marks (number INTEGER PRIMARY KEY, time REAL)")
            database.executemany("INSERT INTO marks VALUES (?, ?)", [(1, 1.0), (3, 3.0)])
        with self.assertRaises(Failure):
            newest_mark(path)

    def test_moments_are_all_the_seconds(self) -> None:
        """In unequal parts."""
        drawn = moments(Random(1), 900, 15)
        self.assertAlmostEqual(sum(drawn), 900)
        self.assertGreater(len(set(drawn)), 10)
        self.assertGreater(min(drawn), 15)


class BenchTests(TestInDirectory):
    """A whole measurement, with a program that copies."""

    def test_everything_is_killed_and_comes_back(self) -> None:
        """Twice, and the table has a figure in each cell."""
        (self.root / "source").mkdir()
        make(self.root / "source/orders.db", 1, 1)
        prepare(self.root / "source/orders.db")
        arguments = argparse.Namespace(seconds=1.5, kills=2, back=-60.0, rate=200, seed=1)
        found = Bench(Copier(self.root, shutil.which("python3") or ""), arguments, 1).run()
        self.assertEqual(len(found.losses_s), 2)
        self.assertLess(max(found.losses_s), 60)
        self.assertGreater(found.processor_s, 0)
        self.assertGreater(found.commits, 10)
        text = table([found], arguments)
        self.assertEqual([line for line in text.splitlines() if line.endswith("|  |")], [])
        self.assertIn("the worst of 2", text)


class ReplicaTests(TestInDirectory):
    """How the programs are called."""

    def test_a_point_in_time_is_the_same_for_both(self) -> None:
        """In UTC, whole seconds."""
        ours, theirs = Holdfast(self.root, "holdfast", "1s"), Litestream(self.root, "litestream")
        self.assertIn("1970-01-01T00:01:05Z", ours.bring_back(self.root, 65.0))
        self.assertIn("1970-01-01T00:01:05Z", theirs.bring_back(self.root, 65.0))
        self.assertNotIn("--at", ours.bring_back(self.root, None))
        self.assertNotIn("HOLDFAST_REPOSITORY", ours.environment)

    def test_what_a_process_took_is_read_beside_any_name(self) -> None:
        """This one has taken some."""
        self.assertGreater(processor_s(multiprocessing.current_process().pid or 0), 0)

    def test_without_litestream_it_says_where_that_is(self) -> None:
        """A program that is named is taken."""
        program = self.write("litestream", "")
        program.chmod(stat.S_IRWXU)
        self.assertEqual(litestream(str(program), self.root), str(program))

    def test_the_table_has_a_column_for_each_program(self) -> None:
        """And the worst is not the median."""
        one = Found("holdfast 1", 1 << 20, 2 << 20, 10.0, 100.0, 20_000, [1.0, 2.0, 9.0], [0.05], [3.0], [4.0], [5.0])
        text = table([one, one], argparse.Namespace(kills=3, back=300.0))
        self.assertIn("| transactions lost, median | s | 2.000 | 2.000 |", text)
        self.assertIn("| transactions lost, the worst of 3 | s | 9.000 | 9.000 |", text)

    def test_the_command_line_is_checked(self) -> None:
        """Before anything is built."""
        self.assertEqual(script("bench-watch", "--seconds", "100", "--back", "300").returncode, 1)
        self.assertEqual(script("bench-watch", "--help").returncode, 0)


if __name__ == "__main__":
    unittest.main()
