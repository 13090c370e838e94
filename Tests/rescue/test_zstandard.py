"""Tests of Scripts/rescue.py with frames of Zstandard: by each decoder that there is, and where there is none."""
from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import types
import unittest
from typing import Any, Callable, Dict, Tuple
from unittest import mock

from plain_writer import PAGE, Case, file, noise, root, zstandard_frame
from rescue import codecs
from rescue.problems import Damaged

DECODERS: Dict[str, Tuple[Callable[[], Any], bool]] = {  # the function that finds it, and whether it must be here
    "Python": (codecs.own_decoder, sys.version_info >= (3, 14)),
    "library": (codecs.library_decoder, False),
    "program": (codecs.program_decoder, True),
}


def by(decoder: codecs.Decoder) -> Any:
    """From here on this decoder is used."""
    return mock.patch("rescue.codecs.zstandard_decoder", lambda: decoder)


def made_by_program(data: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, stdout=subprocess.PIPE, check=True).stdout


@unittest.skipUnless(shutil.which("zstd"), "the program zstd is missing")
class ZstandardTests(Case):
    def each(self) -> Any:
        """Runs what follows with each decoder that is here."""
        for name, (find, must) in DECODERS.items():
            decoder = find()
            self.assertTrue(decoder or not must, name)
            if decoder:
                with self.subTest(name), by(decoder):
                    yield decoder

    def test_restore(self) -> None:
        text = b"".join(b"order %d of customer %d\n" % (i, i % 97) for i in range(1000))
        for compress in (zstandard_frame, made_by_program, lambda data: made_by_program(data, "-19", "--no-check")):
            self.writer.zstandard = compress
            self.writer.snapshot([root(), file(b"a", text), file(b"b", noise(1, 9 * PAGE))])
            for _ in self.each():
                target = self.restore()
                self.assertEqual((target / "a").read_bytes(), text)
                self.assertEqual((target / "b").read_bytes(), noise(1, 9 * PAGE))
                self.assertEqual(self.run_rescue("verify")[0], 0)

    def test_only_one_whole_frame(self) -> None:
        """Each decoder refuses the same, whatever it would take by itself."""
        text = noise(1, 3000) * 100
        frame = made_by_program(text)
        skipped = struct.pack("<II", 0x184D2A50, 4) + b"skip"
        for _ in self.each():
            self.assertEqual(codecs.expand(frame, len(text), "frame 0"), text)
            for wrong in (b"", frame[:-1], frame[:9], frame + b"\0", frame + skipped, skipped + frame, frame + frame,
                          zstandard_frame(b"")[:-1], b"\x28\xb5\x2f\xfd", noise(2, 4000)):
                with self.assertRaisesRegex(Damaged, "frame 0: is not exactly one Zstandard frame"):
                    codecs.expand(wrong, len(text), "frame 0")
            for count in (len(text) - 1, len(text) + 1, 1):
                with self.assertRaisesRegex(Damaged, f"frame 0: not {count} plain bytes"):
                    codecs.expand(frame, count, "frame 0")

    def test_damage(self) -> None:
        """Whatever is flipped, there is an error or a frame of the same length; page digests tell the rest."""
        text = noise(1, 300) * 20  # a frame of 320 bytes
        frame = made_by_program(text)
        for decoder in self.each():
            by_program = decoder.__qualname__.startswith("program")
            for place in range(0, len(frame), 60 if by_program else 1):
                bent = bytearray(frame)
                bent[place] ^= 0x55
                try:
                    self.assertEqual(len(codecs.expand(bytes(bent), len(text), "frame")), len(text))
                except Damaged as damage:
                    self.assertTrue(str(damage).startswith("frame: "))

    def test_a_bomb_is_cut_off(self) -> None:
        """Of a frame that says it has a byte and has a hundred million, no decoder gives more than was asked for."""
        blocks = b"".join(struct.pack("<I", (1 << 17) << 3 | 2 | (i == 800))[:3] + b"x" for i in range(801))
        bomb = b"\x28\xb5\x2f\xfd\x00\x88" + blocks  # repeats of a byte, in a window of 128 MiB
        for decoder in self.each():
            self.assertLessEqual(len(decoder(bomb, 1000)), 1000)
            with self.assertRaisesRegex(Damaged, "not 999 plain bytes"):
                codecs.expand(bomb, 999, "frame")

    def test_none(self) -> None:
        self.writer.zstandard = zstandard_frame
        self.writer.snapshot([root(), file(b"a", b"a")])
        with mock.patch("rescue.objects.zstandard_decoder", lambda: None):
            self.refused("body-", "is compressed with Zstandard, and nothing here reads that\n",
                         "HINT: Install the program `zstd`", lines=2)

    def test_order(self) -> None:
        """Python's own comes first, then the library, then the program."""
        codecs.zstandard_decoder.cache_clear()
        self.addCleanup(codecs.zstandard_decoder.cache_clear)
        own, library = types.ModuleType("compression"), types.ModuleType("zstandard")
        own.zstd = types.ModuleType("zstd")  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as empty:
            for modules, path, expected in (
                    ({"compression": own, "zstandard": library}, os.environ["PATH"], "own_decoder"),
                    ({"compression": None, "zstandard": library}, os.environ["PATH"], "library_decoder"),
                    ({"compression": None, "zstandard": None}, os.environ["PATH"], "program_decoder"),
                    ({"compression": None, "zstandard": None}, empty, None)):
                codecs.zstandard_decoder.cache_clear()
                with mock.patch.dict(sys.modules, modules), mock.patch.dict(os.environ, {"PATH": path}):
                    found = codecs.zstandard_decoder()
                self.assertEqual(found and found.__qualname__.partition(".")[0], expected)


if __name__ == "__main__":
    unittest.main()
