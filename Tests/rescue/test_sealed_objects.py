"""Tests of Scripts/rescue.py with sealed repositories: archives and bodies that are not what they should be."""
from __future__ import annotations

import os
import shutil
import struct
import unittest
from typing import Any, Dict, Optional, Tuple, Type
from unittest import mock

from plain_writer import PAGE, file, noise, proved, root, zstandard_frame
from sealed_writer import ANNA, CARLA, SealedCase, Sealer, put, sha256
from rescue.codecs import zstandard_decoder


class SealedObjectTests(SealedCase):
    """Preambles, seals and frames."""

    def sealed_by(self, sealer: Type[Sealer], codec: Optional[int] = None) -> None:
        shutil.rmtree(self.writer.path / "sources", ignore_errors=True)
        self.writer.snapshots.clear()
        self.writer.sealer = sealer
        self.writer.snapshot([root(), file(b"a", noise(1, 9 * PAGE))], codec=codec)

    def test_parity(self) -> None:
        """It is over what is sealed, and needs no key."""
        class WithParity(Sealer):
            parity = True
        self.writer.parity, self.writer.sealer = 20, WithParity
        content = noise(1, 90_000)
        self.writer.snapshot([root(), file(b"orders", content)])
        self.use(ANNA)
        self.assertEqual((self.restore() / "orders").read_bytes(), content)
        for path in self.writer.path.glob("sources/home/*/*-*"):
            data = bytearray(path.read_bytes())
            for place in (20, 5000 % len(data), len(data) - 20):
                data[place] ^= 1
            path.write_bytes(data[:-3])
        self.assertEqual((self.restore() / "orders").read_bytes(), content)

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

    @unittest.skipUnless(zstandard_decoder(), "nothing here reads Zstandard")
    def test_zstandard(self) -> None:
        """What is stored can be proved without a key; with one, pages too, if something reads Zstandard."""
        self.sealed_by(Sealer, codec=2)
        self.assertEqual(self.run_rescue("verify")[0], 0)
        self.use(ANNA)
        self.refused("is not exactly one Zstandard frame", restore=False)
        shutil.rmtree(self.writer.path / "sources")
        self.writer.snapshots.clear()
        self.writer.zstandard = zstandard_frame
        data = noise(1, 5 * PAGE)
        self.writer.snapshot([root(), file(b"a", data)])
        with mock.patch("rescue.objects.zstandard_decoder", lambda: None):
            self.refused("Zstandard", "HINT: Install the program `zstd`", lines=2)
        self.assertEqual((self.restore() / "a").read_bytes(), data)


if __name__ == "__main__":
    unittest.main()
