"""holdfast in other ways than it comes: several targets, parity, other codecs; and tar with the same codecs."""

import os
from pathlib import Path

from ..running import Pipeline, quietly
from .peers import Holdfast, Tar


class SeveralTargets(Holdfast):
    """The same with more targets, each on a file system in memory of its own where this user may mount one."""
    others: tuple[str, ...]
    settings = ""

    def paths(self) -> dict[str, Path]:
        """Where each target is, by its name. What is mounted lies above it, so that it can be taken away."""
        return {"home": self.repository / "shop"} | {name: self.home / name / "shop" for name in self.others}

    def init(self) -> list[str]:
        configuration = Path(self.environment["HOLDFAST_CONFIG_DIR"])
        configuration.mkdir(mode=0o755)
        self.environment["HOLDFAST_REPOSITORY"] = str(self.paths()["home"])
        lines = "".join(f"      - {{name: {name}, path: '{path}'}}\n" for name, path in self.paths().items())
        (configuration / "holdfast.yaml").write_text(
            f"repositories:\n  shop:\n    targets:\n{lines}{self.settings}")
        for path in self.paths().values():
            path.parent.mkdir()
            if os.geteuid() == 0:
                quietly(["mount", "-t", "tmpfs", "tmpfs", str(path.parent)])
        return super().init()

    def take_away(self, names: tuple[str, ...]) -> None:
        """Hides targets."""
        for name in names:
            self.paths()[name].rename(self.paths()[name].with_name("away"))

    def bring_back(self, names: tuple[str, ...]) -> None:
        """Shows them again."""
        for name in names:
            self.paths()[name].with_name("away").rename(self.paths()[name])

    def close(self) -> None:
        """Gives the file systems back."""
        for path in self.paths().values():
            if os.path.ismount(path.parent):
                quietly(["umount", str(path.parent)])

    def reset(self) -> None:
        self.close()
        super().reset()


class OneTarget(SeveralTargets):
    """A repository at one place, on a file system as those of several targets are."""
    name = "one-target"
    title = "holdfast, one target"
    others = ()


class ThreeTargets(SeveralTargets):
    """Three whole copies."""
    name = "three-targets"
    title = "holdfast, three targets"
    others = ("second", "third")


class Divided(SeveralTargets):
    """Six shards of each archive, of which any four are enough."""
    name = "divided"
    title = "holdfast, erasure: 4+2"
    others = ("second", "third", "fourth", "fifth", "sixth")
    settings = "    erasure: 4+2\n"


class WithParity(Holdfast):
    """The same with parity in archives."""
    name = "parity"
    title = "holdfast --parity 2%"

    def backup(self, label: str) -> Pipeline:
        return [[*command, "--parity", "2%"] for command in super().backup(label)]


class Zstandard(Holdfast):
    """The same with the other codec."""
    name = "zstd"
    title = "holdfast --compression zstd"

    def backup(self, label: str) -> Pipeline:
        return [[*command, "--compression", "zstd"] for command in super().backup(label)]


class GzipTar(Tar):
    """tar through a program that writes DEFLATE to its standard output."""
    command: tuple[str, ...]

    def archive(self, label: str) -> str:
        return str(self.repository / f"{label}.tar.gz")

    def backup(self, label: str) -> Pipeline:
        return [["tar", "-cf", "-", "."], ["sh", "-c", 'exec "$@" > "$0"', self.archive(label), *self.command]]

    def verify(self) -> Pipeline:
        return [[self.program, "-t", *sorted(map(str, self.repository.iterdir()))]]

    def restore(self, label: str, over: bool = False) -> Pipeline:
        return [[self.program, "-dc", self.archive(label)], ["tar", "-xf", "-"]]


class IgzipTar(GzipTar):
    """The fastest DEFLATE that there is: holdfast uses its library."""
    name = "igzip"
    title = "tar, igzip -1 -T2"
    program, package = "igzip", "isal"
    command = ("igzip", "-1", "-T", "2", "-c")


class PigzTar(GzipTar):
    """zlib on two cores."""
    name = "pigz"
    title = "tar, pigz -1 -p2"
    program = package = "pigz"
    command = ("pigz", "-1", "-p", "2", "-c")


def codec_rows() -> dict[str, tuple[type[Holdfast], tuple[type[Tar], ...]]]:
    """Like with like: holdfast with a codec, and tar with the same one."""
    return {"deflate": (Holdfast, (IgzipTar, PigzTar)), "zstd": (Zstandard, (Tar,))}
