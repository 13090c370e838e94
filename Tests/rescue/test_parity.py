"""Tests of Scripts/rescue.py on archives and bodies with parity.

    python3 -m unittest discover -s Tests/rescue
"""
from __future__ import annotations

import hashlib
import random
import shutil
import unittest
from pathlib import Path
from typing import Callable, List

import parity_writer
from plain_writer import Case, PAGE, file, noise, root

FIXTURE = Path(__file__).resolve().parents[2] / "Tests/Fixtures/format-1-parity"


class ParityTests(Case):
    """What is lost within the promise is read as if it were there."""

    def take(self, length: int, data: int = 20) -> bytes:
        self.writer.parity = data
        content = noise(length, length)
        self.writer.snapshot([root(), file(b"orders", content)])
        return content

    def containers(self) -> List[Path]:
        return sorted(self.writer.path.glob("sources/home/*/*-*"))

    def check(self, content: bytes, damaged: Path) -> None:
        """A restore brings all back, and says what is damaged."""
        self.restored += 1
        target = self.place / f"target {self.restored}"
        status, _, err = self.run_rescue("restore", "latest", str(target))
        key = damaged.relative_to(self.writer.path)
        self.assertEqual((status, err), (0, f"rescue: {key}: is damaged, and its parity gives back what is lost\n"))
        self.assertEqual((target / "orders").read_bytes(), content)

    def test_sound(self) -> None:
        for length in (100, PAGE, 20 * PAGE - 700, 90_000, 400_000):
            with self.subTest(length=length):
                content = self.take(length)
                self.assertEqual((self.restore() / "orders").read_bytes(), content)
                status, _, err = self.run_rescue("verify", "latest")
                self.assertEqual((status, err), (0, ""))

    def test_every_damage_within_the_promise(self) -> None:
        faults: List[Callable[[bytearray], object]] = [
            lambda data: data.__setitem__(20, data[20] ^ 1), lambda data: data.__setitem__(48, 0),
            lambda data: (data.__setitem__(48, 0), data.__setitem__(-60, data[-60] ^ 1)),
            lambda data: (data.__setitem__(48, 0), data.__delitem__(slice(-2000, None))),
            lambda data: data.__setitem__(slice(0, 4096), bytes(4096)[:len(data)]),
            lambda data: data.__setitem__(-20, data[-20] ^ 1), lambda data: data.__setitem__(-60, data[-60] ^ 1),
            lambda data: data.__delitem__(slice(-2000, None)), lambda data: data.__delitem__(slice(-9000, None)),
            lambda data: data.__setitem__(len(data) // 2, data[len(data) // 2] ^ 1)]
        content = self.take(400_000)
        for path in self.containers():
            whole = path.read_bytes()
            for number, fault in enumerate(faults):
                with self.subTest(path=path.name, fault=number):
                    data = bytearray(whole)
                    fault(data)
                    path.write_bytes(data)
                    self.check(content, path)
            path.write_bytes(whole)

    def test_random_pages(self) -> None:
        content = self.take(1_500_000)
        path = max(self.containers(), key=lambda each: each.stat().st_size)
        whole = path.read_bytes()
        core = next(size for size in range(1, len(whole))
                    if size + parity_writer.added(size, 20) + 32 == len(whole))
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        (_, count, stripes), = parity_writer.groups(core, 20)
        for _ in range(3):
            data = bytearray(whole)
            for stripe in range(stripes):
                for page in chance.sample(range(stripe, count, stripes), min(4, len(range(stripe, count, stripes)))):
                    data[4096 * page + chance.randrange(60)] ^= 1 << chance.randrange(8)
            path.write_bytes(data)
            with self.subTest(seed=seed):
                self.check(content, path)
        for page in range(0, 5 * stripes, stripes):
            whole = whole[:4096 * page + 99] + bytes([whole[4096 * page + 99] ^ 1]) + whole[4096 * page + 100:]
        path.write_bytes(whole)
        status, _, err = self.run_rescue("restore", "latest", str(self.place / "no"))
        self.assertEqual(status, 1)
        self.assertRegex(err, "frame [0-9]+: damaged")

    def test_damaged_parity_is_told(self) -> None:
        content = self.take(50_000)
        path = max(self.containers(), key=lambda each: each.stat().st_size)
        data = bytearray(path.read_bytes())
        data[-3000] ^= 1
        path.write_bytes(data)
        self.assertEqual((self.restore() / "orders").read_bytes(), content)
        status, _, err = self.run_rescue("verify", "latest")
        self.assertEqual(status, 1)
        self.assertIn("its parity does not have its digest", err)


class FixtureTests(Case):
    """What another program wrote from the page alone."""

    def test_restores_and_repairs(self) -> None:
        shutil.rmtree(self.writer.path)
        shutil.copytree(FIXTURE, self.writer.path)
        content = (self.restore() / "orders").read_bytes()
        self.assertEqual(hashlib.sha256(content).hexdigest(), hashlib.sha256(noise(7, 100_000)).hexdigest())
        for path in self.writer.path.glob("sources/home/*/archive-*"):
            data = bytearray(path.read_bytes())
            data[5000] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
        self.assertEqual((self.restore() / "orders").read_bytes(), content)


if __name__ == "__main__":
    unittest.main()
