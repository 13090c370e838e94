#!/usr/bin/env python3
"""Restores snapshots of a holdfast repository where no holdfast runs. Needs nothing but Python 3.8 on Linux, and for
a sealed repository the file rescue_sealing.py next to this one and the Python library `cryptography`.

    rescue.py REPOSITORY list                       which snapshots there are
    rescue.py REPOSITORY restore SNAPSHOT TARGET    restore one; TARGET is a new or an empty directory
    rescue.py REPOSITORY verify [SNAPSHOT]          check one and what it builds upon, or all; write nothing
    rescue.py REPOSITORY wal NAME SEGMENT FILE      write out an archived file of PostgreSQL's log; FILE is a new one

SNAPSHOT is `latest`, an ID as `list` shows it or its beginning, or NAME/SEQUENCE; --name NAME says of which source.
SEGMENT is the name that PostgreSQL has for it. Where the logs of several clusters are archived, NAME is NAME/SYSTEM.
What was removed `list` says so of; `latest` passes over it, and by its ID it is restored as long as it is there.
A sealed repository is opened with --identity FILE or --passphrase-file FILE (else HOLDFAST_IDENTITY_FILE and
HOLDFAST_PASSPHRASE_FILE; on a terminal a passphrase is asked for). `list` and `verify` work without: signatures and all
stored bytes are checked then, pages are not.
Owners and devices come back for root only. A file that cannot have its owner does not get setuid and setgid either.

Exit status: 0 all is well; 1 refused or damaged (what is sound was restored); 2 wrong usage; 3 something is left out
that the snapshot does not have (an unreadable file) or that this user or file system may not have. It says each.

Written from docs/format.md alone, in its words; "section" means one of it. Reads frames stored or zlib. All entries of
a snapshot are in memory, about 1 KiB each, contents of files are not; the plain bytes of the bodies go to a temporary
file ($TMPDIR, else /tmp), those of a sealed repository as well: names of files and digests of pages.
"""
from __future__ import annotations

import argparse, contextlib, functools, hashlib, itertools, json, mmap, os, re, stat, struct, sys, tempfile, zlib
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple, NoReturn

MOST_PLAIN, MOST_STORED, MOST_FRAMES = 4 << 20, (4 << 20) + (64 << 10), 1_048_576  # limits: section 8
MOST_RECORDS = 1 << 20
MOST_BODY_FRAMES, MOST_RATIO, FREE_RECORDS = 1 << 21, 128, 256 << 20
MOST_ENVELOPE, MOST_CHAIN, MOST_SIZE, MOST_ID = 8 << 20, 100_000, 1 << 62, (1 << 32) - 1
MOST_PREAMBLE, MOST_SEAL_NUMBER = 8 + 64 * 96 + 65_535, (1 << 32) - 3
MOST_PATH, MOST_COMPONENT, MOST_ATTRIBUTES, MOST_VALUE, MOST_VALUES = 4095, 255, 1024, 65_536, 1 << 20

HEADER, FRAME, TRAILER = struct.Struct("<8sHBBI16s16s16s"), struct.Struct("<QIIB3sI32s"), struct.Struct("<QIIQ8s")
ARCHIVE, BODY, WAL = 1, 2, 3
STORED, ZLIB, ZSTANDARD = 0, 1, 2
TAG = 16  # by so many bytes a sealed frame is longer; the seal of an object has as many
END, ENTRY, REMOVED, PAGES, ZEROS = 0, 1, 2, 3, 4
DIRECTORY, FILE, SYMBOLIC_LINK, HARD_LINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE = 1, 2, 3, 4, 5, 6, 7
CLASSES = ["", "stable", "retried", "torn", "unreadable", "sqlite-read-transaction", "sqlite-quiesced",
           "postgres-backup", "bad-pages"]
TORN, UNREADABLE, SQLITE_READ_TRANSACTION, BAD_PAGES = 3, 4, 5, 8
FILE_KINDS = {DIRECTORY: stat.S_IFDIR, SYMBOLIC_LINK: stat.S_IFLNK, FIFO: stat.S_IFIFO, CHARACTER_DEVICE: stat.S_IFCHR,
              BLOCK_DEVICE: stat.S_IFBLK}
DIRECTORY_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
WEAKNESS = [1, 5, 6, 7, 2, 8, 3, 4]  # of these classes, the weakest last
MOST_BAD_PAGES = 1024
RESERVED = b".holdfast-restore"

TITLE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]{0,63})/(?!0{10})[0-9]{10}")  # NAME/SEQUENCE
NUMBER = re.compile(r"(?!0{10})[0-9]{10}", re.ASCII)
ID, DIGEST, TEXT = re.compile("[0-9a-f]{32}"), re.compile("[0-9a-f]{64}"), re.compile("(?s).*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]00:00)", re.ASCII)
OBJECT = {"id": ID, "length": int, "digest": DIGEST}
DESCRIPTOR = {"repository": ID, "created": TIME, "sealing": TEXT}
PARENT = {"snapshot": ID, "sequence": int, "digest": DIGEST}
MERGED = {**PARENT, "time": TIME}
ENVELOPE = {
    "repository": ID, "snapshot": ID, "source": {"name": TEXT, "path": TEXT}, "sequence": int,
    "kind": re.compile("full|differential|incremental"), "time": {"started": TIME, "finished": TIME},
    "archives": [{"number": int, "sequence": int, **OBJECT}], "body": OBJECT,
    "state": {"root": DIGEST, "entries": int, "files": int, "bytes": int},
    "changes": {"added": int, "changed": int, "removed": int, "pages": int, "pageBytes": int, "readBytes": int},
    "consistency": re.compile("|".join(CLASSES[1:])), "incomplete": int, "program": TEXT,
}

WAL_MANIFEST = {
    "repository": ID, "source": TEXT, "system": re.compile("[1-9][0-9]{0,19}"), "file": TEXT, "size": int,
    "object": OBJECT, "content": DIGEST, "time": TIME, "program": TEXT,
}
WAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}(/[1-9][0-9]{0,19})?")
WAL_FILE = re.compile(r"[0-9A-F]{24}(\.partial|\.unfinished|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history", re.ASCII)

# An archive or a body: where it lies, and what its envelope says of it; the revision of the keyring, or 0.
Object = NamedTuple("Object", [("key", str), ("kind", int), ("id", str), ("length", int), ("digest", str),
                               ("revision", int)])
# Pages of a file, `first` to before `end`, and where they and their digests are. In no archive (-1), they are zero.
Run = NamedTuple("Run", [(name, int) for name in ("first", "end", "archive", "frame", "offset", "digests")])
NOTES = {
    "repository": ID, "source": TEXT, "revision": int, "time": TIME, "highest": int,
    "notes": [{"snapshot": ID, "sequence": int, "tags": [TEXT]}], "program": TEXT,
}
REMOVAL = {"revision": int, "time": TIME}


class Refused(Exception):
    """What is asked cannot be done; the text says what and where."""
    status = 1


