"""Tests of what judges holdfast after faults: leases of the dead, how runs end, how trees compare, what is missed."""

import json
import os
import unittest
from collections import Counter
from collections.abc import Callable
from random import Random
from unittest import mock

from support import TestInDirectory

from tools.faults.client import Attempt, Client
from tools.command import Failure
from tools.faults.leases import give_back
from tools.faults.main import Runs, repetition
from tools.faults.runs import Ended, Machine
from tools.faults.seaweed import SECRET_KEY
from tools.faults.source import Source, describe, differences
from tools.faults.story import Result, Story

LOCATION = "s3:http://127.0.0.1:1/orders/x"


class Objects:
    """A repository in memory."""

    def __init__(self, **content: bytes) -> None:
        self.content = {f"leases/shop/{int(name[1:]):010}": each for name, each in content.items()}

    def names(self, folder: str) -> list[str]:
        """The names in a folder."""
        return [key.removeprefix(folder) for key in self.content if key.startswith(folder)]

    def read(self, key: str) -> bytes | None:
        """An object."""
        return self.content.get(key)

    def create(self, key: str, content: bytes) -> None:
        """Makes an object."""
        self.content.setdefault(key, content)


class LeaseTests(unittest.TestCase):
    """Leases of the dead."""

    @staticmethod
    def record(process: int, seconds: int = 120) -> bytes:
        """The content of a number."""
        return json.dumps({"format": 1, "process": process, "seconds": seconds}).encode()

    def given(self, objects: Objects, is_dead: Callable[[int], bool] = lambda pid: pid == 7) -> bool:
        """Whether a lease was given back."""
        return give_back(objects, "shop", is_dead)

    def test_the_lease_of_a_dead_run_is_given_back_once(self) -> None:
        objects = Objects(n1=self.record(6), n2=self.record(7))
        self.assertTrue(self.given(objects))
        self.assertEqual(json.loads(objects.content["leases/shop/0000000003"])["seconds"], 0)
        self.assertFalse(self.given(objects))

    def test_the_lease_of_a_living_run_stays(self) -> None:
        self.assertFalse(self.given(Objects(n1=self.record(7), n2=self.record(6))))

    def test_without_a_lease_or_with_a_broken_one_nothing_is_done(self) -> None:
        self.assertFalse(self.given(Objects()))
        self.assertFalse(self.given(Objects(n1=b"")))


class EndTests(TestInDirectory):
    """What is demanded of a run."""

    def mistakes(self, status: int, errors: str, took_s: float = 1) -> list[str]:
        """What is wrong with a run that ended so."""
        return Ended(("backup", "/x"), status, "", errors, took_s, 1).mistakes(LOCATION)

    def test_a_failure_names_place_and_reason(self) -> None:
        self.assertEqual(self.mistakes(1, f"holdfast: {LOCATION} cannot be reached: refused"), [])
        self.assertTrue(self.mistakes(1, "holdfast: it did not work"))
        self.assertTrue(self.mistakes(1, f"holdfast: {LOCATION}"))

    def test_a_fault_is_no_damage(self) -> None:
        for status in (2, 10, 12, 20, 21):
            self.assertTrue(self.mistakes(status, f"holdfast: {LOCATION} is damaged"))

    def test_a_run_ends_in_time_and_shows_no_credential(self) -> None:
        self.assertTrue(self.mistakes(0, "", took_s=1000))
        self.assertTrue(self.mistakes(0, f"the key is {SECRET_KEY}"))
        self.assertEqual(self.mistakes(-9, ""), [])

    def test_a_run_is_killed_in_time_and_otherwise_ends_by_itself(self) -> None:
        machine = Machine("sleep", {}, lambda: None)
        ended = machine.run("60", kill_after_s=0.05)
        self.assertTrue(ended.was_killed)
        self.assertLess(ended.took_s, 30)
        self.assertEqual(machine.run("0", kill_after_s=60).status, 0)
        self.assertEqual(machine.running, set())


class SourceTests(TestInDirectory):
    """The source, and how a restore is compared with it."""

    def test_a_seed_always_makes_the_same_source(self) -> None:
        trees = []
        for name in ("a", "b"):
            source = Source(self.root / name, Random(4))
            for _ in range(5):
                source.change()
            trees.append({path: entry for path, entry in describe(source.root).items() if path != "orders.db"})
        self.assertEqual(*trees)

    def test_every_change_is_seen(self) -> None:
        source = Source(self.root / "source", Random(1))
        before = describe(source.root)
        for _ in range(20):
            source.change()
            after = describe(source.root)
            self.assertTrue(differences(before, after))
            before = after

    def test_one_byte_a_mode_a_link_or_a_name_makes_a_difference(self) -> None:
        self.write("tree/a", "abc")
        (self.root / "tree/link").symlink_to("a")
        (self.root / "tree/folder").mkdir()
        expected = describe(self.root / "tree")

        def told() -> list[str]:
            return differences(expected, describe(self.root / "tree"))

        self.assertEqual(told(), [])
        self.write("tree/a", "abd")
        self.assertIn("a is ", told()[0])
        self.write("tree/a", "abc")
        os.chmod(self.root / "tree/a", 0o600)
        self.assertEqual(len(told()), 1)
        os.chmod(self.root / "tree/a", expected["a"][1])
        (self.root / "tree/link").unlink()
        self.assertEqual(told(), ["link is missing"])
        (self.root / "tree/link").symlink_to("b")
        self.assertEqual(len(told()), 1)
        (self.root / "tree/folder").rename(self.root / "tree/other")
        self.assertIn("other is too much", told())


