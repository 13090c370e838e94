"""What docs/format.md, section 4, says of parity, once more and as simply as it can be said: byte by byte.

It shares no code with what it tests.
"""
from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Dict, List, Tuple

PAGE, PARITY = 4096, 4


def product(left: int, right: int) -> int:
    """In GF(2⁸) with the polynomial 0x11D."""
    result = 0
    while right:
        result ^= left if right & 1 else 0
        left, right = left << 1 ^ (0x11D if left & 0x80 else 0), right >> 1
    return result


INVERSE = {a: next(b for b in range(1, 256) if product(a, b) == 1) for a in range(1, 256)}


def groups(core: int, data: int) -> List[Tuple[int, int, int]]:
    """Of each group the first page, the number of pages, and the number of stripes."""
    pages, full = -(-core // PAGE), 65 * data
    if pages <= full:
        return [(0, pages, next(s for s in (1, 2, 4, 8, 16, 32, 65) if pages <= s * data))]
    return [(first, min(full, pages - first), 65) for first in range(0, pages, full)]


def added(core: int, data: int) -> int:
    """By so many bytes parity makes an object longer."""
    return sum(PARITY * stripes for _, _, stripes in groups(core, data)) * (84 + 4 * data + PAGE) + 48


def parity(core: bytes, name: str, data: int, trailer: bytes) -> bytes:
    """Everything between the seal and the trailer."""
    result, number = b"", 0
    for first, count, stripes in groups(len(core), data):
        pages = [core[PAGE * (first + i):PAGE * (first + i + 1)].ljust(PAGE, b"\0") for i in range(count)]
        made: Dict[Tuple[int, int], bytearray] = {}
        for i, page in enumerate(pages):
            for row in range(PARITY):
                table = bytes(product(INVERSE[(data + row) ^ i // stripes], byte) for byte in range(256))
                block = made.setdefault((i % stripes, row), bytearray(PAGE))
                for at, byte in enumerate(page.translate(table)):
                    block[at] ^= byte
        for turn in range(PARITY * stripes):
            stripe, row = (count + turn) % stripes, turn // stripes
            sums = [zlib.crc32(page) for page in pages[stripe::stripes]]
            block = b"HOLDFAST\x01PARITY\n" + bytes.fromhex(name)
            block += struct.pack("<QHHI", len(core), data, PARITY, number) + trailer
            block += struct.pack(f"<{data}I", *sums, *[0] * (data - len(sums)))
            block += bytes(made.get((stripe, row), bytearray(PAGE)))
            result += block + struct.pack("<I", zlib.crc32(block))
            number += 1
    end = struct.pack("<QHH", len(core), data, PARITY) + hashlib.sha256(result).digest()
    return result + end + struct.pack("<I", zlib.crc32(end))
