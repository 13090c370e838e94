"""What can be wrong, and how it is told."""
from __future__ import annotations

import contextlib, sys
from typing import Iterator


class Refused(Exception):
    """What is asked cannot be done; the text says what and where."""
    status = 1


class Damaged(Refused):
    """Something is not as the format says. A restore leaves out the file that needs it, and goes on."""


class LeftOut(Refused):
    """Something cannot be restored, and nothing is damaged."""
    status = 3


PROBLEMS: list[int] = []  # the exit status that each problem calls for; 1 comes before 3


def note(text: str, status: int = 1) -> None:
    PROBLEMS.append(status)
    print(f"rescue: {text}", file=sys.stderr)


def tell(text: str) -> None:
    """Says something that is no problem of what is read."""
    print(f"rescue: {text}", file=sys.stderr)


@contextlib.contextmanager
def noting(what: str) -> Iterator[None]:
    """Tells a problem instead of giving up."""
    try:
        yield
    except Refused as error:
        note(f"{what}: {error}", error.status)


def demand(right: object, problem: str) -> None:
    if not right:
        raise Damaged(problem)


def show(name: bytes) -> str:
    """A name or path fit for a terminal: what is not printable UTF-8 appears as \\xNN."""
    text = name.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text) or "."
