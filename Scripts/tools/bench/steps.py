"""The steps of the bench: each starts from a fresh copy of the state it needs, and the tools take turns."""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..command import fail, say
from ..files import MIB, compare, copy
from ..holdfast import SCRIPTS, own_environment, places
from ..report import Costs
from ..running import Cost, measure, median_cost, quietly
from .peers import Holdfast, Tar, Tool, Unsealed, is_there
from .variants import Divided, OneTarget, ThreeTargets, WithParity, codec_rows

STEPS = ["full", "unchanged", "changed", "verify", "restore", "over"]
EXTRAS = ["targets", "erasure", "parity", "codecs", "chain", "sparse", "million", "many"]
LONG = ("million", "many")
LABELS = {
    "full": "full",
    "unchanged": "nothing changed",
    "changed": "1 % changed",
    "verify": "verify",
    "restore": "restore",
    "over": "restore over an older state",
    "targets": "three local targets",
    "one target": "the same with one",
    "erasure": "erasure: 4+2 over six local targets",
    "one of six": "the same with one target",
    "erasure restore": "restore of it",
    "degraded restore": "restore with two of six directories gone",
    "parity": "full with 2 % parity",
    "no parity": "the same without",
    "deflate full": "full with deflate",
    "deflate restore": "restore with deflate",
    "zstd full": "full with zstd",
    "zstd restore": "restore with zstd",
    "chain": "restore 100 incrementals",
    "chain full": "restore a full of that state",
    "sparse": "100 GiB sparse, 1 MiB of data",
    "sparse restore": "restore it",
    "million": "a million files",
    "million unchanged": "a million, nothing changed",
    "million restore": "restore a million",
    "many list": "list 10,000 snapshots of 20 sources",
    "many status": "status of them, with journals",
    "many prune": "prune --dry-run of them",
}

CHAIN_INCREMENTALS = 100
SPARSE_BYTES = 100 << 30
SPARSE_DATA_AT = 42 << 30
MILLION_FOLDERS = 1000
SETTLE_S = 2.5  # files are older than the grain of clocks, below which a tool does well to distrust their times


def sample_shop(*arguments: str | int | Path) -> None:
    """Make or age a shop."""
    quietly([str(SCRIPTS / "sample-shop"), *map(str, arguments)])


