"""The small writer for sealed repositories, and what all tests with such need.

It has its own HPKE sender, keyring and signatures.
"""
from __future__ import annotations

import copy
import hashlib
import hmac
import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from plain_writer import Case, PAGE, TIME, Wrapper, Writer, directory, file, noise, proved, root

RAW = Encoding.Raw, PublicFormat.Raw


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def derive(secret: bytes, text: str) -> bytes:
    return HKDF(SHA256(), 32, None, b"holdfast-1 " + text.encode()).derive(secret)


def key_text(kind: str, data: bytes) -> str:
    text = f"holdfast-{kind}-{data.hex()}"
    return f"{text}-{sha256(text.encode()).hex()[:8]}"


def hpke_seal(public: bytes, info: bytes, message: bytes) -> Tuple[bytes, bytes]:
    """RFC 9180, SealBase with X25519, HKDF-SHA256 and AES-256-GCM: encapsulated key and ciphertext."""
    def extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
        return hmac.new(salt, b"HPKE-v1" + suite + label + secret, "sha256").digest()

    def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return HKDFExpand(SHA256(), length, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info).derive(key)
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    ephemeral = X25519PrivateKey.generate()
    sent = ephemeral.public_key().public_bytes(*RAW)
    shared = extract(kem, b"", b"eae_prk", ephemeral.exchange(X25519PublicKey.from_public_bytes(public)))
    shared = expand(kem, shared, b"shared_secret", sent + public, 32)
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", info)
    secret = extract(suite, shared, b"secret", b"")
    nonce = expand(suite, secret, b"base_nonce", context, 12)
    return sent, AESGCM(expand(suite, secret, b"key", context, 32)).encrypt(nonce, message, None)


class Person:
    """Somebody with an identity."""

    def __init__(self, name: str):
        self.name, self.seed = name, sha256(name.encode())
        self.opening = X25519PrivateKey.from_private_bytes(derive(self.seed, "identity opening"))
        self.authority = Ed25519PrivateKey.from_private_bytes(derive(self.seed, "identity authority"))
        self.public = self.opening.public_key().public_bytes(*RAW) + self.authority.public_key().public_bytes(*RAW)
        self.id = sha256(self.public)[:16].hex()

    def recipient(self, **change: Any) -> Dict[str, Any]:
        return {"id": self.id, "name": self.name, "opening": self.public[:32].hex(),
                "authority": self.public[32:].hex(), "passphrase": None, **change}

    def with_passphrase(self, passphrase: bytes, repository: str, log_n: int = 15) -> Dict[str, Any]:
        salt = sha256(b"salt" + passphrase)
        key = hashlib.scrypt(passphrase, salt=salt, n=1 << log_n, r=8, p=1, maxmem=1 << 27, dklen=32)
        associated = b"holdfast-1 passphrase" + bytes.fromhex(repository)
        return self.recipient(passphrase={"salt": salt.hex(), "logN": log_n, "r": 8, "p": 1,
                                          "sealed": AESGCM(key).encrypt(bytes(12), self.seed, associated).hex()})


class Host:
    """Somebody with a writer key."""

    def __init__(self, name: str):
        self.name, self.key = name, Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
        self.public = self.key.public_key().public_bytes(*RAW).hex()

    def writer(self, accepted: Optional[List[str]] = None, **change: Any) -> Dict[str, Any]:
        revoked = None if accepted is None else {"accepted": accepted}
        return {"name": self.name, "key": self.public, "revoked": revoked, **change}


