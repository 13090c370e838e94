"""Tests of Scripts/rescue.py: a repository whose archives are in shards is restored from any k of its targets.

    python3 -m unittest discover -s Tests/rescue
"""
from __future__ import annotations

import itertools
import os
import random
import shutil
import unittest
from pathlib import Path
from typing import List, Sequence, Tuple
from unittest import mock

from plain_writer import PAGE, Case, file, noise, root
from shard_writer import UNIT, divide, shards


class ShardTests(Case):
    """What is read through shards."""

    def divided(self, k: int, m: int, pages: int = 300) -> List[Path]:
        self.data = noise(1, pages * PAGE + 7)
        self.writer.snapshot([root(), file(b"orders", self.data)])
        places = [self.place / f"target{number}" for number in range(k + m)]
        divide(self.writer.path, places, self.writer.id, k, m)
        return places

    def run_at(self, place: Path, *arguments: str) -> Tuple[int, str, str]:
        with mock.patch.object(self.writer, "path", place):
            return self.run_rescue(*arguments)

    def restored_from(self, places: Sequence[Path]) -> bytes:
        target = self.place / "out"
        shutil.rmtree(target, ignore_errors=True)
        others = [word for place in places[1:] for word in ("--with", str(place))]
        status, _, error = self.run_at(places[0], *others, "restore", "latest", str(target))
        self.assertEqual((status, error), (0, ""))
        return (target / "orders").read_bytes()

    def test_any_k_are_enough(self) -> None:
        places = self.divided(2, 2)
        for chosen in itertools.permutations(places, 2):
            self.assertEqual(self.restored_from(chosen), self.data, chosen)

    def test_of_several_stripes(self) -> None:
        places = self.divided(1, 2, pages=3 * UNIT // PAGE)
        for place in places:
            self.assertEqual(self.restored_from([place]), self.data, place)

    def test_fewer_are_told(self) -> None:
        places = self.divided(3, 1)
        status, _, error = self.run_at(
            places[0], "--with", str(places[3]), "restore", "latest", str(self.place / "out"))
        self.assertEqual(status, 1)
        self.assertIn("is in shards (3+1): 2 of the 3 that it needs are there\nHINT: Name the directories", error)

    def test_damage_is_read_through(self) -> None:
        places = self.divided(2, 2)
        for seed in range(30):
            chance = random.Random(seed)
            hit = chance.sample(range(4), 2)
            kept = {}
            for number in hit:
                for path in places[number].glob("sources/*/*/*.2-2.*"):
                    data = bytearray(path.read_bytes())
                    kept[path] = bytes(data)
                    harm = chance.randrange(4)
                    if harm == 0:
                        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                    elif harm == 1:
                        del data[chance.randrange(len(data)):]
                    elif harm == 2:
                        data[:] = next(places[(number + 1) % 4].glob(f"sources/*/*/{path.name[:-1]}*")).read_bytes()
                    else:
                        data[:] = bytes(len(data))
                    path.write_bytes(data)
            self.assertEqual(self.restored_from(places), self.data, f"seed {seed}, at {hit}")
            for path, whole in kept.items():
                path.write_bytes(whole)

    def test_while_a_scheme_is_changed(self) -> None:
        """Some objects are whole still, or in shards of another scheme."""
        places = self.divided(2, 1)
        for path in places[1].glob("sources/*/*/body-*"):
            path.unlink()
        for body in self.writer.path.glob("sources/*/*/body-*"):
            shutil.copy(body, places[2] / body.relative_to(self.writer.path))
            os.unlink(next(places[0].glob(f"sources/*/*/{body.name}.*")))
            os.unlink(next(places[2].glob(f"sources/*/*/{body.name}.*")))
        self.assertEqual(self.restored_from(places), self.data)

    def test_lengths_at_edges(self) -> None:
        """A divided object has the bytes that it was divided of, whatever its length."""
        from rescue.shards import Shards
        key = "sources/shop/0000000001/archive-" + "ab" * 16
        for k, m in ((1, 1), (2, 1), (3, 2)):
            for length in (0, 1, k, k + 1, 4097, k * UNIT - 1, k * UNIT, k * UNIT + 1, k * UNIT + k + 1):
                data = noise(length, length)
                parts = shards(data, bytes(16), b"\xab" * 16, k, m)
                for lost in itertools.combinations(range(k + m), m):
                    places = []
                    for position, part in enumerate(parts):
                        folder = self.place / "edges" / str(position)
                        path = folder / f"{key}.{k}-{m}.{position}"
                        path.parent.mkdir(parents=True, exist_ok=True)
                        if position not in lost:
                            path.write_bytes(part)
                        places.append(str(folder))
                    [divided] = Shards(places, "00" * 16).of(key)
                    self.assertEqual(divided.read(0, length + 1), data, f"{length} bytes, {k}+{m}, without {lost}")
                    shutil.rmtree(self.place / "edges")


if __name__ == "__main__":
    unittest.main()
