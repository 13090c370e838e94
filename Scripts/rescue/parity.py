"""Reads a damaged archive or body with its own parity (section 4)."""
from __future__ import annotations

import hashlib, struct, zlib
from typing import Callable, NamedTuple

from .problems import Damaged, demand

PAGE, STRIPES, STRIPE_COUNTS = 4096, 65, (1, 2, 4, 8, 16, 32, 65)
MOST_DATA, MOST_PARITY, MOST_STRIPE, MOST_CORE, SEARCHED, ASKED = 240, 16, 255, 1 << 38, 64 << 20, 16 << 10
MAGIC, HEAD, END = b"HOLDFAST\x01PARITY\n", struct.Struct("<16s16sQHHI32s"), struct.Struct("<QHH32sI")
TRAILER = struct.Struct("<QIIQ8s")
MOST_BLOCK = HEAD.size + 4 * MOST_DATA + PAGE + 4

# GF(2⁸) with the polynomial 0x11D: powers of 2, and to which power each number is.
POWERS = [1]
for _ in range(254):
    POWERS.append(POWERS[-1] << 1 ^ (0x11D if POWERS[-1] & 0x80 else 0))
LOGARITHMS = {power: number for number, power in enumerate(POWERS)}


def product(left: int, right: int) -> int:
    return POWERS[(LOGARITHMS[left] + LOGARITHMS[right]) % 255] if left and right else 0


def inverse(number: int) -> int:
    return POWERS[-LOGARITHMS[number] % 255]


# The products of all bytes with each number.
TABLES = [bytes(product(number, byte) for byte in range(256)) for number in range(256)]


def times(number: int, page: bytes) -> int:
    """A page times a number, as one long number: sums are exclusive or."""
    return int.from_bytes(page.translate(TABLES[number]), "little")


