"""Proves the sealed worked example of docs/format.md, section 10, against Tests/Fixtures/format-1-sealed.

Every value is computed here from the keys and bytes of the fixture as section 9 says, with no code of rescue.py or
holdfast; HPKE is done by hand. Then the page is searched: it must print each of these values, and no others.

    python3 -m unittest discover -s Tests/rescue
"""
from __future__ import annotations

import hashlib
import hmac
import json
import re
import struct
import unittest
from pathlib import Path
from typing import Dict, NamedTuple, Tuple

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as error:
    raise unittest.SkipTest("the Python library cryptography is not there") from error

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests/Fixtures/format-1-sealed"
KEYS = ROOT / "Tests/Fixtures/format-1-sealed-keys"
SNAPSHOT = FIXTURE / "sources/example/0000000001"
GREETING = b"hello, world\n"
ARCHIVE, BODY = 1, 2
LABEL, SEAL = (1 << 32) - 2, (1 << 32) - 1  # numbers of what is sealed
CODE_BLOCK = re.compile(r"```\n(.*?)```", re.DOTALL)
DUMP_LINE = re.compile(r"[0-9a-f]{3} ")
DUMP_ITEM = re.compile(r" {1,2}(?:00 × (\d+)|([0-9a-f]{2}(?: [0-9a-f]{2})*))(?=  |$)")


# ---- Primitives ----

def extract(salt: bytes, secret: bytes) -> bytes:
    return hmac.new(salt or bytes(32), secret, hashlib.sha256).digest()


def expand(key: bytes, info: bytes, count: int = 32) -> bytes:
    assert count <= 32, "one block is enough here"
    return hmac.new(key, info + b"\x01", hashlib.sha256).digest()[:count]


def derive(secret: bytes, text: str) -> bytes:
    return expand(extract(b"", secret), b"holdfast-1 " + text.encode())


