"""Tests of the man pages and of the manifests that are made without holdfast."""

import datetime
import hashlib
import json
import struct
import unittest
import zlib

from support import TestInDirectory, script

from tools import many_bodies
from tools.many_snapshots import CHAIN, JOURNAL_RUNS, add_snapshots, journal, line

HELP = {"command": {
    "commandName": "holdfast", "abstract": "Back up.", "arguments": [], "subcommands": [
        {"commandName": "take", "superCommands": ["holdfast"], "abstract": "Take one.", "shouldDisplay": True,
         "discussion": "Take one.\n\n'tis `bold` \\ and long-ish.\n\nEXAMPLES:\n  holdfast take it\n\n"
                       "EXIT STATUS:\n  0  done\n  1  not done\n",
         "arguments": [
             {"kind": "positional", "valueName": "source", "isOptional": False, "isRepeating": True,
              "shouldDisplay": True, "abstract": "What to take."},
             {"kind": "option", "valueName": "dir", "isOptional": True, "isRepeating": False, "shouldDisplay": True,
              "names": [{"kind": "short", "name": "r"}, {"kind": "long", "name": "repository"}],
              "preferredName": {"kind": "long", "name": "repository"}, "abstract": "Where.", "defaultValue": "here"},
             {"kind": "flag", "isOptional": True, "isRepeating": False, "shouldDisplay": False, "names": [],
              "preferredName": {"kind": "long", "name": "secret"}}]},
        {"commandName": "help", "superCommands": ["holdfast"], "shouldDisplay": True},
        {"commandName": "hidden", "superCommands": ["holdfast"], "shouldDisplay": False}]}}


class ManPageTests(TestInDirectory):
    """Scripts/man-pages with a program that only explains itself."""

    def test_a_page_for_each_command_that_is_shown(self) -> None:
        self.write("help.json", json.dumps(HELP))
        program = self.write("program", "#!/bin/sh\ncase $1 in --version) echo holdfast 9; echo more ;; "
                             f"*) cat {self.root}/help.json ;; esac\n")
        program.chmod(0o755)
        done = script("man-pages", str(program), str(self.root / "pages"))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(sorted(path.name for path in (self.root / "pages").iterdir()),
                         ["holdfast-take.1", "holdfast.1"])
        page = (self.root / "pages/holdfast-take.1").read_text()
        for part in ('"holdfast 9"', "holdfast\\-take \\- Take one", "\\fIsource\\fR ...",
                     "[\\fB\\-\\-repository\\fR \\fIdir\\fR]", "\\fB\\-r\\fR, \\fB\\-\\-repository\\fR",
                     "Where. (default: here)", "\\&'tis \\fBbold\\fR \\e and long\\-ish.", ".SH EXIT STATUS",
                     ".SH EXAMPLES\n.nf\nholdfast take it\n.fi",
                     "HOLDFAST_REPOSITORY", "\\(ti/.cache/holdfast", "\\fBholdfast\\fR(1)"):
            self.assertIn(part, page)
        self.assertNotIn("secret", page)

    def test_it_wants_a_program_and_a_directory(self) -> None:
        done = script("man-pages", "one")
        self.assertEqual((done.returncode, done.stderr), (1, "usage: Scripts/man-pages HOLDFAST DIRECTORY\n"))

    def test_a_program_that_fails_is_told(self) -> None:
        done = script("man-pages", "false", str(self.root / "pages"))
        self.assertEqual((done.returncode, done.stderr[:14]), (1, "man-pages: fal"))


class ManySnapshotsTests(TestInDirectory):
    """Scripts/many-snapshots, without holdfast."""

    def test_bodies_are_containers_whose_records_are_counted(self) -> None:
        for is_full in (True, False):
            body = many_bodies.make(bytes(16), bytes(range(16)), 7, is_full, 1_700_000_000)
            offset, frames, width, length = struct.unpack("<QIIQ", body.data[-32:-8])
            self.assertEqual((width, length, body.data[-8:]), (56, len(body.data), b"TSAFDLOH"))
            index, plain = body.data[offset:offset + frames * width], b""
            whole = body.data[:64] + index + body.data[-32:]
            self.assertEqual(body.digest, hashlib.sha256(whole).hexdigest())
            for start in range(0, len(index), width):
                at, stored = struct.unpack_from("<QI", index, start)
                plain += zlib.decompress(body.data[at:at + stored])
            records = many_bodies.FILES + 5 if is_full else 5
            self.assertEqual(plain[-len(end := b"\0" + many_bodies.varint(records)):], end)

    def test_manifests_follow_each_other_from_fulls_on(self) -> None:
        pattern = {"snapshot": "0" * 32, "source": {"name": "source-01"}, "archives": [{"id": "", "length": 1}],
                   "body": {"id": ""}, "signature": None}
        first = line(pattern) + b'"' + hashlib.sha256(line(pattern)).hexdigest().encode() + b'"\n'
        newest = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
        for name in ("source-01", "source-02"):
            add_snapshots(self.root, name, CHAIN + 2, first, newest, lambda _: {"key": "k", "value": "v"})
        self.assertFalse((self.root / "sources/source-01/0000000001").exists())
        parent = None
        for sequence in range(1, CHAIN + 3):
            data = (self.root / f"sources/source-02/{sequence:010d}/manifest.json").read_bytes()
            clear, digest = data.splitlines(keepends=True)
            self.assertEqual(json.loads(digest), hashlib.sha256(clear).hexdigest())
            value = json.loads(clear)
            self.assertEqual(value["kind"], "full" if sequence in (1, CHAIN + 1) else "incremental")
            self.assertEqual(value["parent"], None if value["kind"] == "full" else parent)
            self.assertEqual(value["signature"], {"key": "k", "value": "v"})
            parent = {"snapshot": value["snapshot"], "sequence": sequence, "digest": json.loads(digest)}

    def test_a_journal_tells_of_no_snapshot_that_is_not_there(self) -> None:
        data = journal("source-01", 60, datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))
        magic, *_, length = struct.unpack_from("<8sHBBI", data)
        lines = zlib.decompress(data[48:]).splitlines()
        self.assertEqual((magic, length, len(lines)), (b"HFJOURNL", sum(map(len, lines)) + len(lines), JOURNAL_RUNS))
        sequences = [each["sequence"] for each in map(json.loads, lines) if each["command"] == "backup"]
        self.assertEqual((min(sequences), max(sequences)), (1, 59))
        self.assertEqual(sequences, sorted(sequences))


if __name__ == "__main__":
    unittest.main()
