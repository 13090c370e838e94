"""Writes out a file of PostgreSQL's log: section 11."""
from __future__ import annotations

import hashlib, json, os, re

from .format import LogFile
from .problems import Damaged, Refused, demand, show
from .repository import Repository


def write_log(repository: Repository, name: str, file: str, target: str) -> None:
    """Writes an archived file of PostgreSQL's log to a new file: the first copy that is sound."""
    keys = [(key, file) for key in repository.log_keys(name, file)]
    if not keys and re.fullmatch("[0-9A-F]{24}", file, re.ASCII):
        unfinished = file + ".unfinished"
        keys = [(key, unfinished) for key in repository.log_keys(name, unfinished)]
        keys.sort(key=lambda known: log_end(repository, *known), reverse=True)
    if not keys:
        raise Refused(f"{name} {file}: is not archived")
    for number, (key, known) in enumerate(keys):
        try:
            length = write_copy(repository, repository.log_file(key, known), target)
        except Damaged:
            if number == len(keys) - 1:
                raise
        else:
            print(f"{known} of {name} is written to {show(os.fsencode(target))}: {length} bytes")
            return


def log_end(repository: Repository, key: str, file: str) -> int:
    """Up to which place a file reaches that was archived while the server wrote into it; -1 for what cannot be read."""
    try:
        found = repository.log_file(key, file)
        facts = json.loads(repository.frame(found.object, repository.container(found.object).frames - 1))
        high, low = facts["log"]["end"].split("/")
        return int(high, 16) << 32 | int(low, 16)
    except (Refused, ValueError, TypeError, LookupError, AttributeError):
        return -1


def write_copy(repository: Repository, found: LogFile, target: str) -> int:
    """Writes one copy: whole, or not at all."""
    if not repository.opens(found):
        raise Refused(f"{repository.keyring.closed(found)}\n"
                      "HINT: Give --identity FILE or --passphrase-file FILE of one of them.")
    frames, length, digest = repository.container(found.object).frames, 0, hashlib.sha256()
    demand(frames > 0, f"{found.object.key}: has no frame")
    with open(target, "xb") as output:
        try:
            for number in range(frames - 1):
                data = repository.frame(found.object, number)
                digest.update(data)
                length += output.write(data)
            facts = json.loads(repository.frame(found.object, frames - 1))
            demand(length == found.value["size"], f"{found.object.key}: does not have the size in its manifest")
            demand(isinstance(facts, dict) and facts.get("digest") == digest.hexdigest()
                   and (repository.keyring or found.value["content"] == digest.hexdigest()),
                   f"{found.object.key}: the file in it does not have its digest")
            output.flush()
            os.fsync(output.fileno())
        except BaseException:
            os.unlink(target)
            raise
    return length