class Damaged(Refused):
    """Something is not as the format says. A restore leaves out the file that needs it, and goes on."""


class LeftOut(Refused):
    """Something cannot be restored, and nothing is damaged."""
    status = 3


PROBLEMS: list[int] = []  # the exit status that each problem calls for; 1 comes before 3


def note(text: str, status: int = 1) -> None:
    PROBLEMS.append(status)
    print(f"rescue: {text}", file=sys.stderr)


@contextlib.contextmanager
def noting(what: str) -> Iterator[None]:
    """Tells a problem instead of giving up."""
    try:
        yield
    except Refused as error:
        note(f"{what}: {error}", error.status)


def demand(right: object, problem: str) -> None:
    if not right:
        raise Damaged(problem)


def show(name: bytes) -> str:
    """A name or path fit for a terminal: what is not printable UTF-8 appears as \\xNN."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) or "."


def path_order(path: bytes) -> bytes:
    return path.replace(b"/", b"\0")  # section 3: `/` is smaller than every other byte; no path has a NUL in it


def check_shape(value: Any, shape: Any, where: str) -> None:
    """That a JSON value has the fields of the shape, each of the right form."""
    if isinstance(shape, dict):
        demand(isinstance(value, dict), f"{where} is not an object")
        for name in shape:
            check_shape(value.get(name), shape[name], f"{where}: {name}")
    elif isinstance(shape, list):
        demand(isinstance(value, list), f"{where} is not an array")
        for number, item in enumerate(value):
            check_shape(item, shape[0], f"{where} {number}")
    elif shape is int:
        demand(type(value) is int and 0 <= value <= MOST_SIZE, f"{where} is not a number in range")
    else:
        demand(isinstance(value, str) and shape.fullmatch(value), f"{where} is {str(value)[:80]!r}")


class Snapshot:
    """An envelope (section 5). Its title is NAME/SEQUENCE."""

    def __init__(self, title: str, value: dict[str, Any], digest: str):
        self.title, self.value, self.digest, self.name = title, value, digest, title.partition("/")[0]
        self.id, self.kind, self.parent = value["snapshot"], value["kind"], value.get("parent", "")
        if self.kind != "full":
            check_shape(self.parent, PARENT, f"{title}: parent")
        elif self.parent is not None:
            raise Damaged(f"{title}: is a full and has a parent")
        self.place = value["sequence"], value["sequence"]  # in the order of the source
        if "merged" in value:
            check_shape(value["merged"], MERGED, f"{title}: merged")
            self.place = value["merged"]["sequence"], value["sequence"]
            demand(self.kind == "full" and 1 <= self.place[0] < self.place[1], f"{title}: cannot be merged from that")
        self.revision = value["keyring"]["revision"] if value["features"] else 0
        self.body = self.object(BODY, f"sources/{title}/body-", value["body"])
        self.archives = [self.object(ARCHIVE, f"sources/{self.name}/{archive['sequence']:010d}/archive-", archive)
                         for archive in value["archives"]]

    def object(self, kind: int, place: str, said: dict[str, Any]) -> Object:
        return Object(place + said["id"], kind, said["id"], said["length"], said["digest"], self.revision)


class LogFile(NamedTuple):
    """The manifest of an archived file of PostgreSQL's log (section 11)."""
    title: str
    value: dict[str, Any]
    object: Object
    revision: int


class Container(NamedTuple):
    """An archive or body whose outer form is right; with its object key, where it is sealed and we can open it."""
    index: bytes
    key: Any

    @property
    def frames(self) -> int:
        return len(self.index) // FRAME.size


