"""Objects that are divided over the directories of several targets: they are read from any k of them (section 16)."""
from __future__ import annotations

import functools, hashlib, os, re, struct, zlib
from typing import NamedTuple

from .problems import Damaged, demand

UNIT = 1 << 20
MAGIC = b"HOLDFAST-SHARD-1"
END = struct.Struct("<16s16s16sQIBBBB32s")  # a trailer; its digest covers the table of checksums and what is before it
MOST_SHARDS = 16
OBJECT_ID = re.compile(r"-([0-9a-f]{32})$")

# Multiplication in the field of 256 elements of the polynomial x^8 + x^4 + x^3 + x^2 + 1.
POWERS = [1]
while len(POWERS) < 255:
    POWERS.append((POWERS[-1] << 1) ^ (0x11d if POWERS[-1] & 0x80 else 0))
LOGARITHM = {value: index for index, value in enumerate(POWERS)}


def multiply(left: int, right: int) -> int:
    return POWERS[(LOGARITHM[left] + LOGARITHM[right]) % 255] if left and right else 0


def inverse(value: int) -> int:
    return POWERS[-LOGARITHM[value] % 255]


@functools.lru_cache(maxsize=None)
def multiples(factor: int) -> bytes:
    return bytes(multiply(factor, value) for value in range(256))


class Shard(NamedTuple):
    """One shard, whose trailer is that of its name."""
    path: str
    length: int  # of the object
    table: tuple[int, ...]


