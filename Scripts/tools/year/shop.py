"""A small shop, day by day."""

import gzip
import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path
from random import Random


class Shop:
    """A directory that lives as a shop's does: most days are alike, and each week, month and quarter has its own."""

    def __init__(self, root: Path, random: Random) -> None:
        self.root, self.random, self.day = root, random, 0
        for name in ("invoices", "photographs", "logs", "export"):
            (root / name).mkdir(parents=True)
        with closing(sqlite3.connect(root / "orders.db")) as database, database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, day INT, customer INT, state TEXT, "
                             "note TEXT)")
            database.execute("CREATE INDEX orders_customer ON orders (customer)")
            database.execute("CREATE TABLE products (id INTEGER PRIMARY KEY, cents INT, text TEXT)")
            database.executemany("INSERT INTO products (cents, text) VALUES (?, ?)",
                                 [(random.randrange(99_999), self.text(60)) for _ in range(3000)])
        self.sell(12_000)
        for _ in range(60):
            self.photograph()
        self.export()

    def text(self, words: int) -> str:
        """So many words."""
        return " ".join(self.random.choice(("order", "for", "blue", "box", "of", "small", "parts", "paid", "by", "card",
                                            str(self.random.randrange(99_999)))) for _ in range(words))

    def live(self) -> None:
        """One day."""
        self.day += 1
        weekend, sale = self.day % 7 in (5, 6), self.day % 180 == 150
        self.sell(2500 if sale else 120 if weekend else 300)
        for _ in range(self.random.randrange(2, 5) if weekend else self.random.randrange(8, 20)):
            self.invoice()
        for _ in range(40 if self.day % 90 == 70 else self.random.randrange(4)):
            self.photograph()
        self.rotate_logs()
        if self.day % 7 == 0:
            self.export()
        if self.day % 30 == 0:
            self.archive_invoices()
        if self.day % 90 == 0:
            self.clean_up()
        if self.day % 120 == 100:
            self.change("UPDATE products SET cents = cents * 1.03")
        if self.day == 200:
            self.change("ALTER TABLE orders ADD COLUMN origin TEXT", "UPDATE orders SET origin = 'shop'")
        if self.day == 300:
            for photograph in sorted((self.root / "photographs").iterdir()):
                photograph.write_bytes(self.random.randbytes(photograph.stat().st_size * 8 // 10))

    def change(self, *statements: str) -> None:
        """Statements on the database, each a transaction."""
        with closing(sqlite3.connect(self.root / "orders.db", isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    def sell(self, count: int) -> None:
        """So many orders, while those of some days ago are sent."""
        with closing(sqlite3.connect(self.root / "orders.db")) as database, database:
            database.executemany("INSERT INTO orders (day, customer, state, note) VALUES (?, ?, 'new', ?)",
                                 [(self.day, self.random.randrange(5000), self.text(25)) for _ in range(count)])
            database.execute("UPDATE orders SET state = 'sent' WHERE day BETWEEN ? AND ?", (self.day - 3, self.day - 2))

    def invoice(self) -> None:
        """As a PDF is: some text, and some that is compressed."""
        body = self.text(200).encode() + zlib.compress(self.text(400).encode())
        name = f"{self.day:03}-{self.random.randrange(10**9):09}.pdf"
        (self.root / "invoices" / name).write_bytes(body)

    def photograph(self) -> None:
        """A photograph, which does not compress."""
        name = f"{self.random.randrange(10**9):09}.jpg"
        (self.root / "photographs" / name).write_bytes(self.random.randbytes(self.random.randrange(20_000, 60_000)))

    def rotate_logs(self) -> None:
        """Yesterday's log is packed, and two weeks of them are kept."""
        logs = self.root / "logs"
        if (logs / "shop.log").exists():
            packed = gzip.compress((logs / "shop.log").read_bytes(), mtime=0)
            (logs / f"shop.log.{self.day:03}.gz").write_bytes(packed)
        for old in sorted(logs.glob("*.gz"))[:-14]:
            old.unlink()
        (logs / "shop.log").write_text("\n".join(self.text(9) for _ in range(1500)))

    def export(self) -> None:
        """What goes to the bookkeepers each week: forty files, all new."""
        shutil.rmtree(self.root / "export")
        (self.root / "export").mkdir()
        for number in range(40):
            (self.root / "export" / f"{self.day:03}-{number}.csv").write_text(self.text(800))

    def archive_invoices(self) -> None:
        """Those of more than four months ago become one file."""
        old = [path for path in sorted((self.root / "invoices").iterdir()) if int(path.name[:3]) < self.day - 120]
        if old and old[0].suffix == ".pdf":
            (self.root / f"invoices-{self.day:03}.gz").write_bytes(gzip.compress(b"".join(
                path.read_bytes() for path in old), mtime=0))
            for path in old:
                path.unlink()

    def clean_up(self) -> None:
        """The orders of long ago go, and the database shrinks."""
        self.change(f"DELETE FROM orders WHERE day < {self.day - 150}", "VACUUM")
