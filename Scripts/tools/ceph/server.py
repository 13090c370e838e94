"""A Ceph of its own on loopback: one monitor, three stores of objects (OSDs), and the gateway for S3.

It needs root, because the monitor does, and the packages of `Scripts/install-deps ceph`. Nothing of the machine's own
configuration is read or written. Without the manager and authentication it starts in half a minute.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from ..command import fail
from ..s3 import User

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
OSDS = (0, 1, 2)
START_S_MAX, STOP_S_MAX = 120, 10
OSD_BYTES = 3 << 30  # sparse
SECRET_KEY = "holdfast-secret-of-the-ceph-runs"

CONFIGURATION = """[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor},v1:127.0.0.1:{old_monitor}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
run dir = {directory}/run
admin socket = {directory}/run/$name.$pid.asok
log file = {directory}/log/$name.log
pid file = {directory}/run/$name.pid
osd crush chooseleaf type = 0
osd pool default size = 3
osd pool default min size = 2
osd pool default pg num = 8
osd pool default pgp num = 8
mon max pg per osd = 1000
osd objectstore = bluestore
bluestore block size = {bytes}
bluestore block wal create = false
bluestore block db create = false
osd memory target = 939524096
osd max object name len = 460
osd max object namespace len = 64
osd heartbeat grace = 5
osd heartbeat interval = 1
mon osd min down reporters = 1
mon osd down out interval = 600
debug ms = 0
[mon.a]
mon data = {directory}/mon
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw data = {directory}/rgw
rgw dynamic resharding = false
# What it prefers by default does not work without authentication.
ms mon client mode = crc
"""


def missing() -> str | None:
    """Why this machine cannot run it; `None` when it can."""
    if os.geteuid() != 0:
        return "needs root"
    if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"needs {', '.join(lacking)}, which Scripts/install-deps ceph installs"
    return None


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ceph:
    """The server, with all that it keeps below a directory."""
    bucket = "orders"

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        for name in ("mon", "run", "log", "rgw", *(f"osd{osd}" for osd in OSDS)):
            (directory / name).mkdir(parents=True)
        self.configuration = directory / "ceph.conf"
        self.fsid, self.monitor, self.old_monitor = str(uuid.uuid4()), free_port(), free_port()
        self.configuration.write_text(CONFIGURATION.format(
            fsid=self.fsid, monitor=self.monitor, old_monitor=self.old_monitor, directory=directory, bytes=OSD_BYTES,
            gateway=self.port))
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def admin(self) -> User:
        """Who owns the bucket."""
        return User(self.port, "admin", SECRET_KEY)

    @property
    def guest(self) -> User:
        """Who may do what the policy of the bucket permits to everybody."""
        return User(self.port, "guest", SECRET_KEY)

    def start(self) -> None:
        """Makes it, starts it, and waits until it takes an object."""
        addresses = f"[v2:127.0.0.1:{self.monitor},v1:127.0.0.1:{self.old_monitor}]"
        monitors = str(self.directory / "monmap")
        self.tool("monmaptool", "--create", "--clobber", "--fsid", self.fsid, "--addv", "a", addresses, monitors)
        self.tool("ceph-mon", "--mkfs", "-i", "a", "--monmap", monitors)
        self.tool("ceph-mon", "-i", "a")
        for osd in OSDS:
            own = str(uuid.uuid4())
            with self.configuration.open("a") as file:
                file.write(f"[osd.{osd}]\nosd data = {self.directory}/osd{osd}\n")
            self.tool("ceph", "osd", "new", own)
            self.tool("ceph-osd", "-i", str(osd), "--mkfs", "--osd-uuid", own)
            self.start_osd(osd)
        self.wait_for_osds()
        for user in (self.admin, self.guest):
            self.tool("radosgw-admin", "-n", "client.rgw.a", "user", "create", f"--uid={user.key}",
                      f"--display-name={user.key}", f"--access-key={user.key}", f"--secret={user.secret}")
        self.tool("radosgw", "-n", "client.rgw.a")
        self.wait("the gateway", self.answers)
        self.wait("the bucket", lambda: self.admin.ask("PUT", f"/{self.bucket}")[0] == 200)

    def tool(self, program: str, *words: str) -> str:
        """Runs one of its programs, which must succeed."""
        try:
            done = subprocess.run([program, "-c", str(self.configuration), *words], cwd=self.directory,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                  timeout=START_S_MAX, check=False)
        except subprocess.TimeoutExpired:
            fail(f"{program} {' '.join(words[:3])} does not end")
        if done.returncode:
            fail(f"{program} {' '.join(words[:3])}: {done.stderr[-2000:]}")
        return done.stdout

    def answers(self) -> bool:
        """Whether the gateway answers."""
        try:
            return self.admin.ask("GET", "/")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    @staticmethod
    def wait(what: str, is_ready: Callable[[], bool]) -> None:
        """Returns when something is ready."""
        until = time.monotonic() + START_S_MAX
        while not is_ready():
            if time.monotonic() > until:
                fail(f"{what} of Ceph is not ready after {START_S_MAX} s")
            time.sleep(0.5)

    # OSDs.

    def start_osd(self, osd: int) -> None:
        """Starts one."""
        self.tool("ceph-osd", "-i", str(osd))

    def wait_for_osds(self) -> None:
        """Returns when all of them are seen."""
        self.wait("the OSDs", lambda: int(json.loads(self.tool("ceph", "osd", "stat", "-f", "json"))["num_up_osds"])
                  == len(OSDS))

    def kill_osd(self, osd: int) -> None:
        """Ends one at once."""
        self.end(f"osd.{osd}", signal.SIGKILL)

    def end(self, name: str, number: int) -> None:
        """Ends one of its processes."""
        file = self.directory / "run" / f"{name}.pid"
        try:
            pid = int(file.read_text())
        except (OSError, ValueError):
            return
        file.unlink()
        try:
            os.kill(pid, number)
            until = time.monotonic() + STOP_S_MAX
            while time.monotonic() < until and self.runs(pid):
                time.sleep(0.05)
            if self.runs(pid):
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def runs(self, pid: int) -> bool:
        """Whether a process is there, and ours: numbers of processes come again."""
        try:
            return str(self.configuration).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def close(self) -> None:
        """Ends all of it."""
        for name in ("client.rgw.a", *(f"osd.{osd}" for osd in OSDS), "mon.a"):
            self.end(name, signal.SIGKILL)