class Bench:
    """One run in a working directory. `costs` holds the medians by step and tool."""

    def __init__(self, work: Path, tools: list[Tool], runs: int) -> None:
        self.work = work
        self.tools = tools
        self.runs = runs
        self.costs: Costs = {}
        self.titles = {tool.name: tool.title for tool in tools}
        self.shop, self.old_shop, self.target = work / "shop", work / "old-shop", work / "target"

    def take_turns(self, turns: dict[tuple[str, str], Callable[[], Cost]], runs: int) -> None:
        """Measure each turn so many times, A B C A B C, and keep the medians."""
        taken: dict[tuple[str, str], list[Cost]] = {key: [] for key in turns}
        for number in range(1, runs + 1):
            for key, turn in turns.items():
                taken[key].append(turn())
                say(f"{LABELS[key[0]]}, {key[1]}, run {number} of {runs}: {taken[key][-1].wall_s:.3f} s")
        for key, costs in taken.items():
            self.costs[key] = median_cost(costs)

    def back_up(self, tool: Tool, source: Path, label: str) -> Cost:
        """A measured backup."""
        before = tool.stored_bytes()
        cost = measure(tool.backup(label), source, tool.environment)
        return replace(cost, stored_mib=(tool.stored_bytes() - before) / MIB)

    def restore(self, tool: Tool, source: Path, label: str, over: Path | None = None) -> Cost:
        """A measured restore of a source into an empty directory, or over a copy of an older state."""
        shutil.rmtree(self.target, ignore_errors=True)
        if over:
            copy(over, self.target)
            tool.make_way(self.target)
        else:
            self.target.mkdir()
        cost = measure(tool.restore(label, over is not None), self.target, tool.environment)
        compare(source, self.target, exact=over is None or isinstance(tool, Holdfast))
        shutil.rmtree(self.target)
        return cost

    def steps(self, selected: list[str]) -> None:
        """The six steps. One that is not selected runs once where a later one needs what it leaves behind."""
        def full(tool: Tool) -> Cost:
            tool.reset()
            return self.back_up(tool, self.shop, "full")

        def again(tool: Tool, label: str) -> Cost:
            tool.load()
            return self.back_up(tool, self.shop, label)

        turns: dict[str, Callable[[Tool], Cost]] = {
            "full": full,
            "unchanged": lambda tool: again(tool, "unchanged"),
            "changed": lambda tool: again(tool, "changed"),
            "verify": lambda tool: measure(tool.verify(), tool.home, tool.environment),
            "restore": lambda tool: self.restore(tool, self.shop, "changed"),
            "over": lambda tool: self.restore(tool, self.shop, "changed", over=self.old_shop),
        }
        last = max(STEPS.index(step) for step in selected)
        for step in STEPS[:last + 1]:
            if step == "changed":
                copy(self.shop, self.old_shop)
                sample_shop("age", self.shop)
                time.sleep(SETTLE_S)
            if step in (*selected, "full", "changed"):
                self.take_turns({(step, tool.name): partial(turns[step], tool) for tool in self.tools},
                                self.runs if step in selected else 1)
            if step == "full":
                for tool in self.tools:
                    tool.save()

    def targets(self, program: str) -> None:
        """What a full into three places costs, beside one into one."""
        three, one = ThreeTargets(self.work / "three", program), OneTarget(self.work / "one", program)

        def full(tool: Tool) -> Cost:
            tool.reset()
            return self.back_up(tool, self.shop, "full")
        try:
            self.take_turns({("targets", "holdfast"): lambda: full(three),
                             ("one target", "holdfast"): lambda: full(one)}, self.runs)
        finally:
            three.close()
            one.close()

    def erasure(self, program: str) -> None:
        """What a full in shards costs, beside one into one place; and a restore with as many targets away as may be."""
        six, one = Divided(self.work / "six", program), OneTarget(self.work / "one-of-six", program)
        away = six.others[:2]

        def full(tool: Tool) -> Cost:
            tool.reset()
            return self.back_up(tool, self.shop, "full")

        def degraded() -> Cost:
            six.take_away(away)
            try:
                return self.restore(six, self.shop, "full")
            finally:
                six.bring_back(away)
        try:
            self.take_turns({("erasure", "holdfast"): lambda: full(six),
                             ("one of six", "holdfast"): lambda: full(one)}, self.runs)
            self.take_turns({("erasure restore", "holdfast"): lambda: self.restore(six, self.shop, "full"),
                             ("degraded restore", "holdfast"): degraded}, self.runs)
        finally:
            six.close()
            one.close()

    def codecs(self, program: str) -> None:
        """A full and its restore with each codec, beside tar with the same one."""
        for codec, (mine, peers) in codec_rows().items():
            tools: list[Tool] = [kind(self.work / f"{codec}-{kind.name}", program)
                                 for kind in (mine, *peers) if issubclass(kind, (Holdfast, Tar)) and is_there(kind)]
            names = {tool: "holdfast" if isinstance(tool, Holdfast) else tool.name for tool in tools}
            self.titles.update({name: tool.title for tool, name in names.items() if name not in self.titles})

            def full(tool: Tool) -> Cost:
                tool.reset()
                return self.back_up(tool, self.shop, "full")
            for step, turn in ((f"{codec} full", full),
                               (f"{codec} restore", lambda tool: self.restore(tool, self.shop, "full"))):
                self.take_turns({(step, names[tool]): partial(turn, tool) for tool in tools}, self.runs)
            for tool in tools:
                shutil.rmtree(tool.home)

    def parity(self, program: str) -> None:
        """What a full with parity costs, beside one without."""
        protected, plain = WithParity(self.work / "protected", program), Holdfast(self.work / "plain", program)

        def full(tool: Tool) -> Cost:
            tool.reset()
            return self.back_up(tool, self.shop, "full")
        self.take_turns({("parity", "holdfast"): lambda: full(protected),
                         ("no parity", "holdfast"): lambda: full(plain)}, self.runs)

    def chain(self, program: str) -> None:
        """What a restore costs at the end of a long chain, beside one of a full of the same state."""
        long, short = Holdfast(self.work / "long", program), Holdfast(self.work / "short", program)
        long.reset()
        self.back_up(long, self.shop, "full")
        stored_mib = 0.0
        for number in range(1, CHAIN_INCREMENTALS + 1):
            sample_shop("age", self.shop, "--percent", "0.01")
            stored_mib += self.back_up(long, self.shop, "changed").stored_mib or 0
            if number % 10 == 0:
                say(f"{LABELS['chain']}: {number} of {CHAIN_INCREMENTALS} incrementals, {stored_mib:.1f} MiB")
        short.reset()
        self.back_up(short, self.shop, "full")
        self.take_turns({("chain", "holdfast"): lambda: self.restore(long, self.shop, "latest"),
                         ("chain full", "holdfast"): lambda: self.restore(short, self.shop, "latest")}, self.runs)

    def sparse(self, program: str) -> None:
        """A huge file with next to nothing in it. The peers would read its holes, so holdfast does it alone."""
        tool, source, data = Holdfast(self.work / "sparse", program), self.work / "disk", os.urandom(MIB)
        source.mkdir()
        with (source / "disk.img").open("wb") as image:
            image.truncate(SPARSE_BYTES)
            image.seek(SPARSE_DATA_AT)
            image.write(data)
        tool.reset()
        self.target.mkdir()
        self.take_turns({
            ("sparse", "holdfast"): lambda: self.back_up(tool, source, "full"),
            ("sparse restore", "holdfast"): lambda: measure(tool.restore("full"), self.target, tool.environment),
        }, 1)
        with (self.target / "disk.img").open("rb") as image:  # reading it all would take longer than the bench
            image.seek(SPARSE_DATA_AT)
            status = os.fstat(image.fileno())
            if image.read(MIB) != data or status.st_size != SPARSE_BYTES or status.st_blocks * 512 > 2 * MIB:
                fail("the sparse file was not restored as it was")
        shutil.rmtree(self.target)

    def million(self, tools: list[Tool]) -> None:
        """A million files that are empty or tiny."""
        source = self.work / "million"
        say("making a million files")
        for folder in range(MILLION_FOLDERS):
            (source / f"{folder:03}").mkdir(parents=True)
            for number in range(1000):
                with open(source / f"{folder:03}" / f"{number:03}", "wb", buffering=0) as file:
                    if number % 10 == 0:
                        file.write(b"%d\n" % (folder * 1000 + number))
        for tool in tools:
            tool.reset()
        for step, turn in (("million", lambda tool: self.back_up(tool, source, "full")),
                           ("million unchanged", lambda tool: self.back_up(tool, source, "unchanged")),
                           ("million restore", lambda tool: self.restore(tool, source, "unchanged"))):
            self.take_turns({(step, tool.name): partial(turn, tool) for tool in tools}, 1)

    def many(self) -> None:
        """The manifests of 10,000 snapshots, sealed and not."""
        turns: dict[tuple[str, str], Callable[[], Cost]] = {}
        for tool in [tool for tool in self.tools if isinstance(tool, Holdfast)]:
            directory = self.work / f"many-{tool.name}"
            say(f"making 10,000 manifests, {tool.name}")
            sealing = [] if isinstance(tool, Unsealed) else ["--sealed"]
            quietly([str(SCRIPTS / "many-snapshots"), tool.holdfast, str(directory), *sealing])
            environment = own_environment() | places(directory)
            for step, arguments in (("many list", ["list"]),
                                    ("many status", ["status", "--max-age", "26h", "--json"]),
                                    ("many prune", ["prune", "--dry-run", "--keep-daily", "7", "--keep-weekly", "4"])):
                turns[step, tool.name] = partial(measure, [[tool.holdfast, *arguments]], directory, environment)
        self.take_turns(turns, self.runs)
