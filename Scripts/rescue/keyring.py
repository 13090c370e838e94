"""Who may open and who may write, and the objects that are opened: section 9."""
from __future__ import annotations

import contextlib, getpass, hashlib, hmac, json, os, re, resource, struct
from typing import Any, Callable, NamedTuple

from .format import ARCHIVE, BODY, DIGEST, ID, TAG, TEXT, TIME, LogFile, Object, Snapshot, check_shape
from .problems import Damaged, Refused, demand, show
from .sealing import (AESGCM, BLOCK, PARALLEL, Ed25519PublicKey, Identity, InvalidSignature, InvalidTag, Scrypt,
                      check_signature, derive, hpke_open, name_recipients, read_identity, read_passphrase)

MOST_RECIPIENTS, MOST_WRITERS, MOST_REVISIONS = 64, 1024, 100_000
LEAST_LOG_N, MOST_LOG_N = 15, 18  # scrypt: at most 256 MiB of memory

PREAMBLE, SLOT = struct.Struct("<HHI"), struct.Struct("<16s32s48s")
FRAME_PURPOSE, LABEL_PURPOSE, SEAL_PURPOSE = b"\1", b"\2", b"\3"
LABEL_UNIT = 128  # labels are padded to a multiple of it
LABEL_NUMBER, SEAL_NUMBER = 2**32 - 2, 2**32 - 1  # seal numbers of frames are below
REVISION = re.compile(r"(?!0{10})[0-9]{10}\.json", re.ASCII)
SIGNATURE = {"key": DIGEST, "value": re.compile("[0-9a-f]{128}")}
PASSPHRASE = {"salt": DIGEST, "logN": int, "r": int, "p": int, "sealed": re.compile("[0-9a-f]{96}")}
KEYRING = {
    "repository": ID, "revision": int, "time": TIME,
    "recipients": [{"id": ID, "name": TEXT, "opening": DIGEST, "authority": DIGEST}],
    "writers": [{"name": TEXT, "key": DIGEST}], "signature": SIGNATURE,
}
SIGNED = {"keyring": {"revision": int, "digest": DIGEST}, "signature": SIGNATURE}  # what a sealed envelope has besides

# A revision of the keyring, as far as it is needed later; recipients and writers are by ID and by key.
Revision = NamedTuple("Revision", [("digest", str), ("recipients", dict), ("writers", dict)])