class Repository:
    """Sections 1, 2, 4. Hands out only what was checked."""

    def __init__(self, path: str):
        self.path = os.path.abspath(path)
        if not os.path.isfile(os.path.join(self.path, "holdfast.json")):
            raise Refused(f"{self.path}: is no repository: there is no holdfast.json")
        self.features, self.keyring = None, None
        self.otherwise = "is sealed, and the repository is not"  # what is said of anything for which this holds
        descriptor, _, _ = self.read_json("holdfast.json", DESCRIPTOR)
        self.id, self.features = descriptor["repository"], descriptor["features"]
        demand(descriptor["sealing"] == ("sealed" if self.features else "none")
               and ("keyring" in descriptor) == bool(self.features),
               "holdfast.json: does not agree with itself on whether the repository is sealed")
        if self.features:
            self.otherwise = "is not sealed, and the repository is"
        self.container = functools.lru_cache(maxsize=8)(self.read_container)
        self.frame = functools.lru_cache(maxsize=8)(self.read_frame)
        self.notes = functools.cache(self.read_notes)
        self.sound: dict[str, bytearray] = {}  # by key: 1 for each frame that was read and found sound
        if self.features:
            check_shape(descriptor.get("keyring"), DIGEST, "holdfast.json: keyring")
            self.keyring = open_keyring(self, descriptor["keyring"])

    def read(self, key: str, start: int, length: int) -> bytes:
        """Up to so many bytes of an object; whatever keeps it from being read is damage."""
        try:
            with open(os.path.join(self.path, key), "rb") as file:
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise Damaged(f"{key}: {error.strerror}") from None

    def read_json(self, key: str, shape: Any) -> tuple[dict[str, Any], str, bytes]:
        """A descriptor, envelope or revision, proved against the digest on its second line; that digest; its line."""
        data = self.read(key, 0, MOST_ENVELOPE + 1)
        demand(len(data) <= MOST_ENVELOPE, f"{key}: is longer than {MOST_ENVELOPE} bytes")
        line, newline, rest = data.partition(b"\n")
        digest = hashlib.sha256(line + newline).hexdigest()
        demand(rest == f'"{digest}"\n'.encode(), f"{key}: its first line does not have the digest on its second")
        try:
            value = json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{key}: is not JSON: {error}") from None
        check_shape(value, {}, key)
        if value.get("format") != 1 or value.get("features") not in ([], ["sealed"]):
            raise Refused(f"{key}: format {value.get('format')!r} with features {value.get('features')!r}; "
                          "this tool knows format 1, without features or with 'sealed'")
        demand(self.features in (None, value["features"]), f"{key}: {self.otherwise}")
        check_shape(value, shape, key)
        return value, digest, line + newline

    def titles(self) -> list[str]:
        """All snapshots, by source and sequence. A directory without manifest.json is none, nor is one with a dot."""
        found = ("/".join(path.parts[-3:-1]) for path in Path(self.path, "sources").glob("*/*/manifest.json"))
        return sorted(title for title in found if TITLE.fullmatch(title))

    def snapshot(self, title: str) -> Snapshot:
        key = f"sources/{title}/manifest.json"
        value, digest, line = self.read_json(key, ENVELOPE)
        demand(value["repository"] == self.id and f"{value['source']['name']}/{value['sequence']:010d}" == title,
               f"{key}: is the envelope of another snapshot")
        if self.keyring:
            self.keyring.check_envelope(key, value, line, digest)
        else:
            demand(value.get("signature") is None and "keyring" not in value, f"{key}: {self.otherwise}")
        return Snapshot(title, value, digest)

    def log_keys(self, name: str, file: str) -> list[str]:
        """The manifests of all copies of a file of the log that is archived under a name, which may be followed by the system (section 11)."""
        directory = "history" if file.endswith(".history") else file[:16]
        if not WAL_FILE.fullmatch(file) or not WAL_NAME.fullmatch(name):
            raise Refused(f"{name} {file}: is not the name of a file of PostgreSQL's log")
        copy = re.compile(re.escape(file) + r"(?:\.([2-9]|[1-9][0-9]{1,19}))?\.json", re.ASCII)
        found = {}
        for path in Path(self.path, "wal", name).glob(f"{directory}/*" if "/" in name else f"*/{directory}/*"):
            if match := copy.fullmatch(path.name):
                found.setdefault(path.parts[-3], []).append((int(match[1] or 1), "/".join(path.parts[-5:])))
        if len(found) > 1:
            raise Refused(f"{name} {file}: is there for {len(found)} clusters; say NAME/SYSTEM: "
                          + ", ".join(f"{name}/{system}" for system in sorted(found)))
        return [key for copies in found.values() for _, key in sorted(copies)]

    def log_file(self, key: str, file: str) -> LogFile:
        """One copy of a file of the log."""
        value, digest, line = self.read_json(key, WAL_MANIFEST)
        folder = f"wal/{value['source']}/{value['system']}/{'history' if file.endswith('.history') else file[:16]}/"
        demand(value["repository"] == self.id and key.startswith(folder) and value["file"] == file,
               f"{key}: is the manifest of another file")
        if self.keyring:
            self.keyring.check_signed(key, value, line, digest, b"wal")
        else:
            demand(value.get("signature") is None and "keyring" not in value, f"{key}: {self.otherwise}")
        said, revision = value["object"], value["keyring"]["revision"] if value["features"] else 0
        place = f"{folder}{file}-{said['id']}"
        return LogFile(key, value, Object(place, WAL, said["id"], said["length"], said["digest"], revision), revision)

    def snapshots(self) -> Iterator[Snapshot]:
        """All whose envelope can be read."""
        for title in self.titles():
            with noting(title):
                yield self.snapshot(title)

    def read_notes(self, name: str) -> dict[str, dict[str, Any]]:
        """What is noted of the snapshots of a source, by ID (section 12): the highest revision that counts."""
        found = (path.parent.name for path in Path(self.path, "sources", name, "notes").glob("*/notes.json"))
        for number in sorted(filter(NUMBER.fullmatch, found), reverse=True):
            with noting(f"sources/{name}/notes"):
                return {note["snapshot"]: note for note in self.notes_revision(name, number)["notes"]}
        return {}

    def notes_revision(self, name: str, number: str) -> dict[str, Any]:
        key = f"sources/{name}/notes/{number}/notes.json"
        value, digest, line = self.read_json(key, NOTES)
        demand((value["repository"], value["source"], value["revision"]) == (self.id, name, int(number)),
               f"{key}: is a revision of other notes")
        sequences = [note["sequence"] for note in value["notes"]]
        demand(sequences == sorted(set(sequences)), f"{key}: its notes are not in order")
        for note in value["notes"]:
            if note.get("removed", "") is not None:
                check_shape(note.get("removed"), REMOVAL, f"{key}: number {note['sequence']}: removed")
        if self.keyring:
            self.keyring.check_notes(key, value, line, digest)
            self.keyring.drop_removals(value)
        else:
            demand(value.get("signature") is None, f"{key}: is signed, and the repository is not sealed")
        return value

    def is_removed(self, snapshot: Snapshot) -> bool:
        return bool(self.notes(snapshot.name).get(snapshot.id, {}).get("removed"))

    def find(self, wanted: str, name: str | None) -> Snapshot:
        """The snapshot that a person means."""
        titles = [title for title in self.titles() if name in (None, title.partition("/")[0])]
        if wanted == "latest":
            sources = itertools.groupby(titles, lambda title: title.partition("/")[0])
            found = [each.title for each in (self.latest(list(group)) for _, group in sources) if each]
        elif "/" in wanted:
            found = [title for title in titles if title == "{0}/{2:0>10}".format(*wanted.partition("/"))]
        else:
            found = [each.title for each in self.snapshots()
                     if wanted and each.title in titles and each.id.startswith(wanted)]
            PROBLEMS.clear()  # a damaged envelope elsewhere was told, and is no problem here
        if len(found) != 1:
            raise Refused(f"{wanted}: " + (f"can be {', '.join(found)}; say which" if found else "no such snapshot"))
        return self.snapshot(found[0])

    def latest(self, titles: list[str]) -> Snapshot | None:
        """Of one source, and not removed; it is not the last when that is merged from an older one (section 5)."""
        best: Snapshot | None = None
        for title in reversed(titles):
            if best and int(title.partition("/")[2]) <= best.place[0]:
                break  # its place is no higher than its sequence
            each = self.snapshot(title)
            if not self.is_removed(each) and (best is None or each.place > best.place):
                best = each
        return best

    def opens(self, of: Object | Snapshot | LogFile) -> bool:
        """Whether it can be opened: it is not sealed, or we have a key that fits."""
        return self.keyring is None or self.keyring.opens(of.revision)

    def read_container(self, of: Object) -> Container:
        """All checks of the outer form (section 4)."""
        def check(right: object, problem: str) -> None:
            demand(right, f"{of.key}: {problem}")
        header = self.read(of.key, 0, HEADER.size)
        check(len(header) == HEADER.size, "is too short for a header")
        sealing, ahead = header[11], int.from_bytes(header[12:16], "little")
        check(sealing == bool(self.keyring), self.otherwise)
        check(8 <= ahead <= MOST_PREAMBLE if self.keyring else ahead == 0, f"has a preamble of {ahead} bytes")
        behind = TAG + TRAILER.size if self.keyring else TRAILER.size
        check(of.length >= HEADER.size + ahead + behind, "is too short for a header and a trailer")
        trailer = self.read(of.key, of.length - TRAILER.size, TRAILER.size + 1)
        check(len(trailer) == TRAILER.size, f"is not {of.length} bytes long, as its envelope says")
        start, frames, entry, length, magic = TRAILER.unpack(trailer)
        check((magic, entry, length) == (b"TSAFDLOH", FRAME.size, of.length), "its trailer is damaged")
        check(frames <= MOST_FRAMES, f"has more than {MOST_FRAMES} frames")
        check(start + frames * entry + behind == length, "its index is not in its place")
        preamble, index = self.read(of.key, HEADER.size, ahead), self.read(of.key, start, frames * entry)
        seal = self.read(of.key, start + frames * entry, behind - TRAILER.size)
        outer = hashlib.sha256(header + preamble + index + trailer)
        proof = outer.copy()
        proof.update(seal)
        check(proof.hexdigest() == of.digest, "does not have its object digest")
        expected = b"HOLDFAST", 1, of.kind, sealing, ahead, bytes.fromhex(self.id), bytes.fromhex(of.id), bytes(16)
        check(HEADER.unpack(header) == expected, "its header is that of another object")
        self.check_frames(of, index, HEADER.size + ahead, start)
        key = self.keyring.open_object(of, header, preamble, outer.digest(), seal) if self.keyring else None
        return Container(index, key)

    def check_frames(self, of: Object, index: bytes, end: int, stop: int) -> None:
        """That the frames of an index fill the space from `end` to `stop`, and are of a form that can be read."""
        def check(right: object, problem: str) -> None:
            demand(right, f"{of.key}: {problem}")
        numbers, added = set(), TAG if self.keyring else 0
        for offset, stored, plain, codec, zero, number, _ in sorted(FRAME.iter_unpack(index)):
            check(offset == end, f"gap or overlap of frames at byte {end}")
            most = MOST_RECORDS if of.kind == BODY else MOST_PLAIN
            check(1 <= plain <= most and added <= stored <= MOST_STORED, "a frame is beyond the limit")
            check(codec <= ZSTANDARD and not any(zero), "a frame has an unknown codec")
            check(codec != STORED or stored == plain + added, "a stored frame has two lengths")
            check(number <= (MOST_SEAL_NUMBER if self.keyring else 0), f"a frame has the seal number {number}")
            check(not self.keyring or number not in numbers, f"two frames have the seal number {number}")
            if codec == ZSTANDARD and self.opens(of):
                raise Refused(f"{of.key}: is compressed with Zstandard, which this tool does not read; take the "
                              "repository to a machine where holdfast runs, and use `holdfast restore` there")
            numbers.add(number)
            end += stored
        check(end == stop, f"gap or overlap of frames at byte {end}")

    def stored(self, of: Object, number: int) -> bytes:
        """The stored bytes of a frame, as its index has their digest."""
        index = self.container(of).index
        offset, stored, *_, digest = FRAME.unpack_from(index, number * FRAME.size)
        data = self.read(of.key, offset, stored)
        demand(hashlib.sha256(data).digest() == digest,
               f"{of.key}: frame {number}: damaged, {stored} bytes from byte {offset}")
        return data

    def read_frame(self, of: Object, number: int) -> bytes:
        """The plain bytes of a frame."""
        container, where = self.container(of), f"{of.key}: frame {number}"
        demand(number < container.frames, f"{where}: there is no such frame")
        _, _, plain, codec, _, seal_number, _ = FRAME.unpack_from(container.index, number * FRAME.size)
        data = self.stored(of, number)
        demand(container.key or not self.keyring, f"{where}: there is no key for it")
        if container.key:
            data = container.key.open_frame(seal_number, plain, codec, data, f"frame {number}")
        if codec == ZLIB:
            stream = zlib.decompressobj()
            try:
                data = stream.decompress(data, plain + 1)
            except zlib.error as error:
                raise Damaged(f"{where}: {error}") from None
            demand(len(data) == plain and stream.eof and not stream.unused_data, f"{where}: not {plain} plain bytes")
        self.sound.setdefault(of.key, bytearray(container.frames))[number] = 1
        return data


