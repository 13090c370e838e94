"""Tests of Scripts/rescue.py with sealed repositories: the keyring, and who has signed what."""
from __future__ import annotations

import json
import os
import shutil
import unittest
from typing import Any, Dict
from unittest import mock

from plain_writer import TIME, Writer, file, notes, proved, put_notes, root
from sealed_writer import ANNA, BERT, CARLA, Host, SAFE, SHOP, SealedCase, THIEF, put, sha256, signed


class KeyringTests(SealedCase):
    """Who may open and who may write."""

    def test_descriptor(self) -> None:
        for change in ({"features": []}, {"sealing": "none"}, {"features": [], "sealing": "none"}):
            self.writer.descriptor(**change)
            self.fails("holdfast.json: does not agree with itself on whether the repository is sealed")
        for features in (["sealed", "future"], ["sealed", "sealed"], "sealed"):
            self.writer.descriptor(features=features)
            self.fails(f"holdfast.json: format 1 with features {features!r}; "
                       "this tool knows format 1, without features or with 'merged-increment', 'parity' or 'sealed'")
        self.writer.descriptor(keyring="0" * 64)
        self.fails("keyring/0000000001.json: is not the one that holdfast.json names")
        self.writer.descriptor(keyring=None)
        self.fails("holdfast.json: keyring is 'None'")

    # The keyring

    def test_gaps_in_the_keyring(self) -> None:
        for _ in range(2):
            self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer()])
        (self.writer.path / "keyring/.0000000004.json").write_bytes(b"unfinished")
        self.writer.snapshot([root()])
        self.use(ANNA)
        self.sound()
        for revision in (1, 2):
            hidden = self.writer.keyring(revision).rename(self.place / "hidden")
            self.fails(f"keyring: revision {revision} is missing")
            hidden.rename(self.writer.keyring(revision))
        self.writer.keyring(3).unlink()
        self.unsound("was taken under revision 3 of the keyring, and the highest here is 2")
        with mock.patch("rescue.keyring.MOST_REVISIONS", 1):
            self.fails("keyring: has more than 1 revisions")
        shutil.rmtree(self.writer.path / "keyring")
        self.fails("keyring: No such file or directory")
        (self.writer.path / "keyring").mkdir()
        self.fails("keyring: has no revision, and the repository is sealed")

    def test_wrong_revisions(self) -> None:
        one, two, zero = [ANNA.recipient()], [ANNA.recipient(), BERT.recipient()], "0" * 64
        many = [{**ANNA.recipient(), **self.fresh(i)} for i in range(65)]
        shop, owner, first = [SHOP.writer()], ANNA.authority, "keyring/0000000001.json: "
        here, stranger = "keyring/0000000002.json: ", "is not signed by a recipient of the revision before it"
        for error, key, recipients, writers, edit in [
                ("is another revision", owner, one, shop, put("revision", 3)),
                ("is another revision", owner, one, shop, put("repository", zero[:32])),
                ("does not follow the one before it", owner, one, shop, put("previous", zero)),
                ("does not follow the one before it", owner, one, shop, put("previous", None)),
                ("is not sealed, and the repository is", owner, one, shop, put("features", [])),
                ("format 1 with features ['sealed', 'x']; "
                 "this tool knows format 1, without features or with 'merged-increment', 'parity' or 'sealed'",
                 owner, one, shop, put("features", ["sealed", "x"])),
                ("format 2 with features ['sealed']; "
                 "this tool knows format 1, without features or with 'merged-increment', 'parity' or 'sealed'",
                 owner, one, shop, put("format", 2)),
                (stranger, SHOP.key, one, shop, None), (stranger, CARLA.authority, [CARLA.recipient()], shop, None),
                ("has 0 recipients, not 1 to 64", owner, [], shop, None),
                ("has 65 recipients, not 1 to 64", owner, many, shop, None),
                ("has one of its recipients twice", owner, one * 2, shop, None),
                ("has 0 writers, not 1 to 1024", owner, one, [], None),
                ("has one of its writers twice", owner, one, shop * 2, None),
                ("a writer has left the list", owner, one, [THIEF.writer()], None),
                (f"recipient {BERT.id}: its ID is not that of its keys",
                 owner, [ANNA.recipient(id=BERT.id)], shop, None),
                (f"writer {SHOP.public}: revoked is not an object",
                 owner, one, shop, put("revoked", True, "writers", 0)),
                (f"writer {SHOP.public}: revoked: accepted 0 is 'x'", owner, one, [SHOP.writer(["x"])], None)]:
            with self.subTest(error=error):
                self.new_repository(*two)
                self.writer.revise(key, recipients, writers, edit or (lambda value: None))
                self.fails(here + error)
        self.new_repository()
        self.writer.revisions.clear()
        self.writer.revise(owner, one, shop)
        self.fails(first + "is not signed by the first of its writers")

    @staticmethod
    def fresh(number: int) -> Dict[str, str]:
        opening, authority = sha256(b"%d" % number), sha256(b"authority %d" % number)
        return {"id": sha256(opening + authority)[:16].hex(), "opening": opening.hex(), "authority": authority.hex()}

    def test_scrypt_out_of_bounds(self) -> None:
        """Is refused before anything is computed."""
        recipient = SAFE.with_passphrase(b"x", Writer.ID)
        self.keys = "--passphrase-file", self.secret("x")
        bounds = "passphrase: parameters of scrypt are out of bounds"
        with mock.patch("rescue.keyring.Scrypt", side_effect=AssertionError):
            for change, error in [({"logN": 14}, bounds), ({"logN": 19}, bounds), ({"r": 9}, bounds),
                                  ({"p": 2}, bounds),
                                  ({"logN": 1 << 70}, "passphrase: logN is not a number in range"),
                                  ({"salt": "00"}, "passphrase: salt is '00'"),
                                  ({"sealed": "00"}, "passphrase: sealed is '00'")]:
                self.new_repository({**recipient, "passphrase": {**recipient["passphrase"], **change}})
                self.fails(f"keyring/0000000001.json: recipient {SAFE.id}: {error}")

    def test_passphrase_that_opens_somebody_else(self) -> None:
        sealed = SAFE.with_passphrase(b"x", Writer.ID)["passphrase"]
        self.new_repository(ANNA.recipient(passphrase=sealed))
        self.keys = "--passphrase-file", self.secret("x")
        self.fails(f"keyring: the passphrase of {ANNA.id} opens the identity of somebody else")

    def test_signatures_of_the_keyring(self) -> None:
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer()])
        path = self.writer.keyring(2)
        line = path.read_bytes().partition(b"\n")[0] + b"\n"
        path.write_bytes(proved(line.replace(b'"name":"shop"', b'"name":"ship"')))
        self.fails("keyring/0000000002.json: its signature is wrong")
        path.write_bytes(proved(line.replace(b'"signature":', b'"signature": ')))
        self.fails("keyring/0000000002.json: its signature is not written as the format says")
        value = {**json.loads(line), "signature": None}
        made = ANNA.authority.sign(b"holdfast-1 manifest\n" + Writer.line(self.writer, value))
        value["signature"] = {"key": ANNA.public[32:].hex(), "value": made.hex()}
        path.write_bytes(proved(Writer.line(self.writer, value)))
        self.fails("keyring/0000000002.json: its signature is wrong")

    # Envelopes

    def test_envelopes_of_strangers(self) -> None:
        self.writer.host = THIEF
        self.writer.snapshot([root()])
        self.unsound(f"is signed by {THIEF.public}, which is no writer of the repository")

    def test_revoked_writers(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a")])
        accepted = [self.writer.snapshots["home", 1]["digest"]]
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(accepted), THIEF.writer()])
        self.writer.host = THIEF
        self.writer.snapshot([file(b"b", b"b")], parent=1)
        self.use(ANNA)
        self.sound()
        self.assertEqual(sorted(os.listdir(self.restore())), ["a", "b"])
        self.writer.host = SHOP
        self.writer.snapshot([root()])
        self.unsound("home/0000000003", "is signed by shop, which is revoked")

    def note(self, host: Host, number: int = 1, purpose: bytes = b"notes", **change: Any) -> str:
        """Writes a revision that says that number 1 is removed; its digest."""
        removed = [self.writer.snapshots["home", 1]["envelope"]["snapshot"]]
        value = notes(self.writer, number, removed, features=["sealed"], **change)
        return put_notes(self.writer, number, signed(value, purpose, host.key))

    def test_notes(self) -> None:
        """Only a writer who counts makes `latest` pass over a snapshot."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        self.note(SHOP)
        self.assertIn("REMOVED", self.run_rescue("list")[1])
        self.use(ANNA)
        status, _, err = self.run_rescue("restore", "latest", "none")
        self.assertEqual((status, err), (1, "rescue: latest: no such snapshot\n"))
        self.assertEqual(os.listdir(self.restore("home/1")), ["a"])
        for host, purpose, words in ((THIEF, b"notes", f"is signed by {THIEF.public}, which is no writer"),
                                     (SHOP, b"manifest", "its signature is wrong")):
            self.note(host, 2, purpose)
            status, out, err = self.run_rescue("list")
            self.assertEqual(status, 1)
            self.assertIn(f"sources/home/notes/0000000002/notes.json: {words}", err)
            self.assertIn("REMOVED", out)  # as the revision before says
        # A revoked writer's count as far as the keyring says so.
        for removed in (True, False):
            self.new_repository()
            self.writer.snapshot([root(), file(b"a", b"a")])
            shop, noted = SHOP.writer([self.writer.snapshots["home", 1]["digest"]]), self.note(SHOP)
            shop["revoked"]["notes"] = [noted] if removed else []
            self.writer.revise(ANNA.authority, [ANNA.recipient()], [shop])
            status, out, err = self.run_rescue("list")
            self.assertEqual(("REMOVED" in out, "which is revoked" in err), (removed, not removed))

    def test_right_to_prune(self) -> None:
        """What a writer without it notes as removed is there, unless the removal is signed by one that has it."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        thief = THIEF.writer(mayPrune=False)
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(mayPrune=True), thief])
        self.note(THIEF)
        self.assertNotIn("REMOVED", self.run_rescue("list")[1])
        snapshot = self.writer.snapshots["home", 1]["envelope"]["snapshot"]
        claim = {"collected": False, "repository": self.writer.id, "revision": 1, "sequence": 1, "snapshot": snapshot,
                 "source": "home", "time": TIME}
        line = json.dumps(claim, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        for number, (host, purpose, is_removed) in enumerate(
                [(SHOP, b"removal", True), (THIEF, b"removal", False), (SHOP, b"notes", False)], 2):
            value = host.key.sign(b"holdfast-1 " + purpose + b"\n" + line).hex()
            note = {"snapshot": snapshot, "sequence": 1, "tags": [], "pinned": None, "proved": None,
                    "removed": {"collected": False, "revision": 1, "time": TIME,
                                "signature": {"key": host.public, "value": value}}}
            self.note(THIEF, number, notes=[note])
            self.assertEqual("REMOVED" in self.run_rescue("list")[1], is_removed, (host.name, purpose))

    def test_removals_by_target(self) -> None:
        """That a removal spares a target is signed with it."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        thief = THIEF.writer(mayPrune=False)
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(mayPrune=True), thief])
        snapshot = self.writer.snapshots["home", 1]["envelope"]["snapshot"]
        claim = {"collected": False, "repository": self.writer.id, "revision": 1, "sequence": 1, "snapshot": snapshot,
                 "source": "home", "spares": ["cloud"], "time": TIME}
        line = json.dumps(claim, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        signature = {"key": SHOP.public, "value": SHOP.key.sign(b"holdfast-1 removal\n" + line).hex()}
        for number, (spares, is_removed) in enumerate([(["cloud"], True), (["barn"], False), (None, False)], 1):
            removal = {"collected": False, "revision": 1, "time": TIME, "signature": signature}
            note = {"snapshot": snapshot, "sequence": 1, "tags": [], "pinned": None, "proved": None,
                    "removed": {**removal, "spares": spares} if spares else removal}
            features = ["sealed", "removals-by-target"] if spares else ["sealed"]
            value = notes(self.writer, number, [], features=features, notes=[note])
            put_notes(self.writer, number, signed(value, b"notes", THIEF.key))
            status, out, err = self.run_rescue("list")
            self.assertEqual((status, err, "REMOVED" in out), (0, "", is_removed), spares)

    def test_promised_grace_periods(self) -> None:
        """That the grace period that was promised with a removal is signed with it."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        thief = THIEF.writer(mayPrune=False)
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(mayPrune=True), thief])
        snapshot = self.writer.snapshots["home", 1]["envelope"]["snapshot"]
        claim = {"collected": False, "graceSeconds": 100, "repository": self.writer.id, "revision": 1, "sequence": 1,
                 "snapshot": snapshot, "source": "home", "time": TIME}
        line = json.dumps(claim, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        signature = {"key": SHOP.public, "value": SHOP.key.sign(b"holdfast-1 removal\n" + line).hex()}
        for number, (grace, is_removed) in enumerate([({"graceSeconds": 100}, True), ({"graceSeconds": 1}, False),
                                                      ({}, False)], 1):
            note = {"snapshot": snapshot, "sequence": 1, "tags": [], "pinned": None, "proved": None,
                    "removed": {"collected": False, "revision": 1, "time": TIME, "signature": signature, **grace}}
            value = notes(self.writer, number, [], features=["sealed"], notes=[note])
            put_notes(self.writer, number, signed(value, b"notes", THIEF.key))
            status, out, err = self.run_rescue("list")
            self.assertEqual((status, err, "REMOVED" in out), (0, "", is_removed), grace)

    def test_signatures_of_envelopes(self) -> None:
        self.writer.snapshot([root()])
        path = self.object("manifest")
        line = path.read_bytes().partition(b"\n")[0] + b"\n"
        signature = json.loads(line)["signature"]
        twice = json.dumps({"signature": signature}, separators=(",", ":")).encode()
        key = signature["key"].encode()
        for change, words in [(line.replace(b'"incomplete":0', b'"incomplete":1'), "its signature is wrong"),
                              (line.replace(b'{"archives"', b'{"Archives":%s,"archives"' % twice), "not written as"),
                              (line.replace(signature["value"].encode(), b"0" * 128), "its signature is wrong"),
                              (line.replace(key, key.upper()), "signature: key")]:
            path.write_bytes(proved(change))
            self.unsound(words)

    def test_revision_of_an_envelope(self) -> None:
        for edit, words in [(put("revision", 0, "keyring"), "under revision 0"),
                            (put("digest", "0" * 64, "keyring"), "was taken under another revision 1 of the keyring"),
                            (put("keyring", None), "keyring is not an object")]:
            self.writer.snapshot([root()], edit=edit)
            self.unsound(words)


if __name__ == "__main__":
    unittest.main()
