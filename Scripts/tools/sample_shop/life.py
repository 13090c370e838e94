"""The life of a shop: it is made, days pass, orders come in, and somebody checks it."""

import calendar
import math
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from ..command import fail
from ..files import MIB
from .rows import INDEXES, SCHEMA, TABLES, product
from .shop import DAY_S, LOG_LINES_PER_ORDER, NEXT_STATUS, ROTATED_LOGS, WORKING_DAY_S, Shop

FIRST_DAY_S = calendar.timegm((2023, 7, 1, 0, 0, 0))
HISTORY_DAYS = 300

# What things weigh, measured: they turn the size asked for into a number of orders.
DATABASE_BYTES_PER_ORDER = 1_130
INVOICE_BYTES = 4_600
LOG_LINE_BYTES = 92
OPEN_SHARE = 0.02  # of all orders, the newest, are still on their way

# Each query counts what breaks one promise of the shop.
VIOLATIONS = {
    "orders without lines":
        "SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM order_lines)",
    "orders that are not the sum of their lines":
        "SELECT count(*) FROM orders JOIN (SELECT order_id, sum(amount_cents) AS lines_cents FROM order_lines"
        " GROUP BY order_id) ON id = order_id WHERE lines_cents <> total_cents",
    "orders not paid exactly once when they should be":
        "SELECT count(*) FROM orders LEFT JOIN (SELECT order_id, count(*) AS times FROM payments GROUP BY order_id)"
        " ON id = order_id WHERE ifnull(times, 0) <> (status NOT IN ('new', 'cancelled'))",
    "payments that differ from their order":
        "SELECT count(*) FROM payments JOIN orders ON orders.id = order_id WHERE amount_cents <> total_cents",
    "rows that refer to nothing":
        "SELECT count(*) FROM pragma_foreign_key_check",
}


def create(directory: Path, size_mib: int, seed: int) -> None:
    """Make a new shop."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        fail(f"{directory} is not empty")
    invoices = max(200, 2000 * size_mib // 512)
    log_bytes_per_order = LOG_LINES_PER_ORDER * LOG_LINE_BYTES * (1 + ROTATED_LOGS) / 100
    orders = max(invoices, int((size_mib * MIB - invoices * INVOICE_BYTES)
                               / (DATABASE_BYTES_PER_ORDER + log_bytes_per_order)))

    def moment_s(number: int) -> float:
        # Trade has grown all the time: the last day alone took about 1 % of all orders.
        return FIRST_DAY_S + HISTORY_DAYS * DAY_S * math.cbrt(number / orders)

    with Shop(directory, f"create {seed}") as shop:
        def status(number: int) -> str:
            if number > orders * (1 - OPEN_SHARE):
                return shop.rng.choice(tuple(NEXT_STATUS))
            return shop.rng.choices(("delivered", "cancelled", "returned"), (92, 5, 3))[0]

        def sell(numbers: range) -> None:
            for first in numbers[::1000]:
                batch = range(first, min(first + 1000, numbers.stop))
                shop.sell(batch, moment_s, status, invoice_every=round(orders / invoices))

        shop.database.executescript(f"PRAGMA journal_mode = OFF; {SCHEMA} BEGIN")
        shop.products = [product(number) for number in range(1, max(50, min(4000, orders // 50)) + 1)]
        shop.database.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?)", shop.products)
        shop.register(max(100, orders // 5))
        # The first quarter was imported and indexed then; what came later grew index pages between the table pages, as
        # in any database that is in use. Indexes built at the end would lie apart, with every page full.
        sell(range(1, orders // 4))
        shop.database.executescript(f"{INDEXES} BEGIN")  # which first commits
        sell(range(orders // 4, orders + 1))
        shop.database.execute("COMMIT")

        (directory / "logs").mkdir()
        for age in range(1 + ROTATED_LOGS):
            shop.log(shop.log_path(age), moment_s(orders) - (age + 1) * DAY_S, orders * LOG_LINES_PER_ORDER // 100)
        (directory / "uploads").mkdir()
        (directory / "prices").mkdir()
        prices = directory / "prices" / "opening.csv"
        prices.write_text("".join(f"{item.sku};{item.name};{item.price_cents}\n" for item in shop.products))
        (directory / "prices" / "current.csv").hardlink_to(prices)


def age(directory: Path, days: int, percent: float, seed: int) -> None:
    """Let days of trade pass."""
    for _ in range(days):
        with Shop(directory, f"age {seed}") as shop:
            newest, moment_s = shop.resume()
            day_s = (moment_s // DAY_S + 1) * DAY_S
            orders = max(1, round(newest * percent / 100))
            invoices = sorted((directory / "invoices").glob("*/*/*.xml"))
            shop.shred_invoices(invoices)

            # Logs rotate in the early morning.
            shop.log(shop.log_path(0), day_s - DAY_S // 4, orders * LOG_LINES_PER_ORDER // 20)
            shop.rotate_logs()
            shop.log(shop.log_path(0), day_s, orders * LOG_LINES_PER_ORDER)

            shop.database.execute("BEGIN")
            shop.move_orders_on(day_s, returned=orders // 20)
            shop.register(orders // 5)
            shop.sell(range(newest + 1, newest + orders + 1),
                      lambda number: day_s + (number - newest) * WORKING_DAY_S / orders,
                      lambda _: shop.rng.choice(("new", "paid", "paid", "packed")),
                      invoice_every=max(1, round(newest / len(invoices))))
            shop.database.execute("COMMIT")


def serve(directory: Path, seconds: float, rate: float, seed: int) -> None:
    """Keep orders coming, each as a transaction of its own, until the time is up or somebody says stop."""
    stopped: list[int] = []
    for wish in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wish, lambda received, _: stopped.append(received))
    with Shop(directory, f"serve {seed}") as shop:
        shop.database.execute("PRAGMA synchronous = NORMAL")
        newest, moment_s = shop.resume()
        end_s = time.monotonic() + seconds
        number = newest
        while time.monotonic() < end_s and not stopped:
            number += 1
            shop.database.execute("BEGIN IMMEDIATE")
            shop.sell(range(number, number + 1), lambda number: moment_s + number - newest,
                      lambda _: shop.rng.choice(("new", "paid")), invoice_every=50)
            shop.database.execute("COMMIT")
            shop.log(shop.log_path(0), moment_s + number - newest, LOG_LINES_PER_ORDER)
            time.sleep(1 / rate)
    print(f"served {number - newest} orders")


def check(directory: Path) -> None:
    """Say in one line what the shop has, or what is wrong with it."""
    wrong = []
    # Read only: a check must not even repair what it looks at.
    with closing(sqlite3.connect(f"{(directory / 'orders.db').absolute().as_uri()}?mode=ro", uri=True)) as database:
        try:
            integrity, = database.execute("PRAGMA integrity_check(1)").fetchone()
            if integrity != "ok":
                wrong.append(integrity)
            for promise, query in VIOLATIONS.items():
                violations, = database.execute(query).fetchone()
                if violations:
                    wrong.append(f"{violations} {promise}")
            totals = [f"{database.execute(f'SELECT count(*) FROM {table}').fetchone()[0]} {table}" for table in TABLES]
            total_cents, = database.execute("SELECT total(total_cents) FROM orders").fetchone()
        except sqlite3.Error as error:
            sys.exit(f"{directory}: {error}")
    if wrong:
        sys.exit(f"{directory}: {'; '.join(wrong)}")
    print(f"{directory}: sound, {', '.join(totals)}, {total_cents / 100:.2f} in all")
