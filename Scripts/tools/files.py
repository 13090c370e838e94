"""Trees of files: their size, copies, differences, and where there is room for them."""

import os
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from .command import fail, say
from .running import quietly

MIB = 1 << 20


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
