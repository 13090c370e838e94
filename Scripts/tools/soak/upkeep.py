"""What is done to a cluster beside writing."""

import threading
from collections import Counter
from random import Random

from ..command import fail
from .postgres_shop import Shop

PAUSE_S_MAX = 0.15


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
        while not self.over.wait(self.random.random() * PAUSE_S_MAX):
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
