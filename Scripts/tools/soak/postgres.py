"""The soak of PostgreSQL: a cluster that is written, kept up, crashed and restarted, and captured all the while.

Its invariants: the sums of pgbench's accounts, tellers, branches and history are equal; every order has its lines and
exactly one payment of their sum. Every capture is restored; a server of its own must start on it by itself, every page
and index must be sound, the invariants exact, and nothing may be missing that was committed before the capture began.
"""

import shutil
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

from ..command import Failure, fail
from ..holdfast import Holdfast, whole_snapshot
from ..postgres_cluster import Cluster, PostgresError
from .postgres_shop import HISTORY, Shop, check_invariants
from .upkeep import Upkeep

REPOSITORY_CAPTURES = 60  # a new repository after so many, or a long soak fills the disk
SPOIL_EVERY, SPOIL_S_MAX, CRASH_EVERY = 4, 0.5, 3

WAIT_FOR_CAPTURE = """
DO $$ BEGIN
  FOR round IN 1..3000 LOOP
    PERFORM FROM pg_stat_activity WHERE application_name = 'holdfast';
    EXIT WHEN FOUND;
    PERFORM pg_sleep(0.001), pg_stat_clear_snapshot();
  END LOOP;
  PERFORM pg_sleep({seconds});
END $$
"""
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'"


def check_restored(data: Path, before: int, after: int) -> None:
    """A restored capture: starts by itself, is sound, and is of one instant between `before` and `after`."""
    for link in (data / "pg_wal", *(data / "pg_tblspc").iterdir()):
        if not link.resolve().is_relative_to(data):
            fail(f"the restored {link.relative_to(data)} is not in the restored directory but in {link.resolve()}")
    with Cluster(data) as cluster:
        try:
            cluster.start()
        except PostgresError as error:
            fail(f"restored: {error}")
        if not (data / "backup_label.old").exists():
            fail("restored: the server did not begin its recovery where backup_label says")
        found = int(cluster.psql(HISTORY))
        if not before <= found <= after:
            fail(f"restored: {found} transactions of pgbench, where {before} were committed before the capture and "
                 f"{after} after it")
        check_invariants(cluster, "restored")
        for table in ("cart", "stored_cart"):
            if count := int(cluster.psql(f"SELECT count(*) FROM {table}")):
                fail(f"restored: {count} rows in {table}, which is not logged")
        if not cluster.psql("SELECT pg_relation_filepath('line')").startswith("pg_tblspc/"):
            fail("restored: the table line is not in its tablespace")
        # A prepared transaction is part of the instant, and keeps its locks.
        for name in cluster.psql("SELECT gid FROM pg_prepared_xacts").split():
            cluster.psql(f"COMMIT PREPARED '{name}'")
        sound = cluster.attempt("pg_amcheck", "--all", "--install-missing", "--heapallindexed", "--rootdescend")
        if sound.returncode or sound.stdout.strip():
            fail(f"restored: pg_amcheck: exit {sound.returncode}\n{sound.stdout[-2000:]}{sound.stderr[-2000:]}")
        cluster.stop()
        pages = cluster.attempt("pg_checksums", "--check", "--pgdata", str(data))
        if pages.returncode:
            fail(f"restored: pg_checksums: exit {pages.returncode}\n{pages.stdout[-2000:]}{pages.stderr[-2000:]}")


