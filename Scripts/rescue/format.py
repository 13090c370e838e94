"""Numbers, names and shapes of the format, and what is made of them: sections 1 to 6, 8, 11 and 12."""
from __future__ import annotations

import re, stat, struct
from typing import Any, NamedTuple

from .problems import Damaged, demand

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
WEAKNESS = [1, 5, 6, 7, 2, 8, 3, 4]  # of these classes, the weakest last
MOST_BAD_PAGES = 1024
RESERVED = b".holdfast-restore"

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
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

NOTES = {
    "repository": ID, "source": TEXT, "revision": int, "time": TIME, "highest": int,
    "notes": [{"snapshot": ID, "sequence": int, "tags": [TEXT]}], "program": TEXT,
}
NAMES = {
    "repository": ID, "revision": int, "time": TIME,
    "sources": [{"source": NAME, "name": NAME, "earlier": [NAME]}], "program": TEXT,
}
REMOVAL = {"revision": int, "time": TIME}
ERA, ERA_FROM = {"serving": TEXT, "since": int, "highest": int, "time": TIME}, {"sequence": int, "snapshot": ID}
ERAS = "eras"  # a feature of notes that say which hosts have served the source
FEATURES = ["merged-increment", "parity", "sealed"]
BY_TARGET = "removals-by-target"  # a feature of notes of which a removal spares targets

# An archive or a body: where it lies, and what its envelope says of it; the revision of the keyring, or 0.
Object = NamedTuple("Object", [("key", str), ("kind", int), ("id", str), ("length", int), ("digest", str),
                               ("revision", int)])

# Pages of a file, `first` to before `end`, and where they and their digests are. In no archive (-1), they are zero.
Run = NamedTuple("Run", [(name, int) for name in ("first", "end", "archive", "frame", "offset", "digests")])


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
        check_shape(value.get("lease", 0), int, f"{title}: lease")
        self.lease = value.get("lease", 0)
        self.place = value["sequence"], value["sequence"]  # in the order of the source
        if "merged" in value:
            check_shape(value["merged"], MERGED, f"{title}: merged")
            self.place = value["merged"]["sequence"], value["sequence"]
            oldest = 1 if self.kind == "full" else self.parent["sequence"] + 1
            demand(self.kind != "differential" and oldest <= self.place[0] < self.place[1],
                   f"{title}: cannot be merged from that")
        demand(("merged-increment" in value["features"]) == ("merged" in value and self.kind != "full"),
               f"{title}: contradicts itself about a merge")
        self.revision = value["keyring"]["revision"] if "sealed" in value["features"] else 0
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


def path_order(path: bytes) -> bytes:
    return path.replace(b"/", b"\0")  # section 3: `/` is smaller than every other byte; no path has a NUL in it
