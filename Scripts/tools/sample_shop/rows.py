"""The tables of the shop, and customers and products, which follow from their numbers."""

from random import Random
from typing import NamedTuple

from .words import COLOURS, FIRST_NAMES, STREETS, SURNAMES, THINGS, TOWNS, WORDS, text

SCHEMA = """
CREATE TABLE customers (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT NOT NULL, address TEXT NOT NULL);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    price_cents INTEGER NOT NULL);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, number TEXT NOT NULL, customer_id INTEGER NOT NULL REFERENCES customers,
    created_at TEXT NOT NULL, status TEXT NOT NULL, total_cents INTEGER NOT NULL, ship_to TEXT NOT NULL,
    note TEXT NOT NULL);
CREATE TABLE order_lines (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders,
    product_id INTEGER NOT NULL REFERENCES products, label TEXT NOT NULL, quantity INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL);
CREATE TABLE payments (
    id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES orders, reference TEXT NOT NULL,
    method TEXT NOT NULL, amount_cents INTEGER NOT NULL, paid_at TEXT NOT NULL, receipt TEXT NOT NULL);
"""
INDEXES = """
CREATE UNIQUE INDEX orders_number ON orders (number);
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_created_at ON orders (created_at);
CREATE INDEX orders_status ON orders (status);
CREATE INDEX order_lines_order ON order_lines (order_id);
CREATE UNIQUE INDEX payments_order ON payments (order_id);
CREATE UNIQUE INDEX payments_reference ON payments (reference);
"""
TABLES = ("customers", "products", "orders", "order_lines", "payments")


class Customer(NamedTuple):
    """A row of customers."""
    id: int
    name: str
    email: str
    phone: str
    address: str


class Product(NamedTuple):
    """A row of products."""
    id: int
    sku: str
    name: str
    description: str
    price_cents: int


class Order(NamedTuple):
    """A row of orders."""
    id: int
    number: str
    customer_id: int
    created_at: str
    status: str
    total_cents: int
    ship_to: str
    note: str


class Line(NamedTuple):
    """A row of order_lines, all but its own id."""
    order_id: int
    product_id: int
    label: str
    quantity: int
    amount_cents: int


def customer(number: int) -> Customer:
    """The customer of that number. Everything follows from the number, so that an order needs no look-up."""
    bits = number * 2_654_435_761 % (1 << 32)
    first, last = FIRST_NAMES[bits % len(FIRST_NAMES)], SURNAMES[bits // 64 % len(SURNAMES)]
    street = f"{TOWNS[bits // 512 % len(TOWNS)]} {STREETS[bits % len(STREETS)]} {bits // 7 % 180 + 1}"
    town = TOWNS[bits // 4096 % len(TOWNS)]
    return Customer(number, f"{first} {last}", f"{first}.{last}{bits % 97}@{town}.example".lower(),
                    f"+49 {bits % 900 + 100} {bits // 11 % 9_000_000 + 1_000_000}",
                    f"{first} {last}, {street}, {bits // 3 % 90_000 + 10_000} {town}")


def product(number: int) -> Product:
    """The product of that number, which follows from it likewise."""
    rng = Random(number)
    name = f"{rng.choice(COLOURS)} {rng.choice(THINGS)} {rng.choice(WORDS).capitalize()}"
    return Product(number, f"{name[:3].upper()}-{number:05}", name, text(rng, 30), rng.randint(199, 39_900))
