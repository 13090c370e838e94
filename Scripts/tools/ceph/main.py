"""The command line of `Scripts/test-ceph`."""

import argparse
import subprocess
import tempfile
from pathlib import Path

from ..command import end_on_signals, say
from ..files import MIB, place
from ..holdfast import SCRIPTS, binary
from ..policies.documents import policies
from ..policies.main import DOCUMENT
from ..policies.roles import PREFIX, Trial
from .server import Ceph, missing
from .story import tell_outage

NEEDED_BYTES = 6144 * MIB


def main() -> None:
    """Runs everything, or says why it cannot."""
    parser = argparse.ArgumentParser(description="Tests holdfast against Ceph's gateway for S3.")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    end_on_signals()
    subprocess.run([str(SCRIPTS / "install-deps"), "ceph"], check=False)
    if reason := missing():
        print(f"left out: Ceph {reason}")
        return
    program = binary(arguments.holdfast)
    room = place(Path(tempfile.gettempdir()), NEEDED_BYTES)
    with tempfile.TemporaryDirectory(prefix="holdfast-ceph-", dir=room) as name:
        say("starting Ceph")
        server = Ceph(Path(name) / "ceph")
        try:
            tried = Trial(Path(name) / "policies", program, server, policies(DOCUMENT, server.bucket, PREFIX)).run()
            say("an outage:")
            tell_outage(Path(name) / "outage", program, server)
        finally:
            server.close()
    print(f"Ceph: {tried} things tried with the policies of docs/operations.md; backup, restore and verify gave up "
          "when two of three OSDs were gone, and nothing was lost")
