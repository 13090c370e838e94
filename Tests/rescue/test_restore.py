"""Tests of Scripts/rescue.py: what a restore brings back, and which snapshot it takes.

    python3 -m unittest discover -s Tests/rescue
"""
from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import subprocess
import sys
import unittest
from typing import Any, Callable, Dict, List

from plain_writer import (Case, Item, PAGE, SCRIPTS, TIME, attributes, directory, file, hard_link, noise, notes,
                          put_notes, root, symbolic_link, varint)


class RestoreTests(Case):
    """What a restore brings back."""

    def test_full(self) -> None:
        data = noise(1, 5 * PAGE + 100)
        self.writer.snapshot([
            directory(b"", attributes(0o750, 3 * 10**9 + 1)), directory(b"d", attributes(0o500, -5 * 10**9 + 3)),
            file(b"d/file", data, attribute=attributes(0o4640, 1234567890123456789)), file(b"d.empty", b""),
            hard_link(b"d/link", b"d/file", attributes(0o4640, 1234567890123456789)),
            symbolic_link(b"s", b"../../etc/passwd"), Item(b"fifo", 5, attribute=attributes(0o600))])
        self.sound()
        target = self.restore()
        self.assertEqual(sorted(os.listdir(target)), ["d", "d.empty", "fifo", "s"])
        self.assertEqual((target / "d/file").read_bytes(), data)
        status = os.stat(target / "d/file")
        self.assertEqual((stat.S_IMODE(status.st_mode), status.st_mtime_ns), (0o4640, 1234567890123456789))
        self.assertTrue(os.path.samestat(status, os.stat(target / "d/link")))
        for path, mode, modified in ((target, 0o750, 3 * 10**9 + 1), (target / "d", 0o500, -5 * 10**9 + 3)):
            self.assertEqual((stat.S_IMODE(os.stat(path).st_mode), os.stat(path).st_mtime_ns), (mode, modified))
        self.assertEqual(os.readlink(target / "s"), "../../etc/passwd")
        self.assertEqual(os.lstat(target / "s").st_mtime_ns, 10**18 + 7)
        self.assertTrue(stat.S_ISFIFO(os.stat(target / "fifo").st_mode))
        self.assertEqual((target / "d.empty").read_bytes(), b"")

    def test_copied_with_one_command(self) -> None:
        """As docs/operations.md says: two names, copied beside a repository, need nothing else of this project."""
        self.writer.snapshot([root(), file(b"a", b"orders")])
        kit = self.place / "kit"
        kit.mkdir()
        subprocess.run(["cp", "-r", SCRIPTS / "rescue.py", SCRIPTS / "rescue", kit], check=True)

        def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
            # Isolated: without the packages that are installed for whoever runs this.
            return subprocess.run([sys.executable, "-S", kit / "rescue.py", self.writer.path, *arguments], cwd=kit,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        done = run("restore", "latest", "restored")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual((kit / "restored/a").read_bytes(), b"orders")
        shutil.rmtree(kit / "rescue")
        done = run("list")
        self.assertEqual((done.returncode, done.stderr), (
            1, "rescue: the directory `rescue` is not beside this file, or not whole\n"
            f"HINT: Copy it from where rescue.py comes from to {kit}\n"))

    def test_extended_attributes(self) -> None:
        extended = ((b"user.first", b"\0one"), (b"user.second", b""))
        rules = ((1, 6, -1), (2, 4, 12345), (4, 0, -1), (16, 4, -1), (32, 0, -1))  # user, a user, group, mask, other
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *rule) for rule in rules)
        with_acl = attributes(0o640, extended=((b"system.posix_acl_access", acl),))
        self.writer.snapshot([root(), file(b"tagged", b"x", attribute=attributes(0o400, extended=extended)),
                              file(b"listed", b"x", attribute=with_acl)])
        self.sound()
        try:
            os.setxattr(self.place, b"user.probe", b"")
            os.setxattr(self.writer.path / "holdfast.json", b"system.posix_acl_access", acl)
        except OSError:
            self.skipTest("this file system has no extended attributes")
        target = self.restore()
        for name, value in extended:
            self.assertEqual(os.getxattr(target / "tagged", name), value)
        self.assertEqual(os.getxattr(target / "listed", b"system.posix_acl_access"), acl)
        self.assertEqual(stat.S_IMODE(os.stat(target / "listed").st_mode), 0o640)

    def test_incremental(self) -> None:
        first, second = noise(1, 10 * PAGE + 7), bytearray(noise(1, 10 * PAGE + 7))
        second[3 * PAGE:4 * PAGE] = noise(2, PAGE)
        second[5 * PAGE:7 * PAGE] = bytes(2 * PAGE)
        third = bytes(second[:8 * PAGE + 1])
        fourth = third + noise(3, 3 * PAGE)
        self.writer.snapshot([root(), file(b"a", first), file(b"b", b"same"), directory(b"old"), file(b"old/x", b"x")])
        self.writer.snapshot([file(b"a", bytes(second), keep=[0, 1, 2, 4, 7, 8, 9, 10])], parent=1)
        self.writer.snapshot([file(b"a", third, keep=[0, 1, 2, 3, 4, 5, 6, 7]), file(b"c", b"new")],
                             (b"old", b"old/x"), parent=2)
        self.writer.snapshot([file(b"a", fourth, keep=list(range(8)))], (b"c",), parent=3)
        self.sound()
        for sequence, data in enumerate([first, bytes(second), third, fourth], 1):
            target = self.restore(f"home/{sequence}")
            self.assertEqual((target / "a").read_bytes(), data)
            self.assertEqual((target / "b").read_bytes(), b"same")
            self.assertEqual((target / "old").exists(), sequence < 3)
            self.assertEqual((target / "c").exists(), sequence == 3)

    def test_differential(self) -> None:
        base = noise(1, 4 * PAGE)
        self.writer.snapshot([root(), file(b"a", base), file(b"b", b"b")])
        for seed in (2, 3):
            changed = noise(seed, PAGE) + base[PAGE:]
            self.writer.snapshot([file(b"a", changed, keep=[1, 2, 3])], parent=1, kind="differential")
        self.writer.snapshot([file(b"a", changed[:3 * PAGE] + base[:PAGE], keep=[0, 1, 2])], parent=3)
        self.sound()
        third = noise(3, PAGE) + base[PAGE:]
        self.assertEqual((self.restore("home/3") / "a").read_bytes(), third)
        self.assertEqual((self.restore("latest") / "a").read_bytes(), third[:3 * PAGE] + base[:PAGE])
        self.writer.snapshot([], parent=2, kind="differential")
        self.refused("parent is not a full")

    def test_merged(self) -> None:
        def merged(sequence: Any, kind: str = "full") -> Callable[[Dict[str, Any]], None]:
            return lambda envelope: envelope.update(kind=kind, merged={
                "snapshot": "0" * 32, "sequence": sequence, "digest": "0" * 64, "time": TIME})
        for name in (b"1", b"2", b"3"):
            self.writer.snapshot([root(), file(name, b"")])
        self.writer.snapshot([root(), file(b"2 merged", b"")], edit=merged(2))
        self.assertEqual(os.listdir(self.restore("latest")), ["3"])
        self.writer.snapshot([root(), file(b"3 merged", b"")], edit=merged(3))
        self.writer.snapshot([root(), file(b"1 merged", b"")], edit=merged(1))
        self.assertEqual(os.listdir(self.restore("latest")), ["3 merged"])
        self.writer.snapshot([file(b"next", b"")], parent=5)
        self.assertEqual(sorted(os.listdir(self.restore("latest"))), ["3 merged", "next"])
        self.sound()
        for sequence in (0, 8, 9):
            self.writer.snapshot([root()], edit=merged(sequence))
            self.refused("cannot be merged from that")
            shutil.rmtree(self.writer.path / "sources/home/0000000008")
            del self.writer.snapshots["home", 8]
        self.writer.snapshot([file(b"b", b"")], parent=1, edit=merged(1, "incremental"))
        self.refused("cannot be merged from that")

    def test_merged_increment(self) -> None:
        def merged(sequence: int, features: List[str], kind: str = "incremental") -> Callable[[Dict[str, Any]], None]:
            return lambda envelope: envelope.update(kind=kind, features=features, merged={
                "snapshot": "0" * 32, "sequence": sequence, "digest": "0" * 64, "time": TIME})
        self.writer.snapshot([root(), file(b"1", b"")])
        for name in (b"2", b"3"):
            self.writer.snapshot([file(name, b"")], parent=len(self.writer.snapshots))
        known = ["merged-increment"]
        self.writer.snapshot([file(b"2", b""), file(b"3", b"as merged")], parent=1, edit=merged(3, known))
        self.assertEqual((self.restore("latest") / "3").read_bytes(), b"as merged")
        self.sound()
        for edit, words in ((merged(1, known), "cannot be merged from that"),  # what it would build on
                            (merged(3, []), "contradicts itself about a merge"),
                            (merged(3, known, "differential"), "cannot be merged from that")):
            self.writer.snapshot([file(b"b", b"")], parent=1, edit=edit)
            self.refused(words)
            shutil.rmtree(self.writer.path / "sources/home/0000000005")
            del self.writer.snapshots["home", 5]

    def test_zero_runs(self) -> None:
        size = 1 << 30
        data = bytes(100 * PAGE) + b"x" + bytes(5 * PAGE + 3)
        self.writer.snapshot([root(), file(b"a", data), file(b"z", bytes(10))])
        digest = hashlib.sha256(bytes(16) + struct.pack("<Q", size // PAGE) + struct.pack("<QI", size, PAGE)).digest()
        huge = Item(b"huge", 2, varint(size) + varint(PAGE) + b"\1" + digest)
        huge.bytes = size
        run = b"\4\0" + varint(size // PAGE)
        self.writer.snapshot([huge], parent=1, body=lambda body: body[:-2] + run + body[-2:])
        self.sound()
        target = self.restore()
        self.assertEqual((target / "a").read_bytes(), data)
        self.assertEqual((target / "z").read_bytes(), bytes(10))
        self.assertEqual(os.stat(target / "huge").st_size, size)
        self.assertLess(os.stat(target / "huge").st_blocks, 100)

    def test_names_of_bytes(self) -> None:
        names = [b"\xff\xfe", b"new\nline", b"\x01", b"a.b", b"a", b"a/b", b" ", b"n" * 255]
        deep = b"/".join([b"d" * 200] * 20)
        parts = [deep[:i] for i in range(200, len(deep) + 1, 201)]
        self.writer.snapshot([root(), *(directory(part) for part in parts), file(deep + b"/\xff", b"deep")]
                             + [directory(name) if name == b"a" else file(name, name) for name in names])
        self.sound()
        os.chdir(self.restore())
        for name in names:
            if name != b"a":
                with open(name, "rb") as opened:
                    self.assertEqual(opened.read(), name)
        with open(deep + b"/\xff", "rb") as opened:
            self.assertEqual(opened.read(), b"deep")
        os.chdir(self.home)

    def test_left_out(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a"), file(b"none", b"", consistency=4), hard_link(b"none2", b"none"),
                              file(b"torn", b"half", consistency=3)])
        self.sound()
        target = self.restore(status=3)
        self.assertEqual(sorted(os.listdir(target)), ["a", "torn"])

    def test_find(self) -> None:
        for source in ("home", "etc"):
            self.writer.snapshot([root()], source=source)
            self.writer.snapshot([file(source.encode(), b"")], parent=1, source=source)
        (self.writer.path / "sources/home/0000000009").mkdir()
        (self.writer.path / "sources/home/.0000000010").mkdir()
        self.assertEqual(self.run_rescue("list")[1].count("\n"), 4)
        identifier = self.writer.snapshots["etc", 2]["envelope"]["snapshot"]
        self.assertEqual(os.listdir(self.restore("latest", 0, "--name", "etc")), ["etc"])
        for wanted in ("etc/2", "etc/0000000002", identifier, identifier[:6]):
            self.assertEqual(os.listdir(self.restore(wanted)), ["etc"])
        for wanted in ("latest", "home/9", "home/0", "", "zz", "../home/1"):
            self.restore(wanted, status=1)
        full = self.place / "full"
        (full / "x").mkdir(parents=True)
        self.assertEqual(self.run_rescue("restore", "etc/1", str(full))[0], 1)
        with self.assertRaises(SystemExit) as usage:
            self.run_rescue("restore")
        self.assertEqual(usage.exception.code, 2)

    # What is refused

    def test_removed(self) -> None:
        """What is removed is said to be; `latest` passes over it, and it restores until it is gone."""
        for data in (b"1", b"2", b"3"):
            self.writer.snapshot([root(), file(b"a", data)])
        ids = [self.writer.snapshots["home", number]["envelope"]["snapshot"] for number in (1, 2, 3)]
        put_notes(self.writer, 1, self.writer.line(notes(self.writer, 1, ids[:1])))
        put_notes(self.writer, 2, self.writer.line(notes(self.writer, 2, [ids[0], "0" * 32, ids[2]])))
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, [line.endswith("REMOVED") for line in out.splitlines()], err),
                         (0, [True, False, True], ""))
        for snapshot, data in (("latest", b"2"), (ids[2], b"3"), ("home/1", b"1")):
            self.assertEqual((self.restore(snapshot) / "a").read_bytes(), data)
        self.sound()
        # A revision that was begun and not written does not count; one that is damaged is named, and the one before
        # counts.
        (self.writer.path / "sources/home/notes/0000000003").mkdir()
        self.assertEqual((self.restore() / "a").read_bytes(), b"2")
        for change in ({"revision": 2}, {"source": "other"}, {"repository": "0" * 32}, {"time": "x"}, {"signature": {}},
                       {"notes": [{"snapshot": ids[0], "sequence": 1, "tags": [], "removed": {"revision": 1}}]}):
            put_notes(self.writer, 3, self.writer.line({**notes(self.writer, 3, []), **change}))
            status, out, err = self.run_rescue("list")
            self.assertEqual((status, out.count("REMOVED")), (1, 2))
            self.assertIn("sources/home/notes", err)

    def test_diverged(self) -> None:
        """What came late from a host that was overtaken is said to be; `latest` passes over it, and it restores."""
        for data, lease in ((b"1", 4), (b"2", 5), (b"late", 6), (b"4", 8)):
            self.writer.snapshot([root(), file(b"a", data)], edit=lambda envelope: envelope.update(lease=lease))
        ids = [self.writer.snapshots["home", number]["envelope"]["snapshot"] for number in (1, 2, 3, 4)]
        era = {"serving": "b", "since": 8, "highest": 2, "from": {"sequence": 2, "snapshot": ids[1]}, "time": TIME}
        put_notes(self.writer, 1, self.writer.line(notes(self.writer, 1, [], features=["eras"], eras=[era])))
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, [line.endswith("DIVERGED") for line in out.splitlines()], err),
                         (0, [False, False, True, False], ""))
        for snapshot, data in (("latest", b"4"), (ids[2], b"late")):
            self.assertEqual((self.restore(snapshot) / "a").read_bytes(), data)
        # A host that has taken over and has no snapshot yet: the newest is that with which it began.
        later = {**era, "since": 9, "from": {"sequence": 2, "snapshot": ids[1]}}
        put_notes(self.writer, 2, self.writer.line(notes(self.writer, 2, [], features=["eras"], eras=[era, later])))
        self.assertEqual((self.restore("latest") / "a").read_bytes(), b"2")
        for change in ({"features": []}, {"eras": [{**era, "since": "8"}]}, {"eras": [{**era, "from": {}}]}):
            value = {**notes(self.writer, 3, [], features=["eras"], eras=[era]), **change}
            put_notes(self.writer, 3, self.writer.line(value))
            status, out, err = self.run_rescue("list")
            self.assertEqual(status, 1)
            self.assertIn("sources/home/notes", err)


if __name__ == "__main__":
    unittest.main()
