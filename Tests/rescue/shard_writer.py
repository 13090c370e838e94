"""Divides the objects of a repository into shards over several directories, from docs/format.md, section 16.

It shares no code with what it tests, and multiplies bit by bit.
"""
from __future__ import annotations

import hashlib
import shutil
import struct
import zlib
from pathlib import Path
from typing import List

UNIT = 1 << 20


def product(left: int, right: int) -> int:
    result = 0
    while right:
        if right & 1:
            result ^= left
        left <<= 1
        if left & 0x100:
            left ^= 0x11d
        right >>= 1
    return result


def quotient(value: int) -> int:
    """What times the value is one."""
    return next(other for other in range(1, 256) if product(value, other) == 1)


def scaled(data: bytes, factor: int) -> bytes:
    return data.translate(bytes(product(factor, value) for value in range(256)))


def added(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")


def shards(data: bytes, repository: bytes, identifier: bytes, k: int, m: int) -> List[bytes]:
    payloads: List[List[bytes]] = [[] for _ in range(k + m)]
    for start in range(0, len(data), k * UNIT):
        stripe = data[start:start + k * UNIT]
        size = -(-len(stripe) // k)
        units = [stripe[number * size:(number + 1) * size] for number in range(k)]
        for number in range(m):
            unit = bytes(size)
            for column in range(k):
                unit = added(unit, scaled(units[column].ljust(size, b"\0"), quotient((k + number) ^ column)))
            units.append(unit)
        for payload, unit in zip(payloads, units):
            payload.append(unit)
    whole = []
    for position, payload in enumerate(payloads):
        table = b"".join(struct.pack("<I", zlib.crc32(unit)) for unit in payload if unit)
        end = (b"HOLDFAST-SHARD-1" + repository + identifier
               + struct.pack("<QIBBBB", len(data), UNIT, k, m, position, 0))
        whole.append(b"".join(payload) + table + end + hashlib.sha256(table + end).digest())
    return whole


def divide(path: Path, places: List[Path], repository: str, k: int, m: int) -> None:
    """Moves the archives and bodies of a repository into shards at other places, which get everything else whole."""
    for place in places:
        shutil.copytree(path, place)
    for place in places:
        for container in [*place.glob("sources/*/*/archive-*"), *place.glob("sources/*/*/body-*")]:
            container.unlink()
    for container in [*path.glob("sources/*/*/archive-*"), *path.glob("sources/*/*/body-*")]:
        identifier = bytes.fromhex(container.name.rpartition("-")[2])
        parts = shards(container.read_bytes(), bytes.fromhex(repository), identifier, k, m)
        for position, (place, part) in enumerate(zip(places, parts)):
            (place / container.relative_to(path)).with_name(f"{container.name}.{k}-{m}.{position}").write_bytes(part)
