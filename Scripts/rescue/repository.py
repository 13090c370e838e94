"""What a repository tells of snapshots, removals, names and PostgreSQL's log (sections 5, 11, 12 and 17)."""
from __future__ import annotations

import functools, hashlib, itertools, re
from pathlib import Path
from typing import Any, Iterator

from .format import (ENVELOPE, ERA, ERA_FROM, ERAS, NAMES, NOTES, NUMBER, REMOVAL, TITLE, WAL, WAL_FILE, WAL_MANIFEST,
                     WAL_NAME, LogFile, Object, Snapshot, check_shape)
from .objects import Objects
from .problems import PROBLEMS, Refused, demand, noting


class Repository(Objects):
    """The objects by what they mean."""

    def __init__(self, path: str, others: list[str] | None = None):
        super().__init__(path, others)
        self.notes = functools.lru_cache(maxsize=None)(self.read_notes)
        self.renamed = functools.lru_cache(maxsize=None)(self.read_names)

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

    def snapshots(self) -> Iterator[Snapshot]:
        """All whose envelope can be read."""
        for title in self.titles():
            with noting(title):
                yield self.snapshot(title)

    def read_notes(self, name: str) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
        """What is noted of the snapshots of a source, by ID, and of the hosts that served it (section 12): the highest
        revision that counts."""
        found = (path.parent.name for path in Path(self.path, "sources", name, "notes").glob("*/notes.json"))
        for number in sorted(filter(NUMBER.fullmatch, found), reverse=True):
            with noting(f"sources/{name}/notes"):
                value = self.notes_revision(name, number)
                return {note["snapshot"]: note for note in value["notes"]}, value.get("eras", [])
        return {}, []

    def notes_revision(self, name: str, number: str) -> dict[str, Any]:
        key = f"sources/{name}/notes/{number}/notes.json"
        value, digest, line = self.read_json(key, NOTES)
        demand((value["repository"], value["source"], value["revision"]) == (self.id, name, int(number)),
               f"{key}: is a revision of other notes")
        demand((ERAS in value["features"]) == ("eras" in value), f"{key}: contradicts itself about hosts that serve")
        check_shape(value.get("eras", []), [ERA], f"{key}: eras")
        for era in value.get("eras", []):
            if era.get("from", "") is not None:
                check_shape(era.get("from"), ERA_FROM, f"{key}: since {era['since']}: from")
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

    def read_names(self) -> list[dict[str, Any]]:
        """The sources that were renamed (section 17), as the highest revision of their names says that can be read."""
        revisions: list[tuple[str, dict[str, Any], bytes, str]] = []
        with noting("names"):
            found = sorted(path.name for path in Path(self.path, "names").glob("*.json"))
            for number, name in enumerate(found, 1):
                demand(name == f"{number:010d}.json", f"names: revision {number} is missing")
                before = revisions[-1][-1] if revisions else None
                revisions.append(self.names_revision(f"names/{name}", number, before))
        for key, value, line, digest in reversed(revisions):
            with noting("names"):
                if self.keyring:
                    self.keyring.check_names(key, value, line, digest)
                return value["sources"]  # it vouches for those before it
        return []

    def names_revision(self, key: str, number: int, before: str | None) -> tuple[str, dict[str, Any], bytes, str]:
        value, digest, line = self.read_json(key, NAMES)
        demand((value["repository"], value["revision"], value.get("previous", "")) == (self.id, number, before),
               f"{key}: does not follow the one before it")
        taken: set[str] = set()
        for each in value["sources"]:
            given = {each["name"], *each["earlier"]}
            demand(not taken & given, f"{key}: gives one name to two sources")
            taken |= given | {each["source"]}
        demand(self.keyring or value.get("signature") is None, f"{key}: is signed, and the repository is not sealed")
        return key, value, line, digest

    def stored_name(self, name: str | None) -> str | None:
        """The name under which the source is stored that has or had this one."""
        given = {other: each["source"] for each in self.renamed() for other in (each["name"], *each["earlier"])}
        if name and name not in given and name not in given.values() and not self.has_objects(name):
            astray = [other for other, source in given.items() if other != source and name in self.astray_names(other)]
            return astray[0] if astray else name
        return given.get(name, name)

    def called_name(self, name: str) -> str:
        """The name by which the source is called that is stored under this one."""
        given = {other for each in self.renamed() for other in (each["name"], *each["earlier"])}
        called = next((each["name"] for each in self.renamed() if each["source"] == name), None)
        free = (each for each in self.astray_names(name) if each not in given and not self.has_objects(each))
        return called or (next(free, self.astray_names(name)[-1]) if name in given else name)

    @staticmethod
    def astray_names(name: str) -> list[str]:
        """By which a source may be called that was begun under this name of another one."""
        short = f"{name}.stored"
        cut = f"{name[:48]}.{hashlib.sha256(name.encode()).hexdigest()[:8]}.stored"
        return [short, cut] if len(short) <= 64 else [cut]

    def has_objects(self, name: str) -> bool:
        """Whether a source is stored under this name."""
        return any(Path(self.path, part, name).exists() for part in ("sources", "wal"))

    def is_removed(self, snapshot: Snapshot) -> bool:
        return bool(self.notes(snapshot.name)[0].get(snapshot.id, {}).get("removed"))

    def is_diverged(self, snapshot: Snapshot) -> bool:
        """Whether another host had taken over while it was under way: it is the newest for nothing."""
        return any(snapshot.value["sequence"] > era["highest"] and snapshot.lease < era["since"]
                   for era in self.notes(snapshot.name)[1])

    def find(self, wanted: str, name: str | None) -> Snapshot:
        """The snapshot that a person means."""
        name = self.stored_name(name)
        if "/" in wanted:
            source, _, sequence = wanted.partition("/")
            wanted = f"{self.stored_name(source)}/{sequence}"
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
        """Of one source, neither removed nor diverged; not the last when that is merged from an older one."""
        best: Snapshot | None = None
        for title in reversed(titles):
            if best and int(title.partition("/")[2]) <= best.place[0]:
                break  # its place is no higher than its sequence
            each = self.snapshot(title)
            if not self.is_removed(each) and not self.is_diverged(each) and (best is None or each.place > best.place):
                best = each
        return best

    def log_keys(self, name: str, file: str) -> list[str]:
        """The manifests of all copies of a file of the log (section 11). Behind the name may stand the system."""
        source, slash, system = name.partition("/")
        name = f"{self.stored_name(source)}{slash}{system}"
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
        said, revision = value["object"], value["keyring"]["revision"] if "sealed" in value["features"] else 0
        place = f"{folder}{file}-{said['id']}"
        return LogFile(key, value, Object(place, WAL, said["id"], said["length"], said["digest"], revision), revision)
