"""A machine whose server loses a part of itself in the middle of runs, and what was promised to the machine."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from ..command import fail, say
from ..holdfast import keys, places
from .runs import DONE, FAILED, Ended, Machine
from .source import Source, Tree, describe, differences

# Two minutes of tries, the last of which may be silent for half a minute; then the lease is given back and the run is
# written down, each with one silent try.
SILENT_BOUND_S = 300
AFTER_S = 3.0
SLOWLY = ("--limit-rate", "2M")  # what is sent and read takes longer then


class Interrupted:
    """A sealed repository in a bucket, one source, and the snapshots that were acknowledged."""

    def __init__(self, directory: Path, program: str, location: str, environment: dict[str, str]) -> None:
        self.directory, self.location = directory, location
        own = places(directory) | keys(directory) | environment | {"HOLDFAST_REPOSITORY": location}
        self.machine = Machine(program, own, lambda: None)
        self.source = Source(directory / "source", Random(2))
        self.source.write_large()
        self.acknowledged: dict[str, Tree] = {}

    @property
    def figures(self) -> Counter[str]:
        """What was promised, and held."""
        return Counter(acknowledged=len(self.acknowledged), restored=len(self.acknowledged))

    def make_repository(self) -> None:
        """With two snapshots."""
        identity = self.machine.environment["HOLDFAST_IDENTITY_FILE"]
        recipient = self.succeed("key", "generate", identity, "--quiet").output.strip()
        self.succeed("init", "--recipient", recipient)
        for _ in range(2):
            self.back_up()
            self.source.change()

    def succeed(self, *words: str) -> Ended:
        """A run that must succeed."""
        ended = self.machine.run(*words)
        if ended.status != DONE:
            fail(f"{' '.join(words)} ended with {ended.status}:\n{ended.errors}")
        say(f"  {words[0]}: done")
        return ended

    def back_up(self, *kind: str) -> None:
        """A snapshot that is acknowledged."""
        tree = describe(self.source.root)
        self.acknowledge(self.succeed("backup", str(self.source.root), "--name", "shop", "--json", *kind), tree)

    def acknowledge(self, backup: Ended, tree: Tree) -> None:
        """From now on its snapshot must restore."""
        self.acknowledged[str(json.loads(backup.output)["snapshot"]["id"])] = tree

    def judge(self) -> None:
        """Everything that was acknowledged comes back as it was."""
        for snapshot, tree in self.acknowledged.items():
            target = self.directory / f"restored-{snapshot}-{time.monotonic_ns()}"
            self.succeed("restore", snapshot, "--target", str(target), "--quiet")
            if wrong := differences(tree, describe(target)):
                fail(f"snapshot {snapshot} restores to something else: {wrong[:5]}")
        self.succeed("verify", "--data")

    def interrupt(self, harm: Callable[[], None], *words: str) -> Ended:
        """A run in the middle of which something happens. It succeeds, or it ends in time and says why."""
        tree = describe(self.source.root)
        harmed = threading.Timer(AFTER_S, harm)
        harmed.start()
        ended = self.machine.run(*words)
        harmed.join()
        if ended.took_s < AFTER_S:
            fail(f"{words[0]} ended after {ended.took_s:.1f} s, before anything happened")
        mistakes = ended.mistakes(self.location, SILENT_BOUND_S)
        if mistakes or ended.status not in (DONE, FAILED):
            fail("\n".join(mistakes) or f"{words[0]} ended with {ended.status}:\n{ended.errors}")
        if ended.status == DONE and words[0] == "backup":
            self.acknowledge(ended, tree)
        reason = "done" if ended.status == DONE else ended.errors.partition("\nHINT")[0]
        say(f"  {words[0]}, in the middle of which it happened: {reason} ({ended.took_s:.0f} s)")
        return ended

    def outlive(self, stop: Callable[[], None], start: Callable[[], None]) -> None:
        """Each command gives up in time while nothing is answered, and nothing is lost when that is over."""
        address = "/".join(self.location.removeprefix("s3:").split("/")[:3])
        wanted = f"{self.location}/ does not answer: {address} did not answer in time"
        for words in self.each_command():
            ended = self.interrupt(stop, *words)
            if ended.status != FAILED or wanted not in ended.errors:
                fail(f"{words[0]} ended with {ended.status}, and does not say \"{wanted}\":\n{ended.errors}")
            start()
            self.judge()
        self.back_up()
        self.succeed("merge", "--name", "shop")
        self.judge()

    def each_command(self) -> list[list[str]]:
        """The runs that can be interrupted: they take some seconds."""
        return [["backup", str(self.source.root), "--name", "shop", "--json", "--full", *SLOWLY],
                ["restore", "latest", "--target", str(self.directory / "interrupted"), *SLOWLY],
                ["verify", "--data", *SLOWLY]]
