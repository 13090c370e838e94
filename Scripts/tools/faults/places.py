"""Where the repository of a seed is, and what can happen on the way there."""

import json
import threading
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from .leases import Objects
from .plan import S3_FAULTS, S3_RATES, SFTP_FAULTS, SFTP_RATES, Plan
from .proxy import Proxy
from .seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS

DOWN_S = 0.5


class Place(Objects, Protocol):
    """A repository behind faults."""
    location: str
    can_crash: bool

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs."""

    def begin(self) -> None:
        """From now on there are faults."""

    def calm(self) -> None:
        """From now on there are none, and nothing is on the way any more."""

    def refuse_all(self) -> None:
        """From now on nothing works."""

    def crash(self) -> None:
        """Kills the server, and starts it again."""

    def faults(self) -> Counter[str]:
        """What happened, by kind."""

    def close(self) -> None:
        """Ends what runs for it."""


class S3Place:
    """A prefix in a bucket, behind a proxy."""

    def __init__(self, seed: int, server: SeaweedFS, can_crash: bool) -> None:
        self.server, self.can_crash = server, can_crash
        self.proxy = Proxy(Plan.of(seed, S3_FAULTS, S3_RATES), server.port)
        self.prefix = f"seed-{seed}-{time.time_ns()}"
        self.location = f"s3:http://127.0.0.1:{self.proxy.port}/{BUCKET}/{self.prefix}"
        self.environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                            "AWS_EC2_METADATA_DISABLED": "true"}
        self.crashes = 0
        self.lock = threading.Lock()

    def begin(self) -> None:
        self.proxy.is_calm = False

    def calm(self) -> None:
        self.proxy.calm()

    def refuse_all(self) -> None:
        self.proxy.is_out = True

    def crash(self) -> None:
        with self.lock:
            self.crashes += 1
            self.server.kill()
            time.sleep(DOWN_S)
            self.server.start()

    def faults(self) -> Counter[str]:
        return self.proxy.faults + Counter({"server killed": self.crashes})

    def close(self) -> None:
        self.proxy.close()

    def names(self, folder: str) -> list[str]:
        return self.server.names(f"{self.prefix}/{folder}")

    def read(self, key: str) -> bytes | None:
        return self.server.read(f"{self.prefix}/{key}")

    def create(self, key: str, content: bytes) -> None:
        self.server.write(f"{self.prefix}/{key}", content)


class SFTPPlace:
    """A directory behind a command that stands for ssh."""
    can_crash = False

    def __init__(self, seed: int, directory: Path) -> None:
        self.directory, self.repository = directory, directory / "repository"
        self.plan = Plan.of(seed, SFTP_FAULTS, SFTP_RATES)
        self.location = f"sftp:shop@backup.example{self.repository}"
        wrapper = Path(__file__).with_name("sftp_wrapper.py")
        self.environment = {"HOLDFAST_SSH_COMMAND": f"python3 -I '{wrapper}' '{directory}'"}
        directory.mkdir(parents=True)
        self.write_plan(replace(self.plan, rate=0))

    def write_plan(self, plan: Plan) -> None:
        """What counts for connections from now on."""
        said: dict[str, Any] = asdict(plan)
        unfinished = self.directory / "plan.new"
        unfinished.write_text(json.dumps(said))
        unfinished.rename(self.directory / "plan.json")

    def begin(self) -> None:
        self.write_plan(self.plan)

    def calm(self) -> None:
        self.write_plan(replace(self.plan, rate=0))

    def refuse_all(self) -> None:
        (self.directory / "out").touch()

    def crash(self) -> None:
        raise NotImplementedError

    def faults(self) -> Counter[str]:
        noted = self.directory / "faults"
        return Counter(noted.read_text().splitlines() if noted.exists() else [])

    def close(self) -> None:
        pass

    def names(self, folder: str) -> list[str]:
        path = self.repository / folder
        return sorted(each.name for each in path.iterdir()) if path.is_dir() else []

    def read(self, key: str) -> bytes | None:
        path = self.repository / key
        return path.read_bytes() if path.exists() else None

    def create(self, key: str, content: bytes) -> None:
        path = self.repository / key
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            pass