def open_keyring(repository: Repository, first: str) -> Any:
    """Loads the other file, which only a sealed repository needs."""
    try:
        import rescue_sealing
    except ModuleNotFoundError as error:
        raise Refused(f"the repository is sealed, and {error.name}.py is missing\n"
                      f"HINT: Copy it from where rescue.py comes from to {os.path.dirname(os.path.abspath(__file__))}"
                      ) from None
    return rescue_sealing.Keyring(repository, first)


class Cursor:
    """Reads the primitives of section 3 from the plain bytes of one body, and never beyond its end."""

    def __init__(self, plain: mmap.mmap, position: int, stop: int, where: str, archives: int):
        self.plain, self.position, self.stop, self.where, self.archives = plain, position, stop, where, archives

    def at(self, position: int) -> Cursor:
        return Cursor(self.plain, position, self.stop, self.where, self.archives)

    def fail(self, problem: str) -> NoReturn:
        raise Damaged(f"{self.where}: {problem}")

    def skip(self, count: int) -> int:
        """Passes over that many bytes; where they are."""
        if count > self.stop - self.position:
            self.fail("ends too early")
        self.position += count
        return self.position - count

    def byte(self, what: str, least: int, most: int) -> int:
        value = self.plain[self.skip(1)]
        return value if least <= value <= most else self.fail(f"unknown {what} {value}")

    def varint(self, what: str, most: int = 2**64 - 1) -> int:
        value, shift, byte = 0, 0, 0x80
        while byte >= 0x80:
            byte = self.plain[self.skip(1)]
            value |= (byte & 0x7F) << shift
            shift += 7
            if value > most or shift > 70 or (byte == 0 and shift > 7):
                self.fail(f"{what} is beyond {most}, or not in its shortest form")
        return value

    def bytes(self, what: str, most: int) -> bytes:
        length = self.varint(f"length of {what}", most)
        start = self.skip(length)
        return self.plain[start:start + length]

    def name(self, what: str, most: int) -> bytes:
        """Bytes that the system takes for a name: some, and none of them NUL."""
        name = self.bytes(what, most)
        return name if name and b"\0" not in name else self.fail(f"{what} is empty or has a NUL")

    def path(self, before: bytes = b"") -> bytes:
        """The rest of a path reference, or (after nothing) a path. It cannot lead out of the target."""
        path = before + self.bytes("path", MOST_PATH - len(before))
        for name in path.split(b"/") if path else ():
            if name in (b"", b".", b"..") or b"\0" in name or len(name) > MOST_COMPONENT:
                self.fail(f"forbidden path {show(path)}")
        return path

    def time(self) -> int:
        seconds = self.varint("seconds")
        return ((seconds >> 1) ^ -(seconds & 1)) * 10**9 + self.varint("nanoseconds", 10**9 - 1)


