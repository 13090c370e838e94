"""Runs commands, and accounts for what they take."""

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

from .command import fail

Pipeline = list[list[str]]
User = dict[str, Any]  # what makes subprocess run something as somebody else


@dataclass(frozen=True)
class Cost:
    """What a step took, and by how much the repository grew."""
    wall_s: float
    cpu_s: float
    peak_mib: float
    stored_mib: float | None = None
    walls_s: tuple[float, ...] = ()  # of a median: the wall of each run, in their order


def measure(pipeline: Pipeline, directory: Path, environment: dict[str, str], user: User | None = None,
            output: IO[str] | None = None) -> Cost:
    """Run a pipeline and account for it: the processor time of all, the peak of the largest process.

    What it writes is thrown away, unless there is a file for it.

    The kernel counts a child's peak from before exec, while it still shares this process: no peak reads lower than
    the dozen MiB of this script. So nothing large is ever held here, and trees are compared by `diff`.
    """
    children: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryFile() as errors:
        try:
            start_s = time.perf_counter()
            for number, command in enumerate(pipeline, 1):
                source = children[-1].stdout if children else subprocess.DEVNULL
                sink = subprocess.PIPE if number < len(pipeline) else output or subprocess.DEVNULL
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
                median(cost.peak_mib for cost in taken), median(stored) if stored else None,
                tuple(cost.wall_s for cost in taken))
