"""The records of a body, and the entries that they describe: sections 3 and 6."""
from __future__ import annotations

import mmap
from typing import Iterator, NoReturn

from .format import (BAD_PAGES, BLOCK_DEVICE, CHARACTER_DEVICE, CLASSES, DIRECTORY, FILE, HARD_LINK, MOST_ATTRIBUTES,
                     MOST_BAD_PAGES, MOST_COMPONENT, MOST_FRAMES, MOST_ID, MOST_PATH, MOST_PLAIN, MOST_SIZE, MOST_VALUE,
                     MOST_VALUES, PAGES, SQLITE_READ_TRANSACTION, SYMBOLIC_LINK, UNREADABLE, ZEROS, Run)
from .problems import Damaged, demand, show


class Cursor:
    """Reads the primitives of section 3 from the plain bytes of one body, and never beyond its end."""

    def __init__(self, plain: mmap.mmap, position: int, stop: int, where: str, archives: int):
        self.plain, self.position, self.stop, self.where, self.archives = plain, position, stop, where, archives

    def at(self, position: int) -> Cursor:
        return Cursor(self.plain, position, self.stop, self.where, self.archives)

    def fail(self, problem: str) -> NoReturn:
        raise Damaged(f"{self.where}: {problem}")

    def skip(self, count: int) -> int:
        """Passes over that many bytes; where they are."""
        if count > self.stop - self.position:
            self.fail("ends too early")
        self.position += count
        return self.position - count

    def byte(self, what: str, least: int, most: int) -> int:
        value = self.plain[self.skip(1)]
        return value if least <= value <= most else self.fail(f"unknown {what} {value}")

    def varint(self, what: str, most: int = 2**64 - 1) -> int:
        value, shift, byte = 0, 0, 0x80
        while byte >= 0x80:
            byte = self.plain[self.skip(1)]
            value |= (byte & 0x7F) << shift
            shift += 7
            if value > most or shift > 70 or (byte == 0 and shift > 7):
                self.fail(f"{what} is beyond {most}, or not in its shortest form")
        return value

    def bytes(self, what: str, most: int) -> bytes:
        length = self.varint(f"length of {what}", most)
        start = self.skip(length)
        return self.plain[start:start + length]

    def name(self, what: str, most: int) -> bytes:
        """Bytes that the system takes for a name: some, and none of them NUL."""
        name = self.bytes(what, most)
        return name if name and b"\0" not in name else self.fail(f"{what} is empty or has a NUL")

    def path(self, before: bytes = b"") -> bytes:
        """The rest of a path reference, or (after nothing) a path. It cannot lead out of the target."""
        path = before + self.bytes("path", MOST_PATH - len(before))
        for name in path.split(b"/") if path else ():
            if name in (b"", b".", b"..") or b"\0" in name or len(name) > MOST_COMPONENT:
                self.fail(f"forbidden path {show(path)}")
        return path

    def time(self) -> int:
        seconds = self.varint("seconds")
        return ((seconds >> 1) ^ -(seconds & 1)) * 10**9 + self.varint("nanoseconds", 10**9 - 1)


