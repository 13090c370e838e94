"""A machine that backs up its source through faults, and what it was promised."""

import json
import shutil
import subprocess
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from ..holdfast import keys, places, whole_snapshot
from .leases import give_back
from .places import Place
from .runs import DONE, INCOMPLETE, Ended, Machine
from .source import Source, Tree, describe, differences

Rounds = tuple[int, int]  # at least and at most so many changes of a source, each with a run
ROUNDS: Rounds = (4, 7)
SHORT_ROUNDS: Rounds = (1, 3)
KILL_SHARE, FIRST_RUN_S = 0.2, 0.3
# What a small source does may look like these; holdfast must say so.
ANOMALIES = {"encryption", "deletion", "truncation"}


@dataclass
class Attempt:
    """A run that may have added a snapshot."""
    tree: Tree | None  # what a backup saw; a merge has none of its own
    snapshot: str | None = None  # when it was acknowledged
    may_be_gone: bool = False
    may_be_merged: bool = False  # then a full stands for it, and a prune may remove it


@dataclass
class Counts:
    """What happened in a seed."""
    runs: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    killed: int = 0
    leases: int = 0


class Client:
    """One source on one machine."""

    def __init__(self, directory: Path, program: str, place: Place, name: str, seed: int,
                 rounds: Rounds = ROUNDS) -> None:
        self.name, self.place, self.directory, self.rounds = name, place, directory, rounds
        self.random = Random(f"client {name} {seed}")
        self.source = Source(directory / "source", self.random)
        environment = (places(directory) | keys(directory.parent) | place.environment
                       | {"HOLDFAST_REPOSITORY": place.location})
        self.machine = Machine(program, environment, self.free_lease)
        self.usual_s = FIRST_RUN_S
        self.attempts: list[Attempt] = []
        self.counts, self.mistakes = Counts(), list[str]()

    def live(self) -> None:
        """Some rounds of changes and runs."""
        actions = {self.backup: 60, self.merge: 8, self.prune: 14, self.verify: 8, self.restore: 10}
        try:
            self.backup()
            for _ in range(self.random.randint(*self.rounds)):
                self.source.change()
                self.random.choices(list(actions), list(actions.values()))[0]()
        except Exception:  # whatever it is, the seed must not pass
            self.mistakes.append(traceback.format_exc())

    def run(self, *words: str) -> Ended:
        """One run; now and then it is killed."""
        # At any moment of a run that takes as long as the one before it, except for its start.
        will_die, after_s = self.random.random() < KILL_SHARE, self.usual_s * (self.random.random() + 0.3)
        ended = self.machine.run(*words, kill_after_s=after_s if will_die else None)
        if not ended.was_killed:
            self.usual_s = ended.took_s
        self.counts.runs[words[0]] += 1
        self.counts.killed += ended.was_killed
        self.counts.failed += not ended.was_killed and ended.status not in (DONE, INCOMPLETE)
        self.mistakes += ended.mistakes(self.place.location)
        self.free_lease()
        return ended

    def free_lease(self) -> None:
        """Nobody has to wait for a run that is dead."""
        try:
            self.counts.leases += give_back(self.place, self.name, lambda pid: pid not in self.machine.running)
        except OSError:
            pass  # the server is being started again

    def backup(self) -> None:
        """A backup of any kind."""
        kind = self.random.choices([[], ["--full"], ["--differential"]], [6, 2, 2])[0]
        self.take_backup(*kind)

    def take_backup(self, *kind: str) -> Ended:
        """A backup, which may be acknowledged."""
        attempt = Attempt(describe(self.source.root))
        self.attempts.append(attempt)
        ended = self.run("backup", str(self.source.root), "--name", self.name, "--json", "--quiet", *kind)
        if ended.status in (DONE, INCOMPLETE):
            done = subprocess.CompletedProcess(ended.words, ended.status, ended.output, ended.errors)
            if (snapshot := whole_snapshot(done, ANOMALIES)) is None:
                self.mistakes.append(f"a backup has not everything:\n{ended.output}{ended.errors}")
            else:
                attempt.snapshot = str(snapshot["id"])
        return ended

    def merge(self) -> None:
        """A new full out of the newest chain."""
        attempt = Attempt(None)
        if acknowledged := [each for each in self.attempts if each.snapshot and each.tree]:
            acknowledged[-1].may_be_merged = True
        self.attempts.append(attempt)
        ended = self.run("merge", "--name", self.name, "--json", "--quiet")
        if ended.status == DONE and (snapshot := json.loads(ended.output).get("snapshot")):
            attempt.snapshot = str(snapshot["id"])

    def prune(self) -> None:
        """Only what is older than the last snapshots may go; those of which nobody knows count, too."""
        kept = self.random.randint(1, 4)
        grace = self.random.choice([["--grace", "0s"], []])
        for index, attempt in enumerate(self.attempts):
            attempt.may_be_gone |= len(self.attempts) - index > kept
        ended = self.run("prune", "--keep-last", str(kept), "--name", self.name, "--json", "--quiet", *grace)
        if ended.status == DONE:
            gone = {line["id"] for line in json.loads(ended.output)["snapshots"] if line["action"] != "keep"}
            self.mistakes += [f"prune --keep-last {kept} removed {attempt.snapshot}" for attempt in self.attempts
                              if attempt.snapshot in gone and not attempt.may_be_gone | attempt.may_be_merged]

    def verify(self) -> None:
        """A look at everything."""
        self.run("verify", "--name", self.name, "--quiet", *self.random.choice([["--data"], []]))

    def restore(self) -> None:
        """The newest snapshot, which is one of those that were tried."""
        target = self.directory / "restored"
        shutil.rmtree(target, ignore_errors=True)
        ended = self.run("restore", "latest", "--name", self.name, "--target", str(target), "--quiet")
        if ended.status == DONE:
            found = describe(target)
            if all(differences(attempt.tree, found) for attempt in self.attempts if attempt.tree):
                self.mistakes.append("a restore through faults brought back something else")
