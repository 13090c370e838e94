"""The soak of PostgreSQL: a cluster that is written, kept up, crashed and restarted, and captured all the while.

Its invariants: the sums of pgbench's accounts, tellers, branches and history are equal; every order has its lines and
exactly one payment of their sum. Every capture is restored; a server of its own must start on it by itself, every page
and index must be sound, the invariants exact, and nothing may be missing that was committed before the capture began.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

from postgres_cluster import Cluster, PostgresError, own_directory
from soaking import Holdfast, fail, whole_snapshot

CLIENTS = 3
TRANSACTIONS_PER_S = 80  # of each client: what is written grows with the time, and the machine has other work
ORDERS_MAX = 1500
UPKEEP_PAUSE_S = 0.15
REPOSITORY_CAPTURES = 60  # a new repository after so many, or a long soak fills the disk
SPOIL_EVERY, SPOIL_S_MAX, CRASH_EVERY = 6, 0.5, 5

SETTINGS = {
    "fsync": "off", "shared_buffers": "4MB", "max_connections": 30, "max_prepared_transactions": 4, "work_mem": "64kB",
    "max_wal_size": "32MB", "min_wal_size": "32MB", "checkpoint_timeout": "30s", "autovacuum_naptime": "1s",
    "log_min_messages": "warning",
}

TABLES = """
CREATE TABLE orders (id bigserial PRIMARY KEY, customer integer NOT NULL, note text NOT NULL);
CREATE INDEX orders_customer ON orders (customer);
CREATE TABLE line (order_id bigint, number integer, amount bigint NOT NULL,
  PRIMARY KEY (order_id, number) USING INDEX TABLESPACE warehouse) TABLESPACE warehouse;
CREATE TABLE payment (order_id bigint PRIMARY KEY, amount bigint NOT NULL);
CREATE UNLOGGED TABLE cart (id bigserial PRIMARY KEY, content text);
CREATE UNLOGGED TABLE stored_cart (id bigserial PRIMARY KEY, content text) TABLESPACE warehouse;
CREATE TABLE scratch (id bigserial PRIMARY KEY, content text);
CREATE TABLE promise (id bigserial PRIMARY KEY, content text);
"""

# Each a transaction of many sessions at once. Where an order is changed or removed, one statement does it all: two
# could see two states of it.
PLACE = r"""
\set customer random(1, 1000)
\set lines random(1, 6)
\set size random(1, 120)
BEGIN;
INSERT INTO orders (customer, note) SELECT :customer, string_agg(md5(random()::text), '') FROM generate_series(1, :size)
  RETURNING id AS placed \gset
INSERT INTO line SELECT :placed, number, 1 + (random() * 10000)::bigint FROM generate_series(1, :lines) number;
INSERT INTO payment SELECT order_id, sum(amount) FROM line WHERE order_id = :placed GROUP BY order_id;
INSERT INTO cart (content) VALUES (repeat('c', :size));
INSERT INTO stored_cart (content) VALUES (repeat('s', :size));
COMMIT;
"""
AMEND = r"""
\set back random(0, 300)
\set more random(-50, 50)
WITH paid AS (UPDATE payment SET amount = amount + :more
  WHERE order_id = (SELECT max(id) - :back FROM orders) RETURNING order_id)
  UPDATE line SET amount = line.amount + :more FROM paid WHERE line.order_id = paid.order_id AND number = 1;
"""
FORGET = f"""
WITH old AS (DELETE FROM payment
  WHERE order_id IN (SELECT order_id FROM payment ORDER BY order_id DESC OFFSET {ORDERS_MAX} LIMIT 200)
  RETURNING order_id),
  gone AS (DELETE FROM orders USING old WHERE id = order_id)
  DELETE FROM line USING old WHERE line.order_id = old.order_id;
"""

BROKEN_ORDERS = """
SELECT count(*) FROM (SELECT order_id, sum(amount) AS amount FROM line GROUP BY order_id) lines
  FULL JOIN payment USING (order_id) FULL JOIN orders ON orders.id = order_id
  WHERE orders.id IS NULL OR lines.amount IS NULL OR lines.amount IS DISTINCT FROM payment.amount
