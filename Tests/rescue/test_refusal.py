"""Tests of Scripts/rescue.py with repositories that are damaged or hostile.
"""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, Tuple
from unittest import mock

from plain_writer import (Case, Item, PAGE, attributes, directory, file, hard_link, noise, page_digest, root,
                          symbolic_link, varint)
from rescue.restore import Target


class RefusalTests(Case):
    """What is damaged or hostile, and leads nowhere."""

    def test_every_flipped_byte(self) -> None:
        self.writer.snapshot([root(), file(b"a", noise(1, 3 * PAGE))])
        self.writer.snapshot([file(b"a", noise(2, PAGE) + noise(1, 3 * PAGE)[PAGE:], keep=[1, 2])], parent=1)
        for name in ("archive", "body", "manifest"):
            path = self.object(name)
            data = path.read_bytes()
            for place in {*range(0, len(data), 41), *range(8, 64, 8), *range(len(data) - 32, len(data), 4)}:
                path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
                status, _, err = self.run_rescue("verify")
                self.assertEqual(status, 1, f"{name} {place}")
                self.assertIn("home/0000000001", err)
            path.write_bytes(data)
        self.sound()

    def test_damaged_page_costs_one_file(self) -> None:
        files = [file(b"a", noise(1, 5 * PAGE)), file(b"b", noise(2, PAGE))]
        self.writer.snapshot([root(), *files, hard_link(b"c", b"a")])
        path = self.object("archive")
        data = path.read_bytes()
        place = data.index(noise(2, PAGE))
        path.write_bytes(data[:place] + b"!" + data[place + 1:])
        self.assertEqual(sorted(os.listdir(self.restore(status=1))), ["a", "c"])
        path.unlink()
        self.assertEqual(sorted(os.listdir(self.restore(status=1))), [])

    def test_truncated(self) -> None:
        self.writer.snapshot([root(), file(b"a", noise(1, 3 * PAGE))])
        for name in ("archive", "body", "manifest"):
            path = self.object(name)
            data = path.read_bytes()
            for length in (0, 31, 63, 95, 96, len(data) - 33, len(data) - 1):
                path.write_bytes(data[:length])
                self.refused("home/0000000001", restore=name != "archive")
            if name != "manifest":
                path.write_bytes(data + b"\0")
                self.refused("home/0000000001", restore=name != "archive")
            path.write_bytes(data)
        self.sound()

    def test_ways_out_of_the_target(self) -> None:
        for path in (b"../x", b"/x", b"x/../../y", b"..", b".", b"a//b", b"a/", b"x\0y", b"n" * 256, b"d/" * 2048):
            with self.subTest(path=path):
                self.writer.snapshot([root(), file(path, b"bad")])
                self.refused("forbidden path" if len(path) < 4096 else "length of path")
                shutil.rmtree(self.writer.path / "sources")
        link = symbolic_link(b"s", b"/tmp")
        for items in ([link, file(b"s/x", b"bad")], [link, directory(b"s/t"), file(b"s/t/x", b"bad")],
                      [file(b"none/x", b"")], [file(b"f", b""), file(b"f/x", b"")]):
            with self.subTest(items=items):
                self.writer.snapshot([root(), *items])
                self.refused("lies in no directory")
        for target in (b"../x", b"/etc/passwd"):
            self.writer.snapshot([root(), hard_link(b"z", target)])
            self.refused("forbidden path")
        for items in ([symbolic_link(b"a", b"/etc/passwd"), hard_link(b"z", b"a")], [hard_link(b"z", b"none")],
                      [file(b"zz", b""), hard_link(b"z", b"zz")]):
            self.writer.snapshot([root(), *items])
            self.refused("hard link to no such file")

    def test_symbolic_link_that_replaces_a_directory(self) -> None:
        """Nothing is written through it, in whatever state of the chain it appears."""
        outside = self.place / "outside"
        outside.mkdir()
        link = symbolic_link(b"d", os.fsencode(outside))
        self.writer.snapshot([root(), directory(b"d"), file(b"d/x", b"x")])
        self.writer.snapshot([link], (b"d/x",), parent=1)
        self.sound()
        self.assertTrue((self.restore() / "d").is_symlink())
        self.writer.snapshot([link], parent=1)
        self.refused("lies in no directory")
        self.assertEqual(os.listdir(outside), [])

    def exchanging(self, path: bytes, replacement: Callable[[Path, Path], None]) -> Tuple[int, str, Path]:
        """Restores while somebody who can write to the target exchanges what was made at a path."""
        target, outside = self.place / "exchanged", self.place / "victim"
        outside.mkdir()
        keep = Target.keep

        def keep_and_exchange(place: Target, made: bytes, file: int) -> None:
            keep(place, made, file)
            if made == path:
                os.rename(target / os.fsdecode(path), self.place / "taken away")
                replacement(target / os.fsdecode(path), outside)

        with mock.patch.object(Target, "keep", keep_and_exchange):
            status, _, err = self.run_rescue("restore", "latest", str(target))
        return status, err, outside

    def test_nothing_is_written_where_the_owner_of_the_target_leads(self) -> None:
        self.writer.snapshot([root(), directory(b"d"), file(b"d/x", b"x"), file(b"e", b"e")])
        with self.subTest("a link"):
            status, err, outside = self.exchanging(b"d", lambda path, outside: os.symlink(outside, path))
            self.assertEqual(status, 1)
            self.assertIn("left out: d/x: the directory d cannot be opened: Not a directory", err)
            self.assertEqual(os.listdir(outside), [])
            self.assertEqual((self.place / "exchanged" / "e").read_bytes(), b"e")
            for place in ("exchanged", "victim", "taken away"):
                shutil.rmtree(self.place / place)
        with self.subTest("another directory"):
            status, err, outside = self.exchanging(b"d", lambda path, outside: os.mkdir(path))
            self.assertEqual(status, 1)
            self.assertIn("left out: d/x: somebody has exchanged it, or what it lies in, while it was restored", err)
            self.assertEqual(os.listdir(self.place / "exchanged" / "d"), [])

    def test_no_link_is_made_to_what_was_exchanged(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a"), hard_link(b"b", b"a")])
        status, err, outside = self.exchanging(b"a", lambda path, outside: path.write_bytes(b"another"))
        self.assertEqual(status, 1)
        self.assertIn("left out: b: somebody has exchanged it", err)
        self.assertFalse((self.place / "exchanged" / "b").exists())

    def test_attributes_of_links_and_fifos(self) -> None:
        """They are set on what was made, and on nothing that a link leads to."""
        outside = self.place / "outside"
        outside.write_bytes(b"")
        os.utime(outside, ns=(5, 5))
        self.writer.snapshot([root(), Item(b"p", 5, attribute=attributes(0o640, 10**18 + 9)),
                              symbolic_link(b"s", os.fsencode(outside))])
        target = self.restore()
        self.assertEqual(stat.S_IMODE(os.stat(target / "p").st_mode), 0o640)
        self.assertEqual(os.stat(target / "p").st_mtime_ns, 10**18 + 9)
        self.assertEqual(os.lstat(target / "s").st_mtime_ns, 10**18 + 7)
        self.assertEqual(os.stat(outside).st_mtime_ns, 5)

    def test_the_longest_path(self) -> None:
        names = [bytes([ord("a") + number]) * 255 for number in range(15)] + [b"z" * 254]
        above = [b"/".join(names[:count]) for count in range(1, len(names))]
        self.writer.snapshot([root(), *map(directory, above), file(b"/".join(names), b"deep")])
        target = os.open(self.restore(), os.O_RDONLY)
        for name in names[:-1]:
            target = os.open(name, os.O_RDONLY, dir_fd=target)
        self.assertEqual(os.listdir(target), [os.fsdecode(names[-1])])

    def test_an_archive_has_one_number(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a" * PAGE)])
        key = self.writer.path / "sources" / "home" / "0000000001" / "manifest.json"
        value = json.loads(key.read_bytes().partition(b"\n")[0])
        value["archives"].append(dict(value["archives"][0], number=1))
        line = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        key.write_bytes(line + b'"' + hashlib.sha256(line).hexdigest().encode() + b'"\n')
        self.refused("an archive of its chain has two numbers")

    def test_the_name_that_a_restore_needs(self) -> None:
        self.writer.snapshot([root(), directory(b".holdfast-restore")])
        status, _, err = self.run_rescue("verify")
        self.assertEqual((status, "`holdfast restore` needs this name" in err), (1, True))

    def test_wrong_envelopes(self) -> None:
        def put(name: str, value: Any, *inside: str) -> Callable[[Dict[str, Any]], None]:
            def edit(envelope: Dict[str, Any]) -> None:
                for step in inside:
                    envelope = envelope[step]
                envelope[name] = value
            return edit
        zero = "0" * 64
        archive = {"number": 5, "sequence": 1, "id": zero[:32], "length": 99, "digest": zero}
        self.writer.snapshot([root(), file(b"a", b"a")])
        for words, edit in [
                ("manifest digest", put("digest", zero, "parent")),
                ("manifest digest", put("snapshot", zero[:32], "parent")),
                ("state root", put("root", zero, "state")),
                ("another snapshot", put("sequence", 1)),
                ("another snapshot", put("repository", zero[:32])),
                ("another snapshot", put("name", "etc", "source")),
                ("is sealed, and the repository is not", put("features", ["sealed"])),
                ("is sealed, and the repository is not", put("signature", {})),
                ("is sealed, and the repository is not", put("keyring", {})),
                ("'future'", put("features", ["future"])),
                ("format 2", put("format", 2)),
                ("kind", put("kind", "other")),
                ("has a parent", put("kind", "full")),
                ("archives", put("archives", [{}])),
                ("should be 1", put("archives", [archive])),
                ("body", put("id", "../../../../x", "body")),
                ("object digest", put("digest", zero, "body")),
                ("incomplete", put("incomplete", True)),
                ("bytes", put("bytes", 1.0, "state"))]:
            with self.subTest(words=words):
                sequence = self.writer.snapshot([file(b"b", b"")], parent=1, edit=edit)
                self.refused(words)
                shutil.rmtree(self.writer.path / f"sources/home/{sequence:010d}")
        for name, value in (("files", 7), ("entries", 1), ("bytes", 9)):
            self.writer.snapshot([file(b"b", b"")], parent=1, edit=put(name, value, "state"))
            self.refused(f"{name} is {value}", restore=False)

    def test_wrong_descriptor(self) -> None:
        self.writer.snapshot([root()])
        for change in ({"format": 2}, {"features": ["x"]}, {"sealing": "age"}, {"sealing": "sealed"},
                       {"features": ["sealed"]}, {"keyring": "0" * 64}, {"repository": "x"}, {"created": 1}):
            self.writer.descriptor(**change)
            self.refused("holdfast.json")
            self.assertEqual(self.run_rescue("list")[0], 1)

    def test_wrong_bodies(self) -> None:
        data = noise(1, 3 * PAGE)
        unsorted = attributes(extended=((b"user.b", b""), (b"user.a", b"")))
        self.writer.snapshot([root(), file(b"a", data)])
        for words, item, body in [
                ("does not end", None, lambda b: b + b"\0"),
                ("does not end", None, lambda b: b[:-1] + b"\7"),
                ("ends too early", None, lambda b: b[:-1]),
                ("ends too early", file(b"b", b""), lambda b: b[:20]),
                ("shortest form", None, lambda b: b[:-1] + b"\x80\0"),
                ("beyond", None, lambda b: b"\0" + b"\xff" * 10),
                ("unknown record", None, lambda b: b"\5" + b),
                ("unknown record", file(b"b", b""), lambda b: b[:-2] + b"\x09" + b),
                ("unknown type", Item(b"b", 8), lambda b: b),
                ("beyond", file(b"b", b"", attribute=attributes(0o10000)), lambda b: b),
                ("not in order", file(b"b", b"", attribute=unsorted), lambda b: b),
                ("path order", file(b"b", b""), lambda b: b[:-2] * 2 + b"\0\2"),
                ("was not there", None, lambda b: b"\2\0\1b\0\1"),
                ("cover 0 of 1", file(b"b", b"x"), lambda b: b[:b.index(b"\3\0\1")] + b"\0\1"),
                ("beyond", file(b"b", bytes(600)), lambda b: b.replace(b"\4\0\2", b"\4\0\3")),
                ("inherit", file(b"b", b"x", keep=[0]), lambda b: b),
                ("inherit", file(b"a", data, keep=[0, 1, 2]), lambda b: b.replace(varint(PAGE), varint(2 * PAGE)))]:
            with self.subTest(words=words):
                sequence = self.writer.snapshot([item] if item else [], parent=1, body=body)
                self.refused(words)
                shutil.rmtree(self.writer.path / f"sources/home/{sequence:010d}")

    def test_wrong_digests_of_pages_and_files(self) -> None:
        data = noise(1, 3 * PAGE)
        self.writer.snapshot([root(), file(b"a", data)],
                             body=lambda b: b.replace(page_digest(data[:PAGE]), bytes(15) + b"x"))
        self.refused("page digest", restore=False)
        item = file(b"a", data)
        item.state = item.state[:-32] + bytes(32)
        self.writer.snapshot([root(), item])
        self.refused("file digest", restore=False)

    def test_only_pages_of_the_same_length_are_inherited(self) -> None:
        data = noise(1, 4 * PAGE)
        for change, keep in ((data + b"x", range(5)), (data[:-1], range(4))):
            self.writer.snapshot([root(), file(b"a", data)])
            parent = max(sequence for _, sequence in self.writer.snapshots)
            self.writer.snapshot([file(b"a", change, keep=list(keep))], parent=parent)
            self.refused("not there in this length", restore=False)
        self.writer.snapshot([root(), file(b"a", data)])
        self.writer.snapshot([file(b"a", data[:PAGE], keep=[0])], parent=5)
        self.writer.snapshot([file(b"a", data, keep=[0, 1, 2, 3])], parent=6)  # what was cut off does not come back
        self.refused("not there in this length", restore=False)
        self.assertEqual(self.restore("home/6").joinpath("a").read_bytes(), data[:PAGE])

    def test_parent_that_is_gone(self) -> None:
        self.writer.snapshot([root()])
        self.writer.snapshot([], parent=1)
        self.object("manifest").unlink()
        self.refused("home/0000000001", "No such file")


if __name__ == "__main__":
    unittest.main()
