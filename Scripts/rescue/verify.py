"""What is listed, and what is proved."""
from __future__ import annotations

from .bodies import Entry
from .chain import Chain
from .format import BAD_PAGES, CLASSES, FILE, RESERVED, TORN, UNREADABLE, WEAKNESS, Snapshot
from .problems import PROBLEMS, LeftOut, note, noting, show
from .repository import Repository


def list_snapshots(repository: Repository) -> None:
    for each in repository.snapshots():
        called = repository.called_name(each.name)
        state, path = each.value["state"], show(each.value["source"]["path"].encode("utf-8", "replace"))
        if repository.keyring:
            path = "(sealed)"
            with noting(each.title):
                key = repository.container(each.body).key if repository.opens(each) else None
                path = show(key.label) if key else path
        print(f"{each.title}  {each.id}  {each.kind:12}  {each.value['time']['started']}  {state['files']} files  "
              f"{state['bytes']} bytes  {each.value['consistency']}  {path}"
              + ("  REMOVED" if repository.is_removed(each) else "")
              + ("  DIVERGED" if repository.is_diverged(each) else "")
              + (f"  CALLED {called}" if called != each.name else ""))


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
            repository.check_parity(each)
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
    with noting(snapshot.title):
        repository.check_parity(snapshot.body)
    for archive in snapshot.archives:
        with noting(snapshot.title):
            for number in range(repository.container(archive).frames):
                if not repository.sound.get(archive.key, {number: 0})[number]:  # no page was read from it
                    repository.frame(archive, number)
            repository.check_parity(archive)
    if len(PROBLEMS) == before:
        print(f"{snapshot.title}  {snapshot.id}  is sound: {found['entries']} entries, {found['bytes']} bytes")
