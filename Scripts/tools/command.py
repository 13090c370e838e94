"""How a script talks to whoever waits for it, and how it ends."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn


class Failure(Exception):
    """Why a script cannot go on, in words for whoever started it."""


def say(message: str) -> None:
    """Progress, for whoever waits."""
    print(message, file=sys.stderr, flush=True)


def fail(message: str) -> NoReturn:
    """Gives up. What was made in temporary directories is removed on the way out."""
    raise Failure(message)


def run(main: Callable[[], None]) -> NoReturn:
    """Runs a script and exits: 1 with the reason after a failure, 130 after Ctrl-C."""
    try:
        main()
    except Failure as failure:
        sys.exit(f"{Path(sys.argv[0]).name}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def end_on_signals() -> None:
    """Ends the work once, whatever signal asks for it, and lets no other interrupt the clearing up."""
    def end(number: int, _: FrameType | None) -> None:
        for each in wanted:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for each in wanted:
        signal.signal(each, end)
