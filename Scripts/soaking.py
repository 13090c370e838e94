"""What the soaks of all databases share: a repository, and how one of them ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any, NoReturn

STALLS, RUN_S_MAX, STALL_S_MAX = 8, 0.05, 0.25
DONE_INCOMPLETE = 3  # holdfast's exit status, also for an anomaly


def fail(message: str) -> NoReturn:
    """End the soak: a capture was not what it should be."""
    sys.exit(f"soak: {message}")


def whole_snapshot(done: subprocess.CompletedProcess[str], anomalies: set[str]) -> dict[str, Any] | None:
    """What a backup with `--json` says of its snapshot, if that has everything. What a soak does to a source so small may
    look like one of `anomalies`: holdfast must say so (status 3), and the snapshot is whole all the same."""
    if done.returncode not in (0, DONE_INCOMPLETE):
        return None
    said = json.loads(done.stdout)
    snapshot = said["snapshot"]
    found = {anomaly["kind"] for anomaly in snapshot["anomalies"]}
    is_whole = (bool(found) == (done.returncode == DONE_INCOMPLETE) and found <= anomalies and not said["problems"]
                and snapshot["incompleteFiles"] == 0)
    return snapshot if is_whole else None


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

    def attempt_stalled(self, random: Random, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs it, and now and then stops it for a while: then much more happens meanwhile than while a small source is
        read at full speed."""
        stalls = 0
        with subprocess.Popen([self.program, *arguments], env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace") as running:
            try:
                while True:
                    try:
                        left_s = random.random() * RUN_S_MAX if stalls < STALLS else None
                        output, errors = running.communicate(timeout=left_s)
                        return subprocess.CompletedProcess(arguments, running.returncode, output, errors)
                    except subprocess.TimeoutExpired:
                        stalls += 1
                        running.send_signal(signal.SIGSTOP)
                        time.sleep(random.random() * STALL_S_MAX)
                        running.send_signal(signal.SIGCONT)
            finally:
                running.kill()

    def run(self, *arguments: str) -> str:
        """Runs it; it must succeed."""
        done = self.attempt(*arguments)
        if done.returncode:
            fail(f"holdfast {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def answer(self, *arguments: str) -> Any:
        """What it says as JSON."""
        return json.loads(self.run(*arguments, "--json"))
