"""What each role does, and what it must not be able to do."""

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, Protocol

from ..command import fail, say
from ..faults.runs import DONE, FAILED, Ended, Machine
from ..faults.source import Source, describe, differences
from ..holdfast import own_environment, places
from ..s3 import User
from .documents import for_bucket

PREFIX = "orders"
ENFORCED_WITHIN_S = 10  # servers read policies again and again


class Server(Protocol):
    """A server that enforces policies."""

    @property
    def bucket(self) -> str:
        """That of the repository."""

    @property
    def admin(self) -> User:
        """Who may do everything."""

    @property
    def guest(self) -> User:
        """Who may do nothing but what the policy of the bucket permits."""


class Trial:
    """All roles, one after the other, on one repository."""

    def __init__(self, directory: Path, program: str, server: Server, policies: dict[str, dict[str, Any]],
                 more: Mapping[str, str] | None = None) -> None:
        self.directory, self.server, self.policies = directory, server, policies
        self.location = f"s3:http://127.0.0.1:{server.guest.port}/{server.bucket}/{PREFIX}"
        self.source = Source(directory / "source", Random(1))
        self.source.write_large()
        environment = own_environment("AWS_") | places(directory) | {"HOLDFAST_REPOSITORY": self.location}
        environment |= more or {}
        self.machines = {user: Machine(program, environment | user.environment, lambda: None)
                         for user in (server.admin, server.guest)}
        self.newest = describe(self.source.root)
        self.tried = 0

    def run(self) -> int:
        """Everything; the number of things that were tried."""
        self.admin("PUT", "elsewhere/object", body=b"of somebody else")
        self.become("prune")
        self.succeed("init", "--unsealed")
        for role in (self.backup, self.restore, self.ci, self.prune):
            self.become(role.__name__)
            role()
            self.refuse_elsewhere(role.__name__)
        return self.tried

    # Roles.

    def backup(self) -> None:
        """Adds, reads, and removes nothing that counts."""
        self.add()
        self.take_backup("--full")
        self.fail("may not be removed from", "prune", "--keep-last", "1", "--grace", "0s")
        self.fail_to_delete()
        self.succeed("verify", "--data")

    def add(self) -> None:
        """What a backup host does every day."""
        for kind in (["--full"], [], ["--differential"]):
            self.take_backup(*kind)
            self.source.change()
        for words in (["list"], ["status"], ["verify", "--data"], ["tag", "--add", "kept", "latest"], ["check"]):
            self.succeed(*words)
        self.bring_back()

    def restore(self) -> None:
        """Only reads."""
        for words in (["list"], ["status"], ["verify", "--data"], ["cat", "latest", "orders.db"]):
            self.succeed(*words, warns=words[0] == "verify")
        self.bring_back(warns=True)
        for words in (["backup", str(self.source.root), "--name", "shop"], ["tag", "--add", "new", "latest"],
                      ["prune", "--keep-last", "1"]):
            self.fail("does not permit s3:PutObject with these credentials", *words)
        self.fail_to_delete()
        self.fail_to_put("holdfast.json", "leases/x", "journal/x")

    def ci(self) -> None:
        """Reads, and remembers what it found."""
        self.succeed("verify", "--data")
        self.bring_back()
        self.fail("does not permit s3:PutObject with these credentials", "backup", str(self.source.root), "--name",
                  "shop", "--full")
        self.fail_to_delete()
        self.fail_to_put("holdfast.json", *self.archives()[:1])

    def prune(self) -> None:
        """Everything, below the prefix."""
        self.take_backup()
        self.succeed("merge", "--name", "shop")
        self.take_backup("--full")
        # The newest full that was verified stays, too.
        self.succeed("verify", "--data")
        pruned = self.succeed("prune", "--keep-last", "1", "--grace", "0s").output
        listed = json.loads(self.succeed("list", "--json").output)["snapshots"]
        if len(listed) != 1:
            fail(f"prune --keep-last 1 left {len(listed)} snapshots:\n{pruned}")

    # What holdfast does.

    def become(self, role: str) -> None:
        """From now on the guest has the rights of a role."""
        if role not in self.policies:
            fail(f"docs/operations.md has no policy for {role}")
        # One more right shows that the policy counts.
        place = f"signs/{role.replace(' ', '-')}"
        sign = {"Effect": "Allow", "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{self.server.bucket}/{place}"}
        policy = {**self.policies[role], "Statement": [*self.policies[role]["Statement"], sign]}
        # A server may fail for now while it makes room for a new bucket.
        self.until(lambda: self.admin("PUT", place, body=b"sign")[0] == 200)
        status, answer = self.server.admin.ask("PUT", f"/{self.server.bucket}", {"policy": ""},
                                               json.dumps(for_bucket(policy)).encode())
        if status not in (200, 204):
            fail(f"the server does not take the policy for {role}: {status} {answer.decode(errors='replace')}")
        self.until(lambda: self.guest("GET", place)[0] == 200)
        say(f"{role}:")

    @staticmethod
    def until(is_so: Callable[[], bool]) -> None:
        """Waits until the server has noticed."""
        end = time.monotonic() + ENFORCED_WITHIN_S
        while not is_so():
            if time.monotonic() > end:
                fail("the server does not enforce the policy")
            time.sleep(0.1)

    def take(self, *words: str) -> Ended:
        """A run of the guest."""
        self.tried += 1
        ended = self.machines[self.server.guest].run(*words)
        if mistakes := ended.mistakes(self.location):
            fail("\n".join(mistakes))
        return ended

    def succeed(self, *words: str, warns: bool = False) -> Ended:
        """What the role may do."""
        ended = self.take(*words)
        if ended.status != DONE or ("WARNING" in ended.errors) != warns:
            fail(f"{' '.join(words)} ended with {ended.status}:\n{ended.errors}")
        say(f"  {' '.join(words[:2])}: done{', with warnings' if warns else ''}")
        return ended

    def fail(self, reason: str, *words: str) -> None:
        """What the role may not do."""
        ended = self.take(*words)
        if ended.status != FAILED or reason not in ended.errors:
            fail(f"{' '.join(words)} ended with {ended.status}, and not because it {reason}:\n{ended.errors}")
        say(f"  {' '.join(words[:2])}: refused")

    def take_backup(self, *kind: str) -> None:
        """A snapshot."""
        self.newest = describe(self.source.root)
        self.succeed("backup", str(self.source.root), "--name", "shop", *kind)

    def bring_back(self, warns: bool = False) -> None:
        """A restore of the newest snapshot."""
        target = self.directory / f"restored-{self.tried}"
        self.succeed("restore", "latest", "--target", str(target), warns=warns)
        if wrong := differences(self.newest, describe(target)):
            fail(f"a restore brought something else back: {wrong}")

    # What anybody with the credentials can try.

    def admin(self, method: str, key: str, query: dict[str, str] | None = None, body: bytes = b"") -> tuple[int, bytes]:
        """A request of who may do everything."""
        return self.server.admin.ask(method, f"/{self.server.bucket}/{key}", query, body)

    def guest(self, method: str, key: str, query: dict[str, str] | None = None, body: bytes = b"",
              more: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """A request with the rights of the role."""
        return self.server.guest.ask(method, f"/{self.server.bucket}/{key}" if key else f"/{self.server.bucket}", query,
                                     body, more)

    def keys(self) -> list[str]:
        """Every object of the repository, below its prefix."""
        query = {"list-type": "2", "prefix": f"{PREFIX}/"}
        _, answer = self.server.admin.ask("GET", f"/{self.server.bucket}", query)
        return [key.removeprefix(f"{PREFIX}/") for key in re.findall("<Key>(.*?)</Key>", answer.decode())]

    def archives(self) -> list[str]:
        """Those in which the pages are."""
        return [key for key in self.keys() if "/archive-" in key]

    def demand_refusal(self, method: str, key: str, query: dict[str, str] | None = None, body: bytes = b"",
                       more: Mapping[str, str] | None = None) -> None:
        """What must be forbidden."""
        self.tried += 1
        status, answer = self.guest(method, key, query, body, more)
        if status != 403:
            fail(f"{method} {key} {query or ''} is not forbidden: {status} {answer[:300]!r}")

    def fail_to_delete(self) -> None:
        """No object that a snapshot needs goes away, however it is asked for."""
        before = self.keys()
        wanted = [key for key in before if key.startswith(("sources/", "holdfast.json", "keyring/"))]
        for key in wanted:
            self.demand_refusal("DELETE", f"{PREFIX}/{key}")
        listed = "".join(f"<Object><Key>{PREFIX}/{key}</Key></Object>" for key in wanted)
        self.guest("POST", "", {"delete": ""}, f"<Delete>{listed}</Delete>".encode())
        if missing := set(before) - set(self.keys()):
            fail(f"gone although it is forbidden: {missing}")
        say(f"  removal of {len(wanted)} objects: refused")

    def fail_to_put(self, *keys: str) -> None:
        """Nothing is written there."""
        for key in keys:
            self.demand_refusal("PUT", f"{PREFIX}/{key}", body=b"x")
        say(f"  writing {' '.join(keys)}: refused")

    def refuse_elsewhere(self, role: str) -> None:
        """Nothing beyond the prefix, and no other rights."""
        for method, body in (("GET", b""), ("PUT", b"x"), ("DELETE", b"")):
            self.demand_refusal(method, "elsewhere/object", body=body)
        everything = for_bucket({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{self.server.bucket}/*"}]})
        self.demand_refusal("PUT", "", {"policy": ""}, json.dumps(everything).encode())
        say(f"  anything beyond {PREFIX}/, and other rights: refused")
