"""A wire between two network namespaces, with a rate and a delay each way: for kernels that have no `sch_netem`.

Each end is a TAP device. This process carries the frames from one to the other, when it is their time. It runs as
`python3 -m tools.bench_remote.wire NAMESPACE NAMESPACE --delay-ms D --mbit R`, and says `up` when both ends are there.
"""

import argparse
import ctypes
import fcntl
import os
import select
import struct
import time
from collections import deque

DEVICE = "wire"
FRAME_BYTES_MAX = 65536
QUEUE_S_MAX = 0.2  # what would wait longer for its turn is dropped, as a router does whose queue is full
BATCH = 64  # frames that are taken from one end before the other has its turn

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
IDLE_S = 3600.0


class Direction:
    """The frames on their way to one end, in the order in which they arrive there."""

    def __init__(self, delay_s: float, mbit: float) -> None:
        self.delay_s, self.s_per_byte = delay_s, 8e-6 / mbit
        self.free_s = 0.0  # when the last frame has left
        self.frames: deque[tuple[float, bytes]] = deque()

    def send(self, frame: bytes, now_s: float) -> None:
        """Puts a frame behind the others, or drops it."""
        starts_s = max(self.free_s, now_s)
        if starts_s - now_s <= QUEUE_S_MAX:
            self.free_s = starts_s + len(frame) * self.s_per_byte
            self.frames.append((self.free_s + self.delay_s, frame))

    def arrived(self, now_s: float) -> bytes | None:
        """Takes the next frame whose time has come."""
        return self.frames.popleft()[1] if self.frames and self.frames[0][0] <= now_s else None

    def next_s(self) -> float:
        """When the next frame arrives."""
        return self.frames[0][0] if self.frames else float("inf")


def open_end(namespace: str) -> int:
    """Makes the TAP device in a network namespace, and comes back to our own."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path: str) -> None:
        file = os.open(path, os.O_RDONLY)
        try:
            if libc.setns(file, 0):
                raise OSError(ctypes.get_errno(), f"setns {path}")
        finally:
            os.close(file)

    home = f"/proc/{os.getppid()}/ns/net"
    enter(namespace)
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TAP | IFF_NO_PI))
    enter(home)
    return end


def carry(ends: tuple[int, int], directions: tuple[Direction, Direction]) -> None:
    """Carries frames for ever. `directions[0]` is the way from the first end to the second.

    `select` waits to the microsecond; `epoll` would wait to the millisecond, and deliver in bursts.
    """
    ways = ((ends[0], directions[0], ends[1]), (ends[1], directions[1], ends[0]))
    while True:
        wait_s = min(IDLE_S, min(way.next_s() for way in directions) - time.monotonic())
        readable = select.select(ends, [], [], max(0.0, wait_s))[0]
        for source, way, _ in ways:
            if source in readable:
                for _ in range(BATCH):
                    try:
                        frame = os.read(source, FRAME_BYTES_MAX)
                    except BlockingIOError:
                        break
                    way.send(frame, time.monotonic())
        now_s = time.monotonic()
        for _, way, sink in ways:
            while frame := way.arrived(now_s):
                try:
                    os.write(sink, frame)
                except (BlockingIOError, OSError):
                    pass  # an end that does not take it, or is down: the frame is lost, as on any wire


def main() -> None:
    """Makes both ends, and carries until it is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("namespaces", nargs=2)
    parser.add_argument("--delay-ms", type=float, required=True)
    parser.add_argument("--mbit", type=float, required=True)
    options = parser.parse_args()
    os.setpriority(os.PRIO_PROCESS, 0, -10)  # a wire does not wait for whoever computes
    first, second = (open_end(namespace) for namespace in options.namespaces)
    print("up", flush=True)
    carry((first, second), (Direction(options.delay_ms / 1e3, options.mbit),
                            Direction(options.delay_ms / 1e3, options.mbit)))


if __name__ == "__main__":
    main()
