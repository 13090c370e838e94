"""What holdfast's figures must be: beside the bound of each row, beside restic, and in round trips."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..files import MIB
from ..report import Verdict, figure
from .network import Link
from .steps import BULK, COLD, LOG, ROWS, Taken

BOUND_SHARE_MIN = 0.85
FULL_MIN = {"link": 1.0, "server": 1.0, "local": 2.0}  # times as fast as restic, by what bounds both
DAY_MIN = 5
RESTORE_MIN = 1.5
RESTORE_LATENCY_MS = 20
PUSHED_MIN = 10  # segments a second, at this latency
FETCHED_MIN = 0.5  # of the speed from a local directory, at this latency
LOG_LATENCY_MS = 20
TRIPS_MAX = {"unchanged": 8, "list": 16, "status": 16, "cat": 11}
LISTINGS_MAX = 2
PEAK_MIB_MAX = 128

COLUMNS = ["row", "tool", "wall s", "CPU s", "peak MiB", "requests", "sent MiB", "received MiB", "round trips",
           "bound s", "bound is"]

Medians = Mapping[tuple[str, str], Taken]


@dataclass(frozen=True)
class Bound:
    """How fast a row can be at best."""
    what: str  # link, server, or local
    seconds: float


@dataclass
class Setting:
    """What was measured with one kind of server behind one wire."""
    kind: str
    title: str
    link: Link
    taken: Medians
    bare: Mapping[str, float]
    at_once: Medians | None = None  # the same without latency, if that was measured
    segments: int = 0  # how many were archived and fetched

    def bound(self, row: str) -> Bound | None:
        """The slowest of the wire, of holdfast on a local directory, and of a bare loop of the same bytes."""
        mine, local = self.taken.get((row, "holdfast")), self.taken.get((row, "local"))
        if row not in BULK or not mine or not local or row not in self.bare:
            return None
        wire_s = self.link.seconds(max(mine.sent_bytes, mine.received_bytes))
        return max((Bound("link", wire_s), Bound("local", local.cost.wall_s), Bound("server", self.bare[row])),
                   key=lambda bound: bound.seconds)

    def trips(self, row: str, tool: str) -> float | None:
        """How many round trips a run waited for, one after the other. Without the figures at no latency it is as many
        as fit into the run, which is too many."""
        if not self.link.latency_ms or row.removesuffix(COLD) in BULK:
            return None
        base = self.at_once.get((row, tool)) if self.at_once else None
        waited_s = self.taken[row, tool].cost.wall_s - (base.cost.wall_s if base else 0)
        return max(0.0, waited_s * 1e3 / self.link.latency_ms)

    def verdicts(self) -> list[Verdict]:
        """The figures that have a target."""
        found: list[Verdict] = []
        for row, label in ROWS.items():
            mine, theirs = self.taken.get((row, "holdfast")), self.taken.get((row, "restic"))
            if not mine:
                continue
            bound = self.bound(row)
            if row in LOG:
                found.append(self.log_verdict(row, label))
            elif bound:
                found.append(Verdict(label, f"share of the bound ({bound.what})", bound.seconds / mine.cost.wall_s,
                                     BOUND_SHARE_MIN, at_least=True))
            if theirs:
                found.append(Verdict(label, "times as fast as restic", theirs.cost.wall_s / mine.cost.wall_s,
                                     self.speed_min(row, bound), at_least=True))
            trips = self.trips(row, "holdfast")
            if trips is not None:
                found.append(Verdict(label, "round trips", trips, TRIPS_MAX.get(row)))
            if mine.listings is not None and row in ("list", "status"):
                found.append(Verdict(label, "listings", mine.listings, LISTINGS_MAX))
        peaks = [each.cost.peak_mib for (_, tool), each in self.taken.items() if tool == "holdfast"]
        return [*found, Verdict("everything above", "peak MiB", max(peaks), PEAK_MIB_MAX)] if peaks else found

    def log_verdict(self, row: str, label: str) -> Verdict:
        """What a server gets: so many segments a second, or such a share of the speed from a local directory."""
        wall_s, is_judged = self.taken[row, "holdfast"].cost.wall_s, self.link.latency_ms == LOG_LATENCY_MS
        if row == "push":
            return Verdict(label, "segments a second", self.segments / wall_s, PUSHED_MIN if is_judged else None,
                           at_least=True)
        return Verdict(label, "share of the local speed", self.taken[row, "local"].cost.wall_s / wall_s,
                       FETCHED_MIN if is_judged else None, at_least=True)

    def speed_min(self, row: str, bound: Bound | None) -> float | None:
        """How many times as fast as restic a row must be."""
        if row == "full":
            return FULL_MIN[bound.what] if bound else None
        if row == "restore":
            return RESTORE_MIN if self.link.latency_ms == RESTORE_LATENCY_MS else None
        return DAY_MIN if row == "day" else None

    def rows(self) -> list[list[str]]:
        """The table of what was measured."""
        found: list[list[str]] = []
        for row, label in ((name + suffix, text + (", no cache" if suffix else "")) for name, text in ROWS.items()
                           for suffix in ("", COLD)):
            for tool in ("holdfast", "restic", "local"):
                each, bound = self.taken.get((row, tool)), self.bound(row) if tool == "holdfast" else None
                if each:
                    wired = [None] * 2 if tool == "local" else [each.sent_bytes / MIB, each.received_bytes / MIB]
                    trips = self.trips(row, tool) if tool != "local" else None
                    found.append([label, tool, *map(figure, (each.cost.wall_s, each.cost.cpu_s, each.cost.peak_mib)),
                                  "" if each.requests is None else f"{each.requests:g}", *map(figure, wired),
                                  "" if trips is None else f"{trips:.1f}", figure(bound.seconds if bound else None),
                                  bound.what if bound else ""])
        return found