"""
SUMS = """
SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
  (SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
"""
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
HISTORY = "SELECT count(*) FROM pgbench_history"


class Shop:
    """The cluster that is captured, with its writers."""

    def __init__(self, cluster: Cluster, work: Path, random: Random) -> None:
        self.cluster, self.random, self.work = cluster, random, work
        self.writers: list[subprocess.Popen[bytes]] = []
        self.scripts: list[str] = []

    def make(self, segment_mib: int, has_wal_elsewhere: bool) -> None:
        """The cluster, its tables and what is written into them."""
        place = [f"--waldir={self.work / 'wal'}"] if has_wal_elsewhere else []
        if has_wal_elsewhere:
            own_directory(self.work / "wal")
        self.cluster.init(SETTINGS, "--data-checksums", f"--wal-segsize={segment_mib}", *place)
        own_directory(self.work / "warehouse")
        self.cluster.start()
        self.cluster.psql(f"CREATE TABLESPACE warehouse LOCATION '{self.work / 'warehouse'}'")
        self.cluster.program("pgbench", "-i", "-q", "-s", "1")
        self.cluster.psql(TABLES)
        for name, text, weight in (("place", PLACE, 6), ("amend", AMEND, 4), ("forget", FORGET, 1)):
            path = self.work / f"{name}.sql"
            path.write_text(text)
            self.scripts += ["-f", f"{path}@{weight}"]

    def write(self) -> None:
        """Starts the writers that are not there, or not any more."""
        self.writers = [writer for writer in self.writers if writer.poll() is None]
        while len(self.writers) < CLIENTS:
            self.writers.append(self.cluster.load(
                "-c", "1", "-T", "100000", "-R", str(TRANSACTIONS_PER_S), "--max-tries=100",
                "--random-seed", str(self.random.randrange(1 << 30)), "-b", "tpcb-like@6", *self.scripts))

    def rest(self) -> None:
        """Ends the writers."""
        for writer in self.writers:
            writer.kill()
        for writer in self.writers:
            writer.wait()
        self.writers = []

    def crash(self, of_process: bool) -> str:
        """The server dies, or one of its processes, and comes back; what was done."""
        if not of_process:
            self.cluster.stop("immediate")
            self.cluster.start()
            return "immediate shutdowns"
        victim = int(self.cluster.psql(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgbench' OR backend_type = 'checkpointer' "
            "ORDER BY random() LIMIT 1"))
        os.kill(victim, signal.SIGKILL)
        deadline = time.monotonic() + 60
        # As long as it is there the server does not know, and answers as if nothing had happened.
        while Path(f"/proc/{victim}").exists() or self.cluster.attempt_psql("SELECT 1").returncode:
            if time.monotonic() > deadline:
                fail("the server did not come back after one of its processes was killed")
            time.sleep(0.02)
        return "killed processes"

    def history(self) -> int:
        """How many of pgbench's own transactions are committed."""
        return int(self.cluster.psql(HISTORY))


class Upkeep(threading.Thread):
    """What is done to a cluster beside writing, until it is told that it is over."""

    EXPECTED = ("deadlock detected", "lock timeout", "terminating connection", "is being accessed by other users",
                "does not exist", "already exists", "already in use", "being used by", "could not obtain lock",
                "server closed the connection", "tuple concurrently")
    TABLES = ("orders", "line", "payment", "scratch", "cart", "stored_cart", "pgbench_accounts", "pgbench_branches",
              "pgbench_tellers", "pgbench_history")
    CATALOGS = ("pg_class", "pg_attribute", "pg_index", "pg_type", "pg_proc", "pg_database")

    def __init__(self, shop: Shop, seed: int) -> None:
        super().__init__()
        self.shop, self.random = shop, Random(seed)
        self.over, self.done, self.failure = threading.Event(), Counter[str](), ""

    def __enter__(self) -> "Upkeep":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.over.set()
        self.join()
        if self.failure and kind is None:
            fail(f"upkeep: {self.failure}")

    def run(self) -> None:
        """One thing after the other."""
        while not self.over.wait(self.random.random() * UPKEEP_PAUSE_S):
            name, statements = self.choose()
            done = self.shop.cluster.attempt_psql(*statements)
            if done.returncode == 0:
                self.done[name] += 1
            elif not any(reason in done.stderr for reason in self.EXPECTED):
                self.failure = f"{'; '.join(statements)}: {done.stderr.strip()}"
                return
            self.shop.write()

    def choose(self) -> tuple[str, list[str]]:
        """What to do next: its name, and the statements."""
        random = self.random
        table, catalog, number = random.choice(self.TABLES), random.choice(self.CATALOGS), random.randrange(2)
        made, space = f"made_{number}", random.choice(["warehouse", "pg_default"])
        strategy, verdict = random.choice(["file_copy", "wal_log"]), random.choice(["COMMIT", "ROLLBACK"])
        return random.choice([
            ("CHECKPOINT", ["CHECKPOINT"]),
            ("pg_switch_wal", ["SELECT pg_switch_wal()"]),
            ("VACUUM", [f"VACUUM {table}"]),
            ("VACUUM", [f"VACUUM (FREEZE, ANALYZE) {table}"]),
            ("VACUUM FULL", [f"VACUUM FULL {table}"]),
            ("VACUUM FULL", [f"VACUUM FULL {catalog}"]),
            ("REINDEX", [f"REINDEX TABLE {table}"]),
            ("REINDEX", [f"REINDEX TABLE {catalog}"]),
            ("REINDEX", ["REINDEX INDEX CONCURRENTLY orders_customer"]),
            ("CLUSTER", ["CLUSTER payment USING payment_pkey"]),
            ("CREATE TABLE", [f"DROP TABLE IF EXISTS {made}", f"CREATE TABLE {made} AS SELECT * FROM orders",
                              f"CREATE INDEX ON {made} (id)"]),
            ("DROP TABLE", [f"DROP TABLE {made}"]),
            ("TRUNCATE", ["INSERT INTO scratch (content) SELECT md5(n::text) FROM generate_series(1, 3000) n",
                          "TRUNCATE scratch"]),
            ("TRUNCATE", ["TRUNCATE scratch, cart, stored_cart RESTART IDENTITY"]),
            ("SET TABLESPACE", [f"ALTER TABLE scratch SET TABLESPACE {space}"]),
            ("SET UNLOGGED", ["ALTER TABLE scratch SET UNLOGGED", "INSERT INTO scratch (content) VALUES ('x')",
                              "ALTER TABLE scratch SET LOGGED"]),
            ("CREATE DATABASE", [f"CREATE DATABASE {made} STRATEGY {strategy} TABLESPACE {space}"]),
            ("DROP DATABASE", [f"DROP DATABASE {made}"]),
            ("temporary table", ["CREATE TEMPORARY TABLE mine AS SELECT * FROM pgbench_accounts ORDER BY abalance"]),
            ("PREPARE TRANSACTION", [f"BEGIN; INSERT INTO promise (content) VALUES ('p'); "
                                     f"PREPARE TRANSACTION 'p{number}'"]),
            ("COMMIT PREPARED", [f"{verdict} PREPARED 'p{number}'"]),
            ("terminated backend", ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                    "WHERE application_name = 'pgbench' ORDER BY random() LIMIT 1"]),
        ])


def check_invariants(cluster: Cluster, what: str) -> None:
    """The sums of pgbench and of the orders."""
    sums = cluster.psql(SUMS)
    if len(set(sums.split("|"))) != 1:
        fail(f"{what}: the sums of accounts, tellers, branches and history differ: {sums}")
    if broken := int(cluster.psql(BROKEN_ORDERS)):
        fail(f"{what}: {broken} orders without their lines or their payment")


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
        """Whether a capture took everything. To drop a database, or to empty tables, is an anomaly in so small a cluster: holdfast must
        say so (status 3), and the capture is whole all the same."""
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
        return len(self.holdfast.answer("list"))

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
    except (PostgresError, SystemExit) as error:
        if isinstance(error, SystemExit) and not isinstance(error.code, str):
            raise  # a signal
        fail(f"postgres, seed {seed}: {str(error).removeprefix('soak: ')}")
