"""The command line of `Scripts/bench-mount`, and what it measures."""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ..bench_live.database import make
from ..command import fail, say
from ..holdfast import Holdfast, binary, own_environment

DESCRIPTION = ("Measure reading from a mount of a snapshot, beside `restic mount` on the same data; the results as "
               "Markdown.")
READY_S_MAX = 60
QUERY = "SELECT count(*), max(note) FROM orders WHERE id BETWEEN 1000 AND 1100"


@contextmanager
def mounted(command: list[str], environment: dict[str, str], place: Path, database: str) -> Iterator[tuple[Path, int]]:
    """A mount by a program; the database in it, and the number of the process."""
    place.mkdir(exist_ok=True)
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + READY_S_MAX
            while not (place / database).exists():
                if process.poll() is not None or time.monotonic() > end:
                    fail(f"{command[0]} has not mounted")
                time.sleep(0.05)
            yield place / database, process.pid
        finally:
            process.terminate()
            process.wait()
            subprocess.run(["fusermount3", "-u", "-z", "-q", str(place)], stderr=subprocess.DEVNULL, check=False)


def seconds(command: list[str]) -> float:
    """How long a command takes, which must succeed."""
    start = time.monotonic()
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        fail(f"{' '.join(command)} failed")
    return time.monotonic() - start


def memory_mib(process: int) -> float:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(command: list[str], environment: dict[str, str], work: Path, database: str,
            runs: int) -> tuple[float, float, float]:
    """Medians of a copy and of a query, each from a fresh mount; and the most memory."""
    copies, queries, memory = [], [], 0.0
    for _ in range(runs):
        with mounted(command, environment, work / "mounted", database) as (path, process):
            queries.append(seconds(["sqlite3", f"file:{path}?immutable=1", QUERY]))
            copies.append(seconds(["cp", str(path), str(work / "copy")]))
            memory = max(memory, memory_mib(process))
        seconds(["cmp", str(work / "copy"), str(work / "source/orders.db")])
    return median(copies), median(queries), memory


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("mebibytes", nargs="?", type=int, default=512, metavar="MIB",
                        help="size of the database (default: 512)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="mounts of each program (default: 5)")
    parser.add_argument("--seed", type=int, default=1, help="what the orders are drawn from")
    parser.add_argument("--directory", metavar="DIR", help="where to work: on a disk, or /dev/shm to leave it out")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    program = binary(arguments.holdfast)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-mount-", dir=arguments.directory) as name:
        work = Path(name)
        (work / "source").mkdir()
        say(f"making a database of {arguments.mebibytes} MiB")
        make(work / "source/orders.db", arguments.mebibytes, arguments.seed)
        holdfast = Holdfast(work, program)
        holdfast.run("init", "--unsealed")
        holdfast.run("backup", str(work / "source"), "--name", "source")
        mounts = {"holdfast": ([program, "mount", str(work / "mounted")], holdfast.environment,
                               "source/latest/orders.db")}
        if shutil.which("restic"):
            restic = own_environment() | {"RESTIC_REPOSITORY": str(work / "restic"), "RESTIC_PASSWORD": "shop",
                                          "RESTIC_CACHE_DIR": str(work / "restic-cache")}
            for command in (["init"], ["backup", str(work / "source")]):
                subprocess.run(["restic", "-q", *command], env=restic, check=True)
            mounts["restic"] = (["restic", "mount", str(work / "mounted")], restic,
                                f"snapshots/latest{work}/source/orders.db")
        lines = ["| mount | cp | | sqlite3, 101 orders | memory |", "| --- | ---: | ---: | ---: | ---: |"]
        for who, (command, environment, database) in mounts.items():
            say(f"mounting with {who}")
            copy, query, memory = measure(command, environment, work, database, arguments.runs)
            lines.append(f"| {who} | {copy:.2f} s | {arguments.mebibytes / copy:.0f} MiB/s | {query:.3f} s | "
                         f"{memory:.0f} MiB |")
    print(f"A database of {arguments.mebibytes} MiB, {os.cpu_count()} cores, {arguments.runs} fresh mounts of each, "
          f"seed {arguments.seed}\n")
    print("\n".join(lines))
