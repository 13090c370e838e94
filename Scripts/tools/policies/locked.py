"""What each role does in a bucket with object lock, and what it must not be able to do."""

import datetime
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..command import fail, say
from ..s3 import REGION, User
from .roles import PREFIX, Server, Trial

# What a policy permits counts in this mode only: the other one is ended early by nobody.
LOCK, LONGER_LOCK, LONGEST_DAYS = "governance:2", "governance:3", 9
BYPASS = {"x-amz-bypass-governance-retention": "true"}
LASTING = ("holdfast.json", "keyring/", "sources/")


@dataclass(frozen=True)
class Bucket:
    """Another bucket of a server."""
    bucket: str
    admin: User
    guest: User


def make_bucket(commands: str, name: str, server: Server) -> Bucket:
    """Makes the bucket as the document says, word for word, where the AWS CLI is installed."""
    made = Bucket(name, server.admin, server.guest)
    if shutil.which("aws") is None:
        say("left out: the commands of docs/operations.md that make a bucket, because there is no AWS CLI")
        status, answer = server.admin.ask("PUT", f"/{name}", more={"x-amz-bucket-object-lock-enabled": "true"})
        if status != 200:
            fail(f"no bucket with object lock can be made: {status} {answer!r}")
        return made
    environment = {**os.environ, **server.admin.environment, "AWS_DEFAULT_REGION": REGION,
                   "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.admin.port}"}
    for file in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        environment[file] = os.devnull
    ended = subprocess.run(["bash", "-euc", commands], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                           text=True, check=False)
    if ended.returncode != 0:
        fail(f"the commands that make a bucket end with {ended.returncode}:\n{commands}{ended.stderr}")
    for query, wanted in (("object-lock", "<ObjectLockEnabled>Enabled<"), ("versioning", "<Status>Enabled<"),
                          ("lifecycle", "<NoncurrentDays>7<")):
        _, answer = server.admin.ask("GET", f"/{name}", {query: ""})
        if wanted not in answer.decode():
            fail(f"the bucket that the document makes has no {wanted} in {query}: {answer!r}")
    say("the bucket, as docs/operations.md has it made: done")
    return made


def retention(time_left: datetime.timedelta) -> bytes:
    """The body of a request that locks an object for so long."""
    end = datetime.datetime.now(datetime.timezone.utc) + time_left
    return (f"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>{end:%FT%TZ}</RetainUntilDate></Retention>").encode()


