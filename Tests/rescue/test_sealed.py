"""Tests of Scripts/rescue.py with sealed repositories that a small writer makes here, from docs/format.md.

The writer shares no code with what it tests: it has its own HPKE sender, keyring and signatures.
"""
from __future__ import annotations

import copy
import hashlib
import hmac
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Type
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import test_rescue as plain
from test_rescue import PAGE, SCRIPTS, TIME, Item, directory, file, noise, pages_of, proved, root

import rescue_sealing

RAW = Encoding.Raw, PublicFormat.Raw


# ---- The writer ----

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


class Sealer(plain.Wrapper):
    """Seals one object. Tests override a method to get it wrong."""
    sealing = 1

    def __init__(self, repository: str, kind: int, name: str, recipients: List[Dict[str, Any]]):
        self.kind, self.secret = kind, os.urandom(32)
        self.ids = bytes.fromhex(repository) + bytes.fromhex(name)
        self.info = b"holdfast-1 object key" + self.ids + bytes([kind])
        length = 8 + 96 * len(recipients) + len(self.label()) + 16
        self.header = b"HOLDFAST" + struct.pack("<HBBI", 1, kind, 1, length) + self.ids + bytes(16)
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


class SealedWriter(plain.Writer):
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
        envelope["source"]["path"], envelope["features"] = "", ["sealed"]
        envelope["keyring"] = {name: self.revisions[-1][name] for name in ("revision", "digest")}
        del envelope["signature"]

    def line(self, value: Dict[str, Any]) -> bytes:
        return super().line(value) if "signature" in value else signed(value, b"manifest", self.host.key)


# ---- The tests ----

def put(name: str, value: Any, *inside: Any) -> Callable[[Dict[str, Any]], None]:
    """Changes one field of a JSON object, somewhere inside."""
    def edit(whole: Dict[str, Any]) -> None:
        for step in inside:
            whole = whole[step]
        whole[name] = value
    return edit


ANNA, BERT, CARLA, SAFE = Person("anna"), Person("bert"), Person("carla"), Person("safe")
SHOP, THIEF = Host("shop"), Host("thief")


class SealedCase(plain.Case):
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


