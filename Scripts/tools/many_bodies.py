"""Makes the bodies of many snapshots (docs/format.md, sections 3, 4 and 6), for `many-snapshots --bodies`.

The source has one database, some files, and a file that comes and one that goes with each snapshot. No page of it is
stored anywhere: what reads manifests alone can be measured, and nothing can be restored.
"""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from random import Random

FILES = 200
DIRECTORY, FILE = 1, 2
PAGES_CHANGED = 40
PAGES_IN_FRAME = 64
PAGE = 4096


@dataclass
class Body:
    """A body as an object of the store, and what the envelope says of it."""
    data: bytes
    digest: str


def varint(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def counted(data: bytes) -> bytes:
    """Bytes with their number before them."""
    return varint(len(data)) + data


def time(seconds: int) -> bytes:
    """A time after 1970, without nanoseconds."""
    return varint(seconds << 1) + b"\0"


def entry(path: str, kind: int, seconds: int, random: Random, pages: int = 0, changed: int | None = None) -> bytes:
    """The record of an entry. Of a file that inherits, only some pages are changed."""
    record = b"\1\0" + counted(path.encode()) + bytes([kind])
    record += varint(0o755 if kind == DIRECTORY else 0o640) + varint(0) + varint(0) + time(seconds) + varint(0)
    if kind == FILE:
        record += varint(pages * PAGE) + varint(PAGE) + b"\1" + random.randbytes(32)
    record += time(seconds) + varint(2049) + varint(random.getrandbits(24)) + (b"\0" if changed is None else b"\1")
    left = 0 if kind != FILE else pages if changed is None else changed
    for frame in range(-(-left // PAGES_IN_FRAME)):
        count = min(PAGES_IN_FRAME, left - frame * PAGES_IN_FRAME)
        record += b"\3" + b"".join(map(varint, (0, count, 0, frame, 0))) + random.randbytes(16 * count)
    return record


def records(sequence: int, is_full: bool, seconds: int) -> bytes:
    """The records of one snapshot, in path order."""
    random = Random(sequence)
    hour = sequence * 7 % FILES
    if is_full:
        found = [entry("", DIRECTORY, seconds, random), entry("files", DIRECTORY, seconds, random)]
        found += [entry(f"files/{number:04d}.json", FILE, seconds, random, 2) for number in range(FILES)]
    else:
        found = [entry(f"files/{hour:04d}.json", FILE, seconds, random, 2)]
    found.append(entry("orders.db", FILE, seconds, random, 10_000, None if is_full else PAGES_CHANGED))
    found += [entry("spool", DIRECTORY, seconds, random), entry(f"spool/{sequence:06d}", FILE, seconds, random, 1)]
    if not is_full:
        gone = f"spool/{sequence - 1:06d}".encode()
        found.insert(-1, b"\2\0" + counted(gone))
    return b"".join(found) + b"\0" + varint(len(found))


def make(repository: bytes, identifier: bytes, sequence: int, is_full: bool, seconds: int) -> Body:
    """One body, of frames of up to 64 KiB."""
    plain = records(sequence, is_full, seconds)
    header = b"HOLDFAST" + struct.pack("<HBBI", 1, 2, 0, 0) + repository + identifier + bytes(16)
    frames, index, offset = [], b"", len(header)
    for start in range(0, len(plain), 64 << 10):
        part = plain[start:start + (64 << 10)]
        stored = zlib.compress(part, 1)
        index += struct.pack("<QIIB3xI", offset, len(stored), len(part), 1, 0) + hashlib.sha256(stored).digest()
        frames.append(stored)
        offset += len(stored)
    length = offset + len(index) + 32
    trailer = struct.pack("<QIIQ", offset, len(frames), 56, length) + b"TSAFDLOH"
    return Body(header + b"".join(frames) + index + trailer, hashlib.sha256(header + index + trailer).hexdigest())
