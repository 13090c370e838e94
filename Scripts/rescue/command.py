"""The command line."""
from __future__ import annotations

import argparse, os, sys, tempfile

from .log import write_log
from .problems import PROBLEMS, Refused, note, show
from .repository import Repository
from .restore import restore
from .verify import list_snapshots, verify

USAGE = """
    rescue.py REPOSITORY list                       which snapshots there are
    rescue.py REPOSITORY restore SNAPSHOT TARGET    restore one; TARGET is a new or an empty directory
    rescue.py REPOSITORY verify [SNAPSHOT]          check one and what it builds upon, or all; write nothing
    rescue.py REPOSITORY wal NAME SEGMENT FILE      write out an archived file of PostgreSQL's log; FILE is a new one
"""
EXPLANATION = """
SNAPSHOT is `latest`, an ID as `list` shows it or its beginning, or NAME/SEQUENCE; --name NAME says of which source.
SEGMENT is the name that PostgreSQL has for it. Where the logs of several clusters are archived, NAME is NAME/SYSTEM.
What was removed, or came late from a host that had been overtaken (DIVERGED), `list` says so of; `latest` passes over
it, and by its ID it is restored as long as it is there.
A source that was renamed is listed by the name under which it is stored, with the one by which it is CALLED; any of
its names will do.
Where archives are in shards over several targets, --with DIRECTORY names that of another target, once for each: any as
many as the scheme has shards of data are enough.
A sealed repository is opened with --identity FILE or --passphrase-file FILE (else HOLDFAST_IDENTITY_FILE and
HOLDFAST_PASSPHRASE_FILE; on a terminal a passphrase is asked for). `list` and `verify` work without: signatures and all
stored bytes are checked then, pages are not.
Owners and devices come back for root only. A file that cannot have its owner does not get setuid and setgid either.

Exit status: 0 all is well; 1 refused or damaged (what is sound was restored); 2 wrong usage; 3 something is left out
that the snapshot does not have (an unreadable file) or that this user or file system may not have. It says each.

Reads frames stored, zlib, or Zstandard; the last with Python 3.14, the library `zstandard` or the program `zstd`.
All entries of a snapshot are in memory, about 1 KiB each, contents of files are not; the
plain bytes of the bodies go to a temporary file ($TMPDIR, else /tmp), those of a sealed repository as well: names of
files and digests of pages.
"""


def unlock(repository: Repository, options: argparse.Namespace) -> None:
    """Takes the keys that are given with the command, else in the environment."""
    given = options.identity, options.passphrase_file
    if not any(given):
        given = os.environ.get("HOLDFAST_IDENTITY_FILE"), os.environ.get("HOLDFAST_PASSPHRASE_FILE")
    if repository.keyring:
        repository.keyring.unlock(*given, ask=options.command != "list" and bool(sys.stdin and sys.stdin.isatty()))
    elif any(given):
        raise Refused("a key is given, and the repository is not sealed: it is another one, or was replaced\n"
                      "HINT: If you know that it never was sealed, leave the key out.")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("rescue.py", usage=USAGE.strip(), epilog=EXPLANATION[1:],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("command", choices=["list", "restore", "verify", "wal"])
    parser.add_argument("snapshot", nargs="?")
    parser.add_argument("target", nargs="?")
    parser.add_argument("file", nargs="?")
    parser.add_argument("--with", action="append", default=[], dest="others", metavar="DIRECTORY")
    for name in ("--name", "--identity", "--passphrase-file"):
        parser.add_argument(name)
    options = parser.parse_intermixed_args(arguments)
    given = sum(argument is not None for argument in (options.snapshot, options.target, options.file))
    if given not in {"list": [0], "restore": [2], "verify": [0, 1], "wal": [3]}[options.command]:
        parser.error(f"{options.command} takes other arguments")
    PROBLEMS.clear()
    try:
        repository = Repository(options.repository, options.others)
        unlock(repository, options)
        if options.command == "list":
            list_snapshots(repository)
        elif options.command == "restore":
            restore(repository, repository.find(options.snapshot, options.name), options.target)
        elif options.command == "wal":
            write_log(repository, options.snapshot, options.target, options.file)
        elif options.snapshot:
            verify(repository, [repository.find(options.snapshot, options.name)])
        else:
            name = repository.stored_name(options.name)
            verify(repository, [each for each in repository.snapshots() if name in (None, each.name)])
    except Refused as error:
        note(str(error))
    except OSError as error:
        note(f"{show(os.fsencode(error.filename or tempfile.gettempdir()))}: {error.strerror}")
    return 1 if 1 in PROBLEMS else max(PROBLEMS, default=0)
