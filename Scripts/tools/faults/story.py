"""The story of one seed: runs through faults, and then a look at what is left."""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ..command import Failure
from ..holdfast import keys, places
from .client import ROUNDS, SHORT_ROUNDS, Client
from .places import Place
from .runs import DONE, FAILED, INCOMPLETE, Machine
from .source import describe, differences

TWO_HOSTS_SHARE, SEALED_SHARE = 0.4, 0.3
PATIENCE_S_MIN = 60  # an outage that is shorter costs no run
OUTAGE_AFTER_S = 1.0
CRASHES_MAX, CRASH_AFTER_S_MAX = 2, 1.5


@dataclass
class Result:
    """What became of a story."""
    name: str
    # The options of fault-runs that tell it again.
    options: str
    mistakes: list[str] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    # acknowledged, restored, unacknowledged, failed, killed, leases, sealed
    figures: Counter[str] = field(default_factory=Counter)
    took_s: float = 0

    def line(self) -> str:
        """For people."""
        figures = self.figures
        said = (f"{self.name}: {self.runs.total()} runs, {self.faults.total()} faults; "
                f"{figures['acknowledged']} acknowledged, {figures['restored']} restored; "
                f"{figures['failed']} failed, {figures['killed']} killed; {self.took_s:.1f} s")
        return said + "".join(f"\n  LOST OR WRONG: {mistake}" for mistake in self.mistakes)


class Story:
    """One seed."""

    def __init__(self, seed: int, directory: Path, program: str, place: Place, is_short: bool = False) -> None:
        self.directory, self.place, self.seed = directory, place, seed
        self.random = Random(f"story {seed}")
        names = ["shop", "stock"] if self.random.random() < TWO_HOSTS_SHARE else ["shop"]
        self.clients = [Client(directory / name, program, place, name, seed, SHORT_ROUNDS if is_short else ROUNDS)
                        for name in names]
        # It has seen nothing yet: what it finds is in the repository.
        self.reader = Machine(program, places(directory / "reader") | keys(directory) | place.environment
                              | {"HOLDFAST_REPOSITORY": place.location}, lambda: None)
        self.result = Result(f"seed {seed}", f"--seed {seed}" + " --short" * is_short)

    def tell(self) -> Result:
        """Everything."""
        begun = time.monotonic()
        try:
            self.make_repository(self.clients[0].machine)
            self.place.begin()
            self.live()
            self.place.calm()
            self.judge()
        except Failure as failure:
            self.result.mistakes.append(str(failure))
        for client in self.clients:
            self.result.mistakes += client.mistakes
            self.result.runs += client.counts.runs
            self.result.figures += Counter(failed=client.counts.failed, killed=client.counts.killed,
                                           leases=client.counts.leases)
        self.result.faults = self.place.faults()
        self.result.took_s = time.monotonic() - begun
        return self.result

    def tell_outage(self) -> Result:
        """A server from which nothing works any more, from the middle of a backup on, and then for another one."""
        begun, client = time.monotonic(), self.clients[0]
        self.make_repository(client.machine)
        client.source.write_large()
        for slowly in (["--limit-rate", "4M"], []):
            end = threading.Timer(OUTAGE_AFTER_S, self.place.refuse_all)
            end.start()
            ended = client.machine.run("backup", str(client.source.root), "--name", client.name, "--quiet", *slowly)
            end.join()
            self.result.mistakes += ended.mistakes(self.place.location)
            if ended.status != FAILED or ended.took_s < PATIENCE_S_MIN:
                self.result.mistakes.append(f"an outage ended a run with {ended.status} after {ended.took_s:.0f} s: "
                                            f"{ended.errors}")
        self.result.runs, self.result.figures = Counter(outage=2), Counter(failed=2)
        self.result.took_s = time.monotonic() - begun
        return self.result

    def make_repository(self, machine: Machine) -> None:
        """An empty one, without faults. All machines have the keys of a sealed one."""
        if self.random.random() < SEALED_SHARE:
            identity = machine.environment["HOLDFAST_IDENTITY_FILE"]
            recipient = self.demand(machine, "key", "generate", identity, "--quiet").strip()
            self.demand(machine, "init", "--recipient", recipient)
        else:
            self.demand(machine, "init", "--unsealed")

    def live(self) -> None:
        """All machines at the same time."""
        lives = [threading.Thread(target=client.live) for client in self.clients]
        for life in lives:
            life.start()
        if self.place.can_crash:
            for _ in range(self.random.randint(1, CRASHES_MAX)):
                time.sleep(self.random.random() * CRASH_AFTER_S_MAX)
                self.place.crash()
        for life in lives:
            life.join()

    def demand(self, machine: Machine, *words: str) -> str:
        """A run that must succeed."""
        ended = machine.run(*words)
        if ended.status != DONE:
            raise Failure(f"without faults, {' '.join(words[:3])} ended with {ended.status}: {ended.errors.strip()}"
                          f"\n{ended.output[-1500:]}")
        return ended.output

    # What is left.

    def judge(self) -> None:
        """Everything that was acknowledged must be there, and everything that is there must be right."""
        listed = json.loads(self.demand(self.reader, "list", "--json"))["snapshots"]
        for client in self.clients:
            self.judge_source(client, [each for each in listed if each["source"] == client.name])
        self.demand(self.reader, "verify", "--data")
        for client in self.clients:
            client.source.change()
            ended = client.machine.run("backup", str(client.source.root), "--name", client.name, "--quiet")
            if ended.status not in (DONE, INCOMPLETE):
                self.result.mistakes.append(f"without faults, a backup ended with {ended.status}: {ended.errors}")

    def judge_source(self, client: Client, listed: list[dict[str, Any]]) -> None:
        """The snapshots of one source."""
        there = {each["id"] for each in listed}
        replaced = {each["merged"]["id"] for each in listed if each["merged"]}
        acknowledged = [attempt for attempt in client.attempts if attempt.snapshot]
        self.result.figures["acknowledged"] += len(acknowledged)
        self.result.mistakes += [
            f"snapshot {attempt.snapshot} of {client.name} was acknowledged, and is not listed"
            for attempt in acknowledged
            if attempt.snapshot not in there and attempt.snapshot not in replaced and not attempt.may_be_gone]
        for each in listed:
            self.judge_snapshot(client, each)

    def judge_snapshot(self, client: Client, snapshot: dict[str, Any]) -> None:
        """One snapshot: what it restores to."""
        target = self.directory / "restored"
        shutil.rmtree(target, ignore_errors=True)
        self.demand(self.reader, "restore", snapshot["id"], "--target", str(target), "--quiet")
        self.result.figures["restored"] += 1
        stands_for = snapshot["merged"]["id"] if snapshot["merged"] else snapshot["id"]
        found, compared = describe(target), list(self.expected(client, stands_for))
        if snapshot["id"] not in {attempt.snapshot for attempt in client.attempts}:
            self.result.figures["unacknowledged"] += 1
        wrong = [differences(expected, found) for expected in compared]
        if all(wrong):
            told = min(wrong, key=len, default=["nothing is known of it"])
            self.result.mistakes.append(f"snapshot {snapshot['id']} of {client.name}, {snapshot['kind']}, restores to "
                                        "something else: " + "; ".join(told[:5]))

    @staticmethod
    def expected(client: Client, snapshot: str) -> Iterator[Any]:
        """The trees that a snapshot may have: its own, or those of all backups that nobody acknowledged."""
        own = [attempt.tree for attempt in client.attempts if attempt.snapshot == snapshot]
        yield from own or [attempt.tree for attempt in client.attempts if not attempt.snapshot and attempt.tree]
