"""The command line of `Scripts/bench-postgres`."""

import argparse
import os
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from ..command import end_on_signals, say
from ..files import MIB, is_tmpfs, place, tree_size
from ..holdfast import binary
from ..postgres_cluster import Cluster, own_directory
from ..report import COST_COLUMNS, VERDICT_COLUMNS, cost_rows, markdown, write_json
from ..running import quietly
from .live import LIVE_COLUMNS, Live, live, live_rows
from .peers import LIVE_TOOLS, TOOLS, PgBackRest, Tool
from .steps import CHANGED_SHARE, KEPT_LOG_MIB, STEPS, Bench, verdicts

DESCRIPTION = ("Measure holdfast beside pgBackRest: the same live cluster of pgbench's, one run, one machine, results "
               "as Markdown.")
SPACE_FACTOR = 8  # what the directory must hold, in sizes of the cluster: itself with its WAL, a copy, the repositories


def versions(program: str, cluster: Cluster) -> list[str]:
    """Which releases are measured."""
    peers = ["pgbackrest", "version"] if shutil.which("pgbackrest") else []
    said = [quietly([program, "--version"]), quietly(peers) if peers else "", cluster.program("postgres", "--version")]
    return [" ".join(text.split()[:3]) for text in said if text]


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    names = [tool.name for tool in TOOLS]
    parser.add_argument("mib", nargs="?", type=int, default=900, metavar="MIB",
                        help="size of the cluster (default: 900)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="how often each step is measured (default: 3)")
    parser.add_argument("--tool", choices=names, action="append", help="may be repeated (default: all)")
    parser.add_argument("--changed", type=float, default=100 * CHANGED_SHARE, metavar="PERCENT",
                        help=f"of the pages, before each incremental (default: {100 * CHANGED_SHARE:g})")
    parser.add_argument("--rate", type=int, default=200, metavar="N",
                        help="transactions a second of the live part; 0: as many as can be (default: 200)")
    parser.add_argument("--live", type=int, default=15, metavar="SECONDS",
                        help="of the live part, before and during captures; 0 leaves it out (default: 15)")
    parser.add_argument("--directory", type=Path, metavar="DIR", help="where to work (default: in memory, /dev/shm)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    parser.add_argument("--holdfast", metavar="PROGRAM", help="default: the release build, which is made first")
    return parser.parse_args()


def chosen_tools(names: list[str] | None) -> list[type[Tool]]:
    """The tools that are asked for and there."""
    kinds = [tool for tool in TOOLS if not names or tool.name in names]
    if not shutil.which("pgbackrest"):
        say("pgbackrest is missing and left out")
        say("HINT: Scripts/install-deps bench, or apt-get install pgbackrest")
        kinds = [tool for tool in kinds if not issubclass(tool, PgBackRest)]
    return kinds


def main() -> None:
    """Measures, and prints the report."""
    arguments = parse()
    end_on_signals()
    kinds = chosen_tools(arguments.tool)
    directory = place(arguments.directory, (SPACE_FACTOR * arguments.mib + KEPT_LOG_MIB) * MIB)
    program = binary(arguments.holdfast)
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir=directory) as name, ExitStack() as stack:
        work = Path(name)
        os.chmod(work, 0o755)
        (work / "bin").mkdir()
        copy = shutil.copy(program, work / "bin" / "holdfast")  # the build may lie where the server's user does not get
        cluster = stack.enter_context(Cluster(work / "cluster"))
        tools = [kind(work / kind.name, cluster, str(copy)) for kind in kinds]
        bench = Bench(work, cluster, tools, arguments.runs, arguments.changed / 100)
        say(f"making a cluster of {arguments.mib} MiB")
        bench.make(arguments.mib)
        releases = versions(str(copy), cluster)
        size, files = tree_size(cluster.data / "base")
        bench.steps(arguments.mib)
        found: list[Live] = []
        for tool in tools if arguments.live else []:
            if tool.name in LIVE_TOOLS:
                own_directory(work / f"live-{tool.name}")
                found.append(live(tool, cluster, work / f"live-{tool.name}", arguments.rate, arguments.live))

    titles, where = {tool.name: tool.title for tool in tools}, "tmpfs" if is_tmpfs(directory) else "disk"
    print(f"A pgbench cluster of {size / MIB:.0f} MiB in {files} files, {arguments.changed:g} % of its pages changed, "
          f"{os.cpu_count()} cores, {where}, medians of {arguments.runs}: {', '.join(releases)}\n")
    print(markdown(COST_COLUMNS, cost_rows(bench.costs, STEPS, titles)))
    judged = verdicts(bench.costs, titles)
    if judged:
        print(markdown(VERDICT_COLUMNS, [verdict.row() for verdict in judged]))
    if found:
        rate = f"at {arguments.rate} transactions a second" if arguments.rate else "as fast as it can"
        print(f"pgbench {rate}, {arguments.live} s alone, {arguments.live} s beside fulls:\n")
        print(markdown(LIVE_COLUMNS, live_rows(found)))
    if arguments.json:
        write_json(arguments.json, {"mib": arguments.mib, "runs": arguments.runs, "cores": os.cpu_count(),
                                    "where": where, "tools": releases}, bench.costs, judged,
                   {"live": [{**asdict(each), "lost_percent": each.lost_percent} for each in found]})
