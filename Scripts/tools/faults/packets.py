"""The packets of SFTP, version 3: a length, a kind, the number of the request, and the rest."""

import struct
from typing import BinaryIO

OPEN, READ, STATUS = 3, 5, 101
START, VERSION = 1, 2  # they have no number
LENGTH_BYTES, BYTES_MAX = 4, 1 << 20
FAILURE = 4


class BrokenPacket(Exception):
    """What is no packet of SFTP."""


def take(stream: BinaryIO) -> bytes | None:
    """The next packet, without its length; nothing at the end."""
    head = stream.read(LENGTH_BYTES)
    if len(head) < LENGTH_BYTES:
        return None
    length: int = struct.unpack(">I", head)[0]
    if not 1 <= length <= BYTES_MAX:
        raise BrokenPacket(f"a packet of {length} bytes")
    packet = stream.read(length)
    return packet if len(packet) == length else None


def framed(packet: bytes) -> bytes:
    """As it is sent."""
    return struct.pack(">I", len(packet)) + packet


def number_of(packet: bytes) -> int | None:
    """The number that a request has in common with its answer."""
    if packet[0] in (START, VERSION):
        return None
    if len(packet) < 5:
        raise BrokenPacket(f"a packet of {len(packet)} bytes")
    number: int = struct.unpack(">I", packet[1:5])[0]
    return number


def failure(number: int) -> bytes:
    """The answer that something failed, as servers give it for whatever has no code of its own."""
    text = b"Failure"
    return struct.pack(">BIII", STATUS, number, FAILURE, len(text)) + text + struct.pack(">I", 0)


def with_shorter_read(packet: bytes, share: float) -> bytes:
    """A request to read that asks for less, but for something; any other as it is."""
    if packet[0] != READ:
        return packet
    length: int = struct.unpack(">I", packet[-4:])[0]
    return packet[:-4] + struct.pack(">I", max(1, int(length * share))) if length else packet
