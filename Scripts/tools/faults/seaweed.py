"""A real server of S3 on loopback: SeaweedFS, in one process or, as a cluster, in several."""

import http.client
import json
import random
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ..command import fail
from ..holdfast import SCRIPTS
from ..s3 import User

PROGRAM = SCRIPTS.parent / ".build/engines/bin/weed"
ACCESS_KEY, SECRET_KEY, BUCKET = "holdfast", "holdfast-secret-of-the-fault-runs", "orders"
GUEST_KEY = "guest"  # of a user without any rights of his own
PORTS = 4             # master, volume server, filer, S3; a cluster's other volume servers have those behind
OTHER_PORTS = 10_000  # those of its other protocol are so much higher, and still below those that clients get
START_S_MAX = 60


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> int:
    """The first of so many ports."""
    while True:
        base = random.SystemRandom().randrange(10_000, 20_000 - count)
        if all(is_free(base + each) and is_free(base + each + OTHER_PORTS) for each in range(count)):
            return base


class SeaweedFS:
    """The server, with all that it keeps below a directory."""
    bucket, ports = BUCKET, PORTS

    def __init__(self, directory: Path) -> None:
        if not PROGRAM.exists():
            fail("there is no SeaweedFS. HINT: Scripts/install-engines")
        self.directory = directory
        self.base = free_ports(self.ports)
        directory.mkdir(parents=True)
        (directory / "s3.json").write_text(json.dumps({"identities": [
            {"name": "admin", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
             "actions": ["Admin", "Read", "Write", "List", "Tagging"]},
            {"name": "guest", "credentials": [{"accessKey": GUEST_KEY, "secretKey": SECRET_KEY}], "actions": []}]}))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.start()
        self.make_bucket()

    @property
    def port(self) -> int:
        """That of S3."""
        return self.base + 3

    @property
    def admin(self) -> User:
        """Who may do everything."""
        return User(self.port, ACCESS_KEY, SECRET_KEY)

    @property
    def guest(self) -> User:
        """Who may do what the policy of the bucket permits to everybody."""
        return User(self.port, GUEST_KEY, SECRET_KEY)

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        # Without master.telemetry=false it reports to a host on the internet.
        self.spawn("server", f"-dir={self.make('data')}", "-master.telemetry=false", f"-master.port={self.base}",
                   "-master.electionTimeout=1s", f"-volume.port={self.base + 1}", "-filer",
                   f"-filer.port={self.base + 2}", f"-filer.localSocket={self.directory / 'filer.sock'}",
                   *self.words_of_s3, "-master.volumeSizeLimitMB=64", "-volume.max=100",
                   "-volume.minFreeSpacePercent=0")
        self.wait(self.answers)

    @property
    def words_of_s3(self) -> list[str]:
        """The part of a command line that makes it serve S3."""
        return ["-s3", f"-s3.port={self.port}", f"-s3.config={self.directory / 's3.json'}", "-s3.port.iceberg=0",
                "-s3.port.lance=0", f"-s3.localSocket={self.directory / 's3.sock'}"]

    def make(self, name: str) -> Path:
        """A directory of its own."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def spawn(self, kind: str, *words: str, name: str = "") -> None:
        """Starts a process of it."""
        with (self.directory / "log").open("ab") as log:
            self.processes[name or kind] = subprocess.Popen(
                [str(PROGRAM), "-logtostderr=true", kind, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *words],
                cwd=self.directory, env={"HOME": str(self.directory)}, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)

    def wait(self, is_ready: Callable[[], bool]) -> None:
        """Returns when it is ready."""
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until and all(each.poll() is None for each in self.processes.values()):
            if is_ready():
                return
            time.sleep(0.05)
        fail(f"SeaweedFS does not start:\n{(self.directory / 'log').read_text(errors='replace')[-2000:]}")

    def answers(self) -> bool:
        """Whether S3 and the filer can be used."""
        try:
            return self.ask(self.port, "GET", "/status") == 200 and self.ask(self.base + 2, "GET", "/") == 200
        except OSError:
            return False

    @staticmethod
    def ask(port: int, method: str, target: str, body: bytes = b"") -> int:
        """The status of one request."""
        return SeaweedFS.exchange(port, method, target, body)[0]

    @staticmethod
    def exchange(port: int, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """One request without a signature."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(method, target, body or None, {"Accept": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def make_bucket(self) -> None:
        """A bucket is a directory of the filer, which wants no signatures. It must also be able to take a file."""
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until:
            try:
                if self.write("probe", b"probe"):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        fail("SeaweedFS takes no file")

    # What the filer does beside S3, past all faults.

    def names(self, folder: str) -> list[str]:
        """The names in a folder of the bucket, in order."""
        status, body = self.exchange(self.base + 2, "GET", f"/buckets/{BUCKET}/{folder}?limit=100000")
        if status != 200:
            return []
        return sorted(entry["FullPath"].rsplit("/", 1)[-1] for entry in json.loads(body).get("Entries") or [])

    def read(self, key: str) -> bytes | None:
        """An object."""
        status, body = self.exchange(self.base + 2, "GET", f"/buckets/{BUCKET}/{key}")
        return body if status == 200 else None

    def write(self, key: str, body: bytes) -> bool:
        """Makes an object."""
        return self.ask(self.base + 2, "PUT", f"/buckets/{BUCKET}/{key}", body) in (200, 201)

    def kill(self) -> None:
        """Ends it at once."""
        for name in list(self.processes):
            self.kill_one(name)

    def kill_one(self, name: str) -> None:
        """Ends one of its processes at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()


class Cluster(SeaweedFS):
    """The same with a master, three volume servers and a filer. Everything lies on two of the volume servers."""
    volume_servers = ("volume-0", "volume-1", "volume-2")
    ports = PORTS + len(volume_servers)

    def start(self) -> None:
        self.spawn("master", f"-port={self.base}", f"-mdir={self.make('master')}", "-telemetry=false",
                   "-defaultReplication=001", "-volumeSizeLimitMB=64", "-electionTimeout=1s")
        self.wait(lambda: self.is_up(self.base, "/cluster/status"))
        for name in self.volume_servers:
            self.start_one(name)
        self.wait(lambda: all(self.is_up(self.port_of(name), "/status") for name in self.volume_servers))
        self.spawn("filer", f"-master=127.0.0.1:{self.base}", f"-port={self.base + 2}",
                   f"-defaultStoreDir={self.make('filer')}", f"-localSocket={self.directory / 'filer.sock'}",
                   "-defaultReplicaPlacement=001", *self.words_of_s3)
        self.wait(self.answers)

    def port_of(self, name: str) -> int:
        """That of a volume server."""
        return self.base + PORTS + self.volume_servers.index(name)

    def start_one(self, name: str) -> None:
        """Starts a volume server."""
        # Without allowUntrustedRemoteEndpoints volumes are not copied from loopback addresses.
        self.spawn("volume", f"-port={self.port_of(name)}", f"-dir={self.make(name)}", "-max=60",
                   f"-mserver=127.0.0.1:{self.base}", "-minFreeSpacePercent=0", "-rack=r1", "-preStopSeconds=1",
                   "-volume.allowUntrustedRemoteEndpoints=true", name=name)

    def revive(self, name: str) -> None:
        """Starts a volume server that was killed, and waits until the others know of it."""
        self.start_one(name)
        self.wait(lambda: self.is_up(self.port_of(name), "/status") and self.known() == len(self.volume_servers))

    def known(self) -> int:
        """How many volume servers the master knows."""
        _, answer = self.exchange(self.base, "GET", "/dir/status")
        racks = [rack for center in json.loads(answer)["Topology"]["DataCenters"] for rack in center["Racks"]]
        return sum(len(rack["DataNodes"]) for rack in racks)

    def is_up(self, port: int, target: str) -> bool:
        """Whether a process of it answers."""
        try:
            return self.ask(port, "GET", target) == 200
        except OSError:
            return False