class Layout(NamedTuple):
    """Where pages and blocks lie in an object of a certain length."""
    core: int
    data: int
    parity: int

    @property
    def pages(self) -> int:
        return -(-self.core // PAGE)

    @property
    def groups(self) -> int:
        return -(-self.pages // (STRIPES * self.data))

    def pages_of(self, group: int) -> int:
        return min(STRIPES * self.data, self.pages - group * STRIPES * self.data)

    def stripes(self, group: int) -> int:
        if self.groups > 1:
            return STRIPES
        return next((count for count in STRIPE_COUNTS if self.pages <= count * self.data), STRIPES)

    @property
    def block_size(self) -> int:
        return HEAD.size + 4 * self.data + PAGE + 4

    @property
    def blocks(self) -> int:
        return self.parity * ((self.groups - 1) * STRIPES + self.stripes(self.groups - 1))

    @property
    def end(self) -> int:
        """Where the blocks end."""
        return self.core + self.blocks * self.block_size

    def place(self, page: int) -> tuple[int, int, int]:
        """Group, stripe and position of a page."""
        group, index = divmod(page, STRIPES * self.data)
        return group, index % self.stripes(group), index // self.stripes(group)

    def stripe(self, group: int, stripe: int) -> list[int]:
        """The pages of a stripe."""
        first = group * STRIPES * self.data
        return list(range(first + stripe, first + self.pages_of(group), self.stripes(group)))

    def block(self, group: int, stripe: int, row: int) -> int:
        """The number of a block."""
        count = self.stripes(group)
        return group * self.parity * STRIPES + row * count + (stripe - self.pages_of(group)) % count

    def is_sound(self, length: int) -> bool:
        return (1 <= self.data <= MOST_DATA and 1 <= self.parity <= MOST_PARITY
                and self.data + self.parity <= MOST_STRIPE and 1 <= self.core <= MOST_CORE
                and self.end + END.size + 32 == length)

    def coefficient(self, row: int, position: int) -> int:
        return inverse((self.data + row) ^ position)


class Block(NamedTuple):
    layout: Layout
    trailer: bytes
    checksums: tuple[int, ...]
    page: bytes


class Repaired:
    """The bytes of one object, each page as it is stored or as its stripe gives it back."""

    def __init__(self, key: str, name: str, length: int, stored: Callable[[int, int], bytes]):
        self.key, self.name, self.length, self.stored = key, bytes.fromhex(name), length, stored
        self.checksums: dict[tuple[int, int], tuple[int, ...]] = {}
        self.rebuilt: dict[int, bytes] = {}
        self.tail = b""
        self.layout, self.trailer = self.find()

    def bytes_at(self, start: int, length: int) -> bytes | None:
        """Stored bytes, all or none."""
        try:
            data = self.stored(start, length)
        except Damaged:
            return None
        return data if len(data) == length else None

    # ---- Where things are ----

    def find(self) -> tuple[Layout, bytes]:
        """The layout, from the end of the parity or from any block; and the trailer, as a block has it."""
        end = self.length - END.size - 32
        if layout := self.read_end(self.bytes_at(end, END.size) if end > 0 else None):
            asked = range(0, layout.blocks, (layout.blocks - 1) // ASKED + 1)
            found = (self.read_block(layout, number) for number in asked)
            return layout, next((block.trailer for block in found if block), b"")
        demand(not self.says_none(), f"{self.key}: has no parity")
        for start in range(self.length - 1 - (self.length - 1) % PAGE, max(-1, self.length - SEARCHED), -PAGE):
            data = self.bytes_or_zeros(start, PAGE + MOST_BLOCK)
            at = data.find(MAGIC)
            while 0 <= at < PAGE:
                if block := self.parse(data[at:], start + at):
                    return block.layout, block.trailer
                at = data.find(MAGIC, at + 1)
        raise Damaged(f"{self.key}: has no parity")

    def says_none(self) -> bool:
        """That the trailer is there, and the index ends where it begins. The header may be what is damaged."""
        index, frames, entry, length, magic = TRAILER.unpack(self.bytes_at(self.length - 32, 32) or bytes(32))
        rest = self.length - 32 - index - 56 * frames
        return (entry, length, magic) == (56, self.length, b"TSAFDLOH") and rest in (0, 16)

    def bytes_or_zeros(self, start: int, length: int) -> bytes:
        """Stored bytes, with zeros for pages that cannot be read."""
        pages = ((at, min(PAGE, start + length - at)) for at in range(start, start + length, PAGE))
        return b"".join((self.bytes_at(at, count) or self.some(at, count)).ljust(count, b"\0") for at, count in pages)

    def some(self, start: int, length: int) -> bytes:
        """What is left of the last page of an object that was cut."""
        try:
            return self.stored(start, length)
        except Damaged:
            return b""

    def read_end(self, data: bytes | None) -> Layout | None:
        if not data or len(data) != END.size or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
            return None
        layout = Layout(*END.unpack(data)[:3])
        return layout if layout.is_sound(self.length) else None

    def read_block(self, layout: Layout, number: int) -> Block | None:
        start = layout.core + number * layout.block_size
        block = self.parse(self.bytes_at(start, layout.block_size) or b"", start)
        return block if block and block.layout == layout else None

    def parse(self, data: bytes, start: int) -> Block | None:
        """A block that begins at `start`, if it is sound and of this object."""
        if len(data) < HEAD.size:
            return None
        magic, name, core, count, parity, number, trailer = HEAD.unpack_from(data)
        layout = Layout(core, count, parity)
        if (magic, name) != (MAGIC, self.name) or not layout.is_sound(self.length):
            return None
        data = data[:layout.block_size]
        if (number >= layout.blocks or start != core + number * layout.block_size or len(data) != layout.block_size
                or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little")):
            return None
        checksums = struct.unpack_from(f"<{count}I", data, HEAD.size)
        return Block(layout, trailer, checksums, data[-4 - PAGE:-4])

    # ---- Bytes ----

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the object; nobody vouches for them."""
        length = max(0, min(length, self.length - start))
        data = b""
        while len(data) < length:
            at = start + len(data)
            if at < self.layout.core:
                data += self.page(at // PAGE)[at % PAGE:]
            elif at < self.layout.end:
                data += self.bytes_or_zeros(at, min(self.layout.end - at, length - len(data)))
            else:
                self.tail = self.tail or self.make_tail()
                data += self.tail[at - self.layout.end:]
        return data[:length]

    def stored_page(self, number: int) -> bytes | None:
        """A page as it is stored, with zeros behind the last bytes of the core."""
        data = self.bytes_at(number * PAGE, min(PAGE, self.layout.core - number * PAGE))
        return data and data.ljust(PAGE, b"\0")

    def page(self, number: int) -> bytes:
        if number not in self.rebuilt:
            group, stripe, position = self.layout.place(number)
            checksums, data = self.checksums_of(group, stripe), self.stored_page(number)
            if data and (not checksums or zlib.crc32(data) == checksums[position]):
                return data[:self.layout.core - number * PAGE]
            demand(checksums, f"{self.key}: a page of it is lost, and so is the parity for it")
            self.rebuild(group, stripe, checksums)
        return self.rebuilt[number][:self.layout.core - number * PAGE]

    def checksums_of(self, group: int, stripe: int) -> tuple[int, ...]:
        """What the pages of a stripe must be; nothing if no block of it is left."""
        if (group, stripe) not in self.checksums:
            found = (self.read_block(self.layout, self.layout.block(group, stripe, row))
                     for row in range(self.layout.parity))
            self.checksums[group, stripe] = next((block.checksums for block in found if block), ())
        return self.checksums[group, stripe]

    def rebuild(self, group: int, stripe: int, checksums: tuple[int, ...]) -> None:
        """Solves the equations of a stripe for its lost pages."""
        numbers = self.layout.stripe(group, stripe)
        pages = [self.stored_page(number) for number in numbers]
        lost = [at for at, page in enumerate(pages) if not page or zlib.crc32(page) != checksums[at]]
        blocks = ((row, self.read_block(self.layout, self.layout.block(group, stripe, row)))
                  for row in range(self.layout.parity))
        rows = [(row, block.page) for row, block in blocks if block][:len(lost)]
        demand(len(rows) == len(lost), f"{self.key}: more of it is lost than its parity can give back")
        sums = []
        for row, parity in rows:
            total = int.from_bytes(parity, "little")
            for at, page in enumerate(pages):
                if page and at not in lost:
                    total ^= times(self.layout.coefficient(row, at), page)
            sums.append(total)
        solution = solve([[self.layout.coefficient(row, at) for at in lost] for row, _ in rows], sums)
        for at, total in zip(lost, solution):
            page = total.to_bytes(PAGE, "little")
            demand(zlib.crc32(page) == checksums[at], f"{self.key}: its parity does not give back what is lost")
            self.rebuilt[numbers[at]] = page

    # ---- The end ----

    def make_tail(self) -> bytes:
        """The end of the parity and the trailer; where that end is lost, from the whole core."""
        stored = self.bytes_at(self.layout.end, END.size)
        trailer = self.trailer or self.bytes_at(self.layout.end + END.size, 32) or b""
        if self.read_end(stored) == self.layout and stored:
            return stored + trailer
        digest, checksums, parity = hashlib.sha256(), [], {}
        for number in range(self.layout.pages):
            page = self.page(number).ljust(PAGE, b"\0")
            group, stripe, position = self.layout.place(number)
            checksums.append(zlib.crc32(page))
            for row in range(self.layout.parity):
                at = group, stripe, row
                parity[at] = parity.get(at, 0) ^ times(self.layout.coefficient(row, position), page)
        for group in range(self.layout.groups):
            for turn in range(self.layout.parity * self.layout.stripes(group)):
                row, count = divmod(turn, self.layout.stripes(group))
                stripe = (self.layout.pages_of(group) + count) % self.layout.stripes(group)
                sums = [checksums[page] for page in self.layout.stripe(group, stripe)]
                sums += [0] * (self.layout.data - len(sums))
                block = HEAD.pack(MAGIC, self.name, *self.layout, self.layout.block(group, stripe, row), trailer)
                block += struct.pack(f"<{len(sums)}I", *sums)
                block += parity.get((group, stripe, row), 0).to_bytes(PAGE, "little")
                digest.update(block + zlib.crc32(block).to_bytes(4, "little"))
        end = END.pack(*self.layout, digest.digest(), 0)[:-4]
        return end + zlib.crc32(end).to_bytes(4, "little") + trailer


def solve(matrix: list[list[int]], sums: list[int]) -> list[int]:
    """The pages that times the matrix are these sums."""
    rows = [(list(row), total) for row, total in zip(matrix, sums)]
    for column in range(len(rows)):
        at = next(index for index in range(column, len(rows)) if rows[index][0][column])
        rows[column], rows[at] = rows[at], rows[column]
        factors, total = rows[column]
        factor = inverse(factors[column])
        scaled = [product(factor, each) for each in factors], times(factor, total.to_bytes(PAGE, "little"))
        rows[column] = scaled
        for index, (others, value) in enumerate(rows):
            if index != column and others[column]:
                factor = others[column]
                rows[index] = ([each ^ product(factor, mine) for each, mine in zip(others, scaled[0])],
                               value ^ times(factor, scaled[1].to_bytes(PAGE, "little")))
    return [total for _, total in rows]


def check_parity(key: str, layout: Layout, digest: bytes, stored: Callable[[int, int], bytes]) -> None:
    """That the blocks are those that the object digest covers."""
    found = hashlib.sha256()
    for start in range(layout.core, layout.end, 1 << 20):
        found.update(stored(start, min(1 << 20, layout.end - start)))
    demand(found.digest() == digest, f"{key}: its parity does not have its digest")
