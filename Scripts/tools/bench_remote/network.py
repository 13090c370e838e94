"""Two hosts on one machine, and the wire between them. Nothing of the machine's own network is touched.

A host is a network namespace that lives as long as the process that holds it, and everything that is started here dies
with whoever started it: nothing is left behind, however a run ends.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..command import fail
from ..holdfast import SCRIPTS
from ..running import quietly
from .wire import DEVICE

ADDRESSES = ("10.213.0.1", "10.213.0.2")  # of the client, of the server
MTU = 9000
READY_S_MAX = 30
TO_DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


@dataclass(frozen=True)
class Link:
    """What the wire is like."""
    latency_ms: float  # there and back
    mbit: float

    def __str__(self) -> str:
        return f"{self.latency_ms:g} ms, {self.mbit:g} Mbit/s"

    def seconds(self, sent_bytes: float) -> float:
        """How long the wire needs for so many bytes in one direction."""
        return sent_bytes * 8e-6 / self.mbit


class Running:
    """A process that runs beside us until the end of a `with`."""

    def __init__(self, command: list[str], directory: Path | None = None, log: Path | None = None) -> None:
        self.command = command
        with open(log or os.devnull, "wb") as sink:
            self.process = subprocess.Popen([*TO_DIE_WITH_US, *command], cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=sink if log else subprocess.PIPE, stderr=sink if log else None)
        self.log = log

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def check(self) -> None:
        """Fails if it has ended."""
        if self.process.poll() is not None:
            said = self.log.read_text(errors="replace")[-2000:] if self.log else ""
            fail(f"{' '.join(self.command)}: exit {self.process.returncode}\n{said}")

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Waits until it is ready, and fails if it ends before."""
        until_s = time.monotonic() + READY_S_MAX
        while not ready():
            self.check()
            if time.monotonic() > until_s:
                fail(f"{self.command[0]} was not ready within {READY_S_MAX} s")
            time.sleep(0.05)


class Host(Running):
    """A host: a network namespace of its own."""

    def __init__(self) -> None:
        super().__init__(["unshare", "--net", "sleep", "infinity"])
        self.namespace = f"/proc/{self.process.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        self.wait_until(lambda: os.readlink(self.namespace) != own)
        self.enter = ["nsenter", f"--net={self.namespace}", "--"]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str) -> str:
        """Runs a command on this host, to its end."""
        return quietly([*self.enter, *command])

    def start(self, command: list[str], directory: Path, log: Path) -> Running:
        """Starts a server on this host."""
        return Running([*self.enter, *command], directory, log)

    def traffic(self) -> tuple[int, int]:
        """The bytes that this host has sent and received over the wire."""
        return traffic(Path(f"/proc/{self.process.pid}/net/dev").read_text())


def traffic(devices: str) -> tuple[int, int]:
    """The bytes that the wire's device has sent and received, of what the kernel says of all devices."""
    for text in devices.splitlines():
        name, _, figures = text.partition(":")
        if name.strip() == DEVICE:
            values = figures.split()
            return int(values[8]), int(values[0])
    fail("there is no wire")


class Wire:
    """The wire between two hosts, for the length of a `with`."""

    def __init__(self, hosts: tuple[Host, Host], link: Link) -> None:
        self.hosts, self.link = hosts, link

    def __enter__(self) -> "Wire":
        self.relay = Running([sys.executable, "-m", "tools.bench_remote.wire", *(host.namespace for host in self.hosts),
                              "--delay-ms", str(self.link.latency_ms / 2), "--mbit", str(self.link.mbit)], SCRIPTS)
        if not self.relay.process.stdout or not self.relay.process.stdout.readline():
            self.relay.process.wait()
            self.relay.check()
        for host, address in zip(self.hosts, ADDRESSES):
            host.run("ip", "addr", "add", f"{address}/24", "dev", DEVICE)
            host.run("ip", "link", "set", DEVICE, "mtu", str(MTU), "txqueuelen", "10000", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.relay.__exit__(kind, error, trace)
