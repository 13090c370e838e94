"""Tests of Scripts/rescue.py with sealed repositories: what opens, with which key, and what it says without."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import unittest
from typing import Tuple
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from plain_writer import PAGE, SCRIPTS, Wrapper, Writer, file, noise, root
from sealed_writer import ANNA, BERT, CARLA, SAFE, SHOP, SealedCase, key_text, put, sha256
from rescue.sealing import hpke_open


class SealedTests(SealedCase):
    """Who opens what."""

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
        self.new_repository(ANNA.recipient(), SAFE.with_passphrase(phrase.encode(), Writer.ID))
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
        """As it is used: copied anywhere; and what it says when a file is missing, or the library is."""
        data = self.chain()[2]
        self.use(BERT)
        subprocess.run(["cp", "-r", SCRIPTS / "rescue.py", SCRIPTS / "rescue", self.place], check=True)

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
        shutil.rmtree(self.place / "rescue/__pycache__", ignore_errors=True)
        (self.place / "rescue/keyring.py").unlink()
        self.assertEqual(run(script), (
            1, "rescue: the repository is sealed, and rescue/keyring.py is missing\n"
            f"HINT: Copy the whole directory `rescue` from where rescue.py comes from to {self.place}\n"))

    def test_hpke_against_another_implementation(self) -> None:
        """What the HPKE of `cryptography` 48 sealed."""
        private = X25519PrivateKey.from_private_bytes(sha256(b"a private key for a test"))
        sent = bytes.fromhex("18a2258995f590898f156ff6741e73f97b97d6f003903c899a27c97c5e8a5920")
        sealed = bytes.fromhex("cbdb967ee57e4eb78bf0d9c096a716c42af21b84a2f9298e8cac5fb734c878a2"
                               "69d65b5e6f45643371bd547edbccdbeb")
        self.assertEqual(hpke_open(private, sent, b"some info", sealed), bytes(range(32)))

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
        self.writer.sealer = lambda *_: mock.Mock(wraps=Wrapper(), sealing=0, preamble=b"", secret=bytes(32))
        self.writer.snapshot([root()])
        self.unsound(words, "body-")

    def test_sealed_in_an_unsealed_repository(self) -> None:
        words = "is sealed, and the repository is not"
        Writer.descriptor(self.writer)
        self.writer.snapshot([root()])
        self.refused(words, "manifest.json")
        self.writer.line = lambda value: Writer.line(self.writer, {**value, "features": [], "signature": None})
        self.writer.snapshot([root()])
        self.refused(words, "manifest.json")
        self.writer.snapshot([root()], edit=lambda envelope: envelope.pop("keyring"))
        self.refused(words, "body-")

    def test_key_for_an_unsealed_repository(self) -> None:
        Writer.descriptor(self.writer)
        self.use(ANNA)
        text = ("a key is given, and the repository is not sealed: it is another one, or was replaced\n"
                "HINT: If you know that it never was sealed, leave the key out.")
        self.fails(text)
        (_, path), self.keys = self.keys, ()
        for name in ("HOLDFAST_IDENTITY_FILE", "HOLDFAST_PASSPHRASE_FILE"):
            with mock.patch.dict(os.environ, {name: path}):
                self.fails(text)


if __name__ == "__main__":
    unittest.main()