class Divided:
    """One object in shards, which may be fewer than were written."""

    def __init__(self, key: str, data: int, parity: int, length: int, shards: dict[int, Shard]):
        self.key, self.data, self.parity, self.length, self.shards = key, data, parity, length, shards
        self.full, rest = divmod(length, data * UNIT)
        self.rest, self.rest_unit = rest, -(-rest // data)
        self.unit = functools.lru_cache(maxsize=2 * data)(self.find_unit)

    def present(self, position: int, stripe: int) -> int:
        """The length of a unit as it is stored."""
        if stripe < self.full:
            return UNIT
        if stripe > self.full:
            return 0
        if position >= self.data:
            return self.rest_unit
        return max(0, min(self.rest_unit, self.rest - position * self.rest_unit))

    def shard_length(self, position: int) -> int:
        payload = self.full * UNIT + self.present(position, self.full)
        return payload + -(-payload // UNIT) * 4 + END.size

    def read(self, start: int, count: int) -> bytes:
        demand(len(self.shards) >= self.data,
               f"{self.key}: is in shards ({self.data}+{self.parity}): "
               f"{len(self.shards)} of the {self.data} that it needs are there\n"
               "HINT: Name the directories of other targets too: --with DIRECTORY, once for each.")
        parts, end = [], min(start + count, self.length)
        while start < end:
            stripe, within = divmod(start, self.data * UNIT)
            size = UNIT if stripe < self.full else self.rest_unit
            position, offset = divmod(within, size)
            part = self.unit(position, stripe)[offset:offset + end - start]
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def find_unit(self, position: int, stripe: int) -> bytes:
        """A unit of data: the stored one if it has its checksum, else made of k others."""
        found = self.stored_unit(position, stripe)
        if found is None:
            found = self.rebuilt_unit(position, stripe)
        return found[:self.present(position, stripe)]

    def stored_unit(self, position: int, stripe: int) -> bytes | None:
        """As long as those of parity: what a shorter one lacks is zeros. None if it is not there, or not sound."""
        shard, count = self.shards.get(position), self.present(position, stripe)
        size = UNIT if stripe < self.full else self.rest_unit
        if not count:
            return bytes(size) if position < self.data else None
        if shard is None:
            return None
        try:
            with open(shard.path, "rb") as file:
                file.seek(stripe * UNIT)
                unit = file.read(count)
        except OSError:
            return None
        return unit.ljust(size, b"\0") if len(unit) == count and zlib.crc32(unit) == shard.table[stripe] else None

    def rebuilt_unit(self, position: int, stripe: int) -> bytes:
        rows, units = [], []
        for other in range(self.data + self.parity):
            unit = self.stored_unit(other, stripe) if other != position and len(rows) < self.data else None
            if unit is not None:
                units.append(unit)
                rows.append(self.row(other))
        demand(len(rows) == self.data,
               f"{self.key}: only {len(rows)} of the {self.data} shards that it needs are sound")
        total = 0
        for factor, unit in zip(solve(rows)[position], units):
            total ^= int.from_bytes(unit.translate(multiples(factor)), "little")
        return total.to_bytes(len(units[0]), "little")

    def row(self, position: int) -> list[int]:
        """How a unit is the sum of those of data: one of them, or the row of the Cauchy matrix."""
        if position < self.data:
            return [int(column == position) for column in range(self.data)]
        return [inverse(position ^ column) for column in range(self.data)]


def solve(rows: list[list[int]]) -> list[list[int]]:
    """The inverse of a square matrix."""
    count = len(rows)
    work = [row + [int(column == number) for column in range(count)] for number, row in enumerate(rows)]
    for column in range(count):
        pivot = next(number for number in range(column, count) if work[number][column])
        work[column], work[pivot] = work[pivot], work[column]
        factor = inverse(work[column][column])
        work[column] = [multiply(factor, value) for value in work[column]]
        for number in range(count):
            if number != column and (factor := work[number][column]):
                work[number] = [value ^ multiply(factor, own) for value, own in zip(work[number], work[column])]
    return [row[count:] for row in work]


class Shards:
    """What the directories of targets have of objects."""

    def __init__(self, places: list[str], repository: str):
        self.places, self.repository = places, bytes.fromhex(repository)
        self.of = functools.lru_cache(maxsize=64)(self.find)
        self.names = functools.lru_cache(maxsize=64)(self.list_names)

    def list_names(self, folder: str) -> list[str]:
        try:
            return os.listdir(folder)
        except OSError:
            return []

    def whole(self, key: str) -> str | None:
        """Where an object lies that is not divided."""
        paths = (os.path.join(place, key) for place in self.places)
        return next((path for path in paths if os.path.isfile(path)), None)

    def find(self, key: str) -> list[Divided]:
        """The object in each scheme in which it is divided, the most complete first; none if there is no shard of it.

        While a scheme is changed, an object is in two of them, or whole too.
        """
        name, found = os.path.basename(key), {}
        form = re.compile(re.escape(name) + r"\.([1-9][0-9]?)-([1-9][0-9]?)\.(0|[1-9][0-9]?)", re.ASCII)
        for place in self.places:
            folder = os.path.join(place, os.path.dirname(key))
            for match in filter(None, map(form.fullmatch, self.names(folder))):
                data, parity, position = map(int, match.groups())
                shard = self.open(os.path.join(folder, match[0]), key, data, parity, position)
                if shard:
                    found.setdefault((data, parity, shard.length), {}).setdefault(position, shard)
        best_first = sorted(found.items(), key=lambda item: item[0][0] - len(item[1]))
        return [Divided(key, *scheme, shards) for scheme, shards in best_first]

    def open(self, path: str, key: str, data: int, parity: int, position: int) -> Shard | None:
        """A shard that is what its name says; None for anything else."""
        match = OBJECT_ID.search(key)
        if not match or data + parity > MOST_SHARDS or position >= data + parity:
            return None
        try:
            with open(path, "rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < END.size:
                    return None
                file.seek(size - END.size)
                end = file.read(END.size)
                magic, repository, identifier, length, unit, *numbers, digest = END.unpack(end)
                expected = MAGIC, self.repository, bytes.fromhex(match[1]), UNIT, [data, parity, position, 0]
                if (magic, repository, identifier, unit, numbers) != expected or length > 1 << 60:
                    return None
                if Divided(key, data, parity, length, {}).shard_length(position) != size:
                    return None
                units = (size - END.size + UNIT + 3) // (UNIT + 4)
                file.seek(size - END.size - 4 * units)
                table = file.read(4 * units)
        except OSError:
            return None
        if hashlib.sha256(table + end[:-32]).digest() != digest:
            return None
        return Shard(path, length, struct.unpack(f"<{units}I", table))
