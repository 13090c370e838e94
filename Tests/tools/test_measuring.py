"""Tests of what the benches share: running and accounting, trees of files, tables, and how a script ends."""

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from unittest import mock

from support import SCRIPTS, TestInDirectory

from tools.command import Failure
from tools.files import compare, copy, is_tmpfs, place, tree_size
from tools.report import Verdict, cost_rows, figure, markdown, write_json
from tools.running import Cost, measure, median_cost, quietly
from tools.test_times import durations, tables


class RunningTests(TestInDirectory):
    """What a command took."""

    def measure(self, *pipeline: list[str]) -> Cost:
        """In the directory of the test."""
        return measure(list(pipeline), self.root, dict(os.environ))

    def test_a_pipeline_runs_in_its_directory_and_its_time_is_taken(self) -> None:
        self.write("words", "b\na\n")
        cost = self.measure(["sh", "-c", "sleep 0.2; cat words"], ["sort", "-o", "sorted"])
        self.assertEqual((self.root / "sorted").read_text(), "a\nb\n")
        self.assertGreaterEqual(cost.wall_s, 0.2)
        self.assertLess(cost.cpu_s, cost.wall_s)

    def test_the_processor_time_is_that_of_all_and_the_peak_that_of_the_largest(self) -> None:
        burn = "import time\nx = bytearray({} << 20)\nwhile time.process_time() < 0.2: pass"
        cost = self.measure(*([sys.executable, "-c", burn.format(mib)] for mib in (1, 120)))
        self.assertGreaterEqual(cost.cpu_s, 0.4)
        self.assertGreaterEqual(cost.peak_mib, 120)
        self.assertLess(cost.peak_mib, 240)

    def test_a_command_that_fails_ends_the_measurement_with_what_it_said(self) -> None:
        with self.assertRaisesRegex(Failure, r"sh -c .* \| cat: exit \[3, 0\]\nwhy"):
            self.measure(["sh", "-c", "echo why >&2; exit 3"], ["cat"])
        with self.assertRaisesRegex(Failure, "sh -c .*: exit 4\nthat is why"):
            quietly(["sh", "-c", "echo that is why >&2; exit 4"])

    def test_a_reader_that_stops_early_does_not_keep_its_writer(self) -> None:
        with self.assertRaisesRegex(Failure, "yes"):
            self.measure(["yes"], ["head", "-n", "1"])

    def test_medians_are_taken_figure_by_figure(self) -> None:
        costs = [Cost(1, 30, 5, 2), Cost(2, 10, 4), Cost(9, 20, 6, 4)]
        self.assertEqual(median_cost(costs), Cost(2, 20, 5, 3, (1, 2, 9)))


class FilesTests(TestInDirectory):
    """Trees."""

    def test_a_copy_takes_the_place_of_what_was_there_and_keeps_everything(self) -> None:
        self.write("from/d/file", "12345")
        os.utime(self.root / "from/d/file", ns=(1, 1))
        (self.root / "from/link").symlink_to("nowhere")
        self.write("to/old", "")
        copy(self.root / "from", self.root / "to")
        self.assertEqual(sorted(path.name for path in (self.root / "to").rglob("*")), ["d", "file", "link"])
        self.assertEqual((self.root / "to/d/file").stat().st_mtime_ns, 1)
        self.assertEqual(tree_size(self.root / "to"), (5, 1))
        compare(self.root / "from", self.root / "to")

    def test_every_difference_fails_and_more_only_where_it_must_be_exact(self) -> None:
        self.write("from/file", "1")
        self.write("to/file", "1")
        self.write("to/more", "")
        compare(self.root / "from", self.root / "to", exact=False)
        with self.assertRaisesRegex(Failure, "more"):
            compare(self.root / "from", self.root / "to")
        self.write("to/file", "2")
        with self.assertRaisesRegex(Failure, "differ"):
            compare(self.root / "from", self.root / "to", exact=False)

    def test_a_place_without_room_is_refused(self) -> None:
        with mock.patch("tools.files.say"):
            self.assertEqual(place(self.root, 1), self.root)
            with self.assertRaisesRegex(Failure, "less than .* MiB free"):
                place(self.root, 1 << 60)
        self.assertIs(is_tmpfs(self.root), quietly(["stat", "-fc", "%T", str(self.root)]) == "tmpfs\n")


