"""Makes a repository with the manifests of many snapshots. `Scripts/many-snapshots` runs it.

The first snapshot is one of `holdfast backup`; the others are manifests alone, after its pattern, with `--bodies` also
bodies.
"""

import argparse
import datetime
import hashlib
import hmac
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from . import many_bodies
from .command import fail
from .holdfast import own_environment, places
from .running import quietly

DESCRIPTION = ("Make a repository with the manifests of many snapshots, to measure what reads only those: list, "
               "status, prune.")
CHAIN = 25  # a full, and so many less one incrementals
MINUTES = 60  # from one snapshot to the next
JOURNAL_RUNS = 512


class Form(NamedTuple):
    """How the snapshots of a source follow each other."""
    chain: int = CHAIN
    minutes: int = MINUTES
    bodies: bool = False


def signer(key_file: Path) -> Callable[[bytes], dict[str, str]]:
    """Signs with the writer key in a file (docs/format.md, section 9)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    seed = re.search("^holdfast-writer-secret-2-([0-9a-f]{64})-", key_file.read_text(), re.MULTILINE)
    if not seed:
        fail(f"{key_file} holds no writer key")
    secret = hmac.digest(b"", bytes.fromhex(seed[1]), "sha256")  # HKDF: extract, then expand to one block
    key = Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"holdfast-1 writer signing\1", "sha256"))
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    return lambda message: {"key": public, "value": key.sign(message).hex()}


def object_id(name: str, sequence: int, what: str) -> str:
    """The ID of a snapshot, or of something that belongs to it."""
    return hashlib.md5(f"{name} {sequence} {what}".encode()).hexdigest()


def line(value: dict[str, Any]) -> bytes:
    """An object as the format writes it: one line of JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def follow(pattern: dict[str, Any], name: str, sequence: int, parent: dict[str, Any] | None,
           started: datetime.datetime, chain: int) -> dict[str, Any]:
    """The envelope of one more snapshot."""
    time = [(started + datetime.timedelta(seconds=s)).strftime("%Y-%m-%dT%H:%M:%S.000Z") for s in (0, 9)]
    number = 0 if parent is None else (sequence - 1) % chain
    return {**pattern, "snapshot": object_id(name, sequence, "snapshot"), "source": {**pattern["source"], "name": name},
            "sequence": sequence, "kind": "full" if parent is None else "incremental", "parent": parent,
            "time": {"started": time[0], "finished": time[1]}, "signature": None,
            "archives": [{**pattern["archives"][0], "number": number, "sequence": sequence,
                          "id": object_id(name, sequence, "archive")}],
            "body": {**pattern["body"], "id": object_id(name, sequence, "body")}}


def journal(name: str, snapshots: int, newest: datetime.datetime) -> bytes:
    """As many runs as a journal holds: backups, one an hour, and each day a verify. The oldest took snapshot 1."""
    lines = []
    for hours in reversed(range(JOURNAL_RUNS)):
        began = int((newest - datetime.timedelta(hours=hours)).timestamp() * 1000)
        entry = {"command": "backup", "host": "shop-1", "began": began, "ended": began + 9000, "took": 9000,
                 "status": 0, "incomplete": 0, "warnings": 0}
        if hours % 24:
            sequence = max(1, snapshots - hours)
            entry |= {"snapshot": object_id(name, sequence, "snapshot"), "sequence": sequence,
                      "kind": "incremental", "readBytes": 48_000_000 + hours, "storedBytes": 9_000_000 + hours}
        else:
            entry |= {"command": "verify", "share": 1, "provedBytes": 4_000_000_000}
        lines.append(line(entry))
    plain = b"".join(lines)
    head = struct.pack("<8sHBBI", b"HFJOURNL", 1, 1, 0, len(plain)) + hashlib.sha256(plain).digest()
    return head + zlib.compress(plain)


