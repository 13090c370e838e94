"""Tests of the shops that scripts make: the sample shop, the year of a shop with its disasters, what soaks check."""

import hashlib
import json
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest
from contextlib import closing
from pathlib import Path
from random import Random

from support import TestInDirectory, script

from tools.command import Failure
from tools.holdfast import whole_snapshot
from tools.soak import sqlite as soak
from tools.year.disasters import DISASTERS
from tools.year.shop import Shop

# The benches of different days are of the same shop: whoever changes what is in it begins their figures anew.
CREATED = "6f566093ff96cc0f"
AGED = "1917f1aaabb5acba"


def digest(shop: Path) -> str:
    """What a shop holds, whatever SQLite wrote it."""
    found = hashlib.sha256()
    with closing(sqlite3.connect(shop / "orders.db")) as database:
        for line in database.iterdump():
            found.update(line.encode())
    for path in sorted(shop.rglob("*")):
        found.update(str(path.relative_to(shop)).encode())
        if path.is_symlink():
            found.update(str(path.readlink()).encode())
        elif path.is_file() and path.name != "orders.db":
            found.update(path.read_bytes())
    return found.hexdigest()[:16]


class SampleShopTests(TestInDirectory):
    """Scripts/sample-shop."""

    made: "tempfile.TemporaryDirectory[str]"

    @classmethod
    def setUpClass(cls) -> None:
        """Makes a shop once for all tests, which change copies of it."""
        cls.made = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.made.cleanup)
        done = script("sample-shop", "create", f"{cls.made.name}/shop", "--size-mib", "1")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def setUp(self) -> None:
        super().setUp()
        self.shop = self.root / "shop"
        shutil.copytree(f"{self.made.name}/shop", self.shop, symlinks=True)

    def run_script(self, command: str, *arguments: str) -> str:
        """It must succeed; what it prints."""
        done = script("sample-shop", command, str(self.shop), *arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def change(self, statement: str) -> None:
        """Breaks something."""
        with closing(sqlite3.connect(self.shop / "orders.db")) as database, database:
            database.execute(statement)

    def test_the_same_arguments_give_the_same_content(self) -> None:
        self.assertEqual(digest(self.shop), CREATED)
        self.run_script("age", "--days", "2")
        self.assertEqual(digest(self.shop), AGED)

    def test_a_day_changes_little_and_everywhere(self) -> None:
        before = self.run_script("check")
        self.run_script("age", "--percent", "5")
        after = self.run_script("check")
        orders = [int(re.findall(r"(\d+) orders", said)[0]) for said in (before, after)]
        self.assertEqual(orders[1] - orders[0], round(orders[0] * 0.05))
        self.assertEqual(len(list((self.shop / "logs").iterdir())), 10)
        self.assertTrue((self.shop / "invoices/latest").is_symlink())

    def test_orders_are_served_until_the_time_is_up(self) -> None:
        self.assertRegex(self.run_script("serve", "--seconds", "0.2", "--rate", "100"), r"^served [1-9]\d* orders\n$")
        self.run_script("check")

    def test_what_is_wrong_is_found(self) -> None:
        for statement, said in (
                ("UPDATE orders SET total_cents = total_cents + 1 WHERE id = 3", "orders that are not the sum"),
                ("DELETE FROM payments WHERE id = 1", "orders not paid exactly"),
                ("DELETE FROM order_lines WHERE order_id = 5", "orders without lines")):
            with self.subTest(statement):
                kept = shutil.copy(self.shop / "orders.db", self.root / "kept")
                self.change(statement)
                done = script("sample-shop", "check", str(self.shop))
                self.assertEqual(done.returncode, 1)
                self.assertIn(said, done.stderr)
                shutil.copy(kept, self.shop / "orders.db")

    def test_a_directory_that_is_no_shop_is_refused(self) -> None:
        done = script("sample-shop", "check", str(self.root))
        self.assertEqual((done.returncode, done.stderr), (1, f"sample-shop: there is no shop in {self.root}\n"))
        done = script("sample-shop", "create", str(self.shop), "--size-mib", "1")
        self.assertEqual((done.returncode, done.stderr), (1, f"sample-shop: {self.shop} is not empty\n"))


class YearTests(TestInDirectory):
    """Scripts/simulate-year, without holdfast."""

    def test_days_are_small_and_every_disaster_is_large(self) -> None:
        random = Random(1)
        shop = Shop(self.root / "shop", random)
        shop.live()
        before = self.content(self.root / "shop")
        shop.live()
        after = self.content(self.root / "shop")
        self.assertLess(len(before.keys() - after.keys()), 2)
        for name, disaster in DISASTERS.items():
            with self.subTest(name):
                copy = self.root / "copy"
                shutil.copytree(self.root / "shop", copy)
                disaster(copy, random)
                self.assertNotEqual(self.content(copy), after)
                shutil.rmtree(copy)

    @staticmethod
    def content(root: Path) -> dict[str, bytes]:
        """The files of a tree."""
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class SoakTests(TestInDirectory):
    """What a soak calls sound, and what not."""

    def setUp(self) -> None:
        super().setUp()
        self.source = self.root / "source"
        soak.make(self.source, "wal", 4096)

    def test_writers_keep_what_the_check_demands(self) -> None:
        writer = soak.Writer(self.source, "wal", 1, 0)
        for number in range(30):
            writer.step(number)
        self.assertEqual(writer.commits, 30)
        for database in writer.databases:
            database.close()
        soak.check(self.source)

    def test_databases_of_two_instants_are_found(self) -> None:
        with closing(soak.connect(self.source, "orders.db")) as database:
            database.execute("UPDATE account SET money = money - 1 WHERE id = 7")
        with self.assertRaisesRegex(Failure, "of different instants: 3999999 instead of 4000000"):
            soak.check(self.source)

    def test_a_database_that_is_missing_or_damaged_is_found(self) -> None:
        with closing(soak.connect(self.source, "orders.db")) as database:
            database.executescript("INSERT INTO entry (number, note) VALUES (1, randomblob(100000)); "
                                   "PRAGMA wal_checkpoint(TRUNCATE)")
        path = self.source / "orders.db"
        data = path.read_bytes()
        path.write_bytes(data[:-4096 * 3] + bytes(4096) + data[-4096 * 2:])
        with self.assertRaisesRegex(Failure, "orders.db"):
            soak.check(self.source)
        for each in self.source.glob("orders.db*"):
            each.unlink()
        with self.assertRaisesRegex(Failure, r"holds \['stock.db'\]"):
            soak.check(self.source)

    def test_a_capture_is_whole_only_with_the_status_that_fits(self) -> None:
        def said(status: int, *anomalies: str, problems: int = 0, incomplete: int = 0) -> bool:
            text = json.dumps({"snapshot": {"anomalies": [{"kind": kind} for kind in anomalies],
                                            "incompleteFiles": incomplete}, "problems": ["x"] * problems})
            return whole_snapshot(subprocess.CompletedProcess([], status, text, ""), {"encryption"}) is not None
        self.assertEqual([said(0), said(3, "encryption"), said(3), said(0, "encryption"), said(3, "truncation"),
                          said(0, problems=1), said(0, incomplete=1), said(1)],
                         [True, True] + [False] * 6)


if __name__ == "__main__":
    unittest.main()
