"""Tests of Scripts/rescue.py with repositories that a small writer makes here, from docs/format.md.

    python3 -m unittest discover -s Tests/rescue
"""
from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import shutil
import stat
import struct
import sys
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple
from unittest import mock

SCRIPTS = Path(__file__).resolve().parents[2] / "Scripts"
sys.path.insert(0, str(SCRIPTS))
import rescue  # noqa: E402

PAGE = 512
TIME = "2024-02-29T12:00:00.5Z"
CLASSES = ["stable", "retried", "torn", "unreadable"]


# ---- The writer ----

def varint(value: int) -> bytes:
    out = b""
    while True:
        value, low = value >> 7, value & 0x7F
        if not value:
            return out + bytes([low])
        out += bytes([low | 0x80])


def blob(data: bytes) -> bytes:
    return varint(len(data)) + data


def time(nanoseconds: int) -> bytes:
    seconds, rest = divmod(nanoseconds, 10**9)
    return varint(2 * seconds if seconds >= 0 else -2 * seconds - 1) + varint(rest)


def attributes(mode: int = 0o644, modified: int = 10**18 + 7, extended: Tuple[Tuple[bytes, bytes], ...] = ()) -> bytes:
    pairs = b"".join(blob(name) + blob(value) for name, value in extended)
    return varint(mode) + varint(os.getuid()) + varint(os.getgid()) + time(modified) + varint(len(extended)) + pairs


class Item:
    """An entry to write. `state` is what enters the state root; `keep` are the pages that it inherits."""

    def __init__(self, path: bytes, kind: int, content: bytes = b"", attribute: Optional[bytes] = None):
        default = attributes(0o755) if kind == 1 else attributes(0o777) if kind == 3 else attributes()
        self.path, self.kind, self.keep, self.data = path, kind, None, b""
        self.state = bytes([kind]) + (default if attribute is None else attribute) + content
        self.count, self.bytes, self.consistency = 0, 0, 1


def directory(path: bytes, attribute: Optional[bytes] = None) -> Item:
    return Item(path, 1, attribute=attribute)


def symbolic_link(path: bytes, target: bytes) -> Item:
    return Item(path, 3, blob(target))


def hard_link(path: bytes, target: bytes, attribute: Optional[bytes] = None) -> Item:
    return Item(path, 4, blob(target), attribute)


def pages_of(data: bytes) -> List[bytes]:
    return [data[i:i + PAGE] for i in range(0, len(data), PAGE)]


def proved(line: bytes) -> bytes:
    """A line and, behind it, its digest as a second line."""
    return line + b'"%s"\n' % hashlib.sha256(line).hexdigest().encode()


def joined(digests: Iterable[bytes]) -> bytes:
    """Digests of pages as a file digest takes them: each longest stretch of zeros once, with its length."""
    return b"".join(digest + struct.pack("<Q", len(list(same))) if not any(digest) else b"".join(same)
                    for digest, same in itertools.groupby(digests))


def page_digest(page: bytes) -> bytes:
    return hashlib.sha256(page).digest()[:16] if any(page) else bytes(16)


def file(path: bytes, data: bytes, keep: Optional[List[int]] = None, attribute: Optional[bytes] = None,
         consistency: int = 1) -> Item:
    digest = hashlib.sha256(joined(map(page_digest, pages_of(data))) + struct.pack("<QI", len(data), PAGE)).digest()
    item = Item(path, 2, varint(len(data)) + varint(PAGE) + bytes([consistency]) + digest, attribute)
    item.data, item.keep, item.bytes, item.consistency = data, keep, len(data), consistency
    return item


