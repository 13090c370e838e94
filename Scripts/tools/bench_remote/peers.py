"""The tools that are measured, as they reach a repository on a server, and what they are asked there."""

import shutil
import sys
from pathlib import Path

from ..bench.peers import Holdfast, Tool
from ..files import copy
from ..running import quietly
from .network import Host
from .servers import Server

# What lists, judges and reads; `{}` is a file of the newest snapshot. restic has nothing like `status`.
QUESTIONS: dict[str, dict[str, list[str]]] = {
    "holdfast": {"list": ["list", "--json"], "status": ["status", "--json"], "cat": ["cat", "latest", "{}"]},
    "restic": {"list": ["snapshots", "--quiet"], "cat": ["dump", "--quiet", "latest", "/{}"]},
}


class Local:
    """A tool with a repository on this machine: how fast it is where there is neither server nor wire."""
    rows: tuple[str, ...] = ("full", "day", "restore", "verify")

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.name, self.title = "local", f"{tool.title}, local"
        if isinstance(tool, Holdfast):  # no other keeps the log of a server
            self.rows = (*Local.rows, "push", "fetch")

    def command(self, row: str) -> list[str]:
        """What it runs for a row with a shop."""
        if row == "restore":
            command = self.tool.restore("latest")[0]
        elif row == "verify":
            command = self.tool.verify()[0]
        else:
            command = self.tool.backup(row)[0]
        return [*command, "--json"] if isinstance(self.tool, Holdfast) else command

    def log_command(self, row: str, server: Path, segments: int) -> list[str]:
        """The calls of a server that has so many segments."""
        return [sys.executable, "-m", "tools.bench_remote.archiver", row, self.tool.holdfast, str(server),
                str(segments)]

    def reset(self) -> None:
        """Begins with an empty repository."""
        self.tool.reset()


class Remote(Local):
    """A tool whose repository is on a server. Each time it is reset it gets another, as emptying one takes long."""

    def __init__(self, tool: Tool, client: Host, server: Server) -> None:
        super().__init__(tool)
        self.name = self.title = tool.name
        self.client, self.server, self.number = client, server, 0
        self.rows = (*self.rows, "unchanged", *QUESTIONS[self.name])
        for name in ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_SESSION_TOKEN"):  # of whoever measures
            tool.environment.pop(name, None)
        tool.environment |= server.environment

    def there(self, command: list[str]) -> list[str]:
        """A command as it runs on the client, with what it needs to reach the server."""
        options = [] if isinstance(self.tool, Holdfast) else self.server.restic_options
        return [*self.client.enter, command[0], *options, *command[1:]]

    def command(self, row: str) -> list[str]:
        return self.there(super().command(row))

    def log_command(self, row: str, server: Path, segments: int) -> list[str]:
        return [*self.client.enter, *super().log_command(row, server, segments)]

    def question(self, row: str, file: str) -> list[str]:
        """What it runs to list, to judge, or to read a file."""
        program = self.tool.holdfast if isinstance(self.tool, Holdfast) else self.name
        return self.there([program, *(word.format(file) for word in QUESTIONS[self.name][row])])

    def go_to(self, repository: str) -> None:
        """Takes that repository on the server from now on."""
        self.tool.environment |= self.server.urls(repository)

    def reset(self) -> None:
        self.number += 1
        self.go_to(f"{self.name}-{self.number}")
        shutil.rmtree(self.tool.home, ignore_errors=True)
        self.tool.home.mkdir()
        quietly(self.there(self.tool.init()), self.tool.home, self.tool.environment)

    def adopt(self, made: Tool) -> None:
        """Takes a copy of a repository that was made on this machine, with its keys."""
        copy(made.home, self.tool.home)
        shutil.rmtree(self.tool.home / "repository")
        self.server.adopt(made.repository, f"{self.name}-history")
        self.go_to(f"{self.name}-history")
        self.forget()

    def forget(self) -> None:
        """Loses its cache, and what it knows of repositories."""
        for name in ("cache", "state"):
            shutil.rmtree(self.tool.home / name, ignore_errors=True)
