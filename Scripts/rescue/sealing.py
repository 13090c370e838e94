"""The primitives of sealing, and the keys of who reads: section 9.

Signatures, X25519, AES-256-GCM and scrypt come from the Python library `cryptography` (38 or newer); the rest of HPKE
(RFC 9180, base mode) and HKDF (RFC 5869) is here.
"""
from __future__ import annotations

import hashlib, hmac, os, re, struct
from typing import Any

from .problems import Damaged, Refused, demand, show

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    raise Refused("the repository is sealed, and this Python has no library `cryptography`\n"
                  "HINT: As root, run: apt-get install python3-cryptography") from None

MOST_KEY_FILE = 64 << 10
BLOCK, PARALLEL = 8, 1  # scrypt

KEY = re.compile(r"(holdfast-([a-z-]+(?:-2)?)-[0-9a-f]{64,128})-([0-9a-f]{8})")  # any kind; this is its name
IDENTITY = re.compile(r"holdfast-identity-([0-9a-f]{64})")


def extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.digest(salt, secret, "sha256")


def expand(key: bytes, info: bytes, length: int = 32) -> bytes:
    return hmac.digest(key, info + b"\1", "sha256")[:length]  # nothing here is longer than the first block


def derive(secret: bytes, text: bytes) -> bytes:
    return expand(extract(b"", secret), b"holdfast-1 " + text)


def labeled_extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + secret)


def labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int = 32) -> bytes:
    return expand(key, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def raw(public: Any) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def hpke_open(private: X25519PrivateKey, encapsulated: bytes, info: bytes, sealed: bytes) -> bytes:
    """RFC 9180 in base mode, the first message; raises ValueError or InvalidTag."""
    kem, suite = b"KEM" + struct.pack(">H", 0x20), b"HPKE" + struct.pack(">HHH", 0x20, 1, 2)
    shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))  # refuses points of small order
    secret = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", shared), b"shared_secret",
                            encapsulated + raw(private.public_key()))
    context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, secret, b"secret", b"")
    nonce = labeled_expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(labeled_expand(suite, secret, b"key", context)).decrypt(nonce, sealed, b"")


def check_signature(where: str, purpose: bytes, line: bytes, claim: dict[str, str]) -> None:
    """That the key of the claim made its value over the line, in which `null` stands for the claim."""
    text = b'"signature":{"key":"%s","value":"%s"}' % (claim["key"].encode(), claim["value"].encode())
    demand(line.count(text) == 1, f"{where}: its signature is not written as the format says")
    message = b"holdfast-1 " + purpose + b"\n" + line.replace(text, b'"signature":null')
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(claim["key"]))
        key.verify(bytes.fromhex(claim["value"]), message)
    except (InvalidSignature, ValueError):
        raise Damaged(f"{where}: its signature is wrong") from None


class Identity:
    """A secret seed, and what follows from it."""

    def __init__(self, seed: bytes):
        self.opening = X25519PrivateKey.from_private_bytes(derive(seed, b"identity opening"))
        authority = Ed25519PrivateKey.from_private_bytes(derive(seed, b"identity authority"))
        self.id = hashlib.sha256(raw(self.opening.public_key()) + raw(authority.public_key())).hexdigest()[:32]


def read_secret(path: str) -> bytes:
    """A small file that nobody but its owner may get at."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise Refused(f"{path}: is open to others than its owner\nHINT: Run: chmod 600 {path}")
            data = file.read(MOST_KEY_FILE + 1)
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from None
    if len(data) > MOST_KEY_FILE:
        raise Refused(f"{path}: is too long for a key or a passphrase")
    return data


def read_identity(path: str) -> Identity:
    lines = [line.strip() for line in read_secret(path).decode("utf-8", "replace").split("\n")]
    keys = [line for line in lines if line and not line.startswith("#")]
    key = KEY.fullmatch(keys[0]) if len(keys) == 1 else None
    if not key:
        raise Refused(f"{path}: does not hold one key: a line `holdfast-identity-…`, besides empty ones and comments")
    if hashlib.sha256(key[1].encode()).hexdigest()[:8] != key[3]:
        raise Refused(f"{path}: the key is mistyped: its last 8 digits, the checksum, do not fit the others")
    identity = IDENTITY.fullmatch(key[1])
    if not identity:
        raise Refused(f"{path}: holds a `holdfast-{key[2]}-…`, and what opens is an identity, with 64 digits")
    return Identity(bytes.fromhex(identity[1]))


def read_passphrase(path: str) -> bytes:
    data = read_secret(path)
    line = data[:-1] if data.endswith(b"\n") else data
    if not line or b"\n" in line:
        raise Refused(f"{path}: does not hold one line, the passphrase")
    return line


def name_recipients(recipients: dict[str, Any]) -> str:
    return ", ".join(f"{show(each['name'].encode('utf-8', 'replace'))} ({each['id']}"
                     f"{', by passphrase' if each.get('passphrase') else ''})" for each in recipients.values())