class Keyring:
    """Who may open and who may write: every revision, proved from the first on; and the identities of who reads."""

    def __init__(self, path: str, repository: str, read_json: Callable[..., Any], first: str):
        """`path` is the directory of the repository with this ID, whose lines of JSON `read_json` reads."""
        self.path, self.repository, self.read_json = path, repository, read_json
        self.revisions: list[Revision] = []
        self.identities: dict[str, Identity] = {}
        self.pruners: set[str] = set()  # the keys of all who may prune by any revision
        self.add_revisions(first)

    def add_revisions(self, first: str) -> None:
        try:
            names = sorted(filter(REVISION.fullmatch, os.listdir(os.path.join(self.path, "keyring"))))
        except OSError as error:
            raise Damaged(f"keyring: {error.strerror}") from None
        demand(names, "keyring: has no revision, and the repository is sealed")
        demand(len(names) <= MOST_REVISIONS, f"keyring: has more than {MOST_REVISIONS} revisions")
        for number, name in enumerate(names, 1):
            demand(name == f"{number:010d}.json", f"keyring: revision {number} is missing")
            self.revisions.append(self.read_revision(number))
        demand(self.revisions[0].digest == first, "keyring/0000000001.json: is not the one that holdfast.json names")

    def read_revision(self, number: int) -> Revision:
        key = f"keyring/{number:010d}.json"
        value, digest, line = self.read_json(key, KEYRING)
        before = self.revisions[-1] if self.revisions else None
        demand((value["repository"], value["revision"]) == (self.repository, number), f"{key}: is another revision")
        demand(value.get("previous", "") == (before and before.digest), f"{key}: does not follow the one before it")
        recipients = {each["id"]: each for each in value["recipients"]}
        writers = {each["key"]: each for each in value["writers"]}
        for name, by_id, most in (("recipients", recipients, MOST_RECIPIENTS), ("writers", writers, MOST_WRITERS)):
            demand(1 <= len(value[name]) <= most, f"{key}: has {len(value[name])} {name}, not 1 to {most}")
            demand(len(by_id) == len(value[name]), f"{key}: has one of its {name} twice")
        for each in recipients.values():
            self.check_recipient(each, f"{key}: recipient {each['id']}")
        for each in writers.values():
            if each.get("revoked", "") is not None:
                check_shape(each.get("revoked"), {"accepted": [DIGEST]}, f"{key}: writer {each['key']}: revoked")
                check_shape(each["revoked"].get("notes", []), [DIGEST], f"{key}: writer {each['key']}: revoked: notes")
                each["accepted"] = {*each["revoked"]["accepted"], *each["revoked"].get("notes", [])}
        self.pruners.update(each["key"] for each in value["writers"] if each.get("mayPrune", True) is True)
        signer = value["signature"]["key"]
        if before:
            demand(before.writers.keys() <= writers.keys(), f"{key}: a writer has left the list")
            demand(signer in (each["authority"] for each in before.recipients.values()),
                   f"{key}: is not signed by a recipient of the revision before it")
            before.writers.clear()  # only those of the highest revision count
        else:
            demand(signer == value["writers"][0]["key"], f"{key}: is not signed by the first of its writers")
        check_signature(key, b"keyring", line, value["signature"])
        return Revision(digest, recipients, writers)

    @staticmethod
    def check_recipient(recipient: dict[str, Any], where: str) -> None:
        public = bytes.fromhex(recipient["opening"] + recipient["authority"])
        demand(hashlib.sha256(public).hexdigest()[:32] == recipient["id"], f"{where}: its ID is not that of its keys")
        sealed = recipient.get("passphrase", "")
        if sealed is not None:
            check_shape(sealed, PASSPHRASE, f"{where}: passphrase")
            demand(LEAST_LOG_N <= sealed["logN"] <= MOST_LOG_N and (sealed["r"], sealed["p"]) == (BLOCK, PARALLEL),
                   f"{where}: passphrase: parameters of scrypt are out of bounds")

    def check_envelope(self, key: str, value: dict[str, Any], line: bytes, digest: str) -> None:
        self.check_signed(key, value, line, digest, b"manifest")
        demand(value["source"]["path"] == "", f"{key}: has the path of its source in the clear")

    def check_signed(self, key: str, value: dict[str, Any], line: bytes, digest: str, purpose: bytes) -> None:
        """That a writer who counts has signed a manifest, under a revision that there is."""
        check_shape(value, SIGNED, key)
        revision = value["keyring"]["revision"]
        demand(1 <= revision <= len(self.revisions), f"{key}: was taken under revision {revision} of the keyring, "
               f"and the highest here is {len(self.revisions)}")
        demand(self.revisions[revision - 1].digest == value["keyring"]["digest"],
               f"{key}: was taken under another revision {revision} of the keyring")
        self.check_writer(key, purpose, value, line, digest)

    def check_notes(self, key: str, value: dict[str, Any], line: bytes, digest: str) -> None:
        """That a writer who counts has signed a revision of notes."""
        check_shape(value, {"signature": SIGNATURE}, key)
        self.check_writer(key, b"notes", value, line, digest)

    def check_names(self, key: str, value: dict[str, Any], line: bytes, digest: str) -> None:
        """That a writer who counts, and may or might prune, has signed a revision of the names of sources."""
        check_shape(value, {"signature": SIGNATURE}, key)
        self.check_writer(key, b"names", value, line, digest)
        demand(value["signature"]["key"] in self.pruners, f"{key}: is signed by a writer that may not prune")

    def drop_removals(self, notes: dict[str, Any]) -> None:
        """Takes out what nobody has removed who may prune (section 12)."""
        if self.may_prune(notes["signature"]["key"]):
            return
        for note in filter(lambda each: each.get("removed"), notes["notes"]):
            removal = note["removed"]
            claim = {"collected": removal.get("collected"), "repository": notes["repository"],
                     "revision": removal["revision"], "sequence": note["sequence"], "snapshot": note["snapshot"],
                     "source": notes["source"], "time": removal["time"]}
            claim |= {key: removal[key] for key in ("graceSeconds", "spares") if removal.get(key) is not None}
            line = json.dumps(claim, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            if not self.has_removed(line, removal.get("signature")):
                note["removed"] = None

    def has_removed(self, line: bytes, signature: Any) -> bool:
        try:
            check_shape(signature, SIGNATURE, "a removal")
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature["key"]))
            public.verify(bytes.fromhex(signature["value"]), b"holdfast-1 removal\n" + line)
        except (Refused, InvalidSignature, ValueError):
            return False
        return self.may_prune(signature["key"]) and self.revisions[-1].writers[signature["key"]]["revoked"] is None

    def may_prune(self, key: str) -> bool:
        writer = self.revisions[-1].writers.get(key)
        return bool(writer) and writer.get("mayPrune", True) is True

    def check_writer(self, key: str, purpose: bytes, value: dict[str, Any], line: bytes, digest: str) -> None:
        writer = self.revisions[-1].writers.get(value["signature"]["key"])
        demand(writer, f"{key}: is signed by {value['signature']['key']}, which is no writer of the repository")
        demand(writer["revoked"] is None or digest in writer["accepted"],
               f"{key}: is signed by {show(writer['name'].encode('utf-8', 'replace'))}, which is revoked")
        check_signature(key, purpose, line, value["signature"])

    def describe(self) -> str:
        highest = self.revisions[-1]
        writers = ", ".join(show(each["name"].encode("utf-8", "replace")) + f" ({each['key']}"
                            + (")" if each["revoked"] is None else ", revoked)") for each in highest.writers.values())
        return (f"keyring  revision {len(self.revisions)}, which begins with {self.revisions[0].digest}  "
                f"recipients: {name_recipients(highest.recipients)}  writers: {writers}")

    # Keys of who reads

    def unlock(self, identity: str | None, passphrase: str | None, ask: bool) -> None:
        """Takes the keys that are given; without any, asks for a passphrase where one would help."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of this process would have the keys
        everyone = {id: each for revision in self.revisions for id, each in revision.recipients.items()}
        if identity:
            self.add(read_identity(identity), everyone)
        if passphrase:
            self.add(self.open_by_passphrase(read_passphrase(passphrase), everyone), everyone)
        elif ask and not identity and any(each["passphrase"] for each in everyone.values()):
            typed = ""
            with contextlib.suppress(EOFError):
                typed = getpass.getpass("Passphrase (empty: go on without): ")
            if typed:
                self.add(self.open_by_passphrase(typed.encode("utf-8", "surrogateescape"), everyone), everyone)

    def add(self, identity: Identity | None, everyone: dict[str, Any]) -> None:
        if identity is None or identity.id not in everyone:
            raise Refused(f"wrong {'key: it is that of ' + identity.id if identity else 'passphrase'}; "
                          f"the recipients of the repository are {name_recipients(everyone)}")
        self.identities[identity.id] = identity

    def open_by_passphrase(self, passphrase: bytes, everyone: dict[str, Any]) -> Identity | None:
        """Whom it opens; the newest come first, and those who are recipients no more are tried as well."""
        associated = b"holdfast-1 passphrase" + bytes.fromhex(self.repository)
        for id, recipient in reversed(everyone.items()):
            sealed = recipient["passphrase"]
            if not sealed:
                continue
            try:
                key = Scrypt(bytes.fromhex(sealed["salt"]), 32, 2 ** sealed["logN"], BLOCK, PARALLEL).derive(passphrase)
                identity = Identity(AESGCM(key).decrypt(bytes(12), bytes.fromhex(sealed["sealed"]), associated))
            except MemoryError:
                raise Refused(f"not enough memory for scrypt: it takes {128 * BLOCK << sealed['logN']} bytes") from None
            except InvalidTag:
                continue
            demand(identity.id == id, f"keyring: the passphrase of {id} opens the identity of somebody else")
            return identity
        return None

    def opens(self, revision: int) -> bool:
        """Whether what was sealed under this revision can be opened."""
        return not self.identities.keys().isdisjoint(self.revisions[revision - 1].recipients)

    def closed(self, snapshot: Snapshot | LogFile) -> str:
        """Why a snapshot or a file of a log does not open."""
        recipients = name_recipients(self.revisions[snapshot.revision - 1].recipients)
        given = f", and the key given is that of {', '.join(self.identities)}" if self.identities else ""
        return f"{snapshot.title}: is sealed to {recipients}{given}"

    # Objects

    def open_object(self, of: Object, header: bytes, preamble: bytes, outer: bytes, seal: bytes) -> ObjectKey | None:
        """Checks preamble and seal; without an identity that fits, only the outer form of the preamble.

        `outer` is the SHA-256 of header, preamble, index and trailer.
        """
        count, length, zero = PREAMBLE.unpack_from(preamble)
        end = PREAMBLE.size + count * SLOT.size
        demand(zero == 0 and length >= TAG and len(preamble) == end + length, f"{of.key}: its preamble is damaged")
        slots = {id.hex(): slot for id, *slot in SLOT.iter_unpack(preamble[PREAMBLE.size:end])}
        recipients = self.revisions[of.revision - 1].recipients
        demand(len(slots) == count and slots.keys() == recipients.keys(),
               f"{of.key}: is not sealed to the recipients of revision {of.revision} of the keyring")
        for id in filter(slots.__contains__, self.identities):
            info = b"holdfast-1 object key" + bytes.fromhex(self.repository + of.id) + bytes([of.kind])
            try:
                secret = hpke_open(self.identities[id].opening, slots[id][0], info, slots[id][1])
            except (InvalidTag, ValueError):
                raise Damaged(f"{of.key}: the slot of recipient {id} does not open") from None
            key = ObjectKey(of, header, secret)
            demand(key.open(SEAL_NUMBER, seal, SEAL_PURPOSE + outer, "its seal") == b"", f"{of.key}: its seal is wrong")
            label = key.open(LABEL_NUMBER, preamble[end:], LABEL_PURPOSE, "its label")
            key.label = label.rstrip(b"\0")
            demand(len(label) == len(key.label) // LABEL_UNIT * LABEL_UNIT + LABEL_UNIT,
                   f"{of.key}: its label is damaged")
            what = "an archive" if of.kind == ARCHIVE else "a file of a log"
            demand(of.kind == BODY or not key.label, f"{of.key}: is {what} with a label")
            return key
        return None


class ObjectKey:
    """The object key of one archive or body; `label` is the path of the source, in a body."""

    def __init__(self, of: Object, header: bytes, secret: bytes):
        self.of, self.header, self.secret, self.cipher, self.label = of, header, secret, AESGCM(secret), b""

    def open(self, number: int, sealed: bytes, associated: bytes, what: str) -> bytes:
        try:
            return self.cipher.decrypt(struct.pack("<I8x", number), sealed, self.header + associated)
        except InvalidTag:
            raise Damaged(f"{self.of.key}: {what} does not open with the object key") from None

    def open_frame(self, number: int, plain: int, codec: int, sealed: bytes, what: str) -> bytes:
        return self.open(number, sealed, FRAME_PURPOSE + struct.pack("<IB", plain, codec), what)

    def state_root(self, root: bytes) -> bytes:
        return hmac.digest(derive(self.secret, b"state root"), root, "sha256")
