"""Tests of Scripts/test-ceph and of what it shares with the fault runs: when it is left out, and what it finds."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import unittest
from unittest import mock

from support import TestInDirectory

from tools.ceph import main as command_line
from tools.ceph.server import missing
from tools.command import Failure
from tools.faults.interrupted import Interrupted
from tools.faults.runs import Ended


class MissingTests(unittest.TestCase):
    """Where it cannot run it says why."""

    def test_without_root(self) -> None:
        with mock.patch.object(os, "geteuid", return_value=1000):
            self.assertEqual(missing(), "needs root")

    def test_without_a_program(self) -> None:
        def found(name: str) -> str | None:
            return None if name in ("ceph-osd", "radosgw") else f"/usr/bin/{name}"

        with mock.patch.object(os, "geteuid", return_value=0), mock.patch.object(shutil, "which", found):
            self.assertEqual(missing(), "needs ceph-osd, radosgw, which Scripts/install-deps ceph installs")

    def test_the_reason_is_printed(self) -> None:
        output = io.StringIO()
        with (mock.patch.object(command_line, "missing", return_value="needs root"),
              mock.patch.object(subprocess, "run"), mock.patch.object(command_line, "end_on_signals"),
              mock.patch.object(sys, "argv", ["test-ceph"]), contextlib.redirect_stdout(output)):
            command_line.main()
        self.assertEqual(output.getvalue(), "left out: Ceph needs root\n")


class InterruptedTests(TestInDirectory):
    """What is wrong with a run in the middle of which something happens."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("Source", "AFTER_S"):
            patched = mock.patch(f"tools.faults.interrupted.{name}", 0.0 if name == "AFTER_S" else mock.DEFAULT)
            self.addCleanup(patched.stop)
            patched.start()
        tree = mock.patch("tools.faults.interrupted.describe", return_value={})
        self.addCleanup(tree.stop)
        tree.start()
        self.shop = Interrupted(self.root, "holdfast", "s3:http://127.0.0.1:1/orders/shop", {})

    def run_ends(self, status: int, errors: str = "", output: str = "", took_s: float = 1) -> Ended:
        """Interrupts a run that ends so."""
        ended = Ended(("backup",), status, output, errors, took_s, 1)
        with mock.patch.object(self.shop.machine, "run", return_value=ended):
            return self.shop.interrupt(lambda: None, "backup")

    def test_a_backup_that_succeeds_is_acknowledged(self) -> None:
        self.run_ends(0, output='{"snapshot": {"id": "7"}}')
        self.assertEqual(self.shop.acknowledged, {"7": {}})

    def test_a_failure_with_place_and_reason_is_right(self) -> None:
        self.run_ends(1, f"holdfast: {self.shop.location} does not answer: it is silent\nHINT: later")
        self.assertEqual(self.shop.acknowledged, {})

    def test_what_is_wrong_is_found(self) -> None:
        reason = f"holdfast: {self.shop.location} does not answer"
        for status, errors, took_s, found in ((1, "failed", 1, "names no place"), (21, reason, 1, "status 21"),
                                              (1, reason, 301, "took 301 s"), (11, reason, 1, "ended with 11")):
            with self.subTest(found), self.assertRaisesRegex(Failure, found):
                self.run_ends(status, errors, took_s=took_s)

    def test_a_run_that_ends_before_anything_happens_shows_nothing(self) -> None:
        with mock.patch("tools.faults.interrupted.AFTER_S", 0.1), self.assertRaisesRegex(Failure, "before anything"):
            self.run_ends(0, output='{"snapshot": {"id": "7"}}', took_s=0.05)


if __name__ == "__main__":
    unittest.main()
