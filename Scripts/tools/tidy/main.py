"""The command line of `Scripts/tidy`."""

import argparse
from pathlib import Path

from .arrows import circle_findings, folder_findings, module_findings, printed_tables
from .schemas import DOCUMENT, MARK, printed_schemas, schema_findings
from .text import (decision_findings, glibc_findings, length_findings, opening_findings, width_findings,
                   word_findings)
from .tree import Finding, Tree

RULES = (module_findings, folder_findings, circle_findings, glibc_findings, length_findings, width_findings,
         opening_findings, word_findings, decision_findings, schema_findings)


def findings(root: Path) -> list[Finding]:
    """Everything that breaks a rule, in order of files and lines."""
    tree = Tree(root)
    return sorted(finding for rule in RULES for finding in rule(tree))


def main() -> int:
    """Checks the project, prints its arrows, or writes tables; the exit status."""
    parser = argparse.ArgumentParser(prog="tidy", description="Check the rules of docs/architecture.md.")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[3], metavar="DIR",
                        help="the project (default: this one)")
    parser.add_argument("--arrows", action="store_true", help="print the tables of arrows as the code has them")
    parser.add_argument("--json", action="store_true", help=f"write the tables of {DOCUMENT} as docs/schemas has them")
    arguments = parser.parse_args()
    if arguments.arrows:
        print(printed_tables(Tree(arguments.root)))
        return 0
    if arguments.json:
        document = arguments.root / DOCUMENT
        said = document.read_text(encoding="utf-8").partition(MARK)[0]
        document.write_text(said + MARK + printed_schemas(Tree(arguments.root)), encoding="utf-8")
        return 0
    found = findings(arguments.root)
    for finding in found:
        print(finding)
    return 1 if found else 0
