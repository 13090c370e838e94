"""From an empty etcd to a failover, and from the archive back after everything was lost."""

import re
import shutil
import threading
import time
from pathlib import Path

from ..command import fail, say
from .site import SCOPE, Node, Site, wait_for

BEFORE_KILL_S, ORDERS_MIN = 3.0, 50


class Writer(threading.Thread):
    """Takes orders at one node, and knows which were acknowledged."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.node, self.acknowledged, self.is_over = node, 0, False

    def run(self) -> None:
        """One order after the other, until the node is gone."""
        while not self.is_over:
            ids = range(self.acknowledged + 1, self.acknowledged + 5)
            done = self.node.attempt(*(f"INSERT INTO orders VALUES ({each})" for each in ids))
            if done.returncode:
                return
            self.acknowledged += 4


class Story:
    """What is tried, in its order. Each step fails where a promise is broken."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.steps: list[str] = []

    def tell(self) -> None:
        """All of it."""
        first = self.site.node("n1")
        first.start()
        wait_for("the first node leads", first.leads)
        first.sql("CREATE TABLE orders (id int PRIMARY KEY)")
        self.back_up(first)
        second = self.site.node("n2")
        second.start()
        self.is_from_holdfast(second, first)
        acknowledged = self.fail_over(first, second)
        first.start()
        wait_for("the old primary follows", first.follows)
        self.look_at_timelines(second)
        self.back_up(first)  # a standby now
        self.start_again_from_archive(acknowledged)

    def done(self, what: str, since: float) -> None:
        """A step that went well."""
        self.steps.append(what)
        say(f"{time.monotonic() - since:6.1f} s  {what}")

    def back_up(self, node: Node) -> None:
        """A snapshot of a node that runs, primary or standby."""
        since = time.monotonic()
        leader = next(each for each in self.site.nodes if each.leads())
        ended = threading.Event()

        def switch() -> None:
            while not ended.wait(1):
                leader.attempt("SELECT pg_create_restore_point('now')", "SELECT pg_switch_wal()")

        switching = threading.Thread(target=switch)
        if node is not leader:
            switching.start()  # what archive_timeout does in a minute
        try:
            self.site.run("backup", str(node.data), "--name", SCOPE, "--postgres",
                          f"host={self.site.directory} port={node.port} user=postgres dbname=postgres")
        finally:
            ended.set()
            if node is not leader:
                switching.join()
        self.done(f"a snapshot of {node.name}", since)

    def is_from_holdfast(self, replica: Node, leader: Node) -> None:
        """A replica that streams, and was not copied from the leader."""
        since = time.monotonic()
        wait_for(f"{replica.name} follows", replica.follows)
        if "replica has been created using holdfast" not in replica.log.read_text(errors="replace"):
            fail(f"{replica.name} was not made by holdfast:\n{replica.tail()}")
        synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_for("a synchronous replica", lambda: leader.sql(synchronous) == "1")
        self.done(f"{replica.name} is a replica, made by holdfast", since)

    def fail_over(self, old: Node, new: Node) -> int:
        """Kills the primary under load; no acknowledged order may be missing on the other."""
        writer = Writer(old)
        writer.start()
        wait_for("orders", lambda: writer.acknowledged >= ORDERS_MIN)
        time.sleep(BEFORE_KILL_S)
        since = time.monotonic()
        old.kill()
        writer.is_over = True
        writer.join()
        wait_for(f"{new.name} leads", new.leads)
        wait_for("writes", lambda: new.attempt("INSERT INTO orders VALUES (0)").returncode == 0)
        self.check_orders(new, writer.acknowledged)
        self.done(f"{new.name} leads, and has all {writer.acknowledged} acknowledged orders", since)
        return writer.acknowledged

    @staticmethod
    def check_orders(node: Node, acknowledged: int) -> None:
        """Every acknowledged order is there."""
        found = node.sql(f"SELECT count(*) FROM orders WHERE id BETWEEN 1 AND {acknowledged}")
        if int(found) != acknowledged:
            fail(f"{node.name} has {found} of {acknowledged} acknowledged orders")

    def archive_all(self, node: Node) -> None:
        """Waits until all that is written now is archived."""
        last = node.sql("SELECT pg_walfile_name(pg_create_restore_point('all'))")
        node.sql("SELECT pg_switch_wal()")
        wait_for("the archive", lambda: node.sql(f"SELECT last_archived_wal >= '{last}' FROM pg_stat_archiver") == "t")

    def look_at_timelines(self, leader: Node) -> None:
        """After a promotion the archive has the history, the unfinished segment and what follows."""
        since = time.monotonic()
        self.archive_all(leader)
        status = self.site.run("wal", "status", "--name", SCOPE)
        if not re.search(r"timeline 2\b", status):
            fail(f"timeline 2 is not archived:\n{status}")
        target = self.site.directory / "fetched"
        self.site.run("wal", "fetch", "00000002.history", str(target), "--name", SCOPE)
        line = re.search(r"^1\t([0-9A-F]+)/([0-9A-F]+)\t", target.read_text(), re.MULTILINE)
        if not line:
            fail(f"the history of timeline 2 says: {target.read_text()}")
        number = (int(line[1], 16) << 32 | int(line[2], 16)) >> 20  # segments of 1 MiB
        name = f"00000001{number >> 12:08X}{number & 0xFFF:08X}"
        self.site.run("wal", "fetch", f"{name}.partial", str(target), "--name", SCOPE)
        self.site.run("wal", "fetch", f"00000002{name[8:]}", str(target), "--name", SCOPE)
        self.done("history, unfinished segment and segments of timeline 2 are archived", since)

    def start_again_from_archive(self, acknowledged: int) -> None:
        """Everything but the repository is lost."""
        since = time.monotonic()
        self.archive_all(next(each for each in self.site.nodes if each.leads()))
        for node in self.site.nodes:
            node.kill()
        old = self.site.nodes[0].data.rename(self.site.directory / "kept")
        shutil.rmtree(self.site.nodes[1].data)
        self.site.nodes.clear()
        self.site.stop_etcd()
        self.site.start_etcd()
        third = self.site.node("n3")
        third.start(bootstraps_from_archive=True)
        wait_for("a node from the archive leads", third.leads)
        self.check_orders(third, acknowledged)
        self.done(f"etcd and all nodes were lost: n3 came from the archive with all {acknowledged} orders", since)
        fourth = self.site.node("n4")
        self.over_old_data(old, fourth, third)

    def over_old_data(self, old: Path, node: Node, leader: Node) -> None:
        """What lies in the data directory is taken over, page by page."""
        since = time.monotonic()
        old.rename(node.data)
        (node.data / "foreign").write_text("of the old node\n")
        self.archive_all(leader)
        self.site.run("patroni", "replica", f"--scope={SCOPE}", f"--datadir={node.data}", "--role=replica",
                      "--connstring=", "--keep_data=True", "--no_leader=True")
        if (node.data / "foreign").exists() or not (node.data / "standby.signal").exists():
            fail("the old data directory was not taken over")
        node.start(bootstraps_from_archive=True)
        wait_for("n4 follows", node.follows)
        self.done("n4 is a replica, made over the data of an old node", since)
