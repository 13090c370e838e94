"""The steps: all tools take a full of the same state in turns, an incremental of a few percent, and restore it."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..command import fail, say
from ..files import MIB
from ..postgres_cluster import Cluster, own_directory
from ..report import Costs, Verdict
from ..running import Cost, median_cost
from .peers import PROCESSES, Tool

STEPS = {"full": "full", "incremental": "incremental", "restore": "restore of both"}
SPEED_MIN = {"full": 3, "incremental": 3}  # the project's target: so many times as fast as pgBackRest as it comes
BY_THE_LOG_MAX = 0.1  # the target: a tenth of a full read, of 10 GiB with 1 % changed
MIB_PER_SCALE = 15
CHANGED_SHARE = 0.03
KEPT_LOG_MIB = 2048  # so that an incremental of holdfast finds the log since its full
PAGES_PER_MIB = 128

# As a server of this size would have it; autovacuum off, so that between two measurements nothing happens.
SETTINGS = {
    "shared_buffers": "128MB", "max_wal_size": "1GB", "checkpoint_timeout": "1h", "autovacuum": "off",
    "archive_mode": "on", "archive_command": "true", "wal_keep_size": f"{KEPT_LOG_MIB}MB",
}
SUMS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history),
  (SELECT count(*) FROM pgbench_accounts), (SELECT count(*) FROM pgbench_history)
"""


class Bench:
    """One run in a working directory. `costs` holds the medians by step and tool."""

    def __init__(self, work: Path, cluster: Cluster, tools: list[Tool], runs: int,
                 changed: float = CHANGED_SHARE) -> None:
        self.changed = changed
        self.work, self.cluster, self.tools, self.runs = work, cluster, tools, runs
        self.target = work / "target"
        self.costs: Costs = {}

    def make(self, mib: int) -> None:
        """The cluster with the tables of pgbench."""
        self.cluster.init(SETTINGS, "--data-checksums")
        self.cluster.start()
        self.cluster.program("pgbench", "-i", "-q", "-s", str(max(1, round(mib / MIB_PER_SCALE))))
        self.cluster.psql("CHECKPOINT")

    def back_up(self, tool: Tool, is_full: bool) -> Cost:
        """A measured backup."""
        if is_full:
            tool.reset()
        else:
            tool.take_turn()
        before = tool.stored_bytes()
        cost = tool.measure(tool.backup(is_full))
        return replace(cost, stored_mib=(tool.stored_bytes() - before) / MIB)

    def restore(self, tool: Tool) -> Cost:
        """A measured restore into an empty directory, on which a server must start and find everything."""
        own_directory(self.target)
        cost = tool.measure(tool.restore(self.target))
        with Cluster(self.target) as restored:
            restored.start("archive_mode=off")
            found, expected = restored.psql(SUMS), self.cluster.psql(SUMS)
            if found != expected:
                fail(f"{tool.title} restored {found} where the cluster has {expected}")
        shutil.rmtree(self.target)
        return cost

    def change(self, mib: int, seed: int) -> None:
        """Changes a few percent of the pages: each transaction one page of accounts, and little else."""
        transactions = max(1, round(mib * PAGES_PER_MIB * self.changed / PROCESSES))
        self.cluster.program("pgbench", "-n", "-c", str(PROCESSES), "-t", str(transactions), "--random-seed", str(seed))

    def steps(self, mib: int) -> None:
        """Every run is a full, a change, an incremental and a restore, each by all tools in turns."""
        taken: dict[tuple[str, str], list[Cost]] = {}

        def all_tools(step: str, number: int, turn: Callable[[Tool], Cost]) -> None:
            for tool in self.tools:
                cost = turn(tool)
                taken.setdefault((step, tool.name), []).append(cost)
                say(f"{STEPS[step]}, {tool.title}, run {number} of {self.runs}: {cost.wall_s:.3f} s")

        for number in range(1, self.runs + 1):
            all_tools("full", number, partial(self.back_up, is_full=True))
            self.change(mib, number)
            all_tools("incremental", number, partial(self.back_up, is_full=False))
            all_tools("restore", number, self.restore)
        self.costs = {key: median_cost(costs) for key, costs in taken.items()}


def verdicts(costs: Costs, titles: dict[str, str]) -> list[Verdict]:
    """holdfast, sealed and not, beside pgBackRest in every way; the targets are for both as they come."""
    return [Verdict(label, f"{titles[mine]}: times as fast as {titles[peer]}",
                    costs[step, peer].wall_s / costs[step, mine].wall_s,
                    SPEED_MIN.get(step) if peer == "pgbackrest" else None, at_least=True)
            for step, label in STEPS.items() for mine in ("holdfast", "unsealed")
            for peer in titles
            if peer not in ("holdfast", "unsealed", "paranoid") and {(step, mine), (step, peer)} <= costs.keys()
            ] + by_the_log(costs)


def by_the_log(costs: Costs) -> list[Verdict]:
    """An incremental that reads what the log names, beside one that reads everything."""
    mine, whole = costs.get(("incremental", "holdfast")), costs.get(("incremental", "paranoid"))
    if not mine or not whole:
        return []
    return [Verdict(STEPS["incremental"], "holdfast: share of the time with --paranoid", mine.wall_s / whole.wall_s,
                    BY_THE_LOG_MAX, at_least=False)]
