"""A small source that changes, and what it was."""

import hashlib
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from random import Random

ROWS, FILES = 800, 12
LARGE_BYTES = 13 << 20  # more than two parts of an upload
LARGE_SHARE = 0.1

Tree = dict[str, tuple[str, int, str]]  # by path: kind, mode, and the digest of a file or the target of a link


def describe(root: Path) -> Tree:
    """Everything that a restore must bring back."""
    tree: Tree = {}
    for parent, directories, files in os.walk(root):
        for name in directories + files:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                found = ("link", 0, os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found = ("directory", stat.S_IMODE(status.st_mode), "")
            else:
                digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
                found = ("file", stat.S_IMODE(status.st_mode), digest)
            tree[os.path.relpath(path, root)] = found
    return tree


def differences(expected: Tree, found: Tree) -> list[str]:
    """What is missing, too much or different, in words."""
    said = [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    said += [f"{path} is too much" for path in sorted(found.keys() - expected.keys())]
    both = sorted(expected.keys() & found.keys())
    return said + [f"{path} is {found[path]}, not {expected[path]}" for path in both if expected[path] != found[path]]


class Source:
    """A database and some files."""

    def __init__(self, root: Path, random: Random) -> None:
        self.root, self.random = root, random
        (root / "invoices").mkdir(parents=True)
        (root / "newest").symlink_to("invoices")
        self.number = 0
        self.database = root / "orders.db"
        with closing(self.connect()) as database, database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, content TEXT NOT NULL)")
            self.insert(database, ROWS)
        for _ in range(FILES):
            self.write_invoice()
        if random.random() < LARGE_SHARE:
            self.write_large()

    def write_large(self) -> None:
        """A file that is stored in several parts."""
        (self.root / "photos.tar").write_bytes(self.random.randbytes(LARGE_BYTES))

    def connect(self) -> sqlite3.Connection:
        """Nothing of it is made durable: this machine does not fail."""
        database = sqlite3.connect(self.database)
        database.execute("PRAGMA synchronous = OFF")
        return database

    def insert(self, database: sqlite3.Connection, count: int) -> None:
        """New orders."""
        database.executemany("INSERT INTO orders (content) VALUES (?)",
                             ((self.random.randbytes(150).hex(),) for _ in range(count)))

    def write_invoice(self) -> None:
        """A new file."""
        self.number += 1
        text = "".join(f"{self.random.random():.9f} EUR\n" for _ in range(self.random.randrange(3000)))
        (self.root / "invoices" / f"{self.number:05}.txt").write_text(text)

    def change(self) -> None:
        """What a while brings."""
        random = self.random
        with closing(self.connect()) as database, database:
            self.insert(database, random.randrange(1, 40))
            database.execute("UPDATE orders SET content = ? WHERE id % 97 = ?",
                             (random.randbytes(150).hex(), random.randrange(97)))
            if random.random() < 0.2:
                database.execute("DELETE FROM orders WHERE id % 61 = ?", (random.randrange(61),))
        self.write_invoice()
        invoices = sorted((self.root / "invoices").iterdir())
        chosen = random.choice(invoices)
        what = random.random()
        if what < 0.2:
            chosen.unlink()
        elif what < 0.4:
            chosen.rename(chosen.with_name(f"paid-{self.number}-{chosen.name}"))
        elif what < 0.6:
            chosen.chmod(random.choice([0o600, 0o640, 0o644]))
        elif what < 0.8:
            with chosen.open("a") as file:
                file.write("paid\n")
