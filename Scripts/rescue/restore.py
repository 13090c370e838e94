"""Writes a snapshot into an empty directory."""
from __future__ import annotations

import contextlib, os, stat
from typing import Any, Callable, Iterator

from .bodies import Entry
from .chain import Chain
from .format import (BAD_PAGES, CHARACTER_DEVICE, DIRECTORY, FIFO, FILE, FILE_KINDS, HARD_LINK, SYMBOLIC_LINK, TORN,
                     UNREADABLE, Snapshot)
from .problems import PROBLEMS, Damaged, LeftOut, Refused, note, noting, show
from .repository import Repository

DIRECTORY_ONLY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def restore(repository: Repository, snapshot: Snapshot, target: str) -> None:
    """Checks everything but the contents of files, and only then touches the target."""
    if os.path.lexists(target) and (os.path.islink(target) or not os.path.isdir(target) or os.listdir(target)):
        raise Refused(f"{target}: is there, and is not an empty directory")
    chain = Chain(repository, snapshot)
    for each in chain.snapshots:
        if not repository.opens(each):
            raise Refused(f"{repository.keyring.closed(each)}\n"
                          "HINT: Give --identity FILE or --passphrase-file FILE of one of them.")
    chain.unpack()
    for _ in chain.states():
        pass
    chain.check_state(snapshot)
    for archive in chain.archives:
        with contextlib.suppress(Damaged):  # the files that need it will say so
            repository.container(archive)
    with Target(target) as place:
        phase = {DIRECTORY: 0, FILE: 1, HARD_LINK: 2}  # symbolic links come last: nothing is written through one
        for entry in sorted(chain.entries(), key=lambda entry: phase.get(entry.type, 3)):
            with noting(f"left out: {show(entry.path)}"):
                place.write(chain, entry)
        for entry in reversed(chain.entries()):
            if entry.type == DIRECTORY:
                with noting(f"left out: {show(entry.path)}"):
                    write_attributes(entry, place.directory(entry.path))
    print(f"{snapshot.title}  {snapshot.id}  is restored" + (", but not all: see above" if any(PROBLEMS) else "")
          + (", without owners" if os.geteuid() else ""))


