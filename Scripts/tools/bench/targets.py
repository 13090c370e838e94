"""What holdfast's figures must be: beside its peers, beside an earlier build, and in themselves."""

from collections.abc import Iterable, Iterator

from ..report import Costs, Verdict, spread
from .steps import LABELS

# The project's targets: at least so many times as fast as a peer, at most so much of what a peer stores.
SPEED_MIN = {("full", "restic"): 4, ("full", "tar"): 1.4, ("changed", "restic"): 8, ("verify", "restic"): 2.5,
             ("restore", "restic"): 3.5, ("over", "restic"): 4, ("million", "restic"): 1}
STORED_MAX = {("full", "tar"): 1.05, ("changed", "restic"): 0.125}
UNCHANGED_S_MAX = 0.06
SEALING_MAX = {"full": 1.12, "restore": 1.05}  # times the wall of the same step unsealed
PEAK_MIB_MAX = 128
MILLION_PEAK_MIB_MAX = 256
CHAIN_RATIO_MAX = 1.15
TARGETS_RATIO_MAX = 1.25
PARITY_RATIO_MAX = 1.05
SPARSE_S_MAX = 10
MANY_S_MAX = 2
ERASURE_RATIO_MAX = 1.4
DEGRADED_SPEED_MIN = 0.7  # of the restore with all targets
EARLIER_MAX = 1.03  # times the wall of the same step by an earlier build
REGRESSION_MAX = 1.05  # more than that fails `--check`
CODEC_PEERS = ("igzip", "pigz", "tar")
EARLIER_BUILD = "times the wall of the earlier build"


def verdicts(costs: Costs) -> list[Verdict]:
    """holdfast beside its peers, beside an earlier build, and beside the project's targets."""
    return [*beside_peers(costs), *in_itself(costs), *beside_itself(costs), *peaks(costs)]


def regressions(found: Iterable[Verdict]) -> list[Verdict]:
    """The steps that this build does more slowly than the earlier one, in every turn."""
    return [verdict for verdict in found if verdict.what == EARLIER_BUILD and verdict.measured > REGRESSION_MAX
            and (verdict.lowest_and_highest or (verdict.measured,))[0] > 1]


def beside_peers(costs: Costs) -> Iterator[Verdict]:
    """Speed and size beside restic and tar; each codec beside tar with the same one."""
    for step, label in LABELS.items():
        mine = costs.get((step, "holdfast"))
        codec = step.split()[0] in ("deflate", "zstd")
        for peer in CODEC_PEERS if codec else ("restic", "tar"):
            theirs = costs.get((step, peer))
            if not mine or not theirs:
                continue
            target = 1 if codec else SPEED_MIN.get((step, peer))
            yield Verdict.of_walls(label, f"times as fast as {peer}", (theirs, mine), target, at_least=True)
            if mine.stored_mib and theirs.stored_mib and step in ("full", "changed"):
                yield Verdict(label, f"share of what {peer} stores", mine.stored_mib / theirs.stored_mib,
                              STORED_MAX.get((step, peer)))


def in_itself(costs: Costs) -> Iterator[Verdict]:
    """What takes so long at most."""
    for step, limit in {"unchanged": UNCHANGED_S_MAX, "sparse": SPARSE_S_MAX, "many list": MANY_S_MAX,
                        "many status": MANY_S_MAX, "many prune": MANY_S_MAX}.items():
        if cost := costs.get((step, "holdfast")):
            yield Verdict(LABELS[step], "wall s", cost.wall_s, limit, lowest_and_highest=spread(cost.walls_s))


def beside_itself(costs: Costs) -> Iterator[Verdict]:
    """holdfast beside itself in another way, and beside an earlier build."""
    for (step, name), cost in costs.items():
        if name == "holdfast" and (step, "unsealed") in costs:
            yield Verdict.of_walls(LABELS[step], "times the wall unsealed", (cost, costs[step, "unsealed"]),
                                   SEALING_MAX.get(step))
    for (step, name), cost in costs.items():
        if name == "earlier" and (step, "holdfast") in costs:
            yield Verdict.of_walls(LABELS[step], EARLIER_BUILD, (costs[step, "holdfast"], cost), EARLIER_MAX)
    for step, what, other, limit in (("chain", "times the wall of a full", "chain full", CHAIN_RATIO_MAX),
                                     ("targets", "times the wall with one", "one target", TARGETS_RATIO_MAX),
                                     ("erasure", "times the wall with one", "one of six", ERASURE_RATIO_MAX),
                                     ("parity", "times the wall without", "no parity", PARITY_RATIO_MAX)):
        if (step, "holdfast") in costs:
            yield Verdict.of_walls(LABELS[step], what, (costs[step, "holdfast"], costs[other, "holdfast"]), limit)
    if ("degraded restore", "holdfast") in costs:
        whole, degraded = costs["erasure restore", "holdfast"], costs["degraded restore", "holdfast"]
        yield Verdict.of_walls(LABELS["degraded restore"], "share of the speed with all", (whole, degraded),
                               DEGRADED_SPEED_MIN, at_least=True)


def peaks(costs: Costs) -> Iterator[Verdict]:
    """The most memory of any step."""
    for steps, limit, label in (
            ([step for step in LABELS if not step.startswith("million")], PEAK_MIB_MAX, "everything above"),
            ([step for step in LABELS if step.startswith("million")], MILLION_PEAK_MIB_MAX, "a million files")):
        if found := [costs[step, "holdfast"].peak_mib for step in steps if (step, "holdfast") in costs]:
            yield Verdict(label, "peak MiB", max(found), limit)
