"""The release before this one, built from its tag, to measure it beside this one."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from ..command import fail, say
from ..holdfast import SCRIPTS
from ..running import quietly

PROJECT = SCRIPTS.parent


def newest_release() -> str | None:
    """The newest tag before this commit; `None` if there is none."""
    done = subprocess.run(["git", "describe", "--tags", "--abbrev=0", "HEAD^"], cwd=PROJECT, capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or None


def build_of(revision: str) -> Path:
    """The binary of a revision. It is built once, in a directory of its own, and kept below .build."""
    commit = quietly(["git", "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"], PROJECT).strip()
    kept = PROJECT / ".build" / "previous" / commit / "holdfast"
    if kept.exists():
        return kept
    say(f"building {revision}, which takes minutes; the next time it is there")
    with tempfile.TemporaryDirectory(prefix="holdfast-previous-") as name:
        tree = Path(name) / "tree"
        quietly(["git", "clone", "--quiet", "--no-checkout", str(PROJECT), str(tree)])
        quietly(["git", "checkout", "--quiet", "--detach", commit], tree)
        done = subprocess.run(["Scripts/build"], cwd=tree, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            fail(f"{revision} cannot be built")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(done.stdout.splitlines()[-1], kept.with_suffix(".new"))
        kept.with_suffix(".new").rename(kept)
    return kept