# A holdfast that acknowledges everything. Lists what LISTED says, and restores what RESTORED says.
PRETENDER = """#!/bin/sh
echo "$*" >>"$LOG"
case $1 in
  backup) echo '{"snapshot": {"id": "new", "anomalies": [], "incompleteFiles": 0}, "problems": []}' ;;
  merge) echo '{"committed": false}' ;;
  prune) echo "$PRUNED" ;;
  list) echo "$LISTED" ;;
  restore) cp -a "$RESTORED" "$4" ;;
esac
"""


class Nowhere(Objects):
    """A place where nothing happens."""
    location, can_crash = LOCATION, False

    def __init__(self, **environment: str) -> None:
        super().__init__()
        self.environment = {"PRUNED": '{"snapshots": []}'} | environment

    def begin(self) -> None:
        """Does nothing."""

    calm = refuse_all = crash = close = begin

    def faults(self) -> "Counter[str]":
        """None."""
        return Counter()


class StoryTests(TestInDirectory):
    """What a seed notices."""

    def setUp(self) -> None:
        super().setUp()
        program = self.write("holdfast", PRETENDER)
        program.chmod(0o755)
        self.program = str(program)
        (self.root / "restored").mkdir()

    def client(self, **environment: str) -> Client:
        """A machine that is never killed."""
        place = Nowhere(LOG=str(self.root / "log"), **environment)
        client = Client(self.root / "machine", self.program, place, "shop", 1)
        client.random = Random(1)
        return client

    def tell(self, *listed: str) -> list[str]:
        """What a whole story finds wrong when these snapshots are listed."""
        listing = [{"id": each, "source": "shop", "kind": "full", "merged": None} for each in listed]
        place = Nowhere(LOG=str(self.root / "log"), LISTED=json.dumps({"snapshots": listing}),
                        RESTORED=str(self.root / "restored"))
        return Story(3, self.root / "story", self.program, place).tell().mistakes

    def test_what_was_acknowledged_and_is_not_there_is_noticed(self) -> None:
        self.assertTrue(any("acknowledged, and is not listed" in mistake for mistake in self.tell()))

    def test_what_restores_to_something_else_is_noticed(self) -> None:
        mistakes = self.tell("new")
        self.assertTrue(any("restores to something else: invoices is missing" in mistake for mistake in mistakes))
        self.assertFalse(any("not listed" in mistake for mistake in mistakes))

    def test_a_prune_that_removes_what_it_should_keep_is_noticed(self) -> None:
        client = self.client(PRUNED=json.dumps({"snapshots": [{"id": "new", "action": "remove"}]}))
        client.attempts = [Attempt({}, "new")]
        client.prune()
        self.assertRegex(client.mistakes[0], "prune --keep-last . removed new")

    def test_an_attempt_that_nobody_acknowledged_takes_a_place_too(self) -> None:
        client = self.client()
        client.attempts = [Attempt({}, str(number)) if number % 2 else Attempt({}) for number in range(10)]
        client.prune()
        kept = int((self.root / "log").read_text().split()[2])
        self.assertEqual([attempt.may_be_gone for attempt in client.attempts], [True] * (10 - kept) + [False] * kept)

    def test_what_breaks_the_machinery_does_not_pass(self) -> None:
        client = self.client()
        client.source.root.rename(self.root / "elsewhere")
        client.live()
        self.assertIn("Traceback", client.mistakes[-1])


class RepetitionTests(TestInDirectory):
    """A story that went wrong is told again by what is printed, also one without a seed."""

    def test_each_story_is_named_with_its_options(self) -> None:
        def lose(_: object) -> Counter[str]:
            raise Failure("a snapshot is lost")

        runs = Runs(self.root, "holdfast", "sftp")
        for module, tell, options in (("loss", runs.tell_loss, "--seeds 0 --loss"),
                                      ("seed 7", lambda: Result("seed 7", "--seed 7", ["lost"]), "--seed 7"),
                                      ("seed 3", self.tell_short, "--seed 3 --short")):
            with mock.patch("tools.faults.main.tell_loss", lambda *_: lose(None)):
                result = tell()
            self.assertIn(f"{module}: 0 runs", result.line())
            self.assertEqual(repetition("s3", [result, result]), f"`fault-runs s3 {options}`")
        self.assertEqual(repetition("s3", [Result("seed 7", "--seed 7")]), "")

    def tell_short(self) -> Result:
        """What a short story of seed 3 says that went wrong."""
        result = Story(3, self.root / "story", "holdfast", Nowhere(), is_short=True).result
        result.mistakes.append("lost")
        return result


if __name__ == "__main__":
    unittest.main()
