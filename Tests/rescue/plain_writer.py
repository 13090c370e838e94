"""A small writer of repositories, from docs/format.md, and what all tests of Scripts/rescue.py need.

It shares no code with what it tests.
"""
from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import shutil
import struct
import sys
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple
from unittest import mock

import parity_writer

SCRIPTS = Path(__file__).resolve().parents[2] / "Scripts"
sys.path.insert(0, str(SCRIPTS))
from rescue.command import main  # noqa: E402

PAGE = 512
TIME = "2024-02-29T12:00:00.5Z"
CLASSES = ["stable", "retried", "torn", "unreadable"]


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


def pages_of(data: bytes, size: int = PAGE) -> List[bytes]:
    return [data[i:i + size] for i in range(0, len(data), size)]


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
        self.parity: Optional[int] = None  # pages of a stripe, where archives and bodies get parity
        self.parity_bytes = 0
        self.zstandard: Optional[Callable[[bytes], bytes]] = None  # compresses every frame, where that is Zstandard

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
        header += bytes.fromhex(self.id + name) + bytes([self.parity is not None]) + bytes(15)
        made = [(zlib.compress(f), 1) if i % 2 else (f, 0) for i, f in enumerate(frames)]
        if self.zstandard:
            made = [(self.zstandard(f), 2) for f in frames]
        made = [(d, c if codec is None else codec) for d, c in made]
        stored = [wrap.frame(i, d, len(frames[i]), c) for i, (d, c) in enumerate(made)]
        order = sorted(range(len(frames)), reverse=True)  # any order will do
        offsets, data, start = {}, b"", 64 + len(wrap.preamble)
        for i in order:
            offsets[i] = start + len(data)
            data += stored[i][0]
        index = b"".join(struct.pack("<QIIB3xI", offsets[i], len(d), len(frames[i]), made[i][1], number)
                         + hashlib.sha256(d).digest() for i, (d, number) in enumerate(stored))
        core = start + len(data) + len(index) + 16 * (wrap.sealing > 0)
        length = core + (parity_writer.added(core, self.parity) if self.parity else 0) + 32
        trailer = struct.pack("<QIIQ8s", start + len(data), len(frames), 56, length, b"TSAFDLOH")
        outer = header + wrap.preamble + index + trailer
        seal = wrap.seal(outer)
        place.mkdir(parents=True, exist_ok=True)
        stored_core = header + wrap.preamble + data + index + seal
        parity = parity_writer.parity(stored_core, name, self.parity, trailer) if self.parity else b""
        self.parity_bytes += len(parity)
        (place / f"{'body' if kind == 2 else 'archive'}-{name}").write_bytes(stored_core + parity + trailer)
        return {"id": name, "length": length, "digest": hashlib.sha256(outer + seal + parity[-48:]).hexdigest()}

    def snapshot(self, items: List[Item], removed: Tuple[bytes, ...] = (), parent: Optional[int] = None,
                 kind: Optional[str] = None, source: str = "home", codec: Optional[int] = None,
                 edit: Callable[[Dict[str, Any]], None] = lambda envelope: None,
                 body: Callable[[bytes], bytes] = lambda body: body) -> int:
        """Adds a snapshot; `edit` and `body` falsify its envelope or its plain body. Gives its sequence."""
        self.parity_bytes = 0
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
        if self.parity:
            envelope.update(features=["parity"], parity={"percent": 400 // self.parity, "bytes": self.parity_bytes})
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


def noise(seed: int, length: int) -> bytes:
    """Bytes that repeat nowhere."""
    return b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(length // 32 + 1))[:length]


def zstandard_frame(data: bytes, size: int = 1 << 17) -> bytes:
    """A Zstandard frame of blocks that are stored as they are, as RFC 8878 has it."""
    blocks = pages_of(data, size)
    frame = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data))
    for number, block in enumerate(blocks):
        frame += struct.pack("<I", len(block) << 3 | (number == len(blocks) - 1))[:3] + block
    return frame


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
            status = main([str(self.writer.path), *arguments, *self.keys])
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

    def refused(self, *words: str, restore: bool = True, lines: int = 1) -> None:
        """Neither verify nor restore takes the repository, and what they say has these words."""
        status, _, err = self.run_rescue("verify")
        self.assertEqual(status, 1)
        for word in words:
            self.assertIn(word, err)
        if restore:
            target = self.place / "refused"
            status, _, err = self.run_rescue("restore", "latest", str(target))
            self.assertEqual(status, 1)
            self.assertEqual(err.count("\n"), lines, err)
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
