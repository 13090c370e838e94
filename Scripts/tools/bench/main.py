"""The command line of `Scripts/bench`."""

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..command import fail, say
from ..files import MIB, is_tmpfs, place, tree_size
from ..holdfast import binary
from ..report import COST_COLUMNS, VERDICT_COLUMNS, cost_rows, markdown, write_json
from .peers import TOOLS, Earlier, Holdfast, Restic, Tool, Unsealed, installed, version
from .previous import build_of, newest_release
from .steps import EXTRAS, LABELS, LONG, SETTLE_S, STEPS, Bench, sample_shop
from .targets import REGRESSION_MAX, regressions, verdicts

DESCRIPTION = "Measure holdfast beside its peers: the same sample shop, one run, one machine, results as Markdown."
QUICK_MIB, QUICK_STEPS = 128, ["full", "unchanged", "changed", "verify", "restore"]
SPACE_FACTOR = 13  # what the directory must hold, in sizes of the shop: itself twice, a copy, five repositories twice


def names(choices: Iterable[str]) -> Callable[[str], list[str]]:
    """Parses a list of names, separated by commas."""
    known = list(choices)

    def parse(text: str) -> list[str]:
        given = text.split(",")
        if unknown := [name for name in given if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return given
    return parse


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    tool_names = [tool.name for tool in TOOLS]
    parser.add_argument("mib", nargs="?", type=int, metavar="MIB",
                        help=f"size of the shop (default: 512, with --quick {QUICK_MIB})")
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true",
                        help=f"only {', '.join(QUICK_STEPS)} of a small shop, in less than three minutes")
    extent.add_argument("--all", action="store_true", help="every step")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how often each step is measured (default: 3)")
    parser.add_argument("--only", type=names(STEPS + EXTRAS), metavar="STEP,...",
                        help=f"some of {', '.join(STEPS + EXTRAS)} (default: all but {' and '.join(LONG)})")
    parser.add_argument("--only-tools", type=names(tool_names), default=tool_names, metavar="TOOL,...",
                        help=f"some of {', '.join(tool_names)} (default: all)")
    parser.add_argument("--beside", type=Path, metavar="BINARY",
                        help="another build of holdfast, to measure beside this one")
    parser.add_argument("--previous", metavar="REVISION",
                        help="a revision, to build and to measure beside this one (default of --quick and --all: the "
                             "newest tag, if there is one)")
    parser.add_argument("--check", action="store_true",
                        help=f"exit with 1 if a step takes over {REGRESSION_MAX:g} times what it did before")
    parser.add_argument("--million", action="store_true", help="also a million tiny files (minutes)")
    parser.add_argument("--many", action="store_true", help="also list, judge and prune 10,000 snapshots")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="where to work (default: in memory, /dev/shm)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.mib, arguments.only = arguments.mib or QUICK_MIB, arguments.only or QUICK_STEPS
    elif arguments.all:
        arguments.only = arguments.only or STEPS + EXTRAS
    arguments.mib = arguments.mib or 512
    arguments.only = arguments.only or [step for step in STEPS + EXTRAS if step not in LONG]
    return arguments


def earlier_build(arguments: argparse.Namespace) -> Path | None:
    """The binary to measure this one beside, if there is one."""
    if arguments.beside:
        return Path(arguments.beside).resolve()
    revision = arguments.previous
    if not revision and (arguments.quick or arguments.all or arguments.check):
        revision = newest_release()
        if not revision:
            say("there is no release before this one: it is measured beside its peers only")
            say("HINT: --previous REVISION, or --beside BINARY")
    return build_of(revision) if revision else None


def measure_all(bench: Bench, mib: int, selected: list[str], program: str) -> str:
    """Takes the steps that are asked for. Returns what was measured, for the report."""
    steps = [step for step in STEPS if step in selected]
    source = ""
    if steps or {"chain", "targets", "erasure", "parity", "codecs"} & set(selected):
        say(f"making a shop of {mib} MiB")
        sample_shop("create", bench.shop, "--size-mib", mib)
        time.sleep(SETTLE_S)
        size, files = tree_size(bench.shop)
        source = f"A shop of {size / MIB:.0f} MiB in {files} files, "
    if steps and bench.tools:
        bench.steps(steps)
    if program and "targets" in selected:
        bench.targets(program)
    if program and "erasure" in selected:
        bench.erasure(program)
    if program and "codecs" in selected:
        bench.codecs(program)
    if program and "parity" in selected:
        bench.parity(program)
    if program and "chain" in selected:
        bench.chain(program)
    if program and "sparse" in selected:
        bench.sparse(program)
    if "million" in selected:
        bench.million([tool for tool in bench.tools if type(tool) in (Holdfast, Earlier, Restic)])
    if program and "many" in selected:
        bench.many()
    return source


def main() -> None:
    """Measures, and prints the report."""
    arguments = parse()
    selected = arguments.only + ["million"] * arguments.million + ["many"] * arguments.many
    signal.signal(signal.SIGTERM, lambda *_: fail("terminated"))  # so that what was made is removed
    kinds = installed(arguments.only_tools)
    program = binary() if any(issubclass(kind, Holdfast) for kind in kinds) else ""
    versions = [version(kind, program if kind is Holdfast else kind.program) for kind in kinds if kind is not Unsealed]
    earlier = earlier_build(arguments) if program else None
    if arguments.check and not earlier:
        fail("there is nothing to compare this build with. HINT: --previous REVISION, or --beside BINARY")
    directory = place(arguments.directory, SPACE_FACTOR * arguments.mib * MIB)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=directory) as name:
        work = Path(name)
        tools: list[Tool] = [kind(work / kind.name, program) for kind in kinds]
        if earlier:
            tools.insert(1, Earlier(work / Earlier.name, str(earlier)))
        bench = Bench(work, tools, arguments.runs)
        source = measure_all(bench, arguments.mib, selected, program)

    where = "tmpfs" if is_tmpfs(directory) else "disk"
    print(f"{source}{os.cpu_count()} cores, {where}, medians of {arguments.runs}: {', '.join(versions)}\n")
    print(markdown(COST_COLUMNS, cost_rows(bench.costs, LABELS, bench.titles)))
    found = verdicts(bench.costs)
    if found:
        print(markdown(VERDICT_COLUMNS, [verdict.row() for verdict in found]))
    if arguments.json:
        write_json(arguments.json, {"mib": arguments.mib, "runs": arguments.runs, "cores": os.cpu_count(),
                                    "where": where, "tools": versions}, bench.costs, found)
    if arguments.check and (slower := regressions(found)):
        fail("slower than before: " + ", ".join(f"{each.step} ({each.measured:.2f} times)" for each in slower))
