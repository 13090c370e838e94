"""Runs of holdfast, some of which are killed, and what is demanded of each of them."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..holdfast import own_environment
from .seaweed import SECRET_KEY

# Two minutes of retries, and the longest that one request may be silent after that.
BOUND_S = 180
LOOK_S = 1.0
DONE, FAILED, INCOMPLETE, LOCKED = 0, 1, 3, 11


@dataclass(frozen=True)
class Ended:
    """A run that has ended."""
    words: tuple[str, ...]
    status: int
    output: str
    errors: str
    took_s: float
    pid: int

    @property
    def was_killed(self) -> bool:
        """Whether we killed it."""
        return self.status == -signal.SIGKILL

    def mistakes(self, location: str, bound_s: float = BOUND_S) -> list[str]:
        """What is wrong with the way in which it ended, whatever happened to it."""
        said = f"{self.output}\n{self.errors}"
        found = []
        if SECRET_KEY in said or re.search("AWS4-HMAC|[Ss]ignature=", said):
            found.append("shows a credential")
        if self.took_s > bound_s:
            found.append(f"took {self.took_s:.0f} s")
        if not self.was_killed and self.status not in (DONE, INCOMPLETE):
            if self.status not in (FAILED, LOCKED):
                found.append(f"ended with status {self.status}")
            reason = self.errors.partition(location)[2] if location in self.errors else ""
            if self.status == FAILED and not re.search("[a-z]{3}", reason):
                found.append("names no place or no reason")
        return [f"{' '.join(self.words[:3])}: {each}\n{self.errors.strip()}" for each in found]


class Machine:
    """What one machine runs, with a memory of its own."""

    def __init__(self, program: str, environment: dict[str, str], while_waiting: Callable[[], None]) -> None:
        self.program, self.while_waiting = program, while_waiting
        self.environment = own_environment("AWS_") | environment
        self.running: set[int] = set()

    def run(self, *words: str, kill_after_s: float | None = None) -> Ended:
        """One run, to its end or until it is killed."""
        begun = time.monotonic()
        with subprocess.Popen([self.program, *words], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace") as running:
            self.running.add(running.pid)
            try:
                output, errors = self.wait(running, begun, kill_after_s)
            finally:
                running.kill()
        self.running.discard(running.pid)
        return Ended(words, running.returncode, output, errors, time.monotonic() - begun, running.pid)

    def wait(self, running: "subprocess.Popen[str]", begun: float, kill_after_s: float | None) -> tuple[str, str]:
        """What it prints."""
        while True:
            took_s = time.monotonic() - begun
            if took_s > 2 * BOUND_S or kill_after_s is not None and took_s >= kill_after_s:
                running.kill()
            left_s = LOOK_S if kill_after_s is None else max(0.001, min(LOOK_S, kill_after_s - took_s))
            try:
                return running.communicate(timeout=left_s)
            except subprocess.TimeoutExpired:
                if kill_after_s is None:
                    self.while_waiting()
