"""Leases of runs that were killed.

Whoever comes next has to wait for two minutes until such a lease counts no more. Here it is given back in the name of
the dead run, as the run would have done, so that a seed takes seconds.
"""

import json
from collections.abc import Callable
from typing import Protocol

PREFIX = "leases/"


class Objects(Protocol):
    """A repository beside holdfast."""

    def names(self, folder: str) -> list[str]:
        """The names in a folder, which may not exist."""

    def read(self, key: str) -> bytes | None:
        """An object."""

    def create(self, key: str, content: bytes) -> None:
        """Makes an object that does not exist."""


def give_back(objects: Objects, source: str, is_dead: Callable[[int], bool]) -> bool:
    """Gives back the lease on a source if its newest number is that of a dead run; whether it was."""
    folder = f"{PREFIX}{source}/"
    numbers = [name for name in objects.names(folder) if len(name) == 10 and name.isdigit()]
    if not numbers:
        return False
    newest = max(numbers)
    try:
        record = json.loads(objects.read(folder + newest) or b"")
    except ValueError:
        return False
    if not record.get("seconds") or not is_dead(record["process"]):
        return False
    record["seconds"] = 0
    objects.create(f"{folder}{int(newest) + 1:010}", json.dumps(record).encode() + b"\n")
    return True
