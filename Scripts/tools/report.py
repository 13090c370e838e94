"""The figures of a measurement as tables and as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .running import Cost

Costs = dict[tuple[str, str], Cost]  # the medians by step and tool


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table whose first two columns are text and whose others are figures."""
    rules = ["---", "---", *["---:"] * (len(header) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rules, *rows)) + "\n"


def figure(value: float | None) -> str:
    """As many digits as mean something."""
    return "" if value is None else f"{value:.{0 if value >= 100 else 1 if value >= 10 else 3}f}"


def figures(lowest_and_highest: tuple[float, float] | None) -> str:
    """A range; nothing if there is none."""
    return "–".join(map(figure, lowest_and_highest)) if lowest_and_highest else ""


def spread(values: Iterable[float]) -> tuple[float, float] | None:
    """The lowest and the highest of several values; `None` of a single one."""
    known = sorted(values)
    return (known[0], known[-1]) if len(known) > 1 else None


@dataclass(frozen=True)
class Verdict:
    """A figure of holdfast's and, where the project has one, its target."""
    step: str
    what: str
    measured: float
    target: float | None = None
    at_least: bool = False
    lowest_and_highest: tuple[float, float] | None = None

    @classmethod
    def of_walls(cls, step: str, what: str, walls: tuple[Cost, Cost], target: float | None = None,
                 at_least: bool = False) -> "Verdict":
        """How many times the wall of the second the first one takes: the ratio of the medians, and the range of the
        ratios of single turns."""
        first, second = walls
        turns = zip(first.walls_s, second.walls_s)  # what is judged may have been measured more often
        return cls(step, what, first.wall_s / second.wall_s, target, at_least,
                   spread(one / other for one, other in turns))

    @property
    def met(self) -> bool | None:
        """Whether the target is met."""
        if self.target is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def row(self) -> list[str]:
        """Its row of the table."""
        target = "" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g}"
        return [self.step, self.what, figure(self.measured), figures(self.lowest_and_highest), target,
                {None: "", True: "yes", False: "no"}[self.met]]


COST_COLUMNS = ["step", "tool", "wall s", "range", "CPU s", "peak MiB", "stored MiB"]
VERDICT_COLUMNS = ["step", "holdfast", "measured", "range", "target", "met"]


def cost_rows(costs: Costs, steps: Mapping[str, str], titles: Mapping[str, str]) -> list[list[str]]:
    """What every step cost every tool. `steps` and `titles` say how steps and tools are called."""
    return [[label, titles[name], figure(cost.wall_s), figures(spread(cost.walls_s)),
             *map(figure, (cost.cpu_s, cost.peak_mib, cost.stored_mib))]
            for step, label in steps.items() for name in titles if (cost := costs.get((step, name)))]


def write_json(path: Path, conditions: dict[str, Any], costs: Costs, verdicts: list[Verdict],
               more: dict[str, Any] | None = None) -> None:
    """Writes the same figures for other programs. `conditions` say how they were measured."""
    path.write_text(json.dumps({
        **conditions,
        "costs": [{"step": step, "tool": tool, **asdict(cost)} for (step, tool), cost in costs.items()],
        "verdicts": [{**asdict(verdict), "met": verdict.met} for verdict in verdicts], **(more or {}),
    }, indent=2) + "\n")
