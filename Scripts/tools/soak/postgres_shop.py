"""The cluster that the soak of PostgreSQL captures: its tables, its writers, its crashes and what must always hold."""

import os
import signal
import subprocess
import time
from pathlib import Path
from random import Random

from ..command import fail
from ..postgres_cluster import Cluster, own_directory

CLIENTS = 3
TRANSACTIONS_PER_S = 80  # of each client: what is written grows with the time, and the machine has other work
ORDERS_MAX = 1500

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


def check_invariants(cluster: Cluster, what: str) -> None:
    """The sums of pgbench and of the orders."""
    sums = cluster.psql(SUMS)
    if len(set(sums.split("|"))) != 1:
        fail(f"{what}: the sums of accounts, tellers, branches and history differ: {sums}")
    if broken := int(cluster.psql(BROKEN_ORDERS)):
        fail(f"{what}: {broken} orders without their lines or their payment")
