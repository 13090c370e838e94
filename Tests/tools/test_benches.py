"""Tests of the benches: the tools take turns, every step begins where it should, and the targets are judged."""

import re
import shutil
import unittest
from pathlib import Path
from unittest import mock

from support import TestInDirectory, script

from tools.bench import steps as bench_steps
from tools.bench.main import names
from tools.bench.peers import TOOLS, Earlier, Holdfast, Tool, version
from tools.bench.steps import LABELS, STEPS, Bench
from tools.bench.targets import regressions, verdicts
from tools.bench.variants import Divided, IgzipTar, PigzTar, ThreeTargets, WithParity, codec_rows
from tools.bench_postgres import live, steps as postgres_steps
from tools.command import Failure
from tools.running import Cost, Pipeline

ENTRIES = ("bench", "bench-live", "bench-postgres", "bench-remote", "bench-watch", "fault-runs", "many-snapshots",
           "sample-shop", "simulate-year", "soak", "test-times", "tidy")


class Copier(Tool):
    """A tool that stores by copying."""
    name = title = "copier"
    log: list[str] = []
    must_lose = ""

    def init(self) -> list[str]:
        return ["mkdir", str(self.repository)]

    def note(self, what: str) -> None:
        """Remembers a turn."""
        self.log.append(f"{self.name} {what}")

    def backup(self, label: str) -> Pipeline:
        self.note(label)
        there = len(list(self.repository.iterdir()))
        return [["cp", "-a", ".", str(self.repository / f"{there}-{label}")]]

    def verify(self) -> Pipeline:
        self.note("verify")
        return [["true"]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        self.note("over" if over else "restore")
        newest = max(self.repository.iterdir())
        return [["sh", "-c", f"cp -a {newest}/. . && rm -f ./{self.must_lose or 'nothing'}"]]


class Other(Copier):
    """Another one."""
    name = title = "other"


class BenchTests(TestInDirectory):
    """The steps of Scripts/bench."""

    def setUp(self) -> None:
        super().setUp()
        Copier.log.clear()
        self.write("work/shop/orders", "1")
        self.tools = [kind(self.root / kind.name) for kind in (Copier, Other)]
        self.bench = Bench(self.root / "work", list(self.tools), 2)

        def age(*_: object) -> None:
            self.write("work/shop/orders", "22")
        for name, value in (("SETTLE_S", 0), ("sample_shop", age), ("say", lambda _: None)):
            patch = mock.patch.object(bench_steps, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def test_tools_take_turns_and_every_step_is_measured(self) -> None:
        self.bench.steps(STEPS)
        turns = [f"{tool} {step}" for step in STEPS for _ in range(2) for tool in ("copier", "other")]
        self.assertEqual(Copier.log, turns)
        self.assertEqual(set(self.bench.costs), {(step, tool.name) for step in STEPS for tool in self.tools})

    def test_each_backup_begins_with_the_state_after_the_full(self) -> None:
        self.bench.steps(["changed"])
        self.assertEqual(sorted(path.name for path in self.tools[0].repository.iterdir()), ["0-full", "1-changed"])
        self.assertEqual(Copier.log.count("copier full"), 1)
        self.assertEqual(Copier.log.count("copier changed"), 2)
        self.assertAlmostEqual(self.bench.costs["changed", "copier"].stored_mib or 0, 2 / (1 << 20))

    def test_what_is_restored_and_differs_fails_the_bench(self) -> None:
        with mock.patch.object(Other, "must_lose", "orders"):
            with self.assertRaisesRegex(Failure, "differs from the source"):
                self.bench.steps(["restore"])

    def test_what_an_earlier_build_is_judged_by(self) -> None:
        costs = {("full", "holdfast"): Cost(1.1, 1, 100, 50), ("full", "earlier"): Cost(1, 1, 1, 50),
                 ("full", "restic"): Cost(5.5, 1, 1, 60), ("unchanged", "holdfast"): Cost(0.05, 1, 130)}
        said = [(each.step, each.what, round(each.measured, 3), each.met) for each in verdicts(costs)]
        self.assertIn((LABELS["full"], "times the wall of the earlier build", 1.1, False), said)
        self.assertIn((LABELS["full"], "times as fast as restic", 5.0, True), said)
        self.assertIn((LABELS["unchanged"], "wall s", 0.05, True), said)
        self.assertIn(("everything above", "peak MiB", 130, False), said)

    def test_what_three_targets_are_judged_by(self) -> None:
        costs = {("targets", "holdfast"): Cost(1.3, 1, 1), ("one target", "holdfast"): Cost(1, 1, 1)}
        said = [(each.step, each.what, each.measured, each.met) for each in verdicts(costs)]
        self.assertIn((LABELS["targets"], "times the wall with one", 1.3, False), said)

    def test_what_parity_is_judged_by(self) -> None:
        costs = {("parity", "holdfast"): Cost(1.04, 1, 1), ("no parity", "holdfast"): Cost(1, 1, 1)}
        said = [(each.step, each.what, each.measured, each.met) for each in verdicts(costs)]
        self.assertIn((LABELS["parity"], "times the wall without", 1.04, True), said)
        with_parity, without = WithParity(self.root / "a", "/bin/this"), Holdfast(self.root / "b", "/bin/this")
        self.assertEqual(with_parity.backup("full")[0], [*without.backup("full")[0], "--parity", "2%"])

    def test_three_targets_are_configured(self) -> None:
        tool = ThreeTargets(self.root / "a", "/bin/this")
        tool.home.mkdir()
        with mock.patch("tools.bench.peers.quietly", return_value="age1x"), mock.patch("os.geteuid", return_value=1):
            self.assertEqual(tool.init(), ["/bin/this", "init", "--recipient", "age1x"])
        text = (self.root / "a/configuration/holdfast.yaml").read_text()
        self.assertEqual(re.findall(r"name: (\w+), path: '.*/(\w+)/shop'", text),
                         [("home", "repository"), ("second", "second"), ("third", "third")])

    def test_targets_are_taken_away_and_brought_back(self) -> None:
        tool = Divided(self.root / "a", "/bin/this")
        for path in tool.paths().values():
            path.mkdir(parents=True)
        tool.take_away(("second", "third"))
        self.assertEqual([name for name, path in tool.paths().items() if path.exists()],
                         ["home", "fourth", "fifth", "sixth"])
        tool.bring_back(("second", "third"))
        self.assertTrue(all(path.exists() for path in tool.paths().values()))

    def test_what_shards_are_judged_by(self) -> None:
        costs = {("erasure", "holdfast"): Cost(1.5, 1, 1), ("one of six", "holdfast"): Cost(1, 1, 1),
                 ("erasure restore", "holdfast"): Cost(0.8, 1, 1), ("degraded restore", "holdfast"): Cost(1, 1, 1)}
        said = [(each.step, each.what, each.measured, each.met) for each in verdicts(costs)]
        self.assertIn((LABELS["erasure"], "times the wall with one", 1.5, False), said)
        self.assertIn((LABELS["degraded restore"], "share of the speed with all", 0.8, True), said)

    def test_a_codec_is_judged_beside_tar_with_the_same_one(self) -> None:
        costs = {("deflate full", "holdfast"): Cost(2, 1, 1), ("deflate full", "igzip"): Cost(1, 1, 1),
                 ("deflate full", "pigz"): Cost(4, 1, 1), ("zstd restore", "holdfast"): Cost(1, 1, 1),
                 ("zstd restore", "tar"): Cost(1, 1, 1)}
        said = [(each.step, each.what, each.measured, each.met) for each in verdicts(costs)]
        self.assertEqual(said[:3], [(LABELS["deflate full"], "times as fast as igzip", 0.5, False),
                                    (LABELS["deflate full"], "times as fast as pigz", 2, True),
                                    (LABELS["zstd restore"], "times as fast as tar", 1, True)])

    @unittest.skipUnless(shutil.which("igzip") and shutil.which("pigz"), "igzip or pigz is missing")
    def test_tar_with_another_program_brings_everything_back(self) -> None:
        for kind in (IgzipTar, PigzTar):
            tool = kind(self.root / kind.name)
            tool.reset()
            self.bench.back_up(tool, self.bench.shop, "full")
            self.bench.restore(tool, self.bench.shop, "full")

    def test_every_codec_has_a_peer(self) -> None:
        self.assertEqual({codec: [peer.name for peer in peers] for codec, (_, peers) in codec_rows().items()},
                         {"deflate": ["igzip", "pigz"], "zstd": ["tar"]})

    def test_a_range_is_that_of_the_turns(self) -> None:
        costs = {("full", "holdfast"): Cost(2, 1, 1, walls_s=(2, 3, 1)),
                 ("full", "earlier"): Cost(2, 1, 1, walls_s=(1, 3, 2))}
        judged = [each for each in verdicts(costs) if each.what == "times the wall of the earlier build"][0]
        self.assertEqual((judged.measured, judged.lowest_and_highest), (1, (0.5, 2)))

    def test_what_is_slower_by_more_than_a_twentieth_is_a_regression(self) -> None:
        costs = {("full", "holdfast"): Cost(1.06, 1, 1), ("full", "earlier"): Cost(1, 1, 1),
                 ("restore", "holdfast"): Cost(1.04, 1, 1), ("restore", "earlier"): Cost(1, 1, 1),
                 ("verify", "holdfast"): Cost(9, 1, 1), ("verify", "restic"): Cost(1, 1, 1),
                 ("unchanged", "holdfast"): Cost(1.2, 1, 1, walls_s=(1.2, 0.9, 1.3)),
                 ("unchanged", "earlier"): Cost(1, 1, 1, walls_s=(1, 1, 1))}
        self.assertEqual([each.step for each in regressions(verdicts(costs))], [LABELS["full"]])

    def test_an_earlier_build_runs_as_holdfast_does(self) -> None:
        this, earlier = Holdfast(self.root / "a", "/bin/this"), Earlier(self.root / "b", "/bin/earlier")
        self.assertEqual([word.replace("earlier", "this") for word in earlier.backup("full")[0]],
                         this.backup("full")[0])

    def test_no_setting_of_whoever_measures_is_measured(self) -> None:
        with mock.patch.dict("os.environ", {"HOLDFAST_COMPRESSION": "none", "RESTIC_COMPRESSION": "max", "KEPT": "1"}):
            environment = Holdfast(self.root / "a").environment
        self.assertEqual([environment.get(name) for name in ("HOLDFAST_COMPRESSION", "RESTIC_COMPRESSION", "KEPT")],
                         [None, None, "1"])
        own = [value for name, value in environment.items() if name.startswith("HOLDFAST_")]
        self.assertEqual({Path(value).parent for value in own}, {self.root / "a"})

    def test_lists_of_names_are_checked(self) -> None:
        self.assertEqual(names(STEPS)("full,over"), ["full", "over"])
        with self.assertRaisesRegex(Exception, "'fill' is none of full, unchanged"):
            names(STEPS)("full,fill")

    def test_a_version_is_found_in_what_a_tool_says(self) -> None:
        says = self.write("tool", "#!/bin/sh\necho tool has version 1.2.34 of today\n")
        says.chmod(0o755)
        self.assertEqual(version(TOOLS[0], str(says)), "tool 1.2.34")


class PostgresBenchTests(TestInDirectory):
    """What is judged and what is read of pgbench, without a server."""

    def test_both_ways_of_holdfast_are_put_beside_every_peer(self) -> None:
        costs = {("full", name): Cost(seconds, 1, 1) for name, seconds in
                 (("holdfast", 1), ("unsealed", 0.5), ("pgbackrest", 2), ("lz4", 4))}
        titles = {"holdfast": "H", "unsealed": "U", "pgbackrest": "P", "lz4": "L"}
        self.assertEqual([(each.what, each.measured, each.met) for each in postgres_steps.verdicts(costs, titles)],
                         [("H: times as fast as P", 2, False), ("H: times as fast as L", 4, None),
                          ("U: times as fast as P", 4, True), ("U: times as fast as L", 8, None)])

    def test_transactions_of_a_span_are_counted_in_all_logs(self) -> None:
        self.write("load.1", "0 1 900 0 100 0\n0 2 5000 0 101 500000\n")
        self.write("load.2", "0 1 7000 0 102 0\n0 2 99000 0 110 0\n")
        found = live.load_between(self.root / "load", 100.5, 104.5)
        self.assertEqual((found.per_s, found.longest_ms), (0.5, 7))
        cost = live.Live("tool", live.Load(200, 1), live.Load(150, 2), 3)
        self.assertEqual((cost.lost_percent, live.live_rows([cost])[0][:2]), (25, ["tool", "3"]))


class EntryTests(unittest.TestCase):
    """The executables."""

    def test_every_one_explains_itself(self) -> None:
        for entry in ENTRIES:
            with self.subTest(entry):
                done = script(entry, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertTrue(done.stdout.startswith(f"usage: {entry} "), done.stdout)

    def test_the_bench_takes_its_options(self) -> None:
        said = re.sub(r"\s+", " ", script("bench", "--help").stdout)
        for option in ("--runs N", "--only STEP,...", "--only-tools TOOL,...", "--beside BINARY", "--million", "--many",
                       "--quick", "--all", "--previous REVISION", "--check",
                       "--directory DIR", "--json FILE", "[MIB]"):
            self.assertIn(option, said)

    def test_a_check_with_nothing_to_compare_with_says_so(self) -> None:
        from tools.bench import main as bench_main
        with (mock.patch.object(bench_main, "newest_release", return_value=None),
              mock.patch.object(bench_main, "binary", return_value="/bin/true"),
              mock.patch.object(bench_main, "version", return_value="1"),
              mock.patch.object(bench_main, "say") as say, mock.patch("sys.argv", ["bench", "--quick", "--check"]),
              self.assertRaisesRegex(Failure, "nothing to compare this build with")):
            bench_main.main()
        self.assertIn("HINT: --previous REVISION, or --beside BINARY", [call.args[0] for call in say.call_args_list])

    def test_a_bench_of_a_tool_that_is_not_there_says_how_to_get_it(self) -> None:
        if shutil.which("restic"):
            with mock.patch("shutil.which", return_value=None), mock.patch("tools.bench.peers.say") as say:
                from tools.bench.peers import installed
                self.assertEqual(installed(["restic"]), [])
            said = [call.args[0] for call in say.call_args_list]
        else:
            said = script("bench", "1", "--only-tools", "restic", "--only", "full").stderr.splitlines()
        self.assertIn("HINT: Scripts/install-deps bench, or apt-get install restic", said)


if __name__ == "__main__":
    unittest.main()