class Entry:
    """A record of kind 1 (section 6). `encoded` are its bytes that enter the state root; runs are read when needed."""

    def __init__(self, cursor: Cursor, path: bytes, before: Entry | None):
        start = cursor.position
        self.path, self.body, self.link, self.size, self.page_size = path, cursor, b"", 0, 512
        self.type, mode = cursor.byte("type", DIRECTORY, BLOCK_DEVICE), cursor.varint("mode", 0o7777)
        user, group, modified = cursor.varint("user ID", MOST_ID), cursor.varint("group ID", MOST_ID), cursor.time()
        extended = [(cursor.name("extended attribute", 255), cursor.bytes("value", MOST_VALUE))
                    for _ in range(cursor.varint("number of extended attributes", MOST_ATTRIBUTES))]
        if extended != sorted(dict(extended).items()) or sum(map(len, sum(extended, ()))) > MOST_VALUES:
            cursor.fail(f"{show(path)}: its extended attributes are not in order, or too long")
        self.attributes = mode, user, group, modified, extended
        if self.type == FILE:
            self.size, self.page_size = cursor.varint("size", MOST_SIZE), cursor.varint("page size", 1 << 18)
            self.consistency, digest = cursor.byte("consistency class", 1, len(CLASSES) - 1), cursor.skip(32)
            self.digest = cursor.plain[digest:digest + 32]
            if self.page_size < 512 or self.page_size & (self.page_size - 1):
                cursor.fail(f"{show(path)}: page size {self.page_size}")
            if self.consistency == UNREADABLE and self.size:
                cursor.fail(f"{show(path)}: is unreadable and has a size")
            self.bad_pages = self.read_bad_pages(cursor) if self.consistency == BAD_PAGES else []
        elif self.type == SYMBOLIC_LINK:
            self.link = cursor.name("target", MOST_PATH)
        elif self.type == HARD_LINK:
            self.link = cursor.path()
        elif self.type in (CHARACTER_DEVICE, BLOCK_DEVICE):
            self.device = cursor.varint("major", MOST_ID), cursor.varint("minor", MOST_ID)
        self.encoded = slice(start, cursor.position)
        cursor.time(), cursor.varint("device"), cursor.varint("inode number")
        if self.type == FILE and self.consistency == SQLITE_READ_TRANSACTION:
            cursor.bytes("mark of its commit", 64)
        inherits = cursor.byte("inherits", 0, 1 if self.type == FILE else 0)
        self.start_of_runs, self.base = cursor.position, before if inherits else None
        covered = sum(run.end - run.first for run in self.runs(cursor))
        if inherits and not (before and before.type == FILE and before.page_size == self.page_size):
            cursor.fail(f"{show(path)}: there is no such file to inherit pages from")
        if not inherits and covered != self.pages:
            cursor.fail(f"{show(path)}: its runs cover {covered} of {self.pages} pages")

    @property
    def pages(self) -> int:
        return -(-self.size // self.page_size)

    def position(self, page: int) -> int:
        """Where a page begins in the file, and the one before it ends."""
        return min(page * self.page_size, self.size)

    def read_bad_pages(self, cursor: Cursor) -> list[int]:
        pages: list[int] = []
        for _ in range(cursor.varint("number of bad pages", MOST_BAD_PAGES)):
            pages.append((pages[-1] + 1 if pages else 0) + cursor.varint("bad page", MOST_SIZE))
        if not pages or pages[-1] >= self.pages:
            cursor.fail("its bad pages are none, or behind its end")
        return pages

    def runs(self, cursor: Cursor) -> Iterator[Run]:
        """Those that this entry itself brought."""
        end = 0
        while self.type == FILE and cursor.position < cursor.stop and cursor.plain[cursor.position] in (PAGES, ZEROS):
            kind = cursor.byte("record", PAGES, ZEROS)
            first = end + cursor.varint("gap", self.pages - end)
            end = first + cursor.varint("count", self.pages - first)
            if first == end:
                cursor.fail(f"{show(self.path)}: a run of no pages")
            if kind == ZEROS:
                yield Run(first, end, -1, 0, 0, 0)
            else:
                archive, frame = cursor.varint("archive", cursor.archives - 1), cursor.varint("frame", MOST_FRAMES - 1)
                offset = cursor.varint("offset", MOST_PLAIN - (self.position(end) - self.position(first)))
                yield Run(first, end, archive, frame, offset, cursor.skip(16 * (end - first)))

    def all_runs(self) -> Iterator[tuple[Run, bool]]:
        """All pages of a file in order, each from the newest entry that brought it; and whether this is that entry."""
        layers = [self]
        while layers[-1].base:
            layers.append(layers[-1].base)
        runs = [layer.runs(layer.body.at(layer.start_of_runs)) for layer in layers]
        heads = [next(run, None) for run in runs]
        first = 0
        while first < self.pages:
            end, whole = self.pages, MOST_SIZE  # pages before `whole` have the same length in all layers
            for depth, layer in enumerate(layers):
                if depth and layers[depth - 1].size != layer.size:
                    whole = min(whole, layers[depth - 1].size // self.page_size, layer.size // self.page_size)
                while heads[depth] and heads[depth].end <= first:
                    heads[depth] = next(runs[depth], None)
                head = heads[depth] or Run(end, end, -1, 0, 0, 0)
                end = min(end, head.end if head.first <= first else head.first)
                if head.first <= first:
                    break
            demand(head.first <= first and (end <= whole or head.archive < 0),  # zeros may have had another length
                   f"inherits page {end - 1}, which was not there in this length")
            skipped = first - head.first
            yield Run(first, end, head.archive, head.frame, head.offset + skipped * self.page_size,
                      head.digests + skipped * 16), depth == 0
            first = end


class Chain:
    """A snapshot and all those that it builds upon; `state` is what the bodies make so far (section 7)."""

    def __init__(self, repository: Repository, snapshot: Snapshot):
        self.repository, self.snapshots = repository, [snapshot]
        while snapshot.parent:
            child, claim = snapshot, snapshot.parent
            snapshot = repository.snapshot(f"{child.name}/{claim['sequence']:010d}")
            demand((snapshot.digest, snapshot.id) == (claim["digest"], claim["snapshot"]),
                   f"{snapshot.title}: is not what {child.title} says its parent is: other manifest digest or ID")
            demand(child.kind == "incremental" or snapshot.kind == "full", f"{child.title}: its parent is not a full")
            self.snapshots.insert(0, snapshot)
            demand(len(self.snapshots) <= MOST_CHAIN, f"{child.title}: the chain is too long")
        self.archives: list[Object] = []
        for snapshot in self.snapshots:
            for number, archive in enumerate(snapshot.value["archives"], len(self.archives)):
                demand(archive["number"] == number, f"{snapshot.title}: archive {archive['number']} should be {number}")
                demand(archive["sequence"] <= snapshot.value["sequence"], f"{snapshot.title}: archive {number} is newer")
            self.archives += snapshot.archives
        demand(len({archive.id for archive in self.archives}) == len(self.archives),
               f"{self.snapshots[-1].title}: an archive of its chain has two numbers")
        self.bodies: list[Cursor] = []
        self.state: dict[bytes, Entry] = {}

    def unpack(self) -> None:
        """Makes the bodies ready to be read, up to the first that we have no key for."""
        opened = list(itertools.takewhile(self.repository.opens, self.snapshots))
        if not opened:
            return
        indexes = [self.repository.read_container(snapshot.body).index for snapshot in opened]
        records = sum(plain for index in indexes for _, _, plain, *_ in FRAME.iter_unpack(index))
        demand(sum(map(len, indexes)) // FRAME.size <= MOST_BODY_FRAMES and records
               <= FREE_RECORDS + MOST_RATIO * sum(snapshot.body.length for snapshot in self.snapshots),
               f"{self.snapshots[-1].title}: the bodies of its chain would be {records} bytes of records: no backup "
               "writes that")
        with tempfile.TemporaryFile() as file:
            ends = [self.unpack_body(snapshot.body, file) for snapshot in opened]
            self.plain = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        archives = 0
        for snapshot, start, end in zip(opened, [0] + ends, ends):
            archives += len(snapshot.archives)
            self.bodies.append(Cursor(self.plain, start, end, snapshot.body.key, archives))

    def unpack_body(self, body: Object, file: BinaryIO) -> int:
        """Appends the plain bytes of a body to a file; where they end."""
        frames = self.repository.container(body).frames
        demand(frames, f"{body.key}: has no frames")
        for number in range(frames):
            file.write(self.repository.frame(body, number))
        file.flush()
        return file.tell()

    def states(self) -> Iterator[tuple[Snapshot, dict[str, int], list[Entry]]]:
        """Applies one body after the other to `state`; after each: what it changed, and the files that it brought."""
        for snapshot, cursor in zip(self.snapshots, self.bodies):
            changes, files, path = {"added": 0, "changed": 0, "removed": 0}, [], None
            while True:
                kind, last = cursor.byte("record", END, REMOVED), path
                if kind == END:
                    break
                path = cursor.path((last or b"")[:cursor.varint("shared length", len(last or b""))])
                if last is not None and path_order(path) <= path_order(last):
                    cursor.fail(f"{show(path)}: not in path order")
                before = self.state.pop(path, None)
                changes["removed" if kind == REMOVED else "changed" if before else "added"] += 1
                if kind == ENTRY:
                    entry = self.state[path] = Entry(cursor, path, before)
                    files += [entry] if entry.type == FILE else []
                elif not before:
                    cursor.fail(f"{show(path)}: removed, but it was not there")
            if cursor.varint("number of records") != sum(changes.values()) or cursor.position != cursor.stop:
                cursor.fail("does not end where it says")
            yield snapshot, changes, files

    def entries(self) -> list[Entry]:
        return [self.state[path] for path in sorted(self.state, key=path_order)]

    def check_state(self, snapshot: Snapshot) -> None:
        """The state root, and that the entries make a tree."""
        root = hashlib.sha256()
        for entry in self.entries():
            path, length = entry.path, len(entry.path)
            root.update(bytes([length] if length < 128 else [length & 0x7F | 0x80, length >> 7]))
            root.update(path + self.plain[entry.encoded])
            above, file = self.state.get(path.rpartition(b"/")[0]), self.state.get(entry.link)
            if not above or above.type != DIRECTORY:
                raise Damaged(f"{snapshot.title}: {show(path)} lies in no directory")
            if entry.type == HARD_LINK and not (file and file.type == FILE and path_order(file.path) < path_order(path)):
                raise Damaged(f"{snapshot.title}: {show(path)} is a hard link to no such file as {show(entry.link)}")
        key, found = self.repository.container(snapshot.body).key, root.digest()
        demand((key.state_root(found) if key else found).hex() == snapshot.value["state"]["root"],
               f"{snapshot.title}: does not have its state root")

    def contents(self, entry: Entry, inherited: bool = True) -> Iterator[tuple[int, bytes]]:
        """Position and bytes of each page that is not zero, checked; at the end the file digest is checked too."""
        digest, zeros = hashlib.sha256(), 0
        for run, own in entry.all_runs():
            if run.archive < 0:
                zeros += run.end - run.first
                continue
            if zeros:
                digest.update(bytes(16) + struct.pack("<Q", zeros))
                zeros = 0
            digests = self.plain[run.digests:run.digests + 16 * (run.end - run.first)]
            digest.update(digests)
            if own or inherited:
                archive = self.archives[run.archive]
                frame, start = self.repository.frame(archive, run.frame), entry.position(run.first)
                for page in range(run.first, run.end):
                    position, end, skipped = entry.position(page), entry.position(page + 1), page - run.first
                    data = frame[run.offset + position - start:run.offset + end - start]
                    demand(len(data) == end - position and hashlib.sha256(data).digest()[:16]
                           == digests[16 * skipped:16 * skipped + 16],
                           f"page {page}, in frame {run.frame} of {archive.key}, does not have its page digest")
                    yield position, data
        if zeros:
            digest.update(bytes(16) + struct.pack("<Q", zeros))
        digest.update(struct.pack("<QI", entry.size, entry.page_size))
        demand(digest.digest() == entry.digest, "its pages do not have its file digest")


def list_snapshots(repository: Repository) -> None:
    for each in repository.snapshots():
        state, path = each.value["state"], show(each.value["source"]["path"].encode("utf-8", "replace"))
        if repository.keyring:
            path = "(sealed)"
            with noting(each.title):
                key = repository.container(each.body).key if repository.opens(each) else None
                path = show(key.label) if key else path
        print(f"{each.title}  {each.id}  {each.kind:12}  {each.value['time']['started']}  {state['files']} files  "
              f"{state['bytes']} bytes  {each.value['consistency']}  {path}"
              + ("  REMOVED" if repository.is_removed(each) else ""))


def verify(repository: Repository, snapshots: list[Snapshot]) -> None:
    """These snapshots and their chains; what several have in common is checked once."""
    if repository.keyring:
        print(repository.keyring.describe())
    parents, done = {each.parent["digest"] for each in snapshots if each.parent}, set()
    for last in snapshots:
        with noting(last.title):
            if last.digest in parents:  # a parent comes with its children
                continue
            chain = Chain(repository, last)
            chain.unpack()
            for snapshot, changes, files in chain.states():
                if snapshot.digest not in done:
                    chain.check_state(snapshot)
                    verify_one(chain, snapshot, changes, files)
                    done.add(snapshot.digest)
            for snapshot in chain.snapshots[len(chain.bodies):]:
                if snapshot.digest not in done:
                    verify_stored(repository, snapshot)
                    done.add(snapshot.digest)


def verify_stored(repository: Repository, snapshot: Snapshot) -> None:
    """What can be known of a snapshot that we have no key for: all its stored bytes are those that were signed."""
    before, objects = len(PROBLEMS), [snapshot.body, *snapshot.archives]
    for each in objects:
        with noting(snapshot.title):
            for number in range(repository.container(each).frames):
                repository.stored(each, number)
    if len(PROBLEMS) == before:
        print(f"{snapshot.title}  {snapshot.id}  is stored as it was signed: {len(objects)} objects, "
              f"{sum(each.length for each in objects)} bytes; its pages were not proved, for want of a key")
    if repository.keyring.identities:
        note(repository.keyring.closed(snapshot), LeftOut.status)


def verify_one(chain: Chain, snapshot: Snapshot, changes: dict[str, int], brought: list[Entry]) -> None:
    """What one snapshot brought: counts, files, archives."""
    before, value, repository = len(PROBLEMS), snapshot.value, chain.repository
    if RESERVED in chain.state:
        note(f"{snapshot.title}: has an entry {show(RESERVED)}, and `holdfast restore` needs this name for itself")
    files = [entry for entry in chain.state.values() if entry.type == FILE]
    found = {"entries": len(chain.state), "files": len(files), "bytes": sum(file.size for file in files), **changes,
             "incomplete": sum(file.consistency in (TORN, UNREADABLE, BAD_PAGES) for file in files),
             "consistency": CLASSES[max((file.consistency for file in files), default=1, key=WEAKNESS.index)]}
    for name, said in {**value, **value["state"], **value["changes"]}.items():
        if said != found.get(name, said):
            note(f"{snapshot.title}: {name} is {said!r} in the envelope, {found[name]!r} in the bodies")
    for file in brought:
        with noting(f"{snapshot.title}: {show(file.path)}"):
            for _ in chain.contents(file, inherited=False):
                pass
    for archive in snapshot.archives:
        with noting(snapshot.title):
            for number in range(repository.container(archive).frames):
                if not repository.sound.get(archive.key, {number: 0})[number]:  # no page was read from it
                    repository.frame(archive, number)
    if len(PROBLEMS) == before:
        print(f"{snapshot.title}  {snapshot.id}  is sound: {found['entries']} entries, {found['bytes']} bytes")


def restore(repository: Repository, snapshot: Snapshot, target: str) -> None:
    """Checks everything but the contents of files, and only then touches the target."""
    if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target) or os.listdir(target)):
        raise Refused(f"{target}: is there, and is not an empty directory")
    chain = Chain(repository, snapshot)
    for each in chain.snapshots:
        if not repository.opens(each):
            raise Refused(f"{repository.keyring.closed(each)}\n"
                          "HINT: Give --identity FILE or --passphrase-file FILE of one of them.")
    chain.unpack()
    for _ in chain.states():
        pass
    chain.check_state(snapshot)
    for archive in chain.archives:
        with contextlib.suppress(Damaged):  # the files that need it will say so
            repository.container(archive)
    with Target(target) as place:
        phase = {DIRECTORY: 0, FILE: 1, HARD_LINK: 2}  # symbolic links come last: nothing is written through one
        for entry in sorted(chain.entries(), key=lambda entry: phase.get(entry.type, 3)):
            with noting(f"left out: {show(entry.path)}"):
                place.write(chain, entry)
        for entry in reversed(chain.entries()):
            if entry.type == DIRECTORY:
                with noting(f"left out: {show(entry.path)}"):
                    write_attributes(entry, place.directory(entry.path))
    print(f"{snapshot.title}  {snapshot.id}  is restored" + (", but not all: see above" if any(PROBLEMS) else "")
          + (", without owners" if os.geteuid() else ""))


