"""The command line of `Scripts/try-policies`."""

import argparse
import tempfile
from pathlib import Path

from ..command import end_on_signals, say
from ..faults.seaweed import SeaweedFS
from ..files import MIB, place
from ..holdfast import SCRIPTS, binary
from .documents import bucket_commands, policies
from .locked import LockedTrial, make_bucket
from .roles import PREFIX, Trial

LOCKED = "locked-orders"
DOCUMENT = SCRIPTS.parent / "docs/operations.md"


def main() -> None:
    """Tries every role."""
    parser = argparse.ArgumentParser(description="Tries the policies of docs/operations.md against SeaweedFS.")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    end_on_signals()
    program = binary(arguments.holdfast)
    with tempfile.TemporaryDirectory(prefix="holdfast-policies-", dir=place(None, 1024 * MIB)) as name:
        server = SeaweedFS(Path(name) / "server")
        try:
            tried = Trial(Path(name) / "plain", program, server, policies(DOCUMENT, server.bucket, PREFIX)).run()
            locked = make_bucket(bucket_commands(DOCUMENT, LOCKED), LOCKED, server)
            tried += LockedTrial(Path(name) / "locked", program, locked, policies(DOCUMENT, LOCKED, PREFIX)).run()
        finally:
            server.kill()
    say(f"the policies of docs/operations.md, with SeaweedFS: {tried} things tried")
