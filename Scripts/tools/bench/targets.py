"""What holdfast's figures must be: beside its peers, beside an earlier build, and in themselves."""

from ..report import Costs, Verdict
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
EARLIER_MAX = 1.03  # times the wall of the same step by an earlier build


def verdicts(costs: Costs) -> list[Verdict]:
    """holdfast beside restic and tar, and beside the project's targets."""
    found: list[Verdict] = []
    for step, label in LABELS.items():
        mine = costs.get((step, "holdfast"))
        for peer in ("restic", "tar"):
            theirs = costs.get((step, peer))
            if mine and theirs:
                found.append(Verdict(label, f"times as fast as {peer}", theirs.wall_s / mine.wall_s,
                                     SPEED_MIN.get((step, peer)), at_least=True))
                if mine.stored_mib and theirs.stored_mib and step in ("full", "changed"):
                    found.append(Verdict(label, f"share of what {peer} stores", mine.stored_mib / theirs.stored_mib,
                                         STORED_MAX.get((step, peer))))
    absolute = {"unchanged": UNCHANGED_S_MAX, "sparse": SPARSE_S_MAX, "many list": MANY_S_MAX,
                "many status": MANY_S_MAX, "many prune": MANY_S_MAX}
    found += [Verdict(LABELS[step], "wall s", costs[step, "holdfast"].wall_s, limit)
              for step, limit in absolute.items() if (step, "holdfast") in costs]
    found += [Verdict(LABELS[step], "times the wall unsealed", cost.wall_s / costs[step, "unsealed"].wall_s,
                      SEALING_MAX.get(step))
              for (step, name), cost in costs.items() if name == "holdfast" and (step, "unsealed") in costs]
    found += [Verdict(LABELS[step], "times the wall of the earlier build", costs[step, "holdfast"].wall_s / cost.wall_s,
                      EARLIER_MAX)
              for (step, name), cost in costs.items() if name == "earlier" and (step, "holdfast") in costs]
    if ("chain", "holdfast") in costs:
        ratio = costs["chain", "holdfast"].wall_s / costs["chain full", "holdfast"].wall_s
        found.append(Verdict(LABELS["chain"], "times the wall of a full", ratio, CHAIN_RATIO_MAX))
    if ("targets", "holdfast") in costs:
        ratio = costs["targets", "holdfast"].wall_s / costs["one target", "holdfast"].wall_s
        found.append(Verdict(LABELS["targets"], "times the wall with one", ratio, TARGETS_RATIO_MAX))
    if ("parity", "holdfast") in costs:
        ratio = costs["parity", "holdfast"].wall_s / costs["no parity", "holdfast"].wall_s
        found.append(Verdict(LABELS["parity"], "times the wall without", ratio, PARITY_RATIO_MAX))
    for steps, limit, label in (
            ([step for step in LABELS if not step.startswith("million")], PEAK_MIB_MAX, "everything above"),
            ([step for step in LABELS if step.startswith("million")], MILLION_PEAK_MIB_MAX, "a million files")):
        peaks = [costs[step, "holdfast"].peak_mib for step in steps if (step, "holdfast") in costs]
        if peaks:
            found.append(Verdict(label, "peak MiB", max(peaks), limit))
    return found
