"""What the benches share: running and accounting, medians, and the tables of the report."""

import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

SCRIPTS = Path(__file__).resolve().parent
MIB = 1 << 20

Pipeline = list[list[str]]
User = dict[str, Any]  # what makes subprocess run something as somebody else


def say(message: str) -> None:
    """Progress, for whoever waits."""
    print(message, file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """End the bench. What it made is removed on the way out."""
    sys.exit(f"bench: {message}")


@dataclass(frozen=True)
class Cost:
    """What a step took, and by how much the repository grew."""
    wall_s: float
    cpu_s: float
    peak_mib: float
    stored_mib: float | None = None


def measure(pipeline: Pipeline, directory: Path, environment: dict[str, str], user: User | None = None) -> Cost:
    """Run a pipeline and account for it: the processor time of all, the peak of the largest process.

    The kernel counts a child's peak from before exec, while it still shares this process: no peak reads lower than
    the dozen MiB of this script. So nothing large is ever held here, and trees are compared by `diff`.
    """
    children: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as errors:
        try:
            start_s = time.perf_counter()
            for number, command in enumerate(pipeline, 1):
                source = children[-1].stdout if children else subprocess.DEVNULL
                sink = subprocess.PIPE if number < len(pipeline) else subprocess.DEVNULL
                children.append(subprocess.Popen(command, cwd=directory, env=environment, stdin=source, stdout=sink,
                                                 stderr=errors, **(user or {})))
                if children[1:] and children[-2].stdout:
                    children[-2].stdout.close()  # or its writer would not notice that the reader is gone
            usages = [reap(child) for child in children]
            wall_s = time.perf_counter() - start_s
        finally:
            for child in children:
                if child.returncode is None:
                    child.kill()
                    child.wait()
        if any(child.returncode for child in children):
            errors.seek(0)
            message = errors.read().decode(errors="replace")[-2000:]
            fail(f"{' | '.join(map(' '.join, pipeline))}: exit {[child.returncode for child in children]}\n{message}")
    return Cost(wall_s, sum(usage.ru_utime + usage.ru_stime for usage in usages),
                max(usage.ru_maxrss for usage in usages) / 1024)


def reap(child: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Wait for one child, and learn what it used."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage


def quietly(command: list[str], directory: Path | None = None, environment: dict[str, str] | None = None,
            user: User | None = None) -> str:
    """Run what is not measured; its output."""
    done = subprocess.run(command, cwd=directory, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", check=False, **(user or {}))
    if done.returncode:
        fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def median_cost(costs: Iterable[Cost]) -> Cost:
    """The median of each figure."""
    taken = list(costs)
    stored = [cost.stored_mib for cost in taken if cost.stored_mib is not None]
    return Cost(median(cost.wall_s for cost in taken), median(cost.cpu_s for cost in taken),
                median(cost.peak_mib for cost in taken), median(stored) if stored else None)


def copy(source: Path, target: Path) -> None:
    """Replace a tree by the copy of another."""
    shutil.rmtree(target, ignore_errors=True)
    quietly(["cp", "-a", "--", str(source), str(target)])


def tree_size(directory: Path) -> tuple[int, int]:
    """The bytes and the number of the regular files of a tree."""
    size = count = 0
    for parent, _, files in os.walk(directory):
        for file in files:
            status = os.lstat(os.path.join(parent, file))
            if stat.S_ISREG(status.st_mode):
                size += status.st_size
                count += 1
    return size, count


def compare(source: Path, restored: Path, exact: bool = True) -> None:
    """Fail unless a tree came back. Not exact: what the source no longer has may still lie there."""
    diff = subprocess.run(["diff", "-rq", "--no-dereference", "--", str(source), str(restored)], capture_output=True,
                          text=True, errors="replace", check=False)
    differences = [line for line in (diff.stdout + diff.stderr).splitlines()
                   if exact or not line.startswith(f"Only in {restored}")]
    if differences:
        fail("what was restored differs from the source:\n" + "\n".join(differences[:10]))


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table whose first two columns are text and whose others are figures."""
    rules = ["---", "---", *["---:"] * (len(header) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rules, *rows)) + "\n"


def figure(value: float | None) -> str:
    """As many digits as mean something."""
    return "" if value is None else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 3}f}"


@dataclass(frozen=True)
class Verdict:
    """A figure of holdfast's and, where the project has one, its target."""
    step: str
    what: str
    measured: float
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met."""
        if self.target is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def row(self) -> list[str]:
        """Its row of the table."""
        target = "" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g}"
        return [self.step, self.what, figure(self.measured), target, {None: "", True: "yes", False: "no"}[self.met]]


def build() -> str:
    """The release build of holdfast."""
    say("building holdfast")
    done = subprocess.run([str(SCRIPTS / "build")], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        fail("Scripts/build failed")
    return str(Path(done.stdout.splitlines()[-1]).absolute())


def is_tmpfs(directory: Path) -> bool:
    """Whether a directory lies in memory."""
    return quietly(["stat", "--file-system", "--format=%T", str(directory)]).strip() == "tmpfs"


def place(directory: Path | None, needed_bytes: int) -> Path:
    """Where to work: as told, else in memory if there is room, else in the temporary directory."""
    memory = Path("/dev/shm")
    if directory is None and memory.is_dir() and is_tmpfs(memory) and shutil.disk_usage(memory).free >= needed_bytes:
        directory = memory
    directory = directory or Path(tempfile.gettempdir())
    if not is_tmpfs(directory):
        say(f"{directory} is not a tmpfs with {needed_bytes // MIB} MiB free: the disk is measured, too")
    if shutil.disk_usage(directory).free < needed_bytes:
        fail(f"{directory} has less than {needed_bytes // MIB} MiB free. HINT: a smaller size, or --directory")
    return directory
