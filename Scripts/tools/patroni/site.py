"""An etcd and nodes of Patroni on loopback, in a directory that the user of PostgreSQL can reach."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..command import Failure, fail
from ..holdfast import SCRIPTS
from ..postgres_cluster import as_server, environment, own_directory, programs

ENGINES = SCRIPTS.parent / ".build/engines"
PYTHON = "/usr/bin/python3"  # the user of the server cannot run one in the home of root
SCOPE = "orders"
WAIT_S_MAX = 90

# docs/operations.md has the same, with the places of a real machine.
NODE = """scope: {scope}
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{host: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 5
    primary_start_timeout: 0
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        wal_level: replica
        hot_standby: "on"
        wal_log_hints: "on"
        archive_mode: "on"
        archive_timeout: 60s
        archive_command: "{holdfast} wal push %p --name {scope}"
  initdb: [{{encoding: UTF8}}, data-checksums, {{wal-segsize: "1"}}]
{bootstrap}postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {data}
  bin_dir: {programs}
  pgpass: {data}.pass
  authentication:
    superuser: {{username: postgres, password: su}}
    replication: {{username: replicator, password: re}}
    rewind: {{username: rewinder, password: rw}}
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 md5
    - host replication replicator 127.0.0.1/32 md5
  parameters: {{unix_socket_directories: "{directory}", shared_buffers: 32MB, fsync: "off"}}
  create_replica_methods: [holdfast]
  holdfast:
    command: {holdfast} patroni replica
    keep_data: true
    no_leader: true
  recovery_conf:
    restore_command: "{holdfast} wal fetch %f %p --name {scope}"
"""

BOOTSTRAP = """  method: holdfast
  holdfast:
    command: {holdfast} patroni bootstrap
    keep_existing_recovery_conf: true
"""


def missing() -> str | None:
    """What it lacks; none if it can run."""
    if os.geteuid() != 0:
        return "needs root, which may become the user postgres"
    if not (ENGINES / "patroni").is_dir() or not (ENGINES / "bin/etcd").exists():
        return "is not there: Scripts/install-engines"
    return None


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens now."""
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_server(("127.0.0.1", 0)))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def wait_for(what: str, condition: Callable[[], Any], limit_s: float = WAIT_S_MAX) -> Any:
    """The first true answer."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.1)
    fail(f"{what}: it did not come to be so within {limit_s:.0f} s")


class Node:
    """One Patroni and its server."""

    def __init__(self, site: "Site", name: str) -> None:
        self.site, self.name = site, name
        self.port, self.rest = free_ports(2)
        self.data = site.directory / name
        self.log = site.directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, bootstraps_from_archive: bool = False) -> None:
        """Starts Patroni, which makes its data directory where there is none."""
        text = NODE.format(
            scope=SCOPE, name=self.name, rest=self.rest, port=self.port, etcd=self.site.etcd_port, data=self.data,
            directory=self.site.directory, programs=programs(), holdfast=self.site.holdfast,
            bootstrap=BOOTSTRAP.format(holdfast=self.site.holdfast) if bootstraps_from_archive else "")
        configuration = self.site.directory / f"{self.name}.yml"
        configuration.write_text(text)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PYTHON, "-m", "patroni", str(configuration)], env=self.site.environment, cwd=self.site.directory,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **as_server())

    def status(self) -> dict[str, Any]:
        """What Patroni says of this node; empty while it says nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/patroni", timeout=5) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except (OSError, ValueError):
            return {}

    def leads(self) -> bool:
        """True if it is the primary."""
        said = self.status()
        return said.get("role") in ("primary", "master") and said.get("state") == "running"

    def follows(self) -> bool:
        """True if it streams from the primary."""
        said = self.status()
        return said.get("role") == "replica" and said.get("replication_state") == "streaming"

    def sql(self, *statements: str) -> str:
        """What statements answer."""
        done = self.attempt(*statements)
        if done.returncode:
            raise Failure(f"{self.name}: {done.stderr[-1000:]}\n{self.tail()}")
        return done.stdout.strip()

    def attempt(self, *statements: str) -> subprocess.CompletedProcess[str]:
        """The same, whatever becomes of them."""
        command = [str(programs() / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d",
                   f"host=127.0.0.1 port={self.port} user=postgres password=su dbname=postgres connect_timeout=5"]
        return subprocess.run(
            command + [part for each in statements for part in ("-c", each)], env=environment(), text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=WAIT_S_MAX)

    def kill(self) -> None:
        """What a power cut does: SIGKILL to Patroni and to all processes of its server."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
            processes = [postmaster, *children(postmaster)]
        except (OSError, ValueError, IndexError):
            return
        for process in processes:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        wait_for(f"the end of {self.name}", lambda: not Path(f"/proc/{postmaster}/cwd").exists())

    def tail(self) -> str:
        """The end of what Patroni and its server said."""
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


def children(parent: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and int((each / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(each.name))
        except (OSError, IndexError):
            continue
    return found


class Site:
    """An etcd, a repository and nodes. Leaving its context ends all of them."""

    def __init__(self, directory: Path, program: str) -> None:
        self.directory = directory
        own_directory(directory)
        self.etcd_port, self.peer_port = free_ports(2)
        shutil.copytree(ENGINES / "patroni", directory / "packages")
        binary = Path(shutil.copy(program, directory / "holdfast.bin"))
        variables = {
            "HOLDFAST_REPOSITORY": directory / "repository", "HOLDFAST_STATE_DIR": directory / "state",
            "HOLDFAST_CACHE_DIR": directory / "cache", "HOLDFAST_CONFIG_DIR": directory / "configuration"}
        self.environment = environment() | {key: str(value) for key, value in variables.items()} | {
            "HOME": str(directory), "PYTHONPATH": str(directory / "packages"), "PYTHONDONTWRITEBYTECODE": "1"}
        self.holdfast = str(binary)
        self.nodes: list[Node] = []
        self.etcd: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Site":
        self.run("init", "--unsealed")
        self.start_etcd()
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            node.kill()
        self.stop_etcd()

    def start_etcd(self) -> None:
        """An empty etcd, as on the day of the first bootstrap."""
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        shutil.rmtree(self.directory / "etcd", ignore_errors=True)
        with (self.directory / "etcd.log").open("ab") as log:
            self.etcd = subprocess.Popen(
                [str(ENGINES / "bin/etcd"), "--name", "one", "--data-dir", str(self.directory / "etcd"),
                 "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"one={peer}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_for("etcd", lambda: self.answers(client + "/health"))

    @staticmethod
    def answers(address: str) -> bool:
        """True if a server answers well."""
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                return b"true" in answer.read()
        except (OSError, ValueError):
            return False

    def stop_etcd(self) -> None:
        """Kills it; its data goes when it starts again."""
        if self.etcd:
            self.etcd.kill()
            self.etcd.wait()
            self.etcd = None

    def node(self, name: str) -> Node:
        """A new node, which is not started."""
        made = Node(self, name)
        self.nodes.append(made)
        return made

    def run(self, *arguments: str) -> str:
        """holdfast as the user of the server; its output."""
        done = subprocess.run([self.holdfast, *arguments], env=self.environment, cwd=self.directory, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, **as_server())
        if done.returncode:
            fail(f"holdfast {' '.join(arguments)}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout
