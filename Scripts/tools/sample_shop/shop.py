"""A shop that trades."""

import calendar
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from .rows import Line, Order, Product, customer, product
from .words import CHANNELS, LEVELS, METHODS, PAGES, text, token

DAY_S = 86_400
WORKING_DAY_S = DAY_S * 6 // 10
TIMESTAMP = "%Y-%m-%d %H:%M:%S"
LOG_LINES_PER_ORDER = 6
ROTATED_LOGS = 9  # kept beside shop.log; each is one day, about 1 % of all orders

NEXT_STATUS = {"new": "paid", "paid": "packed", "packed": "shipped", "shipped": "delivered"}
UNPAID = ("new", "cancelled")


def timestamp(moment_s: float) -> str:
    """A moment as the database and the logs write it."""
    return time.strftime(TIMESTAMP, time.gmtime(moment_s))


class Shop:
    """A shop that trades: its directory, its database, and the randomness it draws from."""

    def __init__(self, directory: Path, seed: str) -> None:
        self.directory = directory
        self.seed = seed
        self.rng = Random(seed)
        self.customers = 0
        self.products: list[Product] = []
        self.database = sqlite3.connect(directory / "orders.db", timeout=60, isolation_level=None)
        # What is lost here is made again: durability would cost time and buy nothing.
        self.database.executescript("PRAGMA page_size = 4096; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")

    def __enter__(self) -> "Shop":
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def resume(self) -> tuple[int, int]:
        """Take up the trade of a shop that exists: the number of its newest order, and when that was."""
        self.customers, products, orders, newest = self.database.execute(
            "SELECT (SELECT max(id) FROM customers), (SELECT max(id) FROM products), max(id), max(created_at)"
            " FROM orders").fetchone()
        self.products = [product(number) for number in range(1, products + 1)]
        self.rng.seed(f"{self.seed} {orders}")  # so that no two days are the same
        return orders, calendar.timegm(time.strptime(newest, TIMESTAMP))

    def register(self, customers: int) -> None:
        """So many new customers."""
        numbers = range(self.customers + 1, self.customers + customers + 1)
        self.database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", map(customer, numbers))
        self.customers += customers

    def sell(self, numbers: range, moment_s: Callable[[int], float], status: Callable[[int], str],
             invoice_every: int) -> None:
        """Take the orders of these numbers."""
        orders, lines, payments = [], [], []
        for number in numbers:
            order, its_lines = self.order(number, moment_s(number), status(number))
            orders.append(order)
            lines += its_lines
            if order.status not in UNPAID:
                payments.append(self.payment(number, order.total_cents, order.created_at))
            if number % invoice_every == 0:
                self.write_invoice(order, its_lines)
        self.database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", orders)
        self.database.executemany("INSERT INTO order_lines VALUES (NULL, ?, ?, ?, ?, ?)", lines)
        self.database.executemany("INSERT INTO payments VALUES (NULL, ?, ?, ?, ?, ?, ?)", payments)

    def order(self, number: int, moment_s: float, status: str) -> tuple[Order, list[Line]]:
        """What somebody orders. Regulars order more often, and some products sell better than others."""
        rng = self.rng
        buyer = customer(1 + int(self.customers * rng.random() ** 1.5))
        lines = []
        for _ in range(rng.choice((1, 1, 2, 2, 3, 5))):
            item, quantity = self.products[int(len(self.products) * rng.random() ** 2)], rng.choice((1, 1, 1, 2, 3))
            lines.append(Line(number, item.id, f"{item.sku} {item.name}", quantity, quantity * item.price_cents))
        note = (f'{{"channel":"{rng.choice(CHANNELS)}","session":"{token(rng)}","ip":"10.{rng.getrandbits(8)}.'
                f'{rng.getrandbits(8)}.{rng.getrandbits(8)}","gift":{rng.choice(("true", "false"))},'
                f'"comment":"{text(rng, rng.randint(10, 80))}"}}')
        return Order(number, f"SH-{int(moment_s // DAY_S)}-{number:08}", buyer.id, timestamp(moment_s), status,
                     sum(line.amount_cents for line in lines), buyer.address, note), lines

    def payment(self, order_id: int, amount_cents: int, paid_at: str) -> tuple[int, str, str, int, str, str]:
        """A row of payments, all but its own id."""
        rng = self.rng
        receipt = (f'{{"gateway":"pay-{rng.randint(1, 9)}.example","authorisation":"{rng.getrandbits(40):010X}",'
                   f'"last4":"{rng.randint(0, 9999):04}","text":"{text(rng, 5)}"}}')
        return order_id, token(rng), rng.choice(METHODS), amount_cents, paid_at, receipt

    def write_invoice(self, order: Order, lines: list[Line]) -> None:
        """File an invoice under its month, to which `latest` then points."""
        month = order.created_at[:7].replace("-", "/")
        invoices = self.directory / "invoices"
        (invoices / month).mkdir(parents=True, exist_ok=True)
        rows = "".join(f'  <line product="{line.product_id}" quantity="{line.quantity}" cents="{line.amount_cents}">'
                       f"{line.label}</line>\n" for line in lines)
        terms = "".join(f"  <p>{text(self.rng, 12)}.</p>\n" for _ in range(self.rng.randint(5, 80)))
        (invoices / month / f"{order.number}.xml").write_text(
            f'<?xml version="1.0"?>\n<invoice order="{order.number}" date="{order.created_at}">\n'
            f'  <to>{order.ship_to}</to>\n{rows}  <total cents="{order.total_cents}"/>\n{terms}</invoice>\n')
        latest = invoices / "latest"
        if not latest.is_symlink() or str(latest.readlink()) != month:
            latest.unlink(missing_ok=True)
            latest.symlink_to(month)

    def log(self, path: Path, start_s: float, lines: int) -> None:
        """Append a working day's lines to a log."""
        rng = self.rng
        with path.open("a") as file:
            for line in range(lines):
                file.write(f"{timestamp(start_s + line * WORKING_DAY_S / lines)} {rng.choice(LEVELS)} "
                           f"shop[{rng.randint(400, 431)}] GET /{rng.choice(PAGES)}?id={rng.randint(1, 99_999)} "
                           f"{rng.choice((200, 200, 200, 302, 404))} {rng.randint(1, 900)}ms "
                           f"request={rng.getrandbits(64):016x}\n")

    def log_path(self, age: int) -> Path:
        """Where the log of so many days ago lies."""
        return self.directory / "logs" / (f"shop.log.{age}" if age else "shop.log")

    def rotate_logs(self) -> None:
        """shop.log becomes shop.log.1, and so on; the oldest goes."""
        for age in range(ROTATED_LOGS, 0, -1):
            self.log_path(age - 1).replace(self.log_path(age))

    def move_orders_on(self, moment_s: float, returned: int) -> None:
        """Most open orders take their next step, and a few old ones, wherever they are, come back."""
        rng, now = self.rng, timestamp(moment_s)
        steps, payments = [], []
        for number, status, total_cents in self.database.execute(
                f"SELECT id, status, total_cents FROM orders WHERE status IN {tuple(NEXT_STATUS)} ORDER BY id"):
            if rng.random() < 0.2:
                continue
            step = "cancelled" if status == "new" and rng.random() < 0.1 else NEXT_STATUS[status]
            steps.append((step, number))
            if step == "paid":
                payments.append(self.payment(number, total_cents, now))
        newest, = self.database.execute("SELECT max(id) FROM orders").fetchone()
        self.database.executemany("UPDATE orders SET status = ? WHERE id = ?", steps)
        self.database.executemany("INSERT INTO payments VALUES (NULL, ?, ?, ?, ?, ?, ?)", payments)
        self.database.executemany("UPDATE orders SET status = 'returned' WHERE id = ? AND status = 'delivered'",
                                  [(rng.randint(1, newest),) for _ in range(returned)])

    def shred_invoices(self, invoices: list[Path]) -> None:
        """One or two old invoices are not kept any longer."""
        old = invoices[:len(invoices) // 2]
        for invoice in self.rng.sample(old, k=min(len(old), self.rng.randint(1, 2))):
            invoice.unlink()