class Target:
    """An empty directory that a snapshot is written into. Everything is reached through descriptors from there on, one
    name at a time and never through a link, and is what was made here: whoever else can write to it leads nothing away."""

    def __init__(self, path: str):
        os.makedirs(path, 0o700, exist_ok=True)
        self.opened: list[tuple[bytes, int]] = [(b"", os.open(path, DIRECTORY_ONLY))]  # the way to the last directory
        self.made: dict[bytes, tuple[int, int]] = {}  # device and inode number of what was written, by path
        top = self.opened[0][1]
        if os.geteuid() == 0:
            os.chown(top, 0, 0)  # from here on its owner cannot interfere
        os.chmod(top, 0o700)
        if os.listdir(top):
            self.close()
            raise Refused(f"{path}: is there, and is not an empty directory")
        for name in ("system.posix_acl_access", "system.posix_acl_default"):  # nothing is handed down from outside
            with contextlib.suppress(OSError):
                os.removexattr(top, name)
        self.keep(b"", top)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        while self.opened:
            os.close(self.opened.pop()[1])

    def keep(self, path: bytes, file: int) -> None:
        """Remembers what was made at a path, so that nothing else is taken for it."""
        status = os.fstat(file)
        self.made[path] = status.st_dev, status.st_ino

    def check(self, path: bytes, file: int) -> None:
        status = os.fstat(file)
        if self.made.get(path) != (status.st_dev, status.st_ino):
            raise Refused("somebody has exchanged it, or what it lies in, while it was restored")

    def directory(self, path: bytes) -> int:
        """The descriptor of a directory that was made before. Paths come in order, so the way to it is open mostly."""
        while not (path + b"/").startswith(self.opened[-1][0] + b"/") and self.opened[-1][0]:
            os.close(self.opened.pop()[1])
        above, file = self.opened[-1]
        for name in path[len(above):].split(b"/"):
            if name:
                above = above + b"/" + name if above else name
                try:
                    file = os.open(name, DIRECTORY_ONLY, dir_fd=file)
                except OSError as error:
                    raise Refused(f"the directory {show(above)} cannot be opened: {error.strerror}") from None
                self.opened.append((above, file))
                self.check(above, file)
        return file

    def write(self, chain: Chain, entry: Entry) -> None:
        """Makes one entry; directories get their attributes later."""
        if not entry.path:
            return
        above, _, name = entry.path.rpartition(b"/")
        parent = self.directory(above)
        if entry.type == DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=parent)
            return self.adopt(entry, parent, name, lambda file: None)
        if entry.type == FILE:
            return self.write_file(chain, entry, parent, name)
        try:
            if entry.type == HARD_LINK:
                return self.link(entry, parent, name)
            if entry.type == SYMBOLIC_LINK:
                os.symlink(entry.link, name, dir_fd=parent)
            elif entry.type == FIFO:
                os.mkfifo(name, 0o600, dir_fd=parent)
            else:
                kind = stat.S_IFCHR if entry.type == CHARACTER_DEVICE else stat.S_IFBLK
                os.mknod(name, 0o600 | kind, os.makedev(*entry.device), dir_fd=parent)
        except OSError as error:
            raise LeftOut(f"{error.strerror}" + (f": {show(entry.link)}" if entry.link else "")) from None
        self.adopt(entry, parent, name, lambda file: write_attributes(entry, file))

    def adopt(self, entry: Entry, parent: int, name: bytes, use: Callable[[int], None]) -> None:
        """Opens what was made under a name, which is ours and of its kind, or not what was made."""
        file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
        try:
            status = os.fstat(file)
            if status.st_uid != os.geteuid() or stat.S_IFMT(status.st_mode) != FILE_KINDS[entry.type]:
                raise Refused("somebody has exchanged it while it was restored")
            self.keep(entry.path, file)
            use(file)
        finally:
            os.close(file)

    def link(self, entry: Entry, parent: int, name: bytes) -> None:
        above, _, first = entry.link.rpartition(b"/")
        if entry.link not in self.made:
            raise LeftOut(f"it leads to what is left out: {show(entry.link)}")
        parent = os.dup(parent)  # looking for the other one may close it
        try:
            os.link(first, name, src_dir_fd=self.directory(above), dst_dir_fd=parent, follow_symlinks=False)
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
            try:
                self.check(entry.link, file)
            except Refused:
                os.unlink(name, dir_fd=parent)
                raise
            finally:
                os.close(file)
        finally:
            os.close(parent)

    def write_file(self, chain: Chain, entry: Entry, parent: int, name: bytes) -> None:
        if entry.consistency == UNREADABLE:
            raise LeftOut("could not be read when the snapshot was taken")
        file = -1
        try:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
            os.ftruncate(file, entry.size)  # what is not written stays a hole
            for position, data in chain.contents(entry):
                while data:
                    written = os.pwrite(file, data, position)
                    data, position = data[written:], position + written
            self.keep(entry.path, file)
            write_attributes(entry, file)
        except Damaged:
            os.unlink(name, dir_fd=parent)
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, entry.path) from None
        finally:
            if file >= 0:
                os.close(file)
        if entry.consistency == BAD_PAGES:
            note(f"bad pages: {show(entry.path)}: {', '.join(map(str, entry.bad_pages))}: damaged before the snapshot", 0)
        if entry.consistency == TORN:
            note(f"torn: {show(entry.path)}: was changing when the snapshot was taken", 0)