class ReportTests(TestInDirectory):
    """Tables."""

    def test_a_table_has_figures_with_as_many_digits_as_mean_something(self) -> None:
        self.assertEqual([figure(value) for value in (None, 0.01234, 9.8765, 12.34, 123.4)],
                         ["", "0.012", "9.877", "12.3", "123"])
        self.assertEqual(markdown(["a", "b", "c"], [["x", "y", "1"]]),
                         "| a | b | c |\n| --- | --- | ---: |\n| x | y | 1 |\n")

    def test_rows_follow_the_order_of_steps_and_tools(self) -> None:
        costs = {("s", "b"): Cost(1, 2, 3, 4), ("s", "a"): Cost(5, 6, 7), ("t", "a"): Cost(8, 9, 10)}
        rows = cost_rows(costs, {"t": "second", "s": "first"}, {"a": "A", "b": "B"})
        self.assertEqual([row[:3] for row in rows],
                         [["second", "A", "8.000"], ["first", "A", "5.000"], ["first", "B", "1.000"]])

    def test_a_verdict_is_met_on_its_side_of_the_target(self) -> None:
        self.assertEqual([Verdict("", "", 2, target, at_least).met for target, at_least in
                          ((2, False), (2, True), (1, False), (1, True), (3, False), (3, True), (None, True))],
                         [True, True, False, True, True, False, None])
        self.assertEqual(Verdict("full", "share", 1.5, 1.05).row(), ["full", "share", "1.500", "", "≤ 1.05", "no"])
        judged = Verdict.of_walls("full", "ratio", (Cost(4, 1, 1, walls_s=(4, 6)), Cost(2, 1, 1, walls_s=(2, 2))))
        self.assertEqual(judged.row(), ["full", "ratio", "2.000", "2.000–3.000", "", ""])

    def test_the_same_figures_are_there_as_json(self) -> None:
        write_json(self.root / "out", {"mib": 3}, {("full", "tar"): Cost(1, 2, 3)}, [Verdict("full", "s", 1)],
                   {"live": []})
        said = json.loads((self.root / "out").read_text())
        self.assertEqual((said["mib"], said["costs"][0]["tool"], said["verdicts"][0]["met"], said["live"]),
                         (3, "tar", None, []))


class TestTimesTests(unittest.TestCase):
    """Scripts/test-times."""

    def test_the_longest_come_first_and_suites_are_added_up(self) -> None:
        def event(kind: str, test: str, second: float) -> str:
            return json.dumps({"kind": "event", "payload": {"kind": kind, "testID": test,
                                                            "instant": {"absolute": second}}})
        lines = [json.dumps({"kind": "test", "payload": {"id": "M.S"}}), event("testStarted", "M.S", 0)]
        for test, begun, ended in (("M.S/a()/F.swift:1:2", 1, 3), ("M.S/b(c:)/F.swift:2:2", 3, 4),
                                   ("M.T/d()/G.swift:1:2", 4, 6.5)):
            lines += [event("testStarted", test, begun), event("testEnded", test, ended)]
        lines += [event("testStarted", "M.T/e()/G.swift:9:2", 7), event("testEnded", "M.S", 8)]
        said = tables(durations(lines))
        rows = [line for line in said.splitlines() if line.startswith("| `")]
        self.assertEqual(rows, ["| `M.S` | 2.000 | 2 | 3.000 |", "| `M.T` | 2.500 | 1 | 2.500 |",
                                "| `d()` | `M.T` | 2.500 |", "| `a()` | `M.S` | 2.000 |",
                                "| `b(c:)` | `M.S` | 1.000 |"])
        self.assertTrue(said.startswith("3 tests took 6 s"), said)


class EndTests(unittest.TestCase):
    """How a script ends."""

    def end(self, body: str) -> "subprocess.Popen[str]":
        """A script with this body."""
        code = f"from tools.command import *\ndef main():\n  {body}\nrun(main)"
        return subprocess.Popen([sys.executable, "-c", code], cwd=SCRIPTS, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def test_a_failure_is_told_and_ends_with_1(self) -> None:
        ended = self.end("fail('no room')")
        self.assertEqual((*ended.communicate(), ended.returncode), ("", "-c: no room\n", 1))

    def test_success_ends_with_0(self) -> None:
        ended = self.end("say('working')")
        self.assertEqual((*ended.communicate(), ended.returncode), ("", "working\n", 0))

    def test_a_signal_ends_it_once_and_clears_up(self) -> None:
        body = ("import time; end_on_signals()\n  try: print('there', flush=True); time.sleep(60)\n"
                "  finally: say('cleared up')")
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            ended = self.end(body)
            self.assertEqual(ended.stdout.readline() if ended.stdout else "", "there\n")
            begun_s = time.monotonic()
            ended.send_signal(number)
            self.assertEqual((*ended.communicate(), ended.returncode), ("", "cleared up\n", 128 + number))
            self.assertLess(time.monotonic() - begun_s, 30)


if __name__ == "__main__":
    unittest.main()