class LockedTrial(Trial):
    """All roles, one after the other, on one repository whose objects are locked."""

    def __init__(self, directory: Path, program: str, server: Server, policies: dict[str, dict[str, Any]]) -> None:
        super().__init__(directory, program, server, policies, {"HOLDFAST_LOCK": LOCK})

    def run(self) -> int:
        """Everything; the number of things that were tried."""
        self.until(lambda: self.admin("PUT", "elsewhere/object", body=b"of somebody else")[0] == 200)
        self.become("locked prune")
        self.succeed("init", "--unsealed")
        for role in (self.backup, self.prune, self.restore):
            self.become(f"locked {role.__name__}")
            role()
            self.refuse_elsewhere(role.__name__)
        return self.tried

    # Roles.

    def backup(self) -> None:
        """Adds and extends; no version goes away, and no term ends earlier."""
        self.add()
        self.fail_to_delete()
        if "yes  keeps what is locked" not in self.succeed("check").output:
            fail("check does not find that the bucket keeps what is locked")
        self.extend_terms()
        self.fail_to_end_terms()
        self.fail_to_change_the_bucket()

    def prune(self) -> None:
        """Merges, and removes nothing whose term has not ended."""
        self.take_backup("--full")
        self.succeed("merge", "--name", "shop")
        self.succeed("verify", "--data")
        before = {key for key, _ in self.versions()}
        self.succeed("prune", "--keep-last", "1", "--grace", "0s")
        pruned = self.succeed("prune", "--keep-last", "1", "--grace", "0s").output
        if " locked" not in pruned:
            fail(f"prune does not say what is locked:\n{pruned}")
        if before - {f"{PREFIX}/{key}" for key in self.keys()}:
            fail(f"prune has removed what is locked:\n{pruned}")
        self.fail_to_end_terms()
        self.fail_to_change_the_bucket()

    def restore(self) -> None:
        """Only reads, also what somebody has removed."""
        self.bring_back(warns=True)
        for key in self.keys():
            self.admin("DELETE", f"{PREFIX}/{key}")
        if self.keys():
            fail("the repository is still there")
        machine = self.machines[self.server.guest]
        machine.environment["HOLDFAST_VERSIONS"] = "first"
        for words in (["list"], ["cat", "latest", "orders.db"]):
            self.succeed(*words)
        self.succeed("verify", "--data", warns=True)
        self.bring_back(warns=True)
        del machine.environment["HOLDFAST_VERSIONS"]
        self.fail_to_put("holdfast.json", "leases/x", "journal/x")
        self.fail_to_end_terms()
        self.fail_to_change_the_bucket()

    def extend_terms(self) -> None:
        """The next snapshot has a longer term, as on the next day; one object is locked for longer by another host."""
        full = f"{PREFIX}/sources/shop/0000000001/"
        versions = [(key, version) for key, version in self.versions()
                    if key.startswith((f"{PREFIX}/holdfast.json", full))]
        longest = retention(datetime.timedelta(days=LONGEST_DAYS))
        for key, version in versions[:1]:
            self.admin("PUT", key, {"retention": "", "versionId": version}, longest)
        before = [self.term(*each) for each in versions]
        self.machines[self.server.guest].environment["HOLDFAST_LOCK"] = LONGER_LOCK
        self.take_backup()
        after = [self.term(*each) for each in versions]
        if before[0] != after[0] or any(old == new for old, new in zip(before[1:], after[1:], strict=True)):
            fail(f"a longer term has extended something else: {list(zip(versions, before, after, strict=True))}")
        say(f"  a later end for {len(versions) - 1} versions: done")

    # What anybody with the credentials can try.

    def versions(self) -> list[tuple[str, str]]:
        """Every version of every object that lasts: its key and its ID."""
        query, found = {"versions": "", "prefix": f"{PREFIX}/"}, list[tuple[str, str]]()
        while True:
            text = self.server.admin.ask("GET", f"/{self.server.bucket}", query)[1].decode()
            found += re.findall("<Version>.*?<Key>(.*?)</Key>.*?<VersionId>(.*?)</VersionId>", text)
            if "<IsTruncated>true" not in text:
                break
            for name, marker in (("key-marker", "NextKeyMarker"), ("version-id-marker", "NextVersionIdMarker")):
                query[name] = "".join(re.findall(f"<{marker}>(.*?)</{marker}>", text))
        return [(key, version) for key, version in found if key.removeprefix(f"{PREFIX}/").startswith(LASTING)]

    def term(self, key: str, version: str) -> str:
        """The lock of a version, as the server has it."""
        return self.admin("GET", key, {"retention": "", "versionId": version})[1].decode()

    def fail_to_end_terms(self) -> None:
        """No version is deleted, and no term shortened, with the header too that ends locks in governance mode."""
        soon = retention(datetime.timedelta(minutes=1))
        before = {(key, version): self.term(key, version) for key, version in self.versions()}
        if not before or not all("<Mode>GOVERNANCE<" in term for term in before.values()):
            fail(f"not everything is locked: {before}")
        for key, version in before:
            for more in ({}, BYPASS):
                self.demand_refusal("DELETE", key, {"versionId": version}, more=more)
                for body in (b"<Retention/>", soon):
                    self.tried += 1
                    self.guest("PUT", key, {"retention": "", "versionId": version}, body, more)
        if before != (after := {(key, version): self.term(key, version) for key, version in self.versions()}):
            fail(f"terms have changed: {set(before.items()) ^ set(after.items())}")
        say(f"  an earlier end for {len(before)} versions: refused")

    def fail_to_change_the_bucket(self) -> None:
        """No rule of the bucket removes anything for this role, or keeps no versions any more."""
        for name, body in (
                ("versioning", "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"),
                ("lifecycle", "<LifecycleConfiguration><Rule><ID>x</ID><Status>Enabled</Status>"
                 "<Filter><Prefix/></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                 "</NoncurrentVersionExpiration></Rule>"
                 "</LifecycleConfiguration>"),
                ("object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
                 "</ObjectLockConfiguration>")):
            self.demand_refusal("PUT", "", {name: ""}, body.encode())
        say("  other rules of the bucket: refused")