def raw(key: "X25519PrivateKey | Ed25519PrivateKey") -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class HPKE(NamedTuple):
    """What a receiver in base mode computes: RFC 9180, sections 4.1 and 5.1, for the three algorithms of section 9."""
    exchanged: bytes
    shared_secret: bytes
    key: bytes
    nonce: bytes

    @staticmethod
    def receive(private: bytes, encapsulated: bytes, info: bytes) -> "HPKE":
        kem, suite = b"KEM" + bytes.fromhex("0020"), b"HPKE" + bytes.fromhex("0020 0001 0002")

        def labeled_extract(suite_id: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
            return extract(salt, b"HPKE-v1" + suite_id + label + secret)

        def labeled_expand(suite_id: bytes, key: bytes, label: bytes, info: bytes, count: int) -> bytes:
            return expand(key, struct.pack(">H", count) + b"HPKE-v1" + suite_id + label + info, count)

        own = X25519PrivateKey.from_private_bytes(private)
        exchanged = own.exchange(X25519PublicKey.from_public_bytes(encapsulated))
        shared = labeled_expand(
            kem, labeled_extract(kem, b"", b"eae_prk", exchanged), b"shared_secret", encapsulated + raw(own), 32)
        context = b"\0" + labeled_extract(suite, b"", b"psk_id_hash", b"")
        context += labeled_extract(suite, b"", b"info_hash", info)
        secret = labeled_extract(suite, shared, b"secret", b"")
        return HPKE(exchanged, shared, labeled_expand(suite, secret, b"key", context, 32),
                    labeled_expand(suite, secret, b"base_nonce", context, 12))


def nonce(number: int) -> bytes:
    return struct.pack("<I", number) + bytes(8)


def key_text(name: str, kind: str) -> Tuple[str, bytes]:
    """The one line of a key file that counts, and the secret in it."""
    lines = [line for line in (KEYS / name).read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == 1 and lines[0].startswith(kind)
    digits, checksum = lines[0][len(kind):].split("-")
    assert hashlib.sha256((kind + digits).encode()).hexdigest()[:8] == checksum
    return lines[0], bytes.fromhex(digits)


def state_entries(records: bytes) -> bytes:
    """What the state root is over, in the records of the body: see the example that is not sealed."""
    root_end = 2 + 13
    at = root_end
    for _ in range(4):  # of the directory: last status change (two), device, inode
        while records[at] & 0x80:
            at += 1
        at += 1
    file_start = at + 1 + 2  # the byte that says whether it inherits; then the kind of the record, and no bytes shared
    file_end = file_start + 60
    assert records[root_end - 1] == 0 and records[file_start:].startswith(b"\x08greeting")
    return records[2:root_end] + records[file_start:file_end]


# ---- The parts of the example ----

class Identity:
    def __init__(self, seed: bytes):
        self.seed = seed
        self.private = derive(seed, "identity opening")
        self.opening = raw(X25519PrivateKey.from_private_bytes(self.private))
        self.authority_seed = derive(seed, "identity authority")
        self.authority = raw(Ed25519PrivateKey.from_private_bytes(self.authority_seed))
        self.id = hashlib.sha256(self.opening + self.authority).digest()[:16]


class Manifest:
    """An object of two lines, and what is signed in it."""

    def __init__(self, path: Path, domain: str):
        line, second = path.read_bytes().splitlines(keepends=True)
        self.line, self.fields, self.digest = line, json.loads(line), hashlib.sha256(line).digest()
        assert second == b'"%s"\n' % self.digest.hex().encode()
        signature = self.fields["signature"]
        self.value = bytes.fromhex(signature["value"])
        written = b'"signature":' + json.dumps(signature, separators=(",", ":"), sort_keys=True).encode()
        assert line.count(written) == 1
        self.signed = b"holdfast-1 " + domain.encode() + b"\n" + line.replace(written, b'"signature":null')


class Container:
    """A sealed archive or body, opened by an identity."""

    def __init__(self, content: bytes, kind: int, identity: Identity):
        self.content, self.header = content, content[:64]
        preamble_count, = struct.unpack("<I", content[12:16])
        self.info = b"holdfast-1 object key" + content[16:48] + bytes([kind])
        slots, label_count, zero = struct.unpack("<HHI", content[64:72])
        assert preamble_count == 8 + 96 * slots + label_count and zero == 0
        self.preamble, label = content[64:64 + preamble_count], content[72 + 96 * slots:64 + preamble_count]
        slot = next(content[at:at + 96] for at in range(72, 72 + 96 * slots, 96) if content[at:at + 16] == identity.id)
        self.hpke = HPKE.receive(identity.private, slot[16:48], self.info)
        self.key = AESGCM(self.hpke.key).decrypt(self.hpke.nonce, slot[48:], b"")
        self.label = self.open(LABEL, label, b"\x02")
        self.frame_context, self.index_digest, self.plain = b"", b"", b""
        self.read_frame()

    def open(self, number: int, sealed: bytes, context: bytes) -> bytes:
        return AESGCM(self.key).decrypt(nonce(number), sealed, self.header + context)

    def read_frame(self) -> None:
        """Of both objects of the example there is one frame."""
        trailer = self.content[-32:]
        index_offset, frames, width, length, magic = struct.unpack("<QIIQ8s", trailer)
        assert (frames, width, length, magic) == (1, 56, len(self.content), b"TSAFDLOH")
        index, seal = self.content[index_offset:-48], self.content[-48:-32]
        offset, stored, plain, codec, zeros, number, digest = struct.unpack("<QIIB3sI32s", index)
        frame = self.content[offset:offset + stored]
        assert offset == 64 + len(self.preamble) and offset + stored == index_offset and codec == 0 and not any(zeros)
        assert hashlib.sha256(frame).digest() == digest
        self.frame_context, self.number = b"\x01" + struct.pack("<IB", plain, codec), number
        self.plain = self.open(number, frame, self.frame_context)
        outline = self.header + self.preamble + index + trailer
        self.index_digest = hashlib.sha256(outline).digest()
        assert self.open(SEAL, seal, b"\x03" + self.index_digest) == b""
        self.digest = hashlib.sha256(outline + seal).digest()


class Example:
    """The whole example; what does not fit together fails here."""

    def __init__(self) -> None:
        identity_text, seed = key_text("identity.key", "holdfast-identity-")
        writer_text, writer_seed = key_text("writer.key", "holdfast-writer-secret-")
        self.identity, self.writer = Identity(seed), Ed25519PrivateKey.from_private_bytes(writer_seed)
        recipient = "holdfast-recipient-" + (self.identity.opening + self.identity.authority).hex()
        recipient += "-" + hashlib.sha256(recipient.encode()).hexdigest()[:8]
        self.texts = [identity_text, recipient, writer_text]
        self.keyring = Manifest(FIXTURE / "keyring/0000000001.json", "keyring")
        self.envelope = Manifest(SNAPSHOT / "manifest.json", "manifest")
        self.repository = bytes.fromhex(self.keyring.fields["repository"])
        self.open_passphrase()
        self.archive, self.body = self.open_object("archive", ARCHIVE), self.open_object("body", BODY)
        assert self.archive.plain == GREETING
        assert self.archive.digest.hex() == self.envelope.fields["archives"][0]["digest"]
        assert self.body.digest.hex() == self.envelope.fields["body"]["digest"]
        self.root_key = derive(self.body.key, "state root")
        self.root = hashlib.sha256(state_entries(self.body.plain)).digest()
        self.sealed_root = hmac.new(self.root_key, self.root, hashlib.sha256).digest()
        assert self.sealed_root.hex() == self.envelope.fields["state"]["root"]

    def open_object(self, name: str, kind: int) -> Container:
        path, = SNAPSHOT.glob(name + "-*")
        container = Container(path.read_bytes(), kind, self.identity)
        assert container.header == struct.pack(
            "<8sHBBI16s16s16x", b"HOLDFAST", 1, kind, 1, len(container.preamble), self.repository,
            bytes.fromhex(path.name[len(name) + 1:]))
        return container

    def open_passphrase(self) -> None:
        """The second recipient is the identity that its passphrase opens."""
        member = self.keyring.fields["recipients"][1]
        seal = member["passphrase"]
        passphrase = (KEYS / "passphrase.txt").read_bytes().rstrip(b"\n")
        self.passphrase_key = hashlib.scrypt(
            passphrase, salt=bytes.fromhex(seal["salt"]), n=1 << seal["logN"], r=seal["r"], p=seal["p"],
            maxmem=1 << 30, dklen=32)
        context = b"holdfast-1 passphrase" + self.repository
        seed = AESGCM(self.passphrase_key).decrypt(bytes(12), bytes.fromhex(seal["sealed"]), context)
        self.by_passphrase = Identity(seed)
        assert self.by_passphrase.id.hex() == member["id"]

    def values(self) -> Dict[str, bytes]:
        """Everything that the page prints of it, beside the bytes of files."""
        identity, hpke = self.identity, self.archive.hpke
        return {
            "opening private key": identity.private, "opening key": identity.opening,
            "authority seed": identity.authority_seed, "authority key": identity.authority, "recipient ID": identity.id,
            "writer": raw(self.writer), "scrypt": self.passphrase_key, "seed by passphrase": self.by_passphrase.seed,
            "X25519": hpke.exchanged, "shared secret": hpke.shared_secret, "HPKE key": hpke.key,
            "HPKE nonce": hpke.nonce, "object key": self.archive.key, "nonce": nonce(self.archive.number),
            "label nonce": nonce(LABEL), "seal nonce": nonce(SEAL), "frame": self.archive.frame_context,
            "index digest": self.archive.index_digest, "object digest": self.archive.digest,
            "body's object key": self.body.key, "state root key": self.root_key, "state root": self.root,
            "sealed state root": self.sealed_root, "keyring digest": self.keyring.digest,
            "manifest digest": self.envelope.digest,
        }


# ---- The page ----

def section() -> str:
    page = (ROOT / "docs/format.md").read_text()
    start = page.index("### The same, sealed\n")
    end = page.find("\n## ", start)
    return page[start:] if end < 0 else page[start:end]


def dumped(block: str) -> bytes:
    """The bytes of a dump; each line begins with the offset of its first byte."""
    content = b""
    for line in block.splitlines():
        if not DUMP_LINE.match(line):
            continue
        assert int(line[:3], 16) == len(content), f"{line} is at {len(content):03x}"
        at = 3
        while item := DUMP_ITEM.match(line, at):
            content += bytes(int(item[1])) if item[1] else bytes.fromhex(item[2])
            at = item.end()
    return content


class WorkedExampleTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.example, cls.section = Example(), section()
        cls.blocks = CODE_BLOCK.findall(cls.section)

    def test_the_dump_is_the_archive(self) -> None:
        dump = next(block for block in self.blocks if DUMP_LINE.match(block))
        self.assertEqual(dumped(dump), self.example.archive.content)

    def test_the_lines_of_keyring_and_envelope_are_those_of_the_files(self) -> None:
        lines = [block.replace("\n", "").encode() + b"\n" for block in self.blocks if block.startswith("{")]
        self.assertEqual(lines, [self.example.keyring.line, self.example.envelope.line])

    def test_every_value_is_printed(self) -> None:
        printed = re.sub(r"(?<=[0-9a-f]) (?=[0-9a-f]{2}\b)", "", self.section)
        for name, value in self.example.values().items():
            with self.subTest(name):
                self.assertIn(value.hex(), printed)
        for text in self.example.texts:
            self.assertIn(text, printed)

    def test_nothing_is_printed_that_was_not_computed(self) -> None:
        known = [value.hex() for value in self.example.values().values()] + self.example.texts
        known += [self.example.keyring.line.decode(), self.example.envelope.line.decode()]
        for number in re.findall(r"[0-9a-f]{16,}", self.section):
            with self.subTest(number):
                self.assertTrue(any(number in text for text in known))

    def test_signatures_are_made_again_as_they_stand(self) -> None:
        for manifest in (self.example.keyring, self.example.envelope):
            self.assertEqual(manifest.fields["signature"]["key"], raw(self.example.writer).hex())
            self.assertEqual(self.example.writer.sign(manifest.signed), manifest.value)

    def test_labels_are_the_path_of_the_source_and_nothing(self) -> None:
        self.assertEqual((self.example.body.label, self.example.archive.label),
                         (b"/srv/example".ljust(128, b"\0"), bytes(128)))