def signed(value: Dict[str, Any], purpose: bytes, key: Ed25519PrivateKey) -> bytes:
    """The first line of an envelope or a revision."""
    def line(signature: Optional[Dict[str, str]]) -> bytes:
        return json.dumps({**value, "signature": signature}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    made = key.sign(b"holdfast-1 " + purpose + b"\n" + line(None))
    return line({"key": key.public_key().public_bytes(*RAW).hex(), "value": made.hex()})


class Sealer(Wrapper):
    """Seals one object. Tests override a method to get it wrong."""
    sealing, parity = 1, False

    def __init__(self, repository: str, kind: int, name: str, recipients: List[Dict[str, Any]]):
        self.kind, self.secret = kind, os.urandom(32)
        self.ids = bytes.fromhex(repository) + bytes.fromhex(name)
        self.info = b"holdfast-1 object key" + self.ids + bytes([kind])
        length = 8 + 96 * len(recipients) + len(self.label()) + 16
        self.header = b"HOLDFAST" + struct.pack("<HBBI", 1, kind, 1, length) + self.ids
        self.header += bytes([self.parity]) + bytes(15)
        self.preamble = struct.pack("<HHI", len(recipients), len(self.label()) + 16, 0)
        self.preamble += b"".join(self.slot(each) for each in recipients)
        self.preamble += self.encrypt(0xFFFFFFFE, self.label(), b"\2")

    def encrypt(self, number: int, data: bytes, associated: bytes) -> bytes:
        return AESGCM(self.secret).encrypt(struct.pack("<I", number) + bytes(8), data, self.header + associated)

    def slot(self, recipient: Dict[str, Any]) -> bytes:
        return bytes.fromhex(recipient["id"]) + b"".join(hpke_seal(bytes.fromhex(recipient["opening"]), self.info,
                                                                   self.secret))

    def label(self) -> bytes:
        return ("/srv/größe".encode() if self.kind == 2 else b"").ljust(128, b"\0")

    def number(self, number: int) -> int:
        """The seal number of a frame; these are all different, which is enough."""
        return 0xFFFFFFFD - 3 * number

    def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
        number = self.number(number)
        return self.encrypt(number, data, b"\1" + struct.pack("<IB", plain, codec)), number

    def seal(self, outer: bytes) -> bytes:
        return self.encrypt(0xFFFFFFFF, b"", b"\3" + sha256(outer))


class SealedWriter(Writer):
    """Writes one sealed repository. Its attributes may be changed between snapshots."""

    def __init__(self, path: Path, recipients: List[Dict[str, Any]], host: Host):
        self.host, self.sealer, self.revisions = host, Sealer, []
        super().__init__(path)
        self.revise(host.key, recipients, [host.writer()])
        self.descriptor()

    def descriptor(self, **change: Any) -> None:
        keyring = {"keyring": self.revisions[0]["digest"]} if self.revisions else {}
        super().descriptor(**{"features": ["sealed"], "sealing": "sealed", **keyring, **change})

    def revise(self, key: Ed25519PrivateKey, recipients: List[Dict[str, Any]], writers: List[Dict[str, Any]],
               edit: Callable[[Dict[str, Any]], None] = lambda value: None) -> None:
        """Adds a revision of the keyring."""
        revision = len(self.revisions) + 1
        value = {"format": 1, "features": ["sealed"], "repository": self.id, "revision": revision,
                 "previous": self.revisions[-1]["digest"] if self.revisions else None, "time": TIME,
                 "recipients": recipients, "writers": writers}
        value = copy.deepcopy(value)
        edit(value)
        line = signed(value, b"keyring", key)
        self.keyring(revision).parent.mkdir(exist_ok=True)
        self.keyring(revision).write_bytes(proved(line))
        self.revisions.append({"digest": sha256(line).hex(), "recipients": recipients, "revision": revision})

    def keyring(self, revision: int) -> Path:
        return self.path / "keyring" / f"{revision:010d}.json"

    def wrapper(self, kind: int, name: str) -> Sealer:
        self.last = self.sealer(self.id, kind, name, self.revisions[-1]["recipients"])
        return self.last

    def complete(self, envelope: Dict[str, Any]) -> None:
        state_root = bytes.fromhex(envelope["state"]["root"])  # of the body, which is made last
        envelope["state"]["root"] = hmac.new(derive(self.last.secret, "state root"), state_root, "sha256").hexdigest()
        envelope["source"]["path"], envelope["features"] = "", [*envelope["features"], "sealed"]
        envelope["keyring"] = {name: self.revisions[-1][name] for name in ("revision", "digest")}
        del envelope["signature"]

    def line(self, value: Dict[str, Any]) -> bytes:
        return super().line(value) if "signature" in value else signed(value, b"manifest", self.host.key)


def put(name: str, value: Any, *inside: Any) -> Callable[[Dict[str, Any]], None]:
    """Changes one field of a JSON object, somewhere inside."""
    def edit(whole: Dict[str, Any]) -> None:
        for step in inside:
            whole = whole[step]
        whole[name] = value
    return edit


ANNA, BERT, CARLA, SAFE = Person("anna"), Person("bert"), Person("carla"), Person("safe")
SHOP, THIEF = Host("shop"), Host("thief")


class SealedCase(Case):
    """A repository that is sealed to Anna and Bert, and written by the shop."""

    def setUp(self) -> None:
        super().setUp()
        self.new_repository()

    def new_repository(self, *recipients: Dict[str, Any]) -> None:
        shutil.rmtree(self.writer.path)
        self.writer = SealedWriter(self.writer.path, list(recipients) or [ANNA.recipient(), BERT.recipient()], SHOP)

    def secret(self, text: str, mode: int = 0o600) -> str:
        path = self.place / "secret"
        if path.exists():
            path.unlink()
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def use(self, person: Person) -> None:
        """From here on every run has this identity."""
        self.keys = "--identity", self.secret(f"# {person.name}\n\n{key_text('identity', person.seed)}\n")

    def fails(self, error: str, *arguments: str) -> None:
        """A run ends with exactly these words, whichever command it is."""
        for command in [arguments] if arguments else [("list",), ("verify",), ("restore", "latest", "none")]:
            status, out, err = self.run_rescue(*command)
            self.assertEqual((status, out, err), (1, "", f"rescue: {error}\n"))

    def unsound(self, *words: str) -> None:
        """Refused with the key and without."""
        self.keys = ()
        self.refused(*words, restore=False)
        self.use(ANNA)
        self.refused(*words)

    def chain(self) -> List[bytes]:
        """A full, an incremental, a differential; the file `a` in each."""
        first, second, third = noise(1, 4 * PAGE + 5), noise(2, PAGE), noise(3, PAGE)
        second, third = second + first[PAGE:], first[:PAGE] + third + first[2 * PAGE:]
        self.writer.snapshot([root(), directory(b"d"), file(b"a", first), file(b"d/b", bytes(900))])
        self.writer.snapshot([file(b"a", second, keep=[1, 2, 3, 4])], parent=1)
        self.writer.snapshot([file(b"a", third, keep=[0, 2, 3, 4])], (b"d/b",), parent=1, kind="differential")
        return [first, second, third]
