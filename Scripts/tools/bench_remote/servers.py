"""The servers that repositories lie on, each on a host of its own, as their clients reach them."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from ..command import fail
from ..files import copy
from ..holdfast import SCRIPTS, own_environment
from ..running import quietly
from .network import ADDRESSES, Host, Running

ENGINES = SCRIPTS.parent / ".build" / "engines" / "bin"
SERVER = ADDRESSES[1]
BUCKET = "bench"
S3_PORT, FILER_PORT, METRICS_PORT, SSH_PORT = 8443, 8888, 9327, 2222
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "holdfast", "AWS_SECRET_ACCESS_KEY": "holdfastsecret",
               "AWS_EC2_METADATA_DISABLED": "true"}
REPOSITORIES = ("HOLDFAST_REPOSITORY", "RESTIC_REPOSITORY")
ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]


class Server:
    """A server. `environment` and `restic_options` are what its clients need."""
    kind: str
    title: str
    counts_requests = False

    def __init__(self, host: Host, client: Host, work: Path) -> None:
        self.host, self.client, self.work = host, client, work
        self.environment: dict[str, str] = {}
        self.restic_options: list[str] = []

    def __enter__(self) -> "Server":
        self.work.mkdir()
        self.running = self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.running.__exit__(kind, error, trace)
        shutil.rmtree(self.work, ignore_errors=True)

    def start(self) -> Running:
        """Starts it, and waits until it answers."""
        raise NotImplementedError

    def urls(self, name: str) -> dict[str, str]:
        """Where a repository lies, as each tool says it, by the variable it reads that from."""
        raise NotImplementedError

    def adopt(self, repository: Path, name: str) -> None:
        """Takes in a repository that was made elsewhere."""
        raise NotImplementedError

    def requests(self) -> dict[str, int]:
        """How many requests it has answered, by their kind; empty where it does not count them."""
        return {}

    def bare(self, total: int) -> dict[str, float]:
        """The seconds in which a client that does nothing else puts so many bytes there, and gets them back."""
        raise NotImplementedError


class Weed(Server):
    """SeaweedFS, which speaks S3, with a certificate made for this run."""
    kind, title = "s3", "S3 (SeaweedFS)"
    counts_requests = True

    def __init__(self, host: Host, client: Host, work: Path) -> None:
        super().__init__(host, client, work)
        self.certificate = work / "server.pem"
        self.environment = {**CREDENTIALS, "HOLDFAST_CA_FILE": str(self.certificate)}
        self.restic_options = ["--cacert", str(self.certificate)]

    def start(self) -> Running:
        key, identities = self.work / "server.key", self.work / "identities.json"
        quietly(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", str(key), "-out", str(self.certificate), "-days", "2", "-subj", "/CN=holdfast-bench",
                 "-addext", f"subjectAltName=IP:{SERVER}"])
        identities.write_text(json.dumps({"identities": [{"name": "bench", "actions": ACTIONS, "credentials": [
            {"accessKey": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secretKey": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}]}]}))
        (self.work / "data").mkdir()
        # Without `-master.telemetry=false` it would report to a host on the internet.
        running = self.host.start([
            str(ENGINES / "weed"), "-logtostderr=true", "server", "-master.telemetry=false", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", f"-dir={self.work / 'data'}", "-master.volumeSizeLimitMB=256", "-volume.max=100",
            "-volume.minFreeSpacePercent=1", "-filer", f"-filer.port={FILER_PORT}",
            f"-filer.localSocket={self.work / 'filer.sock'}", "-s3", "-s3.ip.bind=0.0.0.0",
            f"-s3.port.https={S3_PORT}", f"-s3.cert.file={self.certificate}", f"-s3.key.file={key}",
            f"-s3.config={identities}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.localSocket={self.work / 's3.sock'}", f"-metricsPort={METRICS_PORT}", "-metricsIp=127.0.0.1",
        ], self.work, self.work / "log")
        running.wait_until(lambda: self.answers("-k", f"https://127.0.0.1:{S3_PORT}/status"))
        running.wait_until(lambda: self.answers("-X", "POST", f"http://127.0.0.1:{FILER_PORT}/buckets/{BUCKET}/"))
        return running

    def answers(self, *request: str) -> bool:
        """Whether a request succeeds."""
        command = [*self.host.enter, "curl", "--silent", "--fail", "--output", "/dev/null", *request]
        return subprocess.run(command, check=False).returncode == 0

    def urls(self, name: str) -> dict[str, str]:
        return dict.fromkeys(REPOSITORIES, f"s3:https://{SERVER}:{S3_PORT}/{BUCKET}/{name}")

    def adopt(self, repository: Path, name: str) -> None:
        self.host.run(str(ENGINES / "weed"), "filer.copy", "-c=8", *map(str, sorted(repository.iterdir())),
                      f"http://127.0.0.1:{FILER_PORT}/buckets/{BUCKET}/{name}/")

    def requests(self) -> dict[str, int]:
        return counted(self.host.run("curl", "--silent", "--fail", f"http://127.0.0.1:{METRICS_PORT}/metrics"))

    def bare(self, total: int) -> dict[str, float]:
        url = f"https://{SERVER}:{S3_PORT}/{BUCKET}/bare"
        environment = {**own_environment(), **CREDENTIALS}
        said = quietly([*self.client.enter, sys.executable, "-m", "tools.bench_remote.bare", url,
                        str(self.certificate), str(total)], SCRIPTS, environment)
        return dict(json.loads(said))


def counted(metrics: str) -> dict[str, int]:
    """The S3 requests by their kind, from SeaweedFS's metrics."""
    found: dict[str, int] = {}
    for kind, count in re.findall(r'^SeaweedFS_s3_request_total\{[^}]*type="(\w+)"[^}]*\} (\S+)$', metrics, re.M):
        found[kind] = found.get(kind, 0) + int(float(count))
    return found