def notes(writer: Writer, number: int, removed: List[str], **change: Any) -> Dict[str, Any]:
    """A revision of the notes on `home`, which says that these are removed; they have the numbers from 1 on."""
    removal = {"collected": False, "revision": 1, "time": TIME}
    said = [{"snapshot": each, "sequence": sequence, "tags": [], "pinned": None, "proved": None, "removed": removal}
            for sequence, each in enumerate(removed, 1)]
    return {"format": 1, "features": [], "repository": writer.id, "source": "home", "revision": number, "time": TIME,
            "highest": 9, "notes": said, "program": "test", "signature": None, **change}


def put_notes(writer: Writer, number: int, line: bytes) -> str:
    """Puts a revision into its place, whatever is there; its digest."""
    path = writer.path / f"sources/home/notes/{number:010d}/notes.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(proved(line))
    return hashlib.sha256(line).hexdigest()


class Wrapper:
    """What sealing does to one archive or body: here nothing. `test_sealed.py` has the other one."""
    sealing, preamble = 0, b""

    def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
        """The stored bytes of a frame, and its seal number."""
        return data, 0

    def seal(self, outer: bytes) -> bytes:
        return b""


class Writer:
    """Writes one repository; of each snapshot it remembers what the next needs."""
    ID = "0123456789abcdef" * 2

    def __init__(self, path: Path):
        self.path, self.id, self.serial = path, self.ID, 0
        path.mkdir()
        self.descriptor()
        self.snapshots: Dict[Tuple[str, int], Dict[str, Any]] = {}

    def descriptor(self, **change: Any) -> None:
        value = {"format": 1, "features": [], "repository": self.id, "created": TIME, "sealing": "none", **change}
        (self.path / "holdfast.json").write_bytes(proved(json.dumps(value).encode() + b"\n"))

    def identifier(self) -> str:
        self.serial += 1
        return hashlib.md5(b"%d" % self.serial).hexdigest()

    def wrapper(self, kind: int, name: str) -> Wrapper:
        return Wrapper()

    def complete(self, envelope: Dict[str, Any]) -> None:
        """Adds to an envelope what sealing asks for: here nothing."""

    def line(self, value: Dict[str, Any]) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    def container(self, place: Path, kind: int, frames: List[bytes], codec: Optional[int] = None) -> Dict[str, Any]:
        name = self.identifier()
        wrap = self.wrapper(kind, name)
        header = b"HOLDFAST" + struct.pack("<HBBI", 1, kind, wrap.sealing, len(wrap.preamble))
        header += bytes.fromhex(self.id + name) + bytes(16)
        made = [(zlib.compress(f), 1) if i % 2 else (f, 0) for i, f in enumerate(frames)]
        made = [(d, c if codec is None else codec) for d, c in made]
        stored = [wrap.frame(i, d, len(frames[i]), c) for i, (d, c) in enumerate(made)]
        order = sorted(range(len(frames)), reverse=True)  # any order will do
        offsets, data, start = {}, b"", 64 + len(wrap.preamble)
        for i in order:
            offsets[i] = start + len(data)
            data += stored[i][0]
        index = b"".join(struct.pack("<QIIB3xI", offsets[i], len(d), len(frames[i]), made[i][1], number)
                         + hashlib.sha256(d).digest() for i, (d, number) in enumerate(stored))
        length = start + len(data) + len(index) + 16 * (wrap.sealing > 0) + 32
        trailer = struct.pack("<QIIQ8s", start + len(data), len(frames), 56, length, b"TSAFDLOH")
        outer = header + wrap.preamble + index + trailer
        seal = wrap.seal(outer)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{'body' if kind == 2 else 'archive'}-{name}").write_bytes(
            header + wrap.preamble + data + index + seal + trailer)
        return {"id": name, "length": length, "digest": hashlib.sha256(outer + seal).hexdigest()}

    def snapshot(self, items: List[Item], removed: Tuple[bytes, ...] = (), parent: Optional[int] = None,
                 kind: Optional[str] = None, source: str = "home", codec: Optional[int] = None,
                 edit: Callable[[Dict[str, Any]], None] = lambda envelope: None,
                 body: Callable[[bytes], bytes] = lambda body: body) -> int:
        """Adds a snapshot; `edit` and `body` falsify its envelope or its plain body. Gives its sequence."""
        sequence = 1 + max((s for n, s in self.snapshots if n == source), default=0)
        before = self.snapshots.get((source, parent), {"state": {}, "archives": 0, "envelope": {}})
        state, number = dict(before["state"]), before["archives"]
        frames: List[bytes] = [b"first frame, of no use"]
        records = {path: b"\x02" for path in removed}
        for item in items:
            records[item.path] = self.record(item, number, frames)
        plain, last = b"", b""
        for path in sorted(records, key=lambda p: p.split(b"/") if p else []):
            shared = len(os.path.commonprefix([last, path]))
            plain += records[path][:1] + varint(shared) + blob(path[shared:]) + records[path][1:]
            last = path
        plain = body(plain + b"\0" + varint(len(records)))
        counts = {"added": sum(i.path not in state for i in items), "changed": sum(i.path in state for i in items),
                  "removed": len(removed), "pages": 0, "pageBytes": 0, "readBytes": 0}
        for path in removed:
            state.pop(path, None)
        state.update((item.path, item) for item in items)
        root = b"".join(blob(p) + state[p].state for p in sorted(state, key=lambda p: p.split(b"/") if p else []))
        files = [i for i in state.values() if i.kind == 2]
        place = self.path / "sources" / source / f"{sequence:010d}"
        archives = [{"number": number, "sequence": sequence, **self.container(place, 1, frames, codec)}]
        archives = archives if len(frames) > 1 else []
        envelope = {
            "format": 1, "features": [], "repository": self.id, "snapshot": self.identifier(),
            "source": {"name": source, "path": "/home"}, "sequence": sequence,
            "kind": kind or ("incremental" if parent else "full"),
            "parent": {"snapshot": before["envelope"]["snapshot"], "sequence": parent,
                       "digest": before["digest"]} if parent else None,
            "time": {"started": TIME, "finished": TIME}, "archives": archives,
            "body": self.container(place, 2, [plain[i:i + 50] for i in range(0, len(plain), 50)]),
            "state": {"root": hashlib.sha256(root).hexdigest(), "entries": len(state), "files": len(files),
                      "bytes": sum(i.bytes for i in files)},
            "changes": counts, "incomplete": sum(i.consistency > 2 for i in files),
            "consistency": CLASSES[max((i.consistency for i in files), default=1) - 1],
            "program": "test", "signature": None,
        }
        self.complete(envelope)
        edit(envelope)
        data = self.line(envelope)
        (place / "manifest.json").write_bytes(proved(data))
        self.snapshots[source, sequence] = {"state": state, "archives": number + len(archives), "envelope": envelope,
                                            "digest": hashlib.sha256(data).hexdigest()}
        return sequence

    def record(self, item: Item, archive: int, frames: List[bytes]) -> bytes:
        """A record of kind 1 without its path, and its runs; pages go to the last frame, or to a new one."""
        pages, runs, end = pages_of(item.data), b"", 0

        def sort(page: int) -> str:
            return "kept" if item.keep and page in item.keep else "data" if any(pages[page]) else "zero"
        for what, group in itertools.groupby(range(len(pages)), sort):
            run = list(group)
            if what == "zero":
                runs += b"\x04" + varint(run[0] - end) + varint(len(run))
            if what == "data":
                if len(frames) == 1 or len(frames[-1]) > 3 * PAGE:
                    frames.append(b"")
                place = run[0] - end, len(run), archive, len(frames) - 1, len(frames[-1])
                runs += b"\x03" + b"".join(map(varint, place)) + b"".join(page_digest(pages[page]) for page in run)
                frames[-1] += b"".join(pages[page] for page in run)
            end = run[-1] + 1 if what != "kept" else end
        identity = time(5) + varint(1) + varint(2) + bytes([item.keep is not None])
        return b"\x01" + item.state + identity + runs


