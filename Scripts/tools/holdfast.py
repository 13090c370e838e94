"""holdfast as the scripts run it: a program, and a directory with all that it keeps."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from random import Random
from typing import Any

from .command import fail, say

SCRIPTS = Path(__file__).resolve().parents[1]

STALLS, RUN_S_MAX, STALL_S_MAX = 8, 0.05, 0.25
DONE_INCOMPLETE = 3  # the exit status, also for an anomaly


def binary(given: str | Path | None = None) -> str:
    """The absolute path of a binary: the one that is given, else the release build, which is made first."""
    if given:
        return str(Path(given).absolute())
    say("building holdfast")
    done = subprocess.run([str(SCRIPTS / "build")], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        fail("Scripts/build failed")
    return str(Path(done.stdout.splitlines()[-1]).absolute())


def own_environment(*foreign: str) -> dict[str, str]:
    """The environment without the settings of holdfast, and of whatever else begins so, of whoever runs a script."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("HOLDFAST_", *foreign))}


def places(directory: Path) -> dict[str, str]:
    """The variables that keep a repository, and what a machine knows of it, below a directory."""
    return {"HOLDFAST_REPOSITORY": str(directory / "repository"), "HOLDFAST_CACHE_DIR": str(directory / "cache"),
            "HOLDFAST_CONFIG_DIR": str(directory / "configuration"), "HOLDFAST_STATE_DIR": str(directory / "state")}


def keys(directory: Path) -> dict[str, str]:
    """The variables that keep the keys of a sealed repository there, too."""
    return {"HOLDFAST_WRITER_KEY_FILE": str(directory / "writer.key"),
            "HOLDFAST_IDENTITY_FILE": str(directory / "identity.key")}


def whole_snapshot(done: subprocess.CompletedProcess[str], anomalies: set[str]) -> dict[str, Any] | None:
    """What a backup with `--json` says of its snapshot, if that has everything.

    What happens to a small source may look like one of `anomalies`: holdfast must say so (status 3), and the snapshot
    is whole all the same.
    """
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
        self.environment = own_environment("PG") | places(work)

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
