"""The plain bytes of compressed frames (section 4).

Python has zlib. What reads Zstandard is Python from 3.14 on, the library `zstandard`, or the program `zstd`.
"""
from __future__ import annotations

import functools, os, shutil, subprocess, zlib
from typing import Callable

from .problems import Damaged, Refused, demand

MAGIC = b"\x28\xb5\x2f\xfd"
RAW, REPEATED, COMPRESSED = 0, 1, 2  # types of a block
MISSING = (
    "is compressed with Zstandard, and nothing here reads that\n"
    "HINT: Install the program `zstd` (Debian: apt install zstd) or the Python library `zstandard`, or use Python 3.14 "
    "or newer, which has it; or run `holdfast restore` where holdfast runs.")


def inflate(data: bytes, plain: int, where: str) -> bytes:
    """The plain bytes of exactly one zlib stream."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(data, plain + 1)
    except zlib.error as error:
        raise Damaged(f"{where}: {error}") from None
    demand(len(data) == plain and stream.eof and not stream.unused_data, f"{where}: not {plain} plain bytes")
    return data


def expand(data: bytes, plain: int, where: str) -> bytes:
    """The plain bytes of exactly one Zstandard frame."""
    demand(is_one_frame(data), f"{where}: is not exactly one Zstandard frame")
    decode = zstandard_decoder()
    if decode is None:
        raise Refused(f"{where}: {MISSING}")
    try:
        data = decode(data, plain + 1)
    except ValueError as error:
        raise Damaged(f"{where}: {error}") from None
    demand(len(data) == plain, f"{where}: not {plain} plain bytes")
    return data


def is_one_frame(data: bytes) -> bool:
    """Whether one Zstandard frame begins and ends with the data (RFC 8878, section 3.1.1). Decoders take several."""
    if data[:4] != MAGIC or len(data) < 5 or data[4] & 0x08:
        return False
    size_flag, single, checksum, dictionary = data[4] >> 6, data[4] & 0x20, data[4] & 0x04, data[4] & 0x03
    size_bytes = 1 << size_flag if size_flag or single else 0
    place, last = 5 + (0 if single else 1) + (0, 1, 2, 4)[dictionary] + size_bytes, False
    while not last:
        if place + 3 > len(data):
            return False
        head = int.from_bytes(data[place:place + 3], "little")
        last, kind = bool(head & 1), head >> 1 & 3
        if kind not in (RAW, REPEATED, COMPRESSED):
            return False
        place += 3 + (1 if kind == REPEATED else head >> 3)
    return place + (4 if checksum else 0) == len(data)


Decoder = Callable[[bytes, int], bytes]  # up to so many plain bytes of a frame; a ValueError where it is damaged


@functools.lru_cache(maxsize=None)
def zstandard_decoder() -> Decoder | None:
    """The first that there is: Python's own, the library `zstandard`, the program `zstd`."""
    return own_decoder() or library_decoder() or program_decoder()


def own_decoder() -> Decoder | None:
    try:
        from compression import zstd
    except ImportError:
        return None

    def decode(data: bytes, most: int) -> bytes:
        try:
            return zstd.ZstdDecompressor().decompress(data, most)
        except zstd.ZstdError as error:
            raise ValueError(error) from None
    return decode


def library_decoder() -> Decoder | None:
    try:
        import zstandard
    except ImportError:
        return None

    def decode(data: bytes, most: int) -> bytes:
        try:
            return zstandard.ZstdDecompressor().stream_reader(data).read(most)
        except zstandard.ZstdError as error:
            raise ValueError(error) from None
    return decode


def program_decoder() -> Decoder | None:
    path = shutil.which("zstd")
    if path is None:
        return None

    def decode(data: bytes, most: int) -> bytes:
        # From memory: a pipe for both would wait for itself, and a file would put what was sealed on a disk.
        with open(os.memfd_create("frame"), "w+b") as frame:
            frame.write(data)
            frame.seek(0)
            with subprocess.Popen([path, "-d", "-c", "-q"], stdin=frame, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE) as process:
                plain = process.stdout.read(most)
                if len(plain) == most:  # more than is wanted: the rest counts no more
                    process.kill()
                said = process.stderr.read().decode(errors="backslashreplace").strip()
        if process.returncode and len(plain) < most:
            raise ValueError(f"zstd: {said}")
        return plain
    return decode