def begin(holdfast: str, directory: Path, is_sealed: bool) -> bytes:
    """A repository with one snapshot, by holdfast itself; its manifest."""
    source = directory / "source-01"
    source.mkdir(parents=True)
    (source / "orders").write_text("an order\n")
    environment = own_environment() | places(directory) | {"HOLDFAST_WRITER_KEY_FILE": str(directory / "writer.key")}

    def run(*arguments: str) -> str:
        return quietly([holdfast, *arguments], environment=environment)

    sealing = ["--recipient", run("key", "generate", str(directory / "identity"), "--quiet").strip()]
    run("init", *(sealing if is_sealed else ["--unsealed"]))
    run("backup", str(source), "--quiet")
    return (directory / "repository/sources/source-01/0000000001/manifest.json").read_bytes()


def add_body(folder: Path, value: dict[str, Any], started: datetime.datetime) -> None:
    """The body of one more snapshot, and what its envelope says of it."""
    identifier = value["body"]["id"]
    body = many_bodies.make(bytes.fromhex(value["repository"]), bytes.fromhex(identifier), value["sequence"],
                            value["kind"] == "full", int(started.timestamp()))
    value["body"] = {"id": identifier, "length": len(body.data), "digest": body.digest}
    (folder / f"body-{identifier}").write_bytes(body.data)


def add_snapshots(repository: Path, name: str, snapshots: int, first: bytes, newest: datetime.datetime,
                  sign: Callable[[bytes], dict[str, str]] | None, form: Form = Form()) -> None:
    """So many manifests of one source, but for the first snapshot of all, whose manifest is there."""
    pattern, parent = json.loads(first.split(b"\n")[0]), None
    for sequence in range(1, snapshots + 1):
        if sequence == 1 and name == pattern["source"]["name"]:
            digest = first.split(b"\n")[1].decode()[1:-1]
            parent = {"snapshot": pattern["snapshot"], "sequence": 1, "digest": digest}
            continue
        started = newest - datetime.timedelta(minutes=form.minutes * (snapshots - sequence))
        value = follow(pattern, name, sequence, None if sequence % form.chain == 1 else parent, started, form.chain)
        folder = repository / "sources" / name / f"{sequence:010d}"
        folder.mkdir(parents=True)
        if form.bodies:
            add_body(folder, value, started)
        if sign:
            value["signature"] = sign(b"holdfast-1 manifest\n" + line(value))
        data = line(value)
        digest = hashlib.sha256(data).hexdigest()
        (folder / "manifest.json").write_bytes(data + f'"{digest}"\n'.encode())
        parent = {"snapshot": value["snapshot"], "sequence": sequence, "digest": digest}


def main() -> None:
    """Makes the repository."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("holdfast")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--sources", type=int, default=20, metavar="N")
    parser.add_argument("--snapshots", type=int, default=500, metavar="N", help="of each source")
    parser.add_argument("--chain", type=int, default=CHAIN, metavar="N", help="snapshots from one full to the next")
    parser.add_argument("--minutes", type=int, default=MINUTES, metavar="N", help="from one snapshot to the next")
    parser.add_argument("--bodies", action="store_true", help="also what each has changed, for history and find")
    parser.add_argument("--sealed", action="store_true")
    options = parser.parse_args()

    if options.bodies and options.sealed:
        fail("--bodies makes none that are sealed")
    directory = options.directory.resolve()
    repository = directory / "repository"
    first = begin(options.holdfast, directory, options.sealed)
    sign = signer(directory / "writer.key") if options.sealed else None
    newest = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    for number in range(1, options.sources + 1):
        name = f"source-{number:02d}"
        runs = repository / "journal" / name / f"{JOURNAL_RUNS:010d}"
        runs.parent.mkdir(parents=True, exist_ok=True)
        runs.write_bytes(journal(name, options.snapshots, newest))
        add_snapshots(repository, name, options.snapshots, first, newest, sign,
                      Form(options.chain, options.minutes, options.bodies))