class PostgresSoak:
    """A shop and its captures."""

    def __init__(self, work: Path, program: str, seed: int, cluster: Cluster) -> None:
        self.work, self.seed, self.random = work, seed, Random(seed)
        self.holdfast = Holdfast(work, program)
        self.shop = Shop(cluster, work, self.random)
        self.restored = work / "restored"
        self.kinds, self.events = Counter[str](), Counter[str]()

    def kind(self, number: int) -> str:
        """Of the capture of that number: each kind is among the first three of a repository."""
        kinds = ["full", "incremental", "differential"]
        return kinds[number] if number < len(kinds) else self.random.choices(kinds, [1, 5, 2])[0]

    def back_up(self, kind: str) -> subprocess.CompletedProcess[str]:
        """holdfast, whatever it answers."""
        source = self.shop.cluster
        return self.holdfast.attempt_stalled(
            self.random, "backup", str(source.data), "--name", "pg", "--json", f"--{kind}", "--postgres",
            source.connection)

    def capture(self, kind: str) -> None:
        """One capture, restored and checked."""
        with Upkeep(self.shop, self.random.randrange(1 << 30)) as upkeep:
            before = self.shop.history()
            done = self.back_up(kind)
            if not self.is_whole(done):
                fail(f"holdfast backup --{kind}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr}")
            after = self.shop.history()
            self.check_slots()
            self.holdfast.run("restore", "latest", "--target", str(self.restored), "--quiet")
            check_restored(self.restored, before, after)
        shutil.rmtree(self.restored)
        self.kinds[kind] += 1
        self.events += upkeep.done

    def is_whole(self, done: subprocess.CompletedProcess[str]) -> bool:
        """Whether a capture took everything.

        To drop a database, or to empty tables, is an anomaly in so small a cluster: holdfast must say so (status 3),
        and the capture is whole all the same.
        """
        snapshot = whole_snapshot(done, {"mass-deletion", "truncation"})
        if snapshot is None or snapshot["consistency"] != "postgres-backup":
            return False
        if snapshot["anomalies"]:
            self.events["dropped databases and tables seen as an anomaly"] += 1
        return True

    def spoil(self, kind: str) -> None:
        """A capture that loses its session, or its server, early or late: then it must fail and leave nothing."""
        known, cluster = self.snapshots(), self.shop.cluster
        wait = WAIT_FOR_CAPTURE.format(seconds=self.random.random() * SPOIL_S_MAX)
        crashes = self.random.random() < 0.4

        def strike() -> None:
            cluster.attempt_psql(wait)
            if crashes:
                cluster.stop("immediate")
            else:
                cluster.attempt_psql(TERMINATE)

        with ThreadPoolExecutor() as pool:
            struck = pool.submit(strike)
            done = self.back_up(kind)
            struck.result()
        if crashes:
            cluster.start()
        if self.is_whole(done):
            return  # it was over before
        if done.returncode != 1 or self.snapshots() != known:
            fail(f"a capture that lost its server: exit {done.returncode}, {known} snapshots before and "
                 f"{self.snapshots()} after it\n{done.stderr}")
        self.check_slots()
        self.events["captures that lost their server, and failed" if crashes else
                    "captures that lost their session, and failed"] += 1

    def snapshots(self) -> int:
        """How many there are."""
        return len(self.holdfast.answer("list")["snapshots"])

    def check_slots(self) -> None:
        """No replication slot is left, which would keep the server's WAL for ever."""
        deadline = time.monotonic() + 10
        while left := self.shop.cluster.psql("SELECT slot_name FROM pg_replication_slots"):
            if time.monotonic() > deadline:
                fail(f"a capture left the replication slot {left}")
            time.sleep(0.02)

    def disturb(self, number: int) -> None:
        """What happens between two captures."""
        if number % CRASH_EVERY == CRASH_EVERY - 1:
            self.events[self.shop.crash(of_process=number // CRASH_EVERY % 2 == 1)] += 1
        if number % SPOIL_EVERY == SPOIL_EVERY - 1:
            self.shop.write()
            self.spoil(self.kind(number))

    def soak(self, captures: int, until: float) -> None:
        """Captures until so many are sound and the time is up."""
        segment_mib, has_wal_elsewhere = self.random.choice([1, 1, 16]), self.random.random() < 0.5
        self.shop.make(segment_mib, has_wal_elsewhere)
        number = 0
        while number < captures or time.monotonic() < until:
            if number % REPOSITORY_CAPTURES == 0:
                shutil.rmtree(self.holdfast.repository, ignore_errors=True)
                self.holdfast.run("init", "--unsealed")
            self.disturb(number)
            self.shop.write()
            self.capture(self.kind(number % REPOSITORY_CAPTURES))
            number += 1
        self.shop.rest()
        check_invariants(self.shop.cluster, "the source")
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.kinds.items()))
        events = ", ".join(f"{count} {name}" for name, count in sorted(self.events.items()))
        print(f"postgres, seed {self.seed}: {number} captures sound ({kinds}); {self.shop.history()} transactions of "
              f"pgbench; WAL in segments of {segment_mib} MiB{' elsewhere' if has_wal_elsewhere else ''}; {events}")


def soak(work: Path, program: str, seed: int, captures: int, until: float) -> None:
    """Soaks in a directory that the server's user can enter. Whatever happens, no server is left."""
    try:
        with Cluster(work / "source") as cluster, ExitStack() as stack:
            run = PostgresSoak(work, program, seed, cluster)
            stack.callback(run.shop.rest)
            run.soak(captures, until)
    except Failure as failure:
        fail(f"postgres, seed {seed}: {failure}")
