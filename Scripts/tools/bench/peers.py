"""The tools that are measured, each with all that it keeps under one directory."""

import re
import shutil
from pathlib import Path

from ..command import say
from ..files import copy, tree_size
from ..holdfast import keys, own_environment, places
from ..running import Pipeline, quietly


class Tool:
    """A tool. What it keeps lies under one directory, so its state is saved and loaded by copying.

    `backup` runs in the source, `restore` in the target.
    """
    name: str
    title: str
    program: str
    package: str

    def __init__(self, home: Path, holdfast: str = "") -> None:
        self.home = home
        self.holdfast = holdfast
        self.repository = home / "repository"
        repository, cache = str(self.repository), str(home / "cache")
        self.environment = own_environment("RESTIC_", "BORG_") | places(home) | keys(home) | {
            "TMPDIR": str(home),
            "RESTIC_REPOSITORY": repository, "RESTIC_CACHE_DIR": cache, "RESTIC_PASSWORD": "bench",
            "BORG_REPO": repository, "BORG_BASE_DIR": cache, "BORG_PASSPHRASE": "bench",
        }

    def init(self) -> list[str]:
        """Makes the repository."""
        raise NotImplementedError

    def backup(self, label: str) -> Pipeline:
        """Stores the source."""
        raise NotImplementedError

    def verify(self) -> Pipeline:
        """Reads everything that is stored."""
        raise NotImplementedError

    def restore(self, label: str, over: bool = False) -> Pipeline:
        """Brings back what was stored last, under that label."""
        raise NotImplementedError

    def make_way(self, target: Path) -> None:
        """Takes out of an older state what the tool cannot restore over."""

    def stored_bytes(self) -> int:
        """The size of the repository."""
        return tree_size(self.repository)[0]

    def reset(self) -> None:
        """Start with an empty repository."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        quietly(self.init(), self.home, self.environment)

    def save(self) -> None:
        """Keep this state."""
        copy(self.home, self.home.with_suffix(".saved"))

    def load(self) -> None:
        """Go back to the state that was kept."""
        copy(self.home.with_suffix(".saved"), self.home)


class Holdfast(Tool):
    """This project, sealed as it comes. What writes has no use for the identity; what reads does."""
    name = title = "holdfast"

    def init(self) -> list[str]:
        identity = self.environment["HOLDFAST_IDENTITY_FILE"]
        recipient = quietly([self.holdfast, "key", "generate", identity], self.home, self.environment).strip()
        return [self.holdfast, "init", "--recipient", recipient]

    def backup(self, label: str) -> Pipeline:
        kind = ["--full"] if label == "full" else []
        return [[self.holdfast, "backup", ".", "--name", "shop", "--quiet", *kind]]

    def verify(self) -> Pipeline:
        return [[self.holdfast, "verify", "--data"]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        return [[self.holdfast, "restore", "latest", "--target", ".", *(["--delta"] if over else [])]]


class Unsealed(Holdfast):
    """The same without sealing: what sealing costs."""
    name = "unsealed"
    title = "holdfast --unsealed"

    def init(self) -> list[str]:
        return [self.holdfast, "init", "--unsealed"]


class Earlier(Holdfast):
    """Another build of this project, to which nothing of its speed shall be lost."""
    name = "earlier"
    title = "holdfast, earlier"


class Restic(Tool):
    """restic as it comes."""
    name = title = program = package = "restic"

    def init(self) -> list[str]:
        return ["restic", "init"]

    def backup(self, label: str) -> Pipeline:
        return [["restic", "backup", "--quiet", "."]]

    def verify(self) -> Pipeline:
        return [["restic", "check", "--quiet", "--read-data"]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        return [["restic", "restore", "--quiet", "latest", "--target", "."]]

    def make_way(self, target: Path) -> None:
        # restic 0.14 stops at a symlink that is there already, and loses the second name of a file that is.
        for path in (target / "invoices" / "latest", target / "prices" / "opening.csv"):
            path.unlink()


class Borg(Tool):
    """borg with its fast compression, encrypted as restic always is."""
    name = program = "borg"
    title = "borg lz4"
    package = "borgbackup"

    def init(self) -> list[str]:
        return ["borg", "init", "--encryption", "repokey"]

    def backup(self, label: str) -> Pipeline:
        return [["borg", "create", "--compression", "lz4", f"::{label}", "."]]

    def verify(self) -> Pipeline:
        return [["borg", "check", "--verify-data"]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        return [["borg", "extract", f"::{label}"]]


class Tar(Tool):
    """What everybody has: a whole archive each time."""
    name = "tar"
    title = "tar, zstd -1 -T2"
    program = package = "zstd"

    def init(self) -> list[str]:
        return ["mkdir", str(self.repository)]

    def archive(self, label: str) -> str:
        """The file of that label."""
        return str(self.repository / f"{label}.tar.zst")

    def backup(self, label: str) -> Pipeline:
        return [["tar", "-cf", "-", "."], ["zstd", "-q", "-1", "-T2", "-o", self.archive(label)]]

    def verify(self) -> Pipeline:
        return [["zstd", "-q", "-t", *sorted(map(str, self.repository.iterdir()))]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        return [["zstd", "-q", "-dc", self.archive(label)], ["tar", "-xf", "-"]]


TOOLS = (Holdfast, Unsealed, Restic, Borg, Tar)


def is_there(tool: type[Tool]) -> bool:
    """Whether a tool can be run; says how to get one that cannot."""
    if issubclass(tool, Holdfast) or shutil.which(tool.program):
        return True
    say(f"{tool.program} is missing and left out")
    say(f"HINT: Scripts/install-deps bench, or apt-get install {tool.package}")
    return False


def installed(names: list[str]) -> list[type[Tool]]:
    """The tools that are asked for and there."""
    return [tool for tool in TOOLS if tool.name in names and is_there(tool)]


def version(tool: type[Tool], program: str) -> str:
    """Which release of a tool this is."""
    said = quietly([program, "version" if tool is Restic else "--version"])
    number = re.search(r"\d+(\.\d+)+", said)
    return f"{Path(program).name} {number[0] if number else said.strip()}"
