"""The command line of `Scripts/bench-remote`."""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ..bench.main import names
from ..bench.peers import Holdfast, Restic, Tool, version
from ..bench.steps import sample_shop
from ..command import end_on_signals, fail, say
from ..files import MIB, is_tmpfs, place
from ..holdfast import binary
from ..report import VERDICT_COLUMNS, markdown
from .history import History
from .network import Host, Link, Wire
from .peers import Local, Remote
from .servers import ENGINES, SERVERS
from .steps import LOG, QUESTIONS, ROWS, Bench
from .targets import COLUMNS, Setting

DESCRIPTION = ("Measure holdfast beside restic, with their repositories on one S3 and one SFTP server behind a wire "
               "with a latency and a rate. Needs root: the wire is between network namespaces.")
SPACE_FACTOR = 12  # what the directory must hold, in sizes of the shop
QUICK = {"mib": 16, "runs": 1, "latency": [20.0], "rate": [1000.0], "snapshots": 20, "segments": 12}


def numbers(least: float) -> Callable[[str], list[float]]:
    """Parses a list of numbers, separated by commas."""
    def parse(text: str) -> list[float]:
        try:
            given = [float(word) for word in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from None
        if min(given) < least:
            raise argparse.ArgumentTypeError(f"{min(given):g} is less than {least:g}")
        return given
    return parse


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("mib", nargs="?", type=int, default=512, metavar="MIB", help="size of the shop (default: 512)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how often each row is measured (default: 3)")
    parser.add_argument("--only", type=names(ROWS), default=list(ROWS), metavar="ROW,...",
                        help=f"some of {', '.join(ROWS)} (default: all)")
    parser.add_argument("--kind", type=names(SERVERS), default=list(SERVERS), metavar="KIND,...",
                        help=f"some of {', '.join(SERVERS)} (default: all)")
    parser.add_argument("--latency", type=numbers(0), default=[0.0, 20.0, 80.0], metavar="MS,...",
                        help="of the wire, there and back (default: 0,20,80; with 0, round trips can be counted)")
    parser.add_argument("--rate", type=numbers(1), default=[1000.0, 100.0], metavar="MBIT,...",
                        help="of the wire, each way (default: 1000,100)")
    parser.add_argument("--snapshots", type=int, default=200, metavar="N",
                        help="how many are listed and judged (default: 200)")
    parser.add_argument("--segments", type=int, default=200, metavar="N",
                        help="how many segments of PostgreSQL's log are pushed and fetched (default: 200)")
    parser.add_argument("--quick", action="store_true",
                        help="only see that everything works: 16 MiB, one run, 20 ms, 1000 Mbit/s, 20 snapshots, "
                             "12 segments")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="where to work (default: in memory, /dev/shm)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    return options


def check(kinds: list[str]) -> None:
    """Fails where something is missing."""
    if os.geteuid() != 0:
        fail("network namespaces need root. HINT: run it as root")
    for program, package in (("ip", "iproute2"), ("nsenter", "util-linux"), ("curl", "curl"), ("restic", "restic"),
                             ("openssl", "openssl"), ("ssh-keygen", "openssh-client")):
        if not shutil.which(program):
            fail(f"{program} is missing. HINT: apt-get install {package}")
    if not Path("/dev/net/tun").exists():
        fail("this machine has no /dev/net/tun, of which the wire is made")
    if "s3" in kinds and not (ENGINES / "weed").exists():
        fail("SeaweedFS is missing. HINT: Scripts/install-engines, or --kind sftp")


class Suite:
    """All settings, one after the other."""

    def __init__(self, work: Path, program: str, options: argparse.Namespace) -> None:
        self.work, self.program, self.options = work, program, options
        self.shop, self.history = work / "shop", History(work, options.snapshots)
        self.made: dict[str, Tool] = {}

    def prepare(self) -> None:
        """Makes the shop and the history that all settings begin with."""
        if set(self.options.only) - set(QUESTIONS + LOG):
            say(f"making a shop of {self.options.mib} MiB")
            sample_shop("create", self.shop, "--size-mib", self.options.mib)
        if set(self.options.only) & set(QUESTIONS):
            self.made = {kind.name: kind(self.work / f"made-{kind.name}", self.program) for kind in (Holdfast, Restic)}
            self.history.make(list(self.made.values()))

    def measure(self, kind: str, link: Link) -> Setting:
        """One kind of server behind one wire."""
        with ExitStack() as stack:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="setting-", dir=self.work)))
            client, host = stack.enter_context(Host()), stack.enter_context(Host())
            server = stack.enter_context(SERVERS[kind](host, client, work / "server"))
            stack.enter_context(Wire((client, host), link))
            tools: list[Local] = [Remote(Holdfast(work / "holdfast", self.program), client, server),
                                  Remote(Restic(work / "restic"), client, server),
                                  Local(Holdfast(work / "local", self.program))]
            bench = Bench(work, client, server, tools, self.options.runs)
            bench.shop_rows(self.shop, self.options.only)
            bench.log_rows(self.options.only, self.options.segments)
            bench.bare_rows()
            bench.question_rows(self.history, self.made, self.options.only)
            return Setting(kind, server.title, link, bench.taken, bench.bare, segments=self.options.segments)


