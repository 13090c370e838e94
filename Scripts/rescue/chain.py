"""A snapshot with all that it builds upon, and the state that they make: section 7."""
from __future__ import annotations

import hashlib, itertools, mmap, struct, tempfile
from typing import BinaryIO, Iterator

from .bodies import Cursor, Entry
from .format import (DIRECTORY, END, ENTRY, FILE, FRAME, FREE_RECORDS, HARD_LINK, MOST_BODY_FRAMES, MOST_CHAIN,
                     MOST_RATIO, REMOVED, Object, Snapshot, path_order)
from .problems import Damaged, demand, show
from .repository import Repository


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
                demand(archive["sequence"] <= snapshot.value["sequence"],
                       f"{snapshot.title}: archive {number} is newer")
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
            if entry.type == HARD_LINK and not (
                    file and file.type == FILE and path_order(file.path) < path_order(path)):
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
