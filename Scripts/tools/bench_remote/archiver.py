"""A PostgreSQL server as holdfast sees it: it asks for one segment after the other, and waits for each.

It runs as `python3 -m tools.bench_remote.archiver push|fetch PROGRAM DIRECTORY COUNT`, in the environment of holdfast.
"""

import argparse
import os
import struct
import subprocess
from pathlib import Path

SEGMENT_BYTES = 16 << 20
PAGE_BYTES = 8192
RECORD_BYTES = 64 << 20  # of one record, which began before the segment and ends behind it
RANDOM_BYTES = 2048  # of each page: it compresses about as well as the log of a shop
SYSTEM = 7_123_456_789_012_345_678
SOURCE = "orders"
FIRST = 1
MAGIC = 0xD110  # PostgreSQL 15
CONTINUES, LONG_HEADER = 0x0001, 0x0002
RECOVERY = "pg_wal/RECOVERYXLOG"


def name(number: int) -> str:
    """The name of a segment."""
    return f"{1:08X}{number >> 8:08X}{number & 0xFF:08X}"


def header(number: int, page: int) -> bytes:
    """The header of a page. All of the segment belongs to one record: it is whole, and no record begins in it."""
    long, short = struct.calcsize("<HHIQIIQII"), struct.calcsize("<HHIQII")
    left = RECORD_BYTES - (0 if page == 0 else page * (PAGE_BYTES - short) - (long - short))
    start = number * SEGMENT_BYTES + page * PAGE_BYTES
    if page == 0:
        return struct.pack("<HHIQIIQII", MAGIC, CONTINUES | LONG_HEADER, 1, start, left, 0, SYSTEM, SEGMENT_BYTES,
                           PAGE_BYTES)
    return struct.pack("<HHIQII", MAGIC, CONTINUES, 1, start, left, 0)


def first_page(number: int) -> bytes:
    """The first page of a segment, by which it is recognised."""
    return header(number, 0).ljust(PAGE_BYTES, b"\1")


def make(directory: Path, count: int) -> None:
    """Makes so many segments, all ready to be archived."""
    status = directory / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    contents = [os.urandom(RANDOM_BYTES) for _ in range(SEGMENT_BYTES // PAGE_BYTES)]
    for number in range(FIRST, FIRST + count):
        pages = ((header(number, page) + contents[page]).ljust(PAGE_BYTES, b"\0")
                 for page in range(1, SEGMENT_BYTES // PAGE_BYTES))
        (directory / "pg_wal" / name(number)).write_bytes(first_page(number) + b"".join(pages))
        (status / f"{name(number)}.ready").touch()


class Server:
    """The archiver, or the recovery, of a server in its data directory."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program, self.directory = program, directory

    def call(self, *arguments: str) -> None:
        """One call, which must succeed. It has something to say, for example, of a segment that is not whole."""
        done = subprocess.run([self.program, "wal", *arguments, "--name", SOURCE], cwd=self.directory, check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.stdout:
            raise OSError(f"wal {arguments[0]} said: {done.stdout.strip()}")

    def push(self, number: int) -> None:
        """Has a segment archived, and forgets it."""
        self.call("push", f"pg_wal/{name(number)}")
        ready = self.directory / "pg_wal" / "archive_status" / f"{name(number)}.ready"
        ready.rename(ready.with_suffix(".done"))

    def fetch(self, number: int) -> None:
        """Gets a segment back, and looks whether it is the right one."""
        self.call("fetch", name(number), RECOVERY, "--system", str(SYSTEM))
        target = self.directory / RECOVERY
        with target.open("rb") as file:
            if target.stat().st_size != SEGMENT_BYTES or file.read(PAGE_BYTES) != first_page(number):
                raise OSError(f"{name(number)} came back as something else")
        target.unlink()


def main() -> None:
    """Asks for all of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=("push", "fetch"))
    parser.add_argument("program")
    parser.add_argument("directory", type=Path)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    server = Server(options.program, options.directory)
    for number in range(FIRST, FIRST + options.count):
        getattr(server, options.way)(number)


if __name__ == "__main__":
    main()