class SealedTests(SealedCase):
    # What opens

    def test_every_recipient_restores(self) -> None:
        states = self.chain()
        for person in (ANNA, BERT):
            self.use(person)
            self.sound()
            self.assertEqual(self.run_rescue("list")[1].count("  /srv/größe\n"), 3)
            for sequence, data in enumerate(states, 1):
                target = self.restore(f"home/{sequence}")
                self.assertEqual((target / "a").read_bytes(), data)
                self.assertEqual((target / "d/b").exists(), sequence < 3)

    def test_identity_from_the_environment(self) -> None:
        data = self.chain()[2]
        self.use(ANNA)
        (_, path), self.keys = self.keys, ()
        with mock.patch.dict(os.environ, HOLDFAST_IDENTITY_FILE=path):
            self.sound()
            self.assertEqual((self.restore() / "a").read_bytes(), data)
        with mock.patch.dict(os.environ, HOLDFAST_IDENTITY_FILE="none"):  # the command line comes first
            self.keys = "--identity", path
            self.sound()

    def test_passphrase(self) -> None:
        """From a file, from the environment, from a terminal; and though it was removed since."""
        phrase = "fünf Wörter sind genug"
        self.new_repository(ANNA.recipient(), SAFE.with_passphrase(phrase.encode(), plain.Writer.ID))
        data = self.chain()[2]
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer()])
        path = self.secret(phrase + "\n")
        self.keys = "--passphrase-file", path
        self.sound()
        self.assertEqual((self.restore() / "a").read_bytes(), data)
        self.keys = ()
        with mock.patch.dict(os.environ, HOLDFAST_PASSPHRASE_FILE=path):
            self.sound()
        with mock.patch("sys.stdin", mock.Mock(isatty=lambda: True)):
            with mock.patch("getpass.getpass", return_value=phrase):
                self.sound()
                self.assertEqual((self.restore() / "a").read_bytes(), data)
            with mock.patch("getpass.getpass", return_value="") as asked:
                self.assertIn("for want of a key", self.run_rescue("verify")[1])
                self.run_rescue("list")
                asked.assert_called_once()
        self.keys = "--passphrase-file", self.secret("four words")
        self.fails(f"wrong passphrase; the recipients of the repository are anna ({ANNA.id}), "
                   f"safe ({SAFE.id}, by passphrase)")

    def test_recipients_change(self) -> None:
        """A new recipient opens what comes after; who is removed opens what was before."""
        self.writer.snapshot([root(), file(b"a", b"old")])
        self.writer.revise(BERT.authority, [CARLA.recipient()], [SHOP.writer()])
        self.writer.snapshot([root(), file(b"a", b"new")])
        for person, opens in ((ANNA, 1), (CARLA, 2)):
            self.use(person)
            status, out, err = self.run_rescue("verify")
            self.assertEqual((status, out.count("is sound"), out.count("for want of a key")), (3, 1, 1))
            self.assertEqual(err.count("\n"), 1)
            self.assertIn(f"is sealed to {'carla' if person is ANNA else 'anna'} (", err)
            self.assertEqual((self.restore(f"home/{opens}") / "a").read_bytes(), b"old" if person is ANNA else b"new")
            self.restore(f"home/{3 - opens}", status=1)

    def test_chain_of_which_the_end_is_closed(self) -> None:
        self.chain()
        self.writer.revise(ANNA.authority, [CARLA.recipient()], [SHOP.writer()])
        self.writer.snapshot([file(b"c", b"")], parent=3)
        self.use(ANNA)
        status, out, err = self.run_rescue("verify")
        self.assertEqual((status, out.count("is sound"), out.count("for want of a key")), (3, 3, 1), err)

    def test_without_a_key(self) -> None:
        """list and verify work, and verify says what it did not prove; restore says whose key it needs."""
        self.chain()
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, out.count("  (sealed)\n"), err), (0, 3, ""))
        status, out, err = self.run_rescue("verify")
        self.assertEqual((status, err), (0, ""))
        lines = out.splitlines()
        self.assertEqual(lines[0], f"keyring  revision 1, which begins with {self.writer.revisions[0]['digest']}  "
                         f"recipients: anna ({ANNA.id}), bert ({BERT.id})  writers: shop ({SHOP.public})")
        length = sum(self.object(name).stat().st_size for name in ("archive", "body"))
        self.assertRegex(lines[1], f"^home/0000000001  [0-9a-f]{{32}}  is stored as it was signed: 2 objects, {length} "
                         "bytes; its pages were not proved, for want of a key$")
        self.assertEqual(len(lines), 4)
        self.fails(f"home/0000000001: is sealed to anna ({ANNA.id}), bert ({BERT.id})\n"
                   "HINT: Give --identity FILE or --passphrase-file FILE of one of them.", "restore", "latest", "none")

    def test_every_flipped_byte(self) -> None:
        """Is found without a key."""
        self.writer.snapshot([root(), file(b"a", noise(1, 3 * PAGE))])
        for path in (self.object("archive"), self.object("body"), self.object("manifest"), self.writer.keyring(1)):
            data = path.read_bytes()
            for place in {*range(0, len(data), 29), *range(0, 80, 2), *range(len(data) - 48, len(data), 2)}:
                path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
                self.assertEqual(self.run_rescue("verify")[0], 1, f"{path.name} {place}")
            path.write_bytes(data)
        self.assertEqual(self.run_rescue("verify")[0], 0)

    def test_as_a_script(self) -> None:
        """As it is used: two files, copied anywhere; and what it says when one is missing, or the library is."""
        data = self.chain()[2]
        self.use(BERT)
        for name in ("rescue.py", "rescue_sealing.py"):
            shutil.copy(SCRIPTS / name, self.place)

        def run(*arguments: str) -> Tuple[int, str]:
            done = subprocess.run([sys.executable, *arguments, str(self.writer.path), "restore", *self.keys, "latest",
                                   str(self.place / "target")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            return done.returncode, done.stdout.decode()
        script = str(self.place / "rescue.py")
        without = (f"import sys, runpy; sys.modules['cryptography'] = None; sys.path[0] = {str(self.place)!r}; "
                   "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')")
        self.assertEqual(run("-c", without, script), (
            1, "rescue: the repository is sealed, and this Python has no library `cryptography`\n"
            "HINT: As root, run: apt-get install python3-cryptography\n"))
        self.assertEqual(run(script)[0], 0)
        self.assertEqual((self.place / "target/a").read_bytes(), data)
        (self.place / "rescue_sealing.py").unlink()
        self.assertEqual(run(script), (1, "rescue: the repository is sealed, and rescue_sealing.py is missing\n"
                                       f"HINT: Copy it from where rescue.py comes from to {self.place}\n"))

    def test_hpke_against_another_implementation(self) -> None:
        """What the HPKE of `cryptography` 48 sealed."""
        private = X25519PrivateKey.from_private_bytes(sha256(b"a private key for a test"))
        sent = bytes.fromhex("18a2258995f590898f156ff6741e73f97b97d6f003903c899a27c97c5e8a5920")
        sealed = bytes.fromhex("cbdb967ee57e4eb78bf0d9c096a716c42af21b84a2f9298e8cac5fb734c878a2"
                               "69d65b5e6f45643371bd547edbccdbeb")
        self.assertEqual(rescue_sealing.hpke_open(private, sent, b"some info", sealed), bytes(range(32)))

    def test_example_in_the_format(self) -> None:
        """Its text of an identity is taken, and is that of the recipient ID which it says."""
        document = (SCRIPTS.parent / "docs/format.md").read_text()
        self.keys = "--identity", self.secret(re.search("^holdfast-identity-.*$", document, re.MULTILINE)[0])
        self.fails("wrong key: it is that of d321fb3745c70e02ed90b3f9fc803ece; the recipients of the repository are "
                   f"anna ({ANNA.id}), bert ({BERT.id})")
        self.assertIn("`d321fb3745c70e02ed90b3f9fc803ece`", document)
        text = re.sub(r"\s", "", re.search(r"^(holdfast-recipient-.*)\(in one piece", document, re.M | re.S)[1])
        public = bytes.fromhex(text.split("-")[2])
        self.assertEqual(text, key_text("recipient", public))
        self.assertEqual(sha256(public)[:16].hex(), "d321fb3745c70e02ed90b3f9fc803ece")

    # Wrong keys

    def test_wrong_key(self) -> None:
        self.chain()
        self.use(CARLA)
        self.fails(f"wrong key: it is that of {CARLA.id}; the recipients of the repository are "
                   f"anna ({ANNA.id}), bert ({BERT.id})")

    def test_key_files(self) -> None:
        self.writer.snapshot([root()])
        identity = key_text("identity", ANNA.seed)
        path = str(self.place / "secret")
        for mode in (0o640, 0o620, 0o604, 0o602, 0o666):
            for option in ("--identity", "--passphrase-file"):
                self.keys = option, self.secret(identity, mode)
                self.fails(f"{path}: is open to others than its owner\nHINT: Run: chmod 600 {path}")
        self.keys = "--identity", path
        form = f"{path}: does not hold one key: a line `holdfast-identity-…`, besides empty ones and comments"
        checksum = f"{path}: the key is mistyped: its last 8 digits, the checksum, do not fit the others"
        too_long = f"{path}: is too long for a key or a passphrase"
        other = f"{path}: holds a `holdfast-%s-…`, and what opens is an identity, with 64 digits"
        for text, error in [
                ("", form), ("# nothing\n", form), (f"{identity}\n{identity}\n", form), (identity.upper(), form),
                (identity[:-1], form), (f"my {identity}", form), ("x" * 70_000, too_long),
                (identity.replace("5", "6"), checksum), (identity[:-8] + "00000000", checksum),
                (key_text("writer-secret", ANNA.seed), other % "writer-secret"),
                (key_text("writer-secret-2", ANNA.seed), other % "writer-secret-2"),
                (key_text("recipient", ANNA.public), other % "recipient"),
                (key_text("identity", ANNA.public), other % "identity")]:
            with self.subTest(text=text[:80]):
                self.secret(text)
                self.fails(error)
        for text in ("", "\n", "two\nlines\n"):
            self.keys = "--passphrase-file", self.secret(text)
            self.fails(f"{path}: does not hold one line, the passphrase")
        for option in ("--identity", "--passphrase-file"):
            self.keys = option, path + "x"
            self.fails(f"{path}x: No such file or directory")

    # Downgrades

    def test_unsealed_in_a_sealed_repository(self) -> None:
        words = "is not sealed, and the repository is"
        self.writer.snapshot([root()], edit=put("features", []))
        self.unsound(words)
        self.writer.snapshot([root()], edit=put("signature", None))
        self.unsound("signature is not an object")
        self.writer.snapshot([root()], edit=put("path", "/srv", "source"))
        self.unsound("has the path of its source in the clear")
        self.writer.sealer = lambda *_: mock.Mock(wraps=plain.Wrapper(), sealing=0, preamble=b"", secret=bytes(32))
        self.writer.snapshot([root()])
        self.unsound(words, "body-")

    def test_sealed_in_an_unsealed_repository(self) -> None:
        words = "is sealed, and the repository is not"
        plain.Writer.descriptor(self.writer)
        self.writer.snapshot([root()])
        self.refused(words, "manifest.json")
        self.writer.line = lambda value: plain.Writer.line(self.writer, {**value, "features": [], "signature": None})
        self.writer.snapshot([root()])
        self.refused(words, "manifest.json")
        self.writer.snapshot([root()], edit=lambda envelope: envelope.pop("keyring"))
        self.refused(words, "body-")

    def test_key_for_an_unsealed_repository(self) -> None:
        plain.Writer.descriptor(self.writer)
        self.use(ANNA)
        text = ("a key is given, and the repository is not sealed: it is another one, or was replaced\n"
                "HINT: If you know that it never was sealed, leave the key out.")
        self.fails(text)
        (_, path), self.keys = self.keys, ()
        for name in ("HOLDFAST_IDENTITY_FILE", "HOLDFAST_PASSPHRASE_FILE"):
            with mock.patch.dict(os.environ, {name: path}):
                self.fails(text)

    def test_descriptor(self) -> None:
        for change in ({"features": []}, {"sealing": "none"}, {"features": [], "sealing": "none"}):
            self.writer.descriptor(**change)
            self.fails("holdfast.json: does not agree with itself on whether the repository is sealed")
        for features in (["sealed", "future"], ["sealed", "sealed"], "sealed"):
            self.writer.descriptor(features=features)
            self.fails(f"holdfast.json: format 1 with features {features!r}; "
                       "this tool knows format 1, without features or with 'sealed'")
        self.writer.descriptor(keyring="0" * 64)
        self.fails("keyring/0000000001.json: is not the one that holdfast.json names")
        self.writer.descriptor(keyring=None)
        self.fails("holdfast.json: keyring is 'None'")

    # The keyring

    def test_gaps_in_the_keyring(self) -> None:
        for _ in range(2):
            self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer()])
        (self.writer.path / "keyring/.0000000004.json").write_bytes(b"unfinished")
        self.writer.snapshot([root()])
        self.use(ANNA)
        self.sound()
        for revision in (1, 2):
            hidden = self.writer.keyring(revision).rename(self.place / "hidden")
            self.fails(f"keyring: revision {revision} is missing")
            hidden.rename(self.writer.keyring(revision))
        self.writer.keyring(3).unlink()
        self.unsound("was taken under revision 3 of the keyring, and the highest here is 2")
        with mock.patch("rescue_sealing.MOST_REVISIONS", 1):
            self.fails("keyring: has more than 1 revisions")
        shutil.rmtree(self.writer.path / "keyring")
        self.fails("keyring: No such file or directory")
        (self.writer.path / "keyring").mkdir()
        self.fails("keyring: has no revision, and the repository is sealed")

    def test_wrong_revisions(self) -> None:
        one, two, zero = [ANNA.recipient()], [ANNA.recipient(), BERT.recipient()], "0" * 64
        many = [{**ANNA.recipient(), **self.fresh(i)} for i in range(65)]
        shop, owner, first = [SHOP.writer()], ANNA.authority, "keyring/0000000001.json: "
        here, stranger = "keyring/0000000002.json: ", "is not signed by a recipient of the revision before it"
        for error, key, recipients, writers, edit in [
                ("is another revision", owner, one, shop, put("revision", 3)),
                ("is another revision", owner, one, shop, put("repository", zero[:32])),
                ("does not follow the one before it", owner, one, shop, put("previous", zero)),
                ("does not follow the one before it", owner, one, shop, put("previous", None)),
                ("is not sealed, and the repository is", owner, one, shop, put("features", [])),
                ("format 1 with features ['sealed', 'x']; this tool knows format 1, without features or with 'sealed'",
                 owner, one, shop, put("features", ["sealed", "x"])),
                ("format 2 with features ['sealed']; this tool knows format 1, without features or with 'sealed'",
                 owner, one, shop, put("format", 2)),
                (stranger, SHOP.key, one, shop, None), (stranger, CARLA.authority, [CARLA.recipient()], shop, None),
                ("has 0 recipients, not 1 to 64", owner, [], shop, None),
                ("has 65 recipients, not 1 to 64", owner, many, shop, None),
                ("has one of its recipients twice", owner, one * 2, shop, None),
                ("has 0 writers, not 1 to 1024", owner, one, [], None),
                ("has one of its writers twice", owner, one, shop * 2, None),
                ("a writer has left the list", owner, one, [THIEF.writer()], None),
                (f"recipient {BERT.id}: its ID is not that of its keys",
                 owner, [ANNA.recipient(id=BERT.id)], shop, None),
                (f"writer {SHOP.public}: revoked is not an object",
                 owner, one, shop, put("revoked", True, "writers", 0)),
                (f"writer {SHOP.public}: revoked: accepted 0 is 'x'", owner, one, [SHOP.writer(["x"])], None)]:
            with self.subTest(error=error):
                self.new_repository(*two)
                self.writer.revise(key, recipients, writers, edit or (lambda value: None))
                self.fails(here + error)
        self.new_repository()
        self.writer.revisions.clear()
        self.writer.revise(owner, one, shop)
        self.fails(first + "is not signed by the first of its writers")

    @staticmethod
    def fresh(number: int) -> Dict[str, str]:
        opening, authority = sha256(b"%d" % number), sha256(b"authority %d" % number)
        return {"id": sha256(opening + authority)[:16].hex(), "opening": opening.hex(), "authority": authority.hex()}

    def test_scrypt_out_of_bounds(self) -> None:
        """Is refused before anything is computed."""
        recipient = SAFE.with_passphrase(b"x", plain.Writer.ID)
        self.keys = "--passphrase-file", self.secret("x")
        bounds = "passphrase: parameters of scrypt are out of bounds"
        with mock.patch("rescue_sealing.Scrypt", side_effect=AssertionError):
            for change, error in [({"logN": 14}, bounds), ({"logN": 19}, bounds), ({"r": 9}, bounds),
                                  ({"p": 2}, bounds),
                                  ({"logN": 1 << 70}, "passphrase: logN is not a number in range"),
                                  ({"salt": "00"}, "passphrase: salt is '00'"),
                                  ({"sealed": "00"}, "passphrase: sealed is '00'")]:
                self.new_repository({**recipient, "passphrase": {**recipient["passphrase"], **change}})
                self.fails(f"keyring/0000000001.json: recipient {SAFE.id}: {error}")

    def test_passphrase_that_opens_somebody_else(self) -> None:
        sealed = SAFE.with_passphrase(b"x", plain.Writer.ID)["passphrase"]
        self.new_repository(ANNA.recipient(passphrase=sealed))
        self.keys = "--passphrase-file", self.secret("x")
        self.fails(f"keyring: the passphrase of {ANNA.id} opens the identity of somebody else")

    def test_signatures_of_the_keyring(self) -> None:
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer()])
        path = self.writer.keyring(2)
        line = path.read_bytes().partition(b"\n")[0] + b"\n"
        path.write_bytes(proved(line.replace(b'"name":"shop"', b'"name":"ship"')))
        self.fails("keyring/0000000002.json: its signature is wrong")
        path.write_bytes(proved(line.replace(b'"signature":', b'"signature": ')))
        self.fails("keyring/0000000002.json: its signature is not written as the format says")
        value = {**json.loads(line), "signature": None}
        made = ANNA.authority.sign(b"holdfast-1 manifest\n" + plain.Writer.line(self.writer, value))
        value["signature"] = {"key": ANNA.public[32:].hex(), "value": made.hex()}
        path.write_bytes(proved(plain.Writer.line(self.writer, value)))
        self.fails("keyring/0000000002.json: its signature is wrong")

    # Envelopes

    def test_envelopes_of_strangers(self) -> None:
        self.writer.host = THIEF
        self.writer.snapshot([root()])
        self.unsound(f"is signed by {THIEF.public}, which is no writer of the repository")

    def test_revoked_writers(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"a")])
        accepted = [self.writer.snapshots["home", 1]["digest"]]
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(accepted), THIEF.writer()])
        self.writer.host = THIEF
        self.writer.snapshot([file(b"b", b"b")], parent=1)
        self.use(ANNA)
        self.sound()
        self.assertEqual(sorted(os.listdir(self.restore())), ["a", "b"])
        self.writer.host = SHOP
        self.writer.snapshot([root()])
        self.unsound("home/0000000003", "is signed by shop, which is revoked")

    def note(self, host: Host, number: int = 1, purpose: bytes = b"notes", **change: Any) -> str:
        """Writes a revision that says that number 1 is removed; its digest."""
        removed = [self.writer.snapshots["home", 1]["envelope"]["snapshot"]]
        value = plain.notes(self.writer, number, removed, features=["sealed"], **change)
        return plain.put_notes(self.writer, number, signed(value, purpose, host.key))

    def test_notes(self) -> None:
        """Only a writer who counts makes `latest` pass over a snapshot."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        self.note(SHOP)
        self.assertIn("REMOVED", self.run_rescue("list")[1])
        self.use(ANNA)
        status, _, err = self.run_rescue("restore", "latest", "none")
        self.assertEqual((status, err), (1, "rescue: latest: no such snapshot\n"))
        self.assertEqual(os.listdir(self.restore("home/1")), ["a"])
        for host, purpose, words in ((THIEF, b"notes", f"is signed by {THIEF.public}, which is no writer"),
                                     (SHOP, b"manifest", "its signature is wrong")):
            self.note(host, 2, purpose)
            status, out, err = self.run_rescue("list")
            self.assertEqual(status, 1)
            self.assertIn(f"sources/home/notes/0000000002/notes.json: {words}", err)
            self.assertIn("REMOVED", out)  # as the revision before says
        # A revoked writer's count as far as the keyring says so.
        for removed in (True, False):
            self.new_repository()
            self.writer.snapshot([root(), file(b"a", b"a")])
            shop, noted = SHOP.writer([self.writer.snapshots["home", 1]["digest"]]), self.note(SHOP)
            shop["revoked"]["notes"] = [noted] if removed else []
            self.writer.revise(ANNA.authority, [ANNA.recipient()], [shop])
            status, out, err = self.run_rescue("list")
            self.assertEqual(("REMOVED" in out, "which is revoked" in err), (removed, not removed))

    def test_right_to_prune(self) -> None:
        """What a writer without it notes as removed is there, unless the removal is signed by one that has it."""
        self.writer.snapshot([root(), file(b"a", b"a")])
        thief = THIEF.writer(mayPrune=False)
        self.writer.revise(ANNA.authority, [ANNA.recipient()], [SHOP.writer(mayPrune=True), thief])
        self.note(THIEF)
        self.assertNotIn("REMOVED", self.run_rescue("list")[1])
        snapshot = self.writer.snapshots["home", 1]["envelope"]["snapshot"]
        claim = {"collected": False, "repository": self.writer.id, "revision": 1, "sequence": 1, "snapshot": snapshot,
                 "source": "home", "time": plain.TIME}
        line = json.dumps(claim, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        for number, (host, purpose, is_removed) in enumerate(
                [(SHOP, b"removal", True), (THIEF, b"removal", False), (SHOP, b"notes", False)], 2):
            value = host.key.sign(b"holdfast-1 " + purpose + b"\n" + line).hex()
            note = {"snapshot": snapshot, "sequence": 1, "tags": [], "pinned": None, "proved": None,
                    "removed": {"collected": False, "revision": 1, "time": plain.TIME,
                                "signature": {"key": host.public, "value": value}}}
            self.note(THIEF, number, notes=[note])
            self.assertEqual("REMOVED" in self.run_rescue("list")[1], is_removed, (host.name, purpose))

    def test_signatures_of_envelopes(self) -> None:
        self.writer.snapshot([root()])
        path = self.object("manifest")
        line = path.read_bytes().partition(b"\n")[0] + b"\n"
        signature = json.loads(line)["signature"]
        twice = json.dumps({"signature": signature}, separators=(",", ":")).encode()
        key = signature["key"].encode()
        for change, words in [(line.replace(b'"incomplete":0', b'"incomplete":1'), "its signature is wrong"),
                              (line.replace(b'{"archives"', b'{"Archives":%s,"archives"' % twice), "not written as"),
                              (line.replace(signature["value"].encode(), b"0" * 128), "its signature is wrong"),
                              (line.replace(key, key.upper()), "signature: key")]:
            path.write_bytes(proved(change))
            self.unsound(words)

    def test_revision_of_an_envelope(self) -> None:
        for edit, words in [(put("revision", 0, "keyring"), "under revision 0"),
                            (put("digest", "0" * 64, "keyring"), "was taken under another revision 1 of the keyring"),
                            (put("keyring", None), "keyring is not an object")]:
            self.writer.snapshot([root()], edit=edit)
            self.unsound(words)

    # Objects

    def sealed_by(self, sealer: Type[Sealer], codec: Optional[int] = None) -> None:
        shutil.rmtree(self.writer.path / "sources", ignore_errors=True)
        self.writer.snapshots.clear()
        self.writer.sealer = sealer
        self.writer.snapshot([root(), file(b"a", noise(1, 9 * PAGE))], codec=codec)

    def test_key_slots(self) -> None:
        people = self.writer.revisions[0]["recipients"]
        words = "is not sealed to the recipients of revision 1 of the keyring"
        carla = [CARLA.recipient()]
        for recipients in (people[:1], people + people[:1], people + carla, people[:1] + carla):
            self.sealed_by(lambda repository, kind, name, _: Sealer(repository, kind, name, recipients))
            self.unsound(words)
        self.sealed_by(lambda repository, kind, name, people: Sealer(repository, kind, name, people[::-1]))
        self.sound()

        class SmallOrder(Sealer):
            def slot(self, recipient: Dict[str, Any]) -> bytes:
                return bytes.fromhex(recipient["id"]) + bytes(32) + super().slot(recipient)[48:]

        class OtherObject(Sealer):
            def slot(self, recipient: Dict[str, Any]) -> bytes:
                self.info = self.info[:-1] + bytes([3 - self.kind])
                return super().slot(recipient)
        for sealer in (SmallOrder, OtherObject):
            self.sealed_by(sealer)
            self.use(ANNA)
            self.refused(f"the slot of recipient {ANNA.id} does not open")

    def test_preamble(self) -> None:
        class Changed(Sealer):
            change: bytes = b""

            def __init__(self, *arguments: Any):
                super().__init__(*arguments)
                self.preamble = self.change + self.preamble[len(self.change):]
        for change in (b"\2\0\x0f", b"\3", b"\0\0", b"\2\0\x1c\0\1"):
            self.sealed_by(type("Wrong", (Changed,), {"change": change}))
            self.unsound("its preamble is damaged")

        class NoLabel(Sealer):
            def __init__(self, *arguments: Any):
                super().__init__(*arguments)
                self.preamble = self.preamble[:2] + bytes(6) + self.preamble[8:8 + 2 * 96]
        self.sealed_by(NoLabel)
        self.unsound("its preamble is damaged")
        self.sealed_by(type("None", (Sealer,), {"preamble": property(lambda self: b"", lambda self, value: None)}))
        self.unsound("has a preamble of 0 bytes")

    def test_seal_and_label(self) -> None:
        class OtherSeal(Sealer):
            def seal(self, outer: bytes) -> bytes:
                return super().seal(outer + b"x")

        class OtherLabel(Sealer):
            def encrypt(self, number: int, data: bytes, associated: bytes) -> bytes:
                return super().encrypt(number, data, b"\1" if associated == b"\2" else associated)

        class LabelledArchive(Sealer):
            def label(self) -> bytes:
                return b"/".ljust(128, b"\0")
        for sealer, words in ((OtherSeal, "its seal does not open"), (OtherLabel, "its label does not open")):
            self.sealed_by(sealer)
            self.use(ANNA)
            self.refused(words)
        self.sealed_by(LabelledArchive)
        self.refused("is an archive with a label", restore=False)

    def test_frames(self) -> None:
        def first(self: Sealer, number: int) -> int:
            return 7

        def beyond(self: Sealer, number: int) -> int:
            return 0xFFFFFFFE - number

        class OtherLength(Sealer):
            def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
                return super().frame(number, data, plain + 1, codec)

        class OtherCodec(Sealer):
            def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
                return super().frame(number, data, plain, codec ^ 1)
        self.sealed_by(type("Same", (Sealer,), {"number": first}))
        self.unsound("two frames have the seal number 7")
        self.sealed_by(type("Beyond", (Sealer,), {"number": beyond}))
        self.unsound("a frame has the seal number 4294967294")
        for sealer in (OtherLength, OtherCodec):
            self.sealed_by(sealer)
            self.use(ANNA)
            self.refused("frame 0 does not open with the object key")

        class Unsealed(Sealer):
            def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
                return data, number
        self.sealed_by(Unsealed)
        self.unsound("body-", "a stored frame has two lengths")

        class TooShort(Sealer):
            def frame(self, number: int, data: bytes, plain: int, codec: int) -> Tuple[bytes, int]:
                sealed, seal_number = super().frame(number, data, plain, codec)
                return (sealed[:15] if self.kind == 1 else sealed), seal_number
        self.sealed_by(TooShort, codec=1)
        self.keys = ()
        self.refused("a frame is beyond the limit", restore=False)

    def test_frames_exchanged_by_a_writer_without_the_object_key(self) -> None:
        """Whoever has the writer key alone can sign anew, but cannot make the seal; only with a key this shows."""
        self.sealed_by(Sealer)
        path, envelope = self.object("archive"), self.writer.snapshots["home", 1]["envelope"]
        data = path.read_bytes()
        index = struct.unpack("<Q", data[-32:-24])[0]
        swapped = data[:index] + data[index + 56:index + 112] + data[index:index + 56] + data[index + 112:]
        path.write_bytes(swapped)
        ahead = 64 + struct.unpack("<I", data[12:16])[0]
        outer = swapped[:ahead] + swapped[index:-48] + swapped[-32:] + swapped[-48:-32]
        envelope["archives"][0]["digest"] = sha256(outer).hex()
        self.object("manifest").write_bytes(proved(self.writer.line(envelope)))
        self.assertEqual(self.run_rescue("verify")[0], 0)
        self.use(ANNA)
        self.refused("archive-", "its seal does not open with the object key", restore=False)
        self.assertEqual(os.listdir(self.restore(status=1)), [])

    def test_state_root(self) -> None:
        self.writer.snapshot([root()], edit=put("root", sha256(b"").hex(), "state"))
        self.use(ANNA)
        self.refused("does not have its state root")

    def test_zstandard(self) -> None:
        """Is not read here; what is stored can be proved all the same."""
        self.sealed_by(Sealer, codec=2)
        self.assertEqual(self.run_rescue("verify")[0], 0)
        self.use(ANNA)
        self.refused("Zstandard", "holdfast restore")


if __name__ == "__main__":
    unittest.main()
