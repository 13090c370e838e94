"""The command line of `Scripts/test-patroni`."""

import argparse
import tempfile
from pathlib import Path

from ..command import end_on_signals, say
from ..files import MIB, place
from ..holdfast import binary
from ..postgres_cluster import working_directory
from .site import Site, missing
from .story import Story

NEEDED_BYTES = 2048 * MIB


def main() -> None:
    """Tells the story, or says why it cannot."""
    parser = argparse.ArgumentParser(description="Tests holdfast under Patroni, with a real etcd and PostgreSQL.")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    arguments = parser.parse_args()
    end_on_signals()
    if reason := missing():
        print(f"left out: Patroni {reason}")
        return
    program = binary(arguments.holdfast)
    room = place(Path(tempfile.gettempdir()), NEEDED_BYTES)
    with working_directory("holdfast-patroni-", room) as directory, Site(directory / "site", program) as site:
        story = Story(site)
        try:
            story.tell()
        except BaseException:
            for node in site.nodes:
                say(f"--- {node.name}\n{node.tail()}")
            raise
    print(f"Patroni: {len(story.steps)} steps, from an empty etcd through a failover and back from the archive")
