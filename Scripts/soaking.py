"""What the soaks of all databases share: a repository, and how one of them ends."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn


def fail(message: str) -> NoReturn:
    """End the soak: a capture was not what it should be."""
    sys.exit(f"soak: {message}")


class Holdfast:
    """The program, with a repository and all that it keeps below one directory."""

    def __init__(self, work: Path, program: str) -> None:
        self.program, self.repository = program, work / "repository"
        foreign = ("HOLDFAST_", "PG")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        self.environment = kept | {
            "HOLDFAST_REPOSITORY": str(self.repository), "HOLDFAST_CACHE_DIR": str(work / "cache"),
            "HOLDFAST_STATE_DIR": str(work / "state")}

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it, whatever it answers."""
        return subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True,
                              errors="replace", check=False)

    def run(self, *arguments: str) -> str:
        """Runs it; it must succeed."""
        done = self.attempt(*arguments)
        if done.returncode:
            fail(f"holdfast {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def answer(self, *arguments: str) -> Any:
        """What it says as JSON."""
        return json.loads(self.run(*arguments, "--json"))
