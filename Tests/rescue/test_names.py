"""Tests of Scripts/rescue.py with sources that were renamed: any name of a source will do."""
from __future__ import annotations

import hashlib
import json
import unittest
from typing import Any, List, Optional

from plain_writer import TIME, Case, file, proved, root
from sealed_writer import SHOP, Host, SealedCase, signed


def names(identifier: str, number: int, before: Optional[str], sources: List[Any], **change: Any) -> Any:
    """A revision of the names of sources."""
    return {"format": 1, "features": [], "repository": identifier, "revision": number, "previous": before, "time": TIME,
            "sources": sources, "program": "test", "signature": None, **change}


def line_of(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


class NameTests(Case):
    """Names in a repository that is not sealed."""

    def put(self, number: int, line: bytes) -> str:
        path = self.writer.path / f"names/{number:010d}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(proved(line))
        return hashlib.sha256(line).hexdigest()

    def revise(self, *revisions: Any) -> None:
        before = None
        for number, sources in enumerate(revisions, 1):
            before = self.put(number, line_of(names(self.writer.id, number, before, sources)))

    def test_any_name(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"orders")])
        self.revise([{"source": "home", "name": "shop", "earlier": []}],
                    [{"source": "home", "name": "orders", "earlier": ["shop"]}])
        self.sound()
        self.assertIn("  CALLED orders\n", self.run_rescue("list")[1])
        for name in ("home", "shop", "orders"):
            self.assertEqual((self.restore("latest", 0, "--name", name) / "a").read_bytes(), b"orders")
            self.assertEqual((self.restore(f"{name}/1") / "a").read_bytes(), b"orders")
        self.assertEqual(self.run_rescue("restore", "latest", str(self.place / "x"), "--name", "other")[0], 1)

    def test_damage_keeps_nobody_from_the_stored_name(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"orders")])
        self.revise([{"source": "home", "name": "shop", "earlier": []}])
        self.put(3, line_of(names(self.writer.id, 3, None, [])))
        status, out, err = self.run_rescue("list")
        self.assertEqual(status, 1)
        self.assertIn("CALLED shop", out)
        self.assertIn("names: revision 2 is missing", err)
        target = self.place / "restored"
        self.assertEqual(self.run_rescue("restore", "latest", str(target), "--name", "home")[0], 1)
        self.assertEqual((target / "a").read_bytes(), b"orders")

    def test_what_was_begun_under_a_given_name(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"astray")], source="shop")
        self.revise([{"source": "home", "name": "shop", "earlier": []}])
        self.assertIn("  CALLED shop.stored\n", self.run_rescue("list")[1])
        self.assertEqual((self.restore("latest", 0, "--name", "shop.stored") / "a").read_bytes(), b"astray")
        self.writer.snapshot([root(), file(b"a", b"real")], source="shop.stored")
        other = f"shop.{hashlib.sha256(b'shop').hexdigest()[:8]}.stored"
        self.assertIn(f"  CALLED {other}\n", self.run_rescue("list")[1])
        for name, data in (("shop.stored", b"real"), (other, b"astray")):
            self.assertEqual((self.restore(f"{name}/1") / "a").read_bytes(), data)

    def test_a_long_name(self) -> None:
        long = "x" * 60
        self.writer.snapshot([root(), file(b"a", b"astray")], source=long)
        self.revise([{"source": "home", "name": long, "earlier": []}])
        called = f"{long[:48]}.{hashlib.sha256(long.encode()).hexdigest()[:8]}.stored"
        self.assertEqual(len(called), 64)
        self.assertIn(f"  CALLED {called}\n", self.run_rescue("list")[1])
        self.assertEqual((self.restore(f"{called}/1") / "a").read_bytes(), b"astray")

    def test_one_name_for_two(self) -> None:
        self.writer.snapshot([root(), file(b"a", b"orders")])
        self.revise([{"source": "home", "name": "shop", "earlier": []}, {"source": "x", "name": "shop", "earlier": []}])
        self.assertIn("gives one name to two sources", self.run_rescue("list")[2])


class SealedNameTests(SealedCase):
    """Only a writer that may prune gives names."""

    def put(self, key: Any, name: str, number: int = 1, before: Optional[str] = None,
            earlier: Optional[List[str]] = None) -> str:
        path = self.writer.path / f"names/{number:010d}.json"
        path.parent.mkdir(exist_ok=True)
        sources = [{"source": "home", "name": name, "earlier": earlier or []}]
        line = signed(names(self.writer.id, number, before, sources, features=["sealed"]), b"names", key)
        path.write_bytes(proved(line))
        return hashlib.sha256(line).hexdigest()

    def test_signer(self) -> None:
        self.chain()
        self.put(SHOP.key, "shop")
        self.assertIn("  CALLED shop\n", self.run_rescue("list")[1])
        self.put(Host("stranger").key, "shop")
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, "CALLED" in out), (1, False))
        self.assertIn("which is no writer of the repository", err)

    def test_the_highest_vouches_for_those_before_it(self) -> None:
        self.chain()
        before = self.put(Host("stranger").key, "shop")
        before = self.put(SHOP.key, "orders", 2, before, ["shop"])
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("  CALLED orders\n", out)
        self.put(Host("stranger").key, "letters", 3, before, ["shop", "orders"])
        status, out, err = self.run_rescue("list")
        self.assertEqual((status, "CALLED orders" in out), (1, True))
        self.assertIn("which is no writer of the repository", err)


if __name__ == "__main__":
    unittest.main()
