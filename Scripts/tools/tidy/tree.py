"""The files of the project, and what is said of them."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .swift import SwiftSource

DIRECTORIES = (".ci", "Scripts", "Sources", "Tests", "docs")
MANIFEST = "Package.swift"
ARCHITECTURE = "docs/architecture.md"


@dataclass(frozen=True, order=True)
class Finding:
    """Something that breaks a rule: where, and what to do."""
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class SourceFile:
    """A text file. `path` is relative to the project."""

    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.text = (root / path).read_text(encoding="utf-8", errors="replace")
        self.language = language_of(path, self.text)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, without what ends them."""
        return self.text.split("\n")[:-1] if self.text.endswith("\n") else self.text.split("\n")

    @cached_property
    def swift(self) -> SwiftSource:
        """The same, read as Swift."""
        return SwiftSource(self.text)

    @property
    def directory(self) -> str:
        """Where it lies."""
        return self.path.rpartition("/")[0]

    def found(self, line: int, text: str) -> Finding:
        """A finding in this file."""
        return Finding(self.path, line, text)


def language_of(path: str, text: str) -> str:
    """`swift`, `c`, `python`, `bash`, `markdown`, `json`, or nothing: by the name, else by the first line."""
    name = path.rpartition("/")[2]
    known = {".swift": "swift", ".c": "c", ".h": "c", ".py": "python", ".sh": "bash", ".md": "markdown",
             ".json": "json"}
    for suffix, language in known.items():
        if name.endswith(suffix):
            return language
    first = text.partition("\n")[0]
    if first.startswith("#!"):
        return "python" if "python" in first else "bash" if "sh" in first.rpartition("/")[2] else ""
    return ""


class Tree:
    """All files of the project that are in a language that the rules know."""

    def __init__(self, root: Path) -> None:
        paths = [MANIFEST] if (root / MANIFEST).is_file() else []
        for directory in DIRECTORIES:
            for parent, folders, names in os.walk(root / directory):
                folders[:] = sorted(name for name in folders if not name.startswith(".build") and name != "__pycache__")
                paths += [os.path.relpath(os.path.join(parent, name), root) for name in sorted(names)]
        files = [SourceFile(root, path) for path in paths if is_text(root / path)]
        self.files = [file for file in files if file.language]

    def of(self, *languages: str) -> list[SourceFile]:
        """Those in one of some languages."""
        return [file for file in self.files if file.language in languages]

    def below(self, directory: str, language: str = "swift") -> list[SourceFile]:
        """Those in a language below a directory."""
        return [file for file in self.of(language) if file.path.startswith(directory + "/")]

    def file(self, path: str) -> SourceFile | None:
        """The file at a path."""
        return next((file for file in self.files if file.path == path), None)


def is_text(path: Path) -> bool:
    """Whether a file is text, as far as its beginning tells; links are not followed."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(1024)
