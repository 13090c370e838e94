"""The rows of the bench. The tools take turns, and the medians count."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..bench.peers import Tool
from ..bench.steps import SETTLE_S, sample_shop
from ..command import say
from ..files import compare, copy
from ..holdfast import SCRIPTS
from ..running import Cost, measure, median_cost
from . import archiver
from .history import History
from .network import Host
from .peers import Local, Remote
from .servers import Server

ROWS = {"full": "full", "unchanged": "nothing changed", "day": "1 % day", "restore": "restore",
        "verify": "verify --data", "push": "wal push", "fetch": "wal fetch", "list": "list", "status": "status",
        "cat": "cat of a small file, chain of 100"}
QUESTIONS = ("list", "status", "cat")
COLD = " cold"  # behind the name of a row: without what an earlier run has cached
LOG = ("push", "fetch")
BULK = ("full", "day", "restore", "verify", *LOG)
SENDING = ("full", "day", "push")


@dataclass(frozen=True)
class Taken:
    """What one run took, and what went over the wire."""
    cost: Cost
    sent_bytes: float = 0
    received_bytes: float = 0
    requests: float | None = None
    listings: float | None = None


def median_taken(each: Iterable[Taken]) -> Taken:
    """The median of each figure."""
    taken = list(each)

    def middle(values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return median(known) if known else None

    return Taken(median_cost(one.cost for one in taken), median(one.sent_bytes for one in taken),
                 median(one.received_bytes for one in taken), middle([one.requests for one in taken]),
                 middle([one.listings for one in taken]))


def requests_in(said: str) -> int | None:
    """The requests that holdfast has counted itself, from its `--json`."""
    try:
        value = json.loads(said)
    except ValueError:
        return None
    found = value.get("requests") if isinstance(value, dict) else None
    return int(found) if found is not None else None


class Bench:
    """The rows on one server behind one wire. `taken` holds the medians by row and tool, `bare` the seconds of the
    bare loop by row."""

    def __init__(self, work: Path, client: Host, server: Server, tools: list[Local], runs: int) -> None:
        self.work, self.client, self.server, self.tools, self.runs = work, client, server, tools, runs
        self.shop, self.target = work / "shop", work / "target"
        self.taken: dict[tuple[str, str], Taken] = {}
        self.bare: dict[str, float] = {}

    def measure(self, tool: Local, command: list[str], directory: Path) -> Taken:
        """One run, with what it sent and asked."""
        if not isinstance(tool, Remote):
            return Taken(measure([command], directory, tool.tool.environment))
        before, (sent, received) = self.server.requests(), self.client.traffic()
        with tempfile.TemporaryFile("w+") as output:
            cost = measure([command], directory, tool.tool.environment, output=output)
            output.seek(0)
            said = output.read() if "--json" in command else ""
        now_sent, now_received = self.client.traffic()
        after = self.server.requests()
        requests = sum(after.values()) - sum(before.values()) if self.server.counts_requests else requests_in(said)
        listings = after.get("LIST", 0) - before.get("LIST", 0) if self.server.counts_requests else None
        return Taken(cost, now_sent - sent, now_received - received, requests, listings)

    def turn(self, row: str, tool: Local) -> Taken:
        """One run of a row that needs a shop."""
        if row == "full":
            tool.reset()
        if row != "restore":
            return self.measure(tool, tool.command(row), tool.tool.home if row == "verify" else self.shop)
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        taken = self.measure(tool, tool.command(row), self.target)
        compare(self.shop, self.target)
        shutil.rmtree(self.target)
        return taken

    def take(self, row: str, runs: int) -> None:
        """A row, by all tools in turns."""
        taken: dict[str, list[Taken]] = {}
        for number in range(1, runs + 1):
            if row == "day":
                sample_shop("age", self.shop, "--seed", number)
                time.sleep(SETTLE_S)
            for tool in self.tools:
                if row in tool.rows:
                    taken.setdefault(tool.name, []).append(self.turn(row, tool))
                    self.note(row, tool, number, runs, taken[tool.name][-1])
        self.keep(row, taken)

    def keep(self, row: str, taken: dict[str, list[Taken]]) -> None:
        """The medians."""
        self.taken |= {(row, name): median_taken(each) for name, each in taken.items()}

    def note(self, row: str, tool: Local, number: int, runs: int, taken: Taken) -> None:
        """Says how far the bench is."""
        say(f"{self.server.kind}, {ROWS[row.removesuffix(COLD)]}, {tool.title}, run {number} of {runs}: "
            f"{taken.cost.wall_s:.3f} s")

    def shop_rows(self, shop: Path, selected: list[str]) -> None:
        """The rows that need a shop. One that is not selected runs once where a later one needs what it leaves."""
        wanted = [row for row in ROWS if row in selected and row not in QUESTIONS + LOG]
        if not wanted:
            return
        copy(shop, self.shop)
        last = max(list(ROWS).index(row) for row in wanted)
        for row in list(ROWS)[:last + 1]:
            if row not in LOG and (row in wanted or row == "full"):
                self.take(row, self.runs if row in wanted else 1)

    def log_rows(self, selected: list[str], segments: int) -> None:
        """The rows of a PostgreSQL server that has so many segments archived, and gets them back."""
        rows = [row for row in LOG if row in selected]
        taken: dict[str, dict[str, list[Taken]]] = {row: {} for row in rows}
        for number in range(1, self.runs + 1) if rows else []:
            for tool in [tool for tool in self.tools if LOG[0] in tool.rows]:
                server = tool.tool.home / "server"
                tool.reset()
                archiver.make(server, segments)
                for row in LOG if LOG[1] in rows else LOG[:1]:
                    each = self.measure(tool, tool.log_command(row, server, segments), SCRIPTS)
                    if row in rows:
                        taken[row].setdefault(tool.name, []).append(each)
                        self.note(row, tool, number, self.runs, each)
                shutil.rmtree(server)
        for row in rows:
            self.keep(row, taken[row])

    def bare_rows(self) -> None:
        """The bare loop, with as many bytes as holdfast needed for each row."""
        for row in BULK:
            mine = self.taken.get((row, "holdfast"))
            if mine:
                way, total = (("put", mine.sent_bytes) if row in SENDING else ("get", mine.received_bytes))
                self.bare[row] = median(self.server.bare(int(total))[way] for _ in range(self.runs))
                say(f"{self.server.kind}, {ROWS[row]}, bare loop: {self.bare[row]:.3f} s")

    def question_rows(self, history: History, made: dict[str, Tool], selected: list[str]) -> None:
        """The rows that ask about many snapshots: once without a cache, then as often as is wanted."""
        remotes = [tool for tool in self.tools if isinstance(tool, Remote)]
        rows = [row for row in QUESTIONS if row in selected]
        for tool in remotes if rows else []:
            tool.adopt(made[tool.name])
        for row in rows:
            taken: dict[str, list[Taken]] = {}
            for number in range(self.runs + 1):
                for tool in [tool for tool in remotes if row in tool.rows]:
                    if number == 0:
                        tool.forget()
                    each = self.measure(tool, tool.question(row, history.file), tool.tool.home)
                    if number == 0:
                        self.keep(row + COLD, {tool.name: [each]})
                    else:
                        taken.setdefault(tool.name, []).append(each)
                    self.note(row, tool, number, self.runs, each)
            self.keep(row, taken)
