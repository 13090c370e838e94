"""What the tests of the scripts share."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "Scripts"
sys.path.insert(0, str(SCRIPTS))


def script(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs a script to its end."""
    return subprocess.run([str(SCRIPTS / name), *arguments], capture_output=True, text=True, check=False)


class TestInDirectory(unittest.TestCase):
    """A test with a directory of its own."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)

    def write(self, path: str, text: str) -> Path:
        """Puts a file into the directory."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)
        return self.root / path
