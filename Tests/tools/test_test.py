"""Tests of Scripts/test with stubs in the place of everything that it runs."""

import re
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from support import SCRIPTS, TestInDirectory

SWIFT = """#!/bin/sh
echo "swift $*${HOLDFAST_TESTS_LONGER+ as at night}" >>"$LOG"
case "$*" in
  test*--filter*) echo "closing line of some tests" ;;
esac
"""
# What was built of the tests.
TESTS = """#!/bin/sh
echo "tests $*${HOLDFAST_TESTS_LONGER+ as at night}" >>"$LOG"
case "$*" in
  *--filter*) echo "closing line of those that start processes"; exit "${STARTING:-0}" ;;
  *) sleep "${TESTS_S:-0}"; echo "a test passed"; echo "closing line of the tests"; exit "${TESTS:-0}" ;;
esac
"""
BUILT = ".build/release/holdfastPackageTests.xctest"


class TestCommandTests(TestInDirectory):
    """The parts, their order, and how it ends."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("test", "test-longer"):
            (self.root / "Scripts").mkdir(exist_ok=True)
            shutil.copy(SCRIPTS / name, self.root / "Scripts" / name)
        for name in (".build", ".ci", "Tests/tools", "Tests/rescue"):
            (self.root / name).mkdir(parents=True)
        self.stub("bin/swift", SWIFT)
        (self.root / ".build/release").mkdir(parents=True)
        self.stub(BUILT, TESTS)
        self.stub("bin/shellcheck", "#!/bin/sh\n")
        self.stub("bin/id", "#!/bin/sh\necho ${USER_ID:-0}\n")
        for name in ("install-deps", "install-engines", "tidy", "soak", "fault-runs", "try-policies", "test-ceph",
                     "test-patroni", "test-page",
                     "test-hostile"):
            self.stub(f"Scripts/{name}", f'#!/bin/sh\necho "{name} $*" >>"$LOG"\necho "{name} ran"\n')
        self.stub("Scripts/build", '#!/bin/sh\necho "build $*" >>"$LOG"\necho /the/binary\n')
        self.write("Tests/Some/DrawnTests.swift", "arguments: [UInt64.random(in: 0 ... .max)]\n")
        self.write("Tests/Some/HistoryTests.swift", "arguments: Trials.seeds(byDay: 1, atNight: 2)\n")
        for name in ("tools", "rescue"):
            self.write(f"Tests/{name}/test_ok.py", "import unittest\nclass Ok(unittest.TestCase):\n"
                       "    def test_ok(self): pass\n")
        self.log = self.root / "log"
        self.environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin", "LOG": str(self.log), "TMPDIR": str(self.root)}

    def stub(self, path: str, text: str) -> None:
        """A program."""
        self.write(path, text).chmod(0o755)

    def start(self, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        """Scripts/test."""
        return subprocess.Popen([str(self.root / "Scripts/test"), *arguments], env=self.environment | settings,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run_test(self, *arguments: str, **settings: str) -> tuple[int, list[str]]:
        """Its exit status, and the lines that it prints."""
        running = self.start(*arguments, **settings)
        output, _ = running.communicate()
        return running.returncode, output.splitlines()

    def test_everything_runs_and_the_last_line_is_that_of_the_tests(self) -> None:
        status, lines = self.run_test()
        self.assertEqual((status, lines[-1]), (0, "closing line of the tests"), lines)
        self.assertEqual([line for line in lines if line.startswith("==")],
                         ["== style", "== build", "== scripts, and rescue.py against repositories of its own",
                          "== reports, as Chromium shows them",
                          "== live databases, captured while they are written",
                          "== repositories on servers, through faults", "== tests"])
        ran = self.log.read_text().splitlines()
        self.assertEqual([line.split()[0] for line in ran if not line.startswith("tests ")],
                         ["install-deps", "install-engines", "swift", "tidy", "build", "test-page", *["soak"] * 4,
                          *["fault-runs"] * 2, "try-policies"])
        self.assertEqual([line for line in ran if "--large" in line or "as at night" in line], [])
        parts = (self.root / ".build/test-times.md").read_text().splitlines()
        self.assertEqual(parts[:2], ["| part | seconds |", "|---|---:|"])
        self.assertRegex(parts[-1], r"^\| all \| \d+ \|$")
        self.assertEqual([path.name for path in self.root.glob("tmp.*")], [])

    def test_what_fails_is_the_status(self) -> None:
        self.assertEqual(self.run_test(TESTS="7")[0], 7)
        self.assertEqual(self.run_test(STARTING="5")[0], 5)
        self.stub("Scripts/fault-runs", "#!/bin/sh\nexit 4\n")
        self.assertEqual(self.run_test()[0], 4)
        self.stub("Scripts/fault-runs", "#!/bin/sh\n")
        self.stub("Scripts/soak", "#!/bin/sh\nexit 3\n")
        status, lines = self.run_test()
        self.assertEqual(status, 3)
        self.assertIn("a test passed", lines)
        self.write("Tests/tools/test_bad.py", "raise Exception('a script is broken')\n")
        status, lines = self.run_test()
        self.assertEqual(status, 1)
        self.assertIn("Exception: a script is broken", lines)
        self.assertNotIn("== tests", lines)
        self.stub("Scripts/tidy", "#!/bin/sh\necho untidy\nexit 1\n")
        self.assertEqual(self.run_test(), (1, ["install-deps ran", "install-engines ran", "== style", "untidy"]))

    def test_a_filter_runs_only_those_tests(self) -> None:
        self.assertEqual(self.run_test("Some"), (0, ["install-deps ran", "install-engines ran", "== build",
                                                      "closing line of some tests"]))
        self.assertIn("swift test --configuration release --skip-build --filter Some", self.log.read_text())

    def test_all_runs_what_takes_longer_before_the_tests_close(self) -> None:
        status, lines = self.run_test("--all")
        self.assertEqual((status, lines[-1]), (0, "closing line of the tests"), lines)
        self.assertEqual([line for line in lines if line.startswith("==")][-7:],
                         ["== live databases, captured for longer while they are written",
                          "== repositories on servers, through many more faults",
                          "== repositories in Ceph, which stops answering",
                          "== a PostgreSQL cluster under Patroni, which fails over",
                          "== suites that draw seeds, ten times more",
                          "== tests on a machine on which holdfast was badly used", "== tests"])
        ran = self.log.read_text()
        self.assertEqual(ran.count("--filter [.](DrawnTests|HistoryTests)/\n"), 10)
        for part, count in (("--filter", 2), ("--skip", 1)):
            self.assertEqual(len(re.findall(f"tests .* {part} \\^Holdfast\\(.* as at night\n", ran)), count, part)
        self.assertEqual(ran.count("--large"), 1)
        self.assertEqual([line for line in ran.splitlines() if "--outage" in line],
                         [f"fault-runs {kind} --outage --holdfast {self.root}/.build/release/holdfast"
                          for kind in ("s3 --seeds 500 --loss", "sftp --seeds 200")])
        for name in ("test-ceph", "test-patroni"):
            self.assertEqual(ran.count(f"{name} --holdfast {self.root}/.build/release/holdfast"), 1)
        self.assertIn("test-hostile ran", lines)

    def test_all_says_what_it_leaves_out_and_why(self) -> None:
        self.assertIn("left out: only root can make such a machine", self.run_test("--all", USER_ID="1000")[1])

    def test_all_goes_on_behind_what_fails_and_shows_it(self) -> None:
        self.stub("Scripts/test-hostile", "#!/bin/sh\necho somebody wrote into /etc\nexit 1\n")
        status, lines = self.run_test("--all")
        self.assertEqual((status, lines[-1]), (1, "closing line of the tests"))
        self.assertIn("somebody wrote into /etc", lines)

    def test_no_test_of_a_script_is_skipped_in_silence(self) -> None:
        self.write("Tests/rescue/test_skipped.py", "import unittest\nclass Skipped(unittest.TestCase):\n"
                   "    @unittest.skip('there is no library')\n    def test_skipped(self): pass\n")
        status, lines = self.run_test()
        self.assertEqual((status, lines[-2]), (1, "tests of scripts were skipped, and none may be"))
        status, lines = self.run_test(HOLDFAST_TESTS_NO_SKIP="")
        self.assertEqual((status, lines[-1]), (0, "closing line of the tests"))

    def test_whoever_ends_it_ends_the_tests(self) -> None:
        # As in the background of a script, where SIGINT is ignored.
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.SIG_IGN))
        self.stub(BUILT, '#!/bin/sh\ntrap "sleep 0.3; echo ended >>$LOG; exit" TERM\n'
                         'echo begun | tee -a "$LOG"; while :; do sleep 0.05; done\n')
        self.stub("Scripts/soak", '#!/bin/sh\nuntil grep -q begun "$LOG"; do sleep 0.01; done\n'
                                  'echo soaking; sleep 0.3\n')
        running = self.start()
        for line in running.stdout or ():
            if line == "soaking\n":
                break
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130)
        self.assertIn("begun", rest)
        self.assertIn("ended", Path(self.log).read_text())

    def test_an_option_that_it_does_not_have_is_told(self) -> None:
        status, lines = self.run_test("--al")
        self.assertEqual((status, lines[0]), (2, "Usage: Scripts/test [--all | --times | FILTER]"))


if __name__ == "__main__":
    unittest.main()