class Target:
    """An empty directory that a snapshot is written into.

    Everything is reached through descriptors from there on, one name at a time and never through a link, and is what
    was made here: whoever else can write to it leads nothing away.
    """

    def __init__(self, path: str):
        os.makedirs(path, 0o700, exist_ok=True)
        self.opened: list[tuple[bytes, int]] = [(b"", os.open(path, DIRECTORY_ONLY))]  # the way to the last directory
        self.made: dict[bytes, tuple[int, int]] = {}  # device and inode number of what was written, by path
        top = self.opened[0][1]
        if os.geteuid() == 0:
            os.chown(top, 0, 0)  # from here on its owner cannot interfere
        os.chmod(top, 0o700)
        if os.listdir(top):
            self.close()
            raise Refused(f"{path}: is there, and is not an empty directory")
        for name in ("system.posix_acl_access", "system.posix_acl_default"):  # nothing is handed down from outside
            with contextlib.suppress(OSError):
                os.removexattr(top, name)
        self.keep(b"", top)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        while self.opened:
            os.close(self.opened.pop()[1])

    def keep(self, path: bytes, file: int) -> None:
        """Remembers what was made at a path, so that nothing else is taken for it."""
        status = os.fstat(file)
        self.made[path] = status.st_dev, status.st_ino

    def check(self, path: bytes, file: int) -> None:
        status = os.fstat(file)
        if self.made.get(path) != (status.st_dev, status.st_ino):
            raise Refused("somebody has exchanged it, or what it lies in, while it was restored")

    def directory(self, path: bytes) -> int:
        """The descriptor of a directory that was made before. Paths come in order, so the way to it is open mostly."""
        while not (path + b"/").startswith(self.opened[-1][0] + b"/") and self.opened[-1][0]:
            os.close(self.opened.pop()[1])
        above, file = self.opened[-1]
        for name in path[len(above):].split(b"/"):
            if name:
                above = above + b"/" + name if above else name
                try:
                    file = os.open(name, DIRECTORY_ONLY, dir_fd=file)
                except OSError as error:
                    raise Refused(f"the directory {show(above)} cannot be opened: {error.strerror}") from None
                self.opened.append((above, file))
                self.check(above, file)
        return file

    def write(self, chain: Chain, entry: Entry) -> None:
        """Makes one entry; directories get their attributes later."""
        if not entry.path:
            return
        above, _, name = entry.path.rpartition(b"/")
        parent = self.directory(above)
        if entry.type == DIRECTORY:
            os.mkdir(name, 0o700, dir_fd=parent)
            return self.adopt(entry, parent, name, lambda file: None)
        if entry.type == FILE:
            return self.write_file(chain, entry, parent, name)
        try:
            if entry.type == HARD_LINK:
                return self.link(entry, parent, name)
            if entry.type == SYMBOLIC_LINK:
                os.symlink(entry.link, name, dir_fd=parent)
            elif entry.type == FIFO:
                os.mkfifo(name, 0o600, dir_fd=parent)
            else:
                kind = stat.S_IFCHR if entry.type == CHARACTER_DEVICE else stat.S_IFBLK
                os.mknod(name, 0o600 | kind, os.makedev(*entry.device), dir_fd=parent)
        except OSError as error:
            raise LeftOut(f"{error.strerror}" + (f": {show(entry.link)}" if entry.link else "")) from None
        self.adopt(entry, parent, name, lambda file: write_attributes(entry, file))

    def adopt(self, entry: Entry, parent: int, name: bytes, use: Callable[[int], None]) -> None:
        """Opens what was made under a name, which is ours and of its kind, or not what was made."""
        file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
        try:
            status = os.fstat(file)
            if status.st_uid != os.geteuid() or stat.S_IFMT(status.st_mode) != FILE_KINDS[entry.type]:
                raise Refused("somebody has exchanged it while it was restored")
            self.keep(entry.path, file)
            use(file)
        finally:
            os.close(file)

    def link(self, entry: Entry, parent: int, name: bytes) -> None:
        above, _, first = entry.link.rpartition(b"/")
        if entry.link not in self.made:
            raise LeftOut(f"it leads to what is left out: {show(entry.link)}")
        parent = os.dup(parent)  # looking for the other one may close it
        try:
            os.link(first, name, src_dir_fd=self.directory(above), dst_dir_fd=parent, follow_symlinks=False)
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=parent)
            try:
                self.check(entry.link, file)
            except Refused:
                os.unlink(name, dir_fd=parent)
                raise
            finally:
                os.close(file)
        finally:
            os.close(parent)

    def write_file(self, chain: Chain, entry: Entry, parent: int, name: bytes) -> None:
        if entry.consistency == UNREADABLE:
            raise LeftOut("could not be read when the snapshot was taken")
        file = -1
        try:
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=parent)
            os.ftruncate(file, entry.size)  # what is not written stays a hole
            for position, data in chain.contents(entry):
                while data:
                    written = os.pwrite(file, data, position)
                    data, position = data[written:], position + written
            self.keep(entry.path, file)
            write_attributes(entry, file)
        except Damaged:
            os.unlink(name, dir_fd=parent)
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, entry.path) from None
        finally:
            if file >= 0:
                os.close(file)
        if entry.consistency == BAD_PAGES:
            pages = ", ".join(map(str, entry.bad_pages))
            note(f"bad pages: {show(entry.path)}: {pages}: damaged before the snapshot", 0)
        if entry.consistency == TORN:
            note(f"torn: {show(entry.path)}: was changing when the snapshot was taken", 0)


def write_attributes(entry: Entry, file: int) -> None:
    """The order matters: a new owner drops setuid and capabilities, a mode can forbid extended attributes."""
    @contextlib.contextmanager
    def trying(what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            note(f"left out: {show(entry.path)}: {what}: {error.strerror}", 3)
    # A descriptor for a name only takes no attributes; the name that the system has for it leads to just that.
    path: Any = file if entry.type in (FILE, DIRECTORY) else f"/proc/self/fd/{file}"
    mode, user, group, modified, extended = entry.attributes
    if os.geteuid() == 0:
        with trying("owner"):
            os.chown(path, user, group)
    for name, value in extended:
        with trying(f"extended attribute {show(name)}"):
            os.setxattr(path, name, value)
    if entry.type != SYMBOLIC_LINK:
        with trying("mode"):
            status = os.fstat(file)
            is_owned = (status.st_uid, status.st_gid) == (user, group)
            os.chmod(path, mode if is_owned else mode & ~(stat.S_ISUID | stat.S_ISGID))
    with trying("time"):
        os.utime(path, ns=(modified, modified))
