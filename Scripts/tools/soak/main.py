"""The command line of `Scripts/soak`."""

import argparse
import tempfile
import time
from pathlib import Path

from ..command import end_on_signals
from ..holdfast import binary
from ..postgres_cluster import working_directory
from . import postgres
from .sqlite import Soak, large, make

DESCRIPTION = "Capture live databases again and again while they are written, restore each capture, and check it."


def main() -> None:
    """Soaks in each mode."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("minutes", nargs="?", type=float, default=0, metavar="MINUTES",
                        help="at least so long (default: 0)")
    parser.add_argument("--captures", type=int, default=40, metavar="N",
                        help="at least so many of each mode (default: 40)")
    parser.add_argument("--mode", choices=["wal", "delete", "persist", "truncate", "postgres"], action="append",
                        help="default: wal, then delete, then postgres")
    parser.add_argument("--page", type=int, default=4096, metavar="BYTES",
                        help="the databases' page size (default: 4096)")
    parser.add_argument("--large", action="store_true", help="also a database of more than 1 GiB")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000,
                        help="what the randomness is drawn from")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    end_on_signals()
    program = binary(arguments.holdfast)
    modes = arguments.mode or ["wal", "delete", "postgres"]
    if arguments.large:
        with tempfile.TemporaryDirectory(prefix="holdfast-soak-") as name:
            large(Path(name), program)
    for mode in modes:
        with working_directory("holdfast-soak-") as work:
            until = time.monotonic() + arguments.minutes * 60 / len(modes)
            if mode == "postgres":
                postgres.soak(work, program, arguments.seed, arguments.captures, until)
                continue
            make(work / "source", mode, arguments.page)
            Soak(work, program, mode, arguments.seed).soak(arguments.captures, until)
