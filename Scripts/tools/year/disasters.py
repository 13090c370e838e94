"""What can happen to a shop that a backup should notice."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

PAGE_BYTES = 4096


def files(root: Path) -> list[Path]:
    """All regular files of a tree."""
    return sorted(path for path in root.rglob("*") if path.is_file())


def delete(share: float) -> Callable[[Path, Random], None]:
    """A share of all files is deleted."""
    def disaster(root: Path, random: Random) -> None:
        all_files = files(root)
        for path in random.sample(all_files, int(len(all_files) * share)):
            path.unlink()
    return disaster


def delete_directory(name: str) -> Callable[[Path, Random], None]:
    """A directory is deleted."""
    return lambda root, random: shutil.rmtree(root / name)


def truncate(share: float) -> Callable[[Path, Random], None]:
    """The database is cut to a share of its size."""
    def disaster(root: Path, random: Random) -> None:
        for name in ("orders.db-wal", "orders.db-shm"):
            (root / name).unlink(missing_ok=True)
        os.truncate(root / "orders.db", int((root / "orders.db").stat().st_size * share))
    return disaster


def encrypt(share: float, suffix: str = "", every: int = 1) -> Callable[[Path, Random], None]:
    """So many of the files; of each one page in `every`; what is encrypted looks like random bytes."""
    def disaster(root: Path, random: Random) -> None:
        all_files = files(root)
        for path in random.sample(all_files, max(1, int(len(all_files) * share))):
            content = bytearray(path.read_bytes())
            for start in range(0, len(content), PAGE_BYTES * every):
                length = min(PAGE_BYTES, len(content) - start)
                content[start:start + length] = random.randbytes(length)
            path.write_bytes(content)
            if suffix:
                path.rename(path.with_name(path.name + suffix))
    return disaster


def encrypt_database(root: Path, random: Random) -> None:
    """The database is encrypted."""
    for name in ("orders.db-wal", "orders.db-shm"):
        (root / name).unlink(missing_ok=True)
    (root / "orders.db").write_bytes(random.randbytes((root / "orders.db").stat().st_size))


DISASTERS: dict[str, Callable[[Path, Random], None]] = {
    "all invoices deleted": delete_directory("invoices"),
    "30 % of all files deleted": delete(0.3),
    "60 % of all files deleted": delete(0.6),
    "the database cut to nothing": truncate(0),
    "the database cut to half": truncate(0.5),
    "the database encrypted": encrypt_database,
    "all files encrypted": encrypt(1),
    "all files encrypted, other names": encrypt(1, ".locked"),
    "20 % of all files encrypted": encrypt(0.2),
    "one page in four encrypted": encrypt(1, every=4),
    "1 % of all files encrypted": encrypt(0.01),
}
