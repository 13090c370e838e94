"""The command line of `Scripts/sample-shop`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from ..command import fail
from .life import age, check, create, serve

DESCRIPTION = "Make, age, serve and check a sample shop: an order database with its logs and invoices."


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_text, description=help_text)
        added.add_argument("directory", type=Path, metavar="DIR")
        if name != "check":
            added.add_argument("--seed", type=int, default=1, help="what the randomness is drawn from (default: 1)")
        return added

    added = command("create", "make a new shop of about N MiB")
    added.add_argument("--size-mib", type=int, required=True, metavar="N")
    added = command("age", "let days of trade pass, each with P percent new orders")
    added.add_argument("--days", type=int, default=1, metavar="D", help="default: 1")
    added.add_argument("--percent", type=float, default=1, metavar="P", help="default: 1")
    added = command("serve", "keep orders coming for S seconds, R a second")
    added.add_argument("--seconds", type=float, required=True, metavar="S")
    added.add_argument("--rate", type=float, default=50, metavar="R", help="default: 50")
    command("check", "check integrity and invariants, and print totals; exits 1 if something is wrong")

    arguments = vars(parser.parse_args())
    name = arguments.pop("command")
    if name != "create" and not (arguments["directory"] / "orders.db").is_file():
        fail(f"there is no shop in {arguments['directory']}")
    command_of: dict[str, Callable[..., None]] = {"create": create, "age": age, "serve": serve, "check": check}
    command_of[name](**arguments)