# ---- The tests ----

def noise(seed: int, length: int) -> bytes:
    """Bytes that repeat nowhere."""
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(length // 32 + 1))[:length]


def root() -> Item:
    return directory(b"")


class Case(unittest.TestCase):
    """What all tests need; without tests of its own."""

    def setUp(self) -> None:
        self.home = os.getcwd()
        self.place = Path(tempfile.mkdtemp())
        self.writer = Writer(self.place / "repository")
        self.restored = 0
        self.keys: Tuple[str, ...] = ()  # options that every run gets
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        for change in (mock.patch.dict(os.environ, environment, clear=True),
                       mock.patch("sys.stdin", io.StringIO())):  # no terminal: nothing is asked for
            change.start()
            self.addCleanup(change.stop)

    def tearDown(self) -> None:
        os.chdir(self.home)
        for directory_path, _, _ in os.walk(self.place):
            os.chmod(directory_path, 0o700)  # some were restored with less
        shutil.rmtree(self.place)

    def run_rescue(self, *arguments: str) -> Tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = rescue.main([str(self.writer.path), *arguments, *self.keys])
        os.chdir(self.home)
        return status, out.getvalue(), err.getvalue()

    def restore(self, snapshot: str = "latest", status: int = 0, *options: str) -> Path:
        """Restores to a new directory."""
        self.restored += 1
        target = self.place / f"target {self.restored}"
        got, _, err = self.run_rescue("restore", snapshot, str(target), *options)
        self.assertEqual(got, status, err)
        self.assertEqual(self.run_rescue("list")[0], 0)
        return target

    def refused(self, *words: str, restore: bool = True) -> None:
        """Neither verify nor restore takes the repository, and what they say has these words."""
        status, _, err = self.run_rescue("verify")
        self.assertEqual(status, 1)
        for word in words:
            self.assertIn(word, err)
        if restore:
            target = self.place / "refused"
            status, _, err = self.run_rescue("restore", "latest", str(target))
            self.assertEqual(status, 1)
            self.assertEqual(err.count("\n"), 1, err)
            self.assertFalse(target.exists())
            for word in words:
                self.assertIn(word, err)

    def sound(self) -> None:
        status, out, err = self.run_rescue("verify")
        self.assertEqual((status, err), (0, ""))
        self.assertEqual(out.count("is sound"), len(self.writer.snapshots))

    def object(self, name: str, sequence: int = 1) -> Path:
        found, = (self.writer.path / "sources" / "home" / f"{sequence:010d}").glob(name + "*")
        return found


class RescueTests(Case):
    # What a restore brings back

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
        # A revision that was begun and not written does not count; one that is damaged is named, and the one before counts.
        (self.writer.path / "sources/home/notes/0000000003").mkdir()
        self.assertEqual((self.restore() / "a").read_bytes(), b"2")
        for change in ({"revision": 2}, {"source": "other"}, {"repository": "0" * 32}, {"time": "x"}, {"signature": {}},
                       {"notes": [{"snapshot": ids[0], "sequence": 1, "tags": [], "removed": {"revision": 1}}]}):
            put_notes(self.writer, 3, self.writer.line({**notes(self.writer, 3, []), **change}))
            status, out, err = self.run_rescue("list")
            self.assertEqual((status, out.count("REMOVED")), (1, 2))
            self.assertIn("sources/home/notes", err)

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
        keep = rescue.Target.keep

        def keep_and_exchange(place: rescue.Target, made: bytes, file: int) -> None:
            keep(place, made, file)
            if made == path:
                os.rename(target / os.fsdecode(path), self.place / "taken away")
                replacement(target / os.fsdecode(path), outside)

        with mock.patch.object(rescue.Target, "keep", keep_and_exchange):
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

    def test_zstandard(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a")], codec=2)
        self.refused("Zstandard", "holdfast restore")

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
