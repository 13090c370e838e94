"""Objects of a repository, as they lie in its directory: lines of JSON, archives and bodies (sections 1, 2 and 4)."""
from __future__ import annotations

import functools, hashlib, json, os, zlib
from typing import Any, Callable, NamedTuple

from .codecs import MISSING, expand, inflate, zstandard_decoder
from .format import (BODY, BY_TARGET, DESCRIPTOR, DIGEST, ERAS, FEATURES, FRAME, HEADER, MOST_ENVELOPE, MOST_FRAMES,
                     MOST_PLAIN, MOST_PREAMBLE, MOST_RECORDS, MOST_SEAL_NUMBER, MOST_STORED, NOTES, STORED, TAG,
                     TRAILER, ZLIB, ZSTANDARD, LogFile, Object, Snapshot, check_shape)
from .parity import END, Layout, Repaired, check_parity
from .problems import Damaged, Refused, demand, tell
from .shards import OBJECT_ID, Shards


class Container(NamedTuple):
    """An archive or body whose outer form is right; with its object key, where it is sealed and we can open it."""
    index: bytes
    key: Any
    layout: Layout | None  # of its parity, and the digest of that
    parity: bytes

    @property
    def frames(self) -> int:
        return len(self.index) // FRAME.size


class Objects:
    """Hands out only what was checked."""

    def __init__(self, path: str, others: list[str] | None = None):
        self.path = os.path.abspath(path)
        if not os.path.isfile(os.path.join(self.path, "holdfast.json")):
            raise Refused(f"{self.path}: is no repository: there is no holdfast.json")
        self.features, self.keyring = None, None
        self.otherwise = "is sealed, and the repository is not"  # what is said of anything for which this holds
        descriptor, _, _ = self.read_json("holdfast.json", DESCRIPTOR)
        self.id, self.features = descriptor["repository"], descriptor["features"]
        self.shards = Shards([self.path, *map(os.path.abspath, others or [])], self.id)
        demand(descriptor["sealing"] == ("sealed" if self.features else "none")
               and ("keyring" in descriptor) == bool(self.features),
               "holdfast.json: does not agree with itself on whether the repository is sealed")
        if self.features:
            self.otherwise = "is not sealed, and the repository is"
        self.container = functools.lru_cache(maxsize=8)(self.read_container)
        self.frame = functools.lru_cache(maxsize=8)(self.read_frame)
        self.repaired = functools.lru_cache(maxsize=8)(self.read_repaired)
        self.told: set[str] = set()
        self.sound: dict[str, bytearray] = {}  # by key: 1 for each frame that was read and found sound
        if self.features:
            check_shape(descriptor.get("keyring"), DIGEST, "holdfast.json: keyring")
            self.keyring = open_keyring(self, descriptor["keyring"])

    def read(self, key: str, start: int, length: int) -> bytes:
        """Up to so many bytes of an object; whatever keeps it from being read is damage."""
        path = os.path.join(self.path, key)
        if OBJECT_ID.search(key) and not os.path.lexists(path):
            path, problem = self.shards.whole(key) or path, None
            for divided in self.shards.of(key):
                try:
                    return divided.read(start, length)
                except Damaged as found:
                    problem = problem or found
            if problem and not os.path.lexists(path):
                raise problem
        try:
            with open(path, "rb") as file:
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
        features = value.get("features")
        if shape is NOTES and isinstance(features, list):  # notes alone may have more (section 12)
            features = [each for each in features if each not in (BY_TARGET, ERAS)]
        known = [each for each in FEATURES if isinstance(features, list) and each in features]
        if value.get("format") != 1 or features != known:
            raise Refused(f"{key}: format {value.get('format')!r} with features {value.get('features')!r}; "
                          "this tool knows format 1, without features or with 'merged-increment', 'parity' or 'sealed'")
        demand(self.features is None or ("sealed" in features) == bool(self.features), f"{key}: {self.otherwise}")
        check_shape(value, shape, key)
        return value, digest, line + newline

    def opens(self, of: Object | Snapshot | LogFile) -> bool:
        """Whether it can be opened: it is not sealed, or we have a key that fits."""
        return self.keyring is None or self.keyring.opens(of.revision)

    def read_repaired(self, of: Object) -> Repaired | None:
        """The object as its parity gives it back; nothing if it has none."""
        try:
            return Repaired(of.key, of.id, of.length, functools.partial(self.read, of.key))
        except Damaged:
            return None

    def read_sound(self, of: Object, take: Callable[[Callable[[int, int], bytes]], Any]) -> Any:
        """What `take` makes of the stored bytes or, where these are damaged, of what parity gives back."""
        try:
            return take(functools.partial(self.read, of.key))
        except Damaged as damage:
            repaired = self.repaired(of)
            if repaired is None:
                raise
            try:
                found = take(repaired.read)
            except Damaged:
                raise damage from None
            if of.key not in self.told:
                self.told.add(of.key)
                tell(f"{of.key}: is damaged, and its parity gives back what is lost")
            return found

    def read_container(self, of: Object) -> Container:
        return self.read_sound(of, lambda read: self.parse_container(of, read))

    def check_parity(self, of: Object) -> None:
        """That the parity is sound, if there is any."""
        container = self.container(of)
        if container.layout:
            check_parity(of.key, container.layout, container.parity, functools.partial(self.read, of.key))

    def parse_container(self, of: Object, read: Callable[[int, int], bytes]) -> Container:
        """All checks of the outer form (section 4)."""
        def check(right: object, problem: str) -> None:
            demand(right, f"{of.key}: {problem}")
        header = read(0, HEADER.size)
        check(len(header) == HEADER.size, "is too short for a header")
        sealing, ahead = header[11], int.from_bytes(header[12:16], "little")
        check(sealing == bool(self.keyring), self.otherwise)
        check(8 <= ahead <= MOST_PREAMBLE if self.keyring else ahead == 0, f"has a preamble of {ahead} bytes")
        behind, has_parity = TAG if self.keyring else 0, header[48]
        check(of.length >= HEADER.size + ahead + behind + TRAILER.size + (END.size if has_parity else 0),
              "is too short for a header and a trailer")
        trailer = read(of.length - TRAILER.size, TRAILER.size + 1)
        check(len(trailer) == TRAILER.size, f"is not {of.length} bytes long, as its envelope says")
        start, frames, entry, length, magic = TRAILER.unpack(trailer)
        check((magic, entry, length) == (b"TSAFDLOH", FRAME.size, of.length), "its trailer is damaged")
        check(frames <= MOST_FRAMES, f"has more than {MOST_FRAMES} frames")
        end, core, layout, digest = b"", length - TRAILER.size, None, b""
        if has_parity:
            end = read(core - END.size, END.size)
            *numbers, digest, checksum = END.unpack(end)
            layout = Layout(*numbers)
            check(checksum == zlib.crc32(end[:-4]) and layout.is_sound(length), "the end of its parity is damaged")
            core = layout.core
        check(start + frames * entry + behind == core, "its index is not in its place")
        preamble, index = read(HEADER.size, ahead), read(start, frames * entry)
        seal = read(start + frames * entry, behind)
        outer = hashlib.sha256(header + preamble + index + trailer)
        proof = outer.copy()
        proof.update(seal + end)
        check(proof.hexdigest() == of.digest, "does not have its object digest")
        flag = bytes([1 if has_parity else 0]) + bytes(15)
        expected = b"HOLDFAST", 1, of.kind, sealing, ahead, bytes.fromhex(self.id), bytes.fromhex(of.id), flag
        check(HEADER.unpack(header) == expected, "its header is that of another object")
        self.check_frames(of, index, HEADER.size + ahead, start)
        key = self.keyring.open_object(of, header, preamble, outer.digest(), seal) if self.keyring else None
        return Container(index, key, layout, digest)

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
            if codec == ZSTANDARD and self.opens(of) and not zstandard_decoder():
                raise Refused(f"{of.key}: {MISSING}")
            numbers.add(number)
            end += stored
        check(end == stop, f"gap or overlap of frames at byte {end}")

    def stored(self, of: Object, number: int) -> bytes:
        """The stored bytes of a frame, as its index has their digest."""
        index = self.container(of).index
        offset, stored, *_, digest = FRAME.unpack_from(index, number * FRAME.size)

        def take(read: Callable[[int, int], bytes]) -> bytes:
            data = read(offset, stored)
            demand(hashlib.sha256(data).digest() == digest,
                   f"{of.key}: frame {number}: damaged, {stored} bytes from byte {offset}")
            return data
        return self.read_sound(of, take)

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
            data = inflate(data, plain, where)
        elif codec == ZSTANDARD:
            data = expand(data, plain, where)
        self.sound.setdefault(of.key, bytearray(container.frames))[number] = 1
        return data


def open_keyring(objects: Objects, first: str) -> Any:
    """Loads what only a sealed repository needs, and the library that it needs."""
    try:
        from .keyring import Keyring
    except ModuleNotFoundError as error:
        name = (error.name or "").replace(".", "/")
        above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        raise Refused(f"the repository is sealed, and {name}.py is missing\n"
                      f"HINT: Copy the whole directory `rescue` from where rescue.py comes from to {above}") from None
    return Keyring(objects.path, objects.id, objects.read_json, first)