class Entry:
    """A record of kind 1 (section 6). `encoded` are its bytes that enter the state root; runs are read when needed."""

    def __init__(self, cursor: Cursor, path: bytes, before: Entry | None):
        start = cursor.position
        self.path, self.body, self.link, self.size, self.page_size = path, cursor, b"", 0, 512
        self.type, mode = cursor.byte("type", DIRECTORY, BLOCK_DEVICE), cursor.varint("mode", 0o7777)
        user, group, modified = cursor.varint("user ID", MOST_ID), cursor.varint("group ID", MOST_ID), cursor.time()
        extended = [(cursor.name("extended attribute", 255), cursor.bytes("value", MOST_VALUE))
                    for _ in range(cursor.varint("number of extended attributes", MOST_ATTRIBUTES))]
        if extended != sorted(dict(extended).items()) or sum(map(len, sum(extended, ()))) > MOST_VALUES:
            cursor.fail(f"{show(path)}: its extended attributes are not in order, or too long")
        self.attributes = mode, user, group, modified, extended
        if self.type == FILE:
            self.size, self.page_size = cursor.varint("size", MOST_SIZE), cursor.varint("page size", 1 << 18)
            self.consistency, digest = cursor.byte("consistency class", 1, len(CLASSES) - 1), cursor.skip(32)
            self.digest = cursor.plain[digest:digest + 32]
            if self.page_size < 512 or self.page_size & (self.page_size - 1):
                cursor.fail(f"{show(path)}: page size {self.page_size}")
            if self.consistency == UNREADABLE and self.size:
                cursor.fail(f"{show(path)}: is unreadable and has a size")
            self.bad_pages = self.read_bad_pages(cursor) if self.consistency == BAD_PAGES else []
        elif self.type == SYMBOLIC_LINK:
            self.link = cursor.name("target", MOST_PATH)
        elif self.type == HARD_LINK:
            self.link = cursor.path()
        elif self.type in (CHARACTER_DEVICE, BLOCK_DEVICE):
            self.device = cursor.varint("major", MOST_ID), cursor.varint("minor", MOST_ID)
        self.encoded = slice(start, cursor.position)
        cursor.time(), cursor.varint("device"), cursor.varint("inode number")
        if self.type == FILE and self.consistency == SQLITE_READ_TRANSACTION:
            cursor.bytes("mark of its commit", 64)
        inherits = cursor.byte("inherits", 0, 1 if self.type == FILE else 0)
        self.start_of_runs, self.base = cursor.position, before if inherits else None
        covered = sum(run.end - run.first for run in self.runs(cursor))
        if inherits and not (before and before.type == FILE and before.page_size == self.page_size):
            cursor.fail(f"{show(path)}: there is no such file to inherit pages from")
        if not inherits and covered != self.pages:
            cursor.fail(f"{show(path)}: its runs cover {covered} of {self.pages} pages")

    @property
    def pages(self) -> int:
        return -(-self.size // self.page_size)

    def position(self, page: int) -> int:
        """Where a page begins in the file, and the one before it ends."""
        return min(page * self.page_size, self.size)

    def read_bad_pages(self, cursor: Cursor) -> list[int]:
        pages: list[int] = []
        for _ in range(cursor.varint("number of bad pages", MOST_BAD_PAGES)):
            pages.append((pages[-1] + 1 if pages else 0) + cursor.varint("bad page", MOST_SIZE))
        if not pages or pages[-1] >= self.pages:
            cursor.fail("its bad pages are none, or behind its end")
        return pages

    def runs(self, cursor: Cursor) -> Iterator[Run]:
        """Those that this entry itself brought."""
        end = 0
        while self.type == FILE and cursor.position < cursor.stop and cursor.plain[cursor.position] in (PAGES, ZEROS):
            kind = cursor.byte("record", PAGES, ZEROS)
            first = end + cursor.varint("gap", self.pages - end)
            end = first + cursor.varint("count", self.pages - first)
            if first == end:
                cursor.fail(f"{show(self.path)}: a run of no pages")
            if kind == ZEROS:
                yield Run(first, end, -1, 0, 0, 0)
            else:
                archive, frame = cursor.varint("archive", cursor.archives - 1), cursor.varint("frame", MOST_FRAMES - 1)
                offset = cursor.varint("offset", MOST_PLAIN - (self.position(end) - self.position(first)))
                yield Run(first, end, archive, frame, offset, cursor.skip(16 * (end - first)))

    def all_runs(self) -> Iterator[tuple[Run, bool]]:
        """All pages of a file in order, each from the newest entry that brought it; and whether this is that entry."""
        layers = [self]
        while layers[-1].base:
            layers.append(layers[-1].base)
        runs = [layer.runs(layer.body.at(layer.start_of_runs)) for layer in layers]
        heads = [next(run, None) for run in runs]
        first = 0
        while first < self.pages:
            end, whole = self.pages, MOST_SIZE  # pages before `whole` have the same length in all layers
            for depth, layer in enumerate(layers):
                if depth and layers[depth - 1].size != layer.size:
                    whole = min(whole, layers[depth - 1].size // self.page_size, layer.size // self.page_size)
                while heads[depth] and heads[depth].end <= first:
                    heads[depth] = next(runs[depth], None)
                head = heads[depth] or Run(end, end, -1, 0, 0, 0)
                end = min(end, head.end if head.first <= first else head.first)
                if head.first <= first:
                    break
            demand(head.first <= first and (end <= whole or head.archive < 0),  # zeros may have had another length
                   f"inherits page {end - 1}, which was not there in this length")
            skipped = first - head.first
            yield Run(first, end, head.archive, head.frame, head.offset + skipped * self.page_size,
                      head.digests + skipped * 16), depth == 0
            first = end
