"""PostgreSQL clusters of one's own: on a socket in a temporary directory, with Debian's server of the highest version.

The server refuses to run as root: then it runs as the user `postgres`. Every server is stopped by its own data
directory.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .command import Failure
from .holdfast import own_environment

VERSIONS = Path("/usr/lib/postgresql")
PORT = 5432  # names the socket's file: nothing listens on the network
START_S_MAX = 100


class PostgresError(Failure):
    """A program of PostgreSQL's failed."""


def programs() -> Path:
    """The directory of PostgreSQL's programs."""
    found = [path for path in VERSIONS.glob("*/bin") if (path / "initdb").exists() and path.parent.name.isdigit()]
    if not found:
        raise PostgresError(f"there is no PostgreSQL in {VERSIONS}. HINT: Scripts/install-deps test")
    return max(found, key=lambda path: int(path.parent.name))


def as_server() -> dict[str, Any]:
    """What makes subprocess run something as the user of the server."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def environment() -> dict[str, str]:
    """The environment without the settings of PostgreSQL and of pgBackRest of whoever runs this."""
    return own_environment("PG", "LC_", "LANG") | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


@contextmanager
def working_directory(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A temporary directory that the server's user can enter."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as name:
        os.chmod(name, 0o755)
        yield Path(name)


def own_directory(path: Path) -> None:
    """Makes a directory that is the server's."""
    path.mkdir(parents=True, mode=0o700)
    give_to_server(path)


def give_to_server(path: Path) -> None:
    """Makes the server's user the owner."""
    if user := as_server():
        import pwd  # only where there is such a user
        entry = pwd.getpwnam(user["user"])
        os.chown(path, entry.pw_uid, entry.pw_gid)


class Cluster:
    """A data directory and its server. Leaving its context stops the server."""

    def __init__(self, data: Path) -> None:
        """`data` may be there already. The socket and the log lie beside it."""
        self.data, self.programs = data, programs()
        self.run_directory = data.with_name(data.name + ".run")
        self.log = self.run_directory / "log"
        self.may_run = False
        if not self.run_directory.exists():
            own_directory(self.run_directory)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        if self.may_run:
            self.stop("immediate")

    @property
    def connection(self) -> str:
        """How libpq reaches it."""
        return f"host={self.run_directory} port={PORT} user=postgres dbname=postgres"

    def environment(self) -> dict[str, str]:
        """The same for PostgreSQL's own programs."""
        return environment() | {
            "PGHOST": str(self.run_directory), "PGPORT": str(PORT), "PGUSER": "postgres", "PGDATABASE": "postgres",
            "PGOPTIONS": "-c lock_timeout=3s -c client_min_messages=warning"}

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A program of PostgreSQL's, as the user of the server; Ctrl-C does not end it half-way."""
        running = subprocess.Popen(
            [str(self.programs / command[0]), *command[1:]], env=self.environment(), cwd=self.run_directory, text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, **as_server())
        try:
            output, errors = running.communicate()
        except BaseException:
            running.communicate()
            raise
        return subprocess.CompletedProcess(command, running.returncode, output, errors)

    def program(self, *command: str) -> str:
        """The same where it must succeed; its output."""
        done = self.attempt(*command)
        if done.returncode:
            said = "\n".join(text.strip() for text in (done.stdout[-1000:], done.stderr[-2000:]) if text.strip())
            raise PostgresError(f"{' '.join(command)[:300]}: exit {done.returncode}\n{said}")
        return done.stdout

    def init(self, settings: Mapping[str, str | int], *options: str) -> None:
        """Makes the data directory."""
        own_directory(self.data)
        self.program("initdb", "--pgdata", str(self.data), "--no-sync", "--no-instructions", "--auth=trust",
                     "--username=postgres", "--encoding=UTF8", "--locale=C", *options)
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self, *options: str) -> None:
        """Starts the server; it answers when this returns. `options` are settings for this start alone."""
        settings = ("listen_addresses=", f"unix_socket_directories={self.run_directory}", f"port={PORT}", *options)
        self.may_run = True
        # The log is a file: a pipe would stay open as long as the server.
        done = self.attempt("pg_ctl", "start", "--pgdata", str(self.data), "--log", str(self.log), "--wait", "--silent",
                            "--timeout", str(START_S_MAX), "--options", " ".join(f"-c {each}" for each in settings))
        if done.returncode:
            said = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else done.stderr
            raise PostgresError(f"the server on {self.data} does not start:\n{said}")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: `fast`, or `immediate`, which is a crash."""
        done = self.attempt("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", mode, "--wait", "--silent",
                            "--timeout", str(START_S_MAX))
        if done.returncode and (self.data / "postmaster.pid").exists():
            raise PostgresError(f"the server on {self.data} does not stop: {done.stderr.strip()}")
        self.may_run = False

    def psql(self, *statements: str) -> str:
        """What statements answer: columns parted by `|`, rows by line ends."""
        return self.program(*self.psql_command(statements)).strip()

    def attempt_psql(self, *statements: str) -> subprocess.CompletedProcess[str]:
        """Statements, each a transaction of its own, whatever becomes of them."""
        return self.attempt(*self.psql_command(statements))

    @staticmethod
    def psql_command(statements: tuple[str, ...]) -> list[str]:
        """The command line that runs statements and stops at an error."""
        return ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *(part for each in statements for part in ("-c", each))]

    def load(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts a pgbench, which must be ended and waited for."""
        return subprocess.Popen(
            [str(self.programs / "pgbench"), "-n", *arguments], env=self.environment(), cwd=self.run_directory,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            **as_server())