def report(settings: list[Setting]) -> str:
    """Tables of every setting, and what is missed."""
    text, missed = "", []
    for setting in settings:
        verdicts = setting.verdicts()
        text += f"\n### {setting.title}, {setting.link}\n\n{markdown(COLUMNS, setting.rows())}\n"
        text += markdown(VERDICT_COLUMNS, [verdict.row() for verdict in verdicts])
        missed += [f"- {setting.kind}, {setting.link}: {' | '.join(filter(None, verdict.row()[:5]))}"
                   for verdict in verdicts if verdict.met is False]
    return text + ("\nMissed:\n\n" + "\n".join(missed) + "\n" if missed else "\nEvery target is met.\n")


def main() -> None:
    """Measures, and prints the report."""
    options = parse()
    end_on_signals()
    check(options.kind)
    program = binary(options.holdfast)
    directory = place(options.directory, SPACE_FACTOR * options.mib * MIB)
    settings: list[Setting] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=directory) as name:
        work = Path(name)
        work.chmod(0o755)
        suite = Suite(work, program, options)
        suite.prepare()
        for kind in options.kind:
            for rate in options.rate:
                first: Setting | None = None
                for latency in sorted(options.latency):
                    setting = suite.measure(kind, Link(latency, rate))
                    first = first or (setting if latency == 0 else None)
                    setting.at_once = first.taken if first and first is not setting else None
                    settings.append(setting)

    versions = ", ".join([version(Holdfast, program), version(Restic, Restic.program)])
    where = "tmpfs" if is_tmpfs(directory) else "disk"
    print(f"A shop of {options.mib} MiB, {options.snapshots} snapshots to list, {options.segments} segments of log, "
          f"{os.cpu_count()} cores, {where}, client and servers on this machine, medians of {options.runs}: "
          f"{versions}. The bound is the slowest of the link, of holdfast on a local directory, and of a bare loop of "
          "the same bytes against the same server (S3: parts of 6 MiB, 8 at once; SFTP: OpenSSH's sftp with 64 "
          "requests on their way).")
    print(report(settings))
    if options.json:
        options.json.write_text(json.dumps([{
            "kind": setting.kind, **asdict(setting.link), "bare": dict(setting.bare),
            "taken": [{"row": row, "tool": tool, **asdict(each)} for (row, tool), each in setting.taken.items()],
            "verdicts": [{**asdict(verdict), "met": verdict.met} for verdict in setting.verdicts()],
        } for setting in settings], indent=2) + "\n")