def write_attributes(entry: Entry, file: int) -> None:
    """The order matters: a new owner drops setuid and capabilities, a mode can forbid extended attributes."""
    @contextlib.contextmanager
    def trying(what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            note(f"left out: {show(entry.path)}: {what}: {error.strerror}", 3)
    # A descriptor for a name only takes no attributes; the name that the system has for it leads to just that.
    path: Any = file if entry.type in (FILE, DIRECTORY) else f"/proc/self/fd/{file}"
    mode, user, group, modified, extended = entry.attributes
    if os.geteuid() == 0:
        with trying("owner"):
            os.chown(path, user, group)
    for name, value in extended:
        with trying(f"extended attribute {show(name)}"):
            os.setxattr(path, name, value)
    if entry.type != SYMBOLIC_LINK:
        with trying("mode"):
            status = os.fstat(file)
            is_owned = (status.st_uid, status.st_gid) == (user, group)
            os.chmod(path, mode if is_owned else mode & ~(stat.S_ISUID | stat.S_ISGID))
    with trying("time"):
        os.utime(path, ns=(modified, modified))


def write_log(repository: Repository, name: str, file: str, target: str) -> None:
    """Writes an archived file of PostgreSQL's log to a new file: the first copy that is sound."""
    keys = [(key, file) for key in repository.log_keys(name, file)]
    if not keys and re.fullmatch("[0-9A-F]{24}", file, re.ASCII):
        unfinished = file + ".unfinished"
        keys = [(key, unfinished) for key in repository.log_keys(name, unfinished)]
        keys.sort(key=lambda known: log_end(repository, *known), reverse=True)
    if not keys:
        raise Refused(f"{name} {file}: is not archived")
    for number, (key, known) in enumerate(keys):
        try:
            length = write_copy(repository, repository.log_file(key, known), target)
        except Damaged:
            if number == len(keys) - 1:
                raise
        else:
            print(f"{known} of {name} is written to {show(os.fsencode(target))}: {length} bytes")
            return


def log_end(repository: Repository, key: str, file: str) -> int:
    """Up to which place a file reaches that was archived while the server wrote into it; -1 for what cannot be read."""
    try:
        found = repository.log_file(key, file)
        facts = json.loads(repository.frame(found.object, repository.container(found.object).frames - 1))
        high, low = facts["log"]["end"].split("/")
        return int(high, 16) << 32 | int(low, 16)
    except (Refused, ValueError, TypeError, LookupError, AttributeError):
        return -1


def write_copy(repository: Repository, found: LogFile, target: str) -> int:
    """Writes one copy: whole, or not at all."""
    if not repository.opens(found):
        raise Refused(f"{repository.keyring.closed(found)}\n"
                      "HINT: Give --identity FILE or --passphrase-file FILE of one of them.")
    frames, length, digest = repository.container(found.object).frames, 0, hashlib.sha256()
    demand(frames > 0, f"{found.object.key}: has no frame")
    with open(target, "xb") as output:
        try:
            for number in range(frames - 1):
                data = repository.frame(found.object, number)
                digest.update(data)
                length += output.write(data)
            facts = json.loads(repository.frame(found.object, frames - 1))
            demand(length == found.value["size"], f"{found.object.key}: does not have the size in its manifest")
            demand(isinstance(facts, dict) and facts.get("digest") == digest.hexdigest()
                   and (repository.keyring or found.value["content"] == digest.hexdigest()),
                   f"{found.object.key}: the file in it does not have its digest")
            output.flush()
            os.fsync(output.fileno())
        except BaseException:
            os.unlink(target)
            raise
    return length


def unlock(repository: Repository, options: argparse.Namespace) -> None:
    """Takes the keys that are given with the command, else in the environment."""
    given = options.identity, options.passphrase_file
    if not any(given):
        given = os.environ.get("HOLDFAST_IDENTITY_FILE"), os.environ.get("HOLDFAST_PASSPHRASE_FILE")
    if repository.keyring:
        repository.keyring.unlock(*given, ask=options.command != "list" and bool(sys.stdin and sys.stdin.isatty()))
    elif any(given):
        raise Refused("a key is given, and the repository is not sealed: it is another one, or was replaced\n"
                      "HINT: If you know that it never was sealed, leave the key out.")


def main(arguments: list[str]) -> int:
    _, usage, text = (__doc__ or "").split("\n\n", 2)
    parser = argparse.ArgumentParser("rescue.py", usage=usage.strip(), epilog=text,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("command", choices=["list", "restore", "verify", "wal"])
    parser.add_argument("snapshot", nargs="?")
    parser.add_argument("target", nargs="?")
    parser.add_argument("file", nargs="?")
    for name in ("--name", "--identity", "--passphrase-file"):
        parser.add_argument(name)
    options = parser.parse_intermixed_args(arguments)
    given = sum(argument is not None for argument in (options.snapshot, options.target, options.file))
    if given not in {"list": [0], "restore": [2], "verify": [0, 1], "wal": [3]}[options.command]:
        parser.error(f"{options.command} takes other arguments")
    PROBLEMS.clear()
    try:
        repository = Repository(options.repository)
        unlock(repository, options)
        if options.command == "list":
            list_snapshots(repository)
        elif options.command == "restore":
            restore(repository, repository.find(options.snapshot, options.name), options.target)
        elif options.command == "wal":
            write_log(repository, options.snapshot, options.target, options.file)
        elif options.snapshot:
            verify(repository, [repository.find(options.snapshot, options.name)])
        else:
            verify(repository, [each for each in repository.snapshots() if options.name in (None, each.name)])
    except Refused as error:
        note(str(error))
    except OSError as error:
        note(f"{show(os.fsencode(error.filename or tempfile.gettempdir()))}: {error.strerror}")
    return 1 if 1 in PROBLEMS else max(PROBLEMS, default=0)


if __name__ == "__main__":
    sys.modules["rescue"] = sys.modules[__name__]  # for rescue_sealing.py, which would load this file again
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