class SSHD(Server):
    """OpenSSH's server, with keys made for this run, and nothing of this machine's own configuration."""
    kind, title = "sftp", "SFTP (OpenSSH)"
    RUN = Path("/run/sshd")  # the one path outside: sshd wants it to be there

    def __init__(self, host: Host, client: Host, work: Path) -> None:
        super().__init__(host, client, work)
        self.ssh = work / "ssh"
        self.environment = {"HOLDFAST_SSH_COMMAND": str(self.ssh)}
        self.restic_options = ["-o", f"sftp.command={self.ssh} root@{SERVER} -s sftp"]

    def start(self) -> Running:
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
        if not program:
            fail("there is no sshd. HINT: apt-get install openssh-server, or --kind s3")
        self.RUN.mkdir(mode=0o755, exist_ok=True)
        for key in ("host", "client"):
            quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.work / key)])
        (self.work / "files").mkdir()
        configuration = self.work / "sshd_config"
        configuration.write_text("\n".join((
            f"ListenAddress 0.0.0.0:{SSH_PORT}", f"HostKey {self.work / 'host'}", "PidFile none",
            f"AuthorizedKeysFile {self.work / 'client.pub'}", "StrictModes no", "UsePAM no",
            "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password",
            "Subsystem sftp internal-sftp", "UseDNS no")) + "\n")
        known = self.work / "known_hosts"
        known.write_text(f"[{SERVER}]:{SSH_PORT} {(self.work / 'host.pub').read_text()}")
        self.ssh.write_text(
            f"#!/bin/sh\nexec ssh -F none -p {SSH_PORT} -i {self.work / 'client'} -o IdentitiesOnly=yes "
            f"-o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes -o BatchMode=yes \"$@\"\n")
        self.ssh.chmod(0o755)
        running = self.host.start([program, "-D", "-e", "-f", str(configuration)], self.work, self.work / "log")
        running.wait_until(self.listens)
        return running

    def listens(self) -> bool:
        """Whether it takes connections."""
        return f":{SSH_PORT} " in self.host.run("ss", "--tcp", "--listening", "--numeric")

    def urls(self, name: str) -> dict[str, str]:
        path = self.work / "files" / name
        return dict(zip(REPOSITORIES, (f"sftp:root@{SERVER}{path}", f"sftp:root@{SERVER}:{path}")))

    def adopt(self, repository: Path, name: str) -> None:
        copy(repository, self.work / "files" / name)

    def bare(self, total: int) -> dict[str, float]:
        """By OpenSSH's own `sftp`, with as many requests on their way as it can have."""
        here, there = self.work / "bare", self.work / "files" / "bare"
        quietly(["dd", "if=/dev/urandom", f"of={here}", "bs=1M", "iflag=count_bytes", f"count={total}", "status=none"])
        found: dict[str, float] = {}
        for what, command in (("put", f"put {here} {there}"), ("get", f"get {there} {here}.back")):
            batch = self.work / "batch"
            batch.write_text(command + "\n")
            began_s = time.perf_counter()
            self.client.run("sftp", "-q", "-S", str(self.ssh), "-B", "261120", "-R", "64", "-b", str(batch),
                            f"root@{SERVER}")
            found[what] = time.perf_counter() - began_s
        for path in (here, there, here.with_name("bare.back")):
            path.unlink()
        return found


SERVERS = {server.kind: server for server in (Weed, SSHD)}
