"""The tools that are measured. They run as the user of the server, as pgBackRest must."""

import shutil
import time
from pathlib import Path

from ..files import tree_size
from ..holdfast import keys, places
from ..postgres_cluster import PORT, Cluster, as_server, environment, own_directory
from ..running import Cost, measure, quietly

PROCESSES = 2


class Tool:
    """A tool with all that it keeps under one directory."""
    name: str
    title: str

    def __init__(self, home: Path, cluster: Cluster, holdfast: str) -> None:
        self.home, self.cluster, self.holdfast = home, cluster, holdfast
        self.repository = home / "repository"
        self.environment = environment() | places(home) | keys(home) | {
            "HOME": str(home), "TMPDIR": str(home)}

    @property
    def archive_command(self) -> str:
        """What the server does with finished WAL while the tool has its turn."""
        return "true"

    def init(self) -> None:
        """Makes the repository."""
        raise NotImplementedError

    def backup(self, is_full: bool) -> list[str]:
        """Stores the cluster."""
        raise NotImplementedError

    def restore(self, target: Path) -> list[str]:
        """Brings back what was stored last."""
        raise NotImplementedError

    def run(self, *command: str) -> str:
        """Run what is not measured."""
        return quietly(list(command), self.home, self.environment, as_server())

    def measure(self, command: list[str]) -> Cost:
        """Run what is measured."""
        return measure([command], self.home, self.environment, as_server())

    def reset(self) -> None:
        """Start with an empty repository."""
        shutil.rmtree(self.home, ignore_errors=True)
        own_directory(self.home)
        self.take_turn()
        self.init()

    def take_turn(self) -> None:
        """Makes the server do what the tool needs, and nothing else."""
        wanted = self.archive_command.replace("'", "''")
        self.cluster.psql(f"ALTER SYSTEM SET archive_command = '{wanted}'", "SELECT pg_reload_conf()")
        while self.cluster.psql("SHOW archive_command") != self.archive_command:
            time.sleep(0.01)
        self.cluster.psql("CHECKPOINT")

    def stored_bytes(self) -> int:
        """The size of the repository, with the WAL in it."""
        return tree_size(self.repository)[0]


class Holdfast(Tool):
    """This project, sealed as it comes."""
    name = title = "holdfast"
    options: tuple[str, ...] = ()  # of an incremental

    def init(self) -> None:
        recipient = self.run(self.holdfast, "key", "generate", self.environment["HOLDFAST_IDENTITY_FILE"]).strip()
        self.run(self.holdfast, "init", "--recipient", recipient)

    def backup(self, is_full: bool) -> list[str]:
        kind = ["--full"] if is_full else ["--incremental", *self.options]
        return [self.holdfast, "backup", str(self.cluster.data), "--name", "pg", "--quiet", *kind, "--postgres",
                self.cluster.connection]

    def restore(self, target: Path) -> list[str]:
        return [self.holdfast, "restore", "latest", "--target", str(target), "--quiet"]


class Paranoid(Holdfast):
    """The same with incrementals that read everything, and ask no log for the pages that have changed."""
    name = "paranoid"
    title = "holdfast --paranoid"
    options = ("--paranoid",)


class Unsealed(Holdfast):
    """The same without sealing: pgBackRest does not encrypt unless told to."""
    name = "unsealed"
    title = "holdfast --unsealed"

    def init(self) -> None:
        self.run(self.holdfast, "init", "--unsealed")


class PgBackRest(Tool):
    """pgBackRest with two processes, and its compression as it comes."""
    name = "pgbackrest"
    title = "pgBackRest, gz"
    compression = "gz"

    @property
    def command(self) -> list[str]:
        """What every command begins with."""
        return ["pgbackrest", f"--config={self.home / 'pgbackrest.conf'}", "--stanza=bench"]

    @property
    def archive_command(self) -> str:
        return " ".join([*self.command, "archive-push", "%p"])

    def init(self) -> None:
        for name in ("repository", "log", "lock", "spool"):
            own_directory(self.home / name)
        settings = {"repo1-path": self.repository, "log-path": self.home / "log", "lock-path": self.home / "lock",
                    "spool-path": self.home / "spool", "log-level-file": "off", "process-max": PROCESSES,
                    "start-fast": "y", "compress-type": self.compression, "repo1-retention-full": 9}
        place = {"pg1-path": self.cluster.data, "pg1-socket-path": self.cluster.run_directory, "pg1-port": PORT,
                 "pg1-user": "postgres"}
        with (self.home / "pgbackrest.conf").open("w") as file:
            for name, section in (("global", settings), ("bench", place)):
                file.write(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in section.items()))
        self.run(*self.command, "stanza-create")

    def backup(self, is_full: bool) -> list[str]:
        return [*self.command, f"--type={'full' if is_full else 'incr'}", "backup"]

    def restore(self, target: Path) -> list[str]:
        return [*self.command, f"--pg1-path={target}", "restore"]


class PgBackRestLz4(PgBackRest):
    """The same with its fastest compression."""
    name, title, compression = "lz4", "pgBackRest, lz4", "lz4"


class PgBackRestZst(PgBackRest):
    """The same with zstd."""
    name, title, compression = "zst", "pgBackRest, zst", "zst"


class PgBackRestNone(PgBackRest):
    """The same without compression."""
    name, title, compression = "none", "pgBackRest, none", "none"


class PgBackRestUnchecked(PgBackRestLz4):
    """The fastest compression, and no wait until the WAL is archived: whether the backup is worth anything is open."""
    name, title = "unchecked", "pgBackRest, lz4, WAL not awaited"

    def backup(self, is_full: bool) -> list[str]:
        return [*super().backup(is_full), "--no-archive-check"]


TOOLS = (Holdfast, Paranoid, Unsealed, PgBackRest, PgBackRestLz4, PgBackRestZst, PgBackRestNone, PgBackRestUnchecked)
LIVE_TOOLS = ("holdfast", "unsealed", "pgbackrest", "lz4")
