"""A real server of S3 on loopback: SeaweedFS, all of it in one process."""

import http.client
import json
import random
import socket
import subprocess
import time
from pathlib import Path

from ..command import fail
from ..holdfast import SCRIPTS

PROGRAM = SCRIPTS.parent / ".build/engines/bin/weed"
ACCESS_KEY, SECRET_KEY, BUCKET = "holdfast", "holdfast-secret-of-the-fault-runs", "orders"
PORTS = 4             # master, volume server, filer, S3
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


def free_ports() -> int:
    """The first of as many ports as are needed."""
    while True:
        base = random.SystemRandom().randrange(10_000, 20_000)
        if all(is_free(base + each) and is_free(base + each + OTHER_PORTS) for each in range(PORTS)):
            return base


class SeaweedFS:
    """The server, with all that it keeps below a directory."""

    def __init__(self, directory: Path) -> None:
        if not PROGRAM.exists():
            fail("there is no SeaweedFS. HINT: Scripts/install-engines")
        self.directory = directory
        self.base = free_ports()
        (directory / "data").mkdir(parents=True)
        (directory / "s3.json").write_text(json.dumps({"identities": [{
            "name": "admin", "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()
        self.make_bucket()

    @property
    def port(self) -> int:
        """That of S3."""
        return self.base + 3

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        directory, base = self.directory, self.base
        # Without master.telemetry=false it reports to a host on the internet.
        command = [
            str(PROGRAM), "-logtostderr=true", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-dir={directory / 'data'}", "-master.telemetry=false", f"-master.port={base}",
            "-master.electionTimeout=1s", f"-volume.port={base + 1}", "-filer", f"-filer.port={base + 2}",
            f"-filer.localSocket={directory / 'filer.sock'}", "-s3", f"-s3.port={base + 3}",
            f"-s3.config={directory / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.localSocket={directory / 's3.sock'}", "-master.volumeSizeLimitMB=64", "-volume.max=100",
            "-volume.minFreeSpacePercent=0"]
        with (directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=directory, env={"HOME": str(directory)}, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until and self.process.poll() is None:
            if self.answers():
                return
            time.sleep(0.05)
        fail(f"SeaweedFS does not start:\n{(directory / 'log').read_text(errors='replace')[-2000:]}")

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
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
