#!/usr/bin/env python3
"""A shop that serves: it takes orders into an SQLite database, answers on a socket, and keeps a log of its service.

shop.py serve HOST DIRECTORY PLACE: serves from DIRECTORY/orders.db until it is killed. PLACE holds what does not fail
over: HOST.pid, HOST.socket, and serving.log, whose lines are the nanoseconds of the monotonic clock, HOST and an order.
shop.py ask HOST PLACE: succeeds if the shop of that host answers within a second.
shop.py orders DATABASE: prints the highest order and their number; fails if the database is not sound.
"""

import os
import socket
import sqlite3
import sys
import time


def serve(host: str, directory: str, place: str) -> None:
    """Takes an order every few milliseconds, and answers who asks."""
    database = sqlite3.connect(os.path.join(directory, "orders.db"), isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, host TEXT)")
    path = os.path.join(place, host + ".socket")
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    listener.setblocking(False)
    log = open(os.path.join(place, "serving.log"), "a", buffering=1, encoding="utf-8")
    with open(os.path.join(place, host + ".pid"), "w", encoding="utf-8") as file:
        file.write(str(os.getpid()))
    while True:
        number = database.execute("INSERT INTO orders (host) VALUES (?) RETURNING number", (host,)).fetchone()[0]
        log.write(f"{time.monotonic_ns()} {host} {number}\n")
        try:
            client, _ = listener.accept()
            with client:
                client.sendall(b"yes")
        except BlockingIOError:
            pass
        except OSError:
            pass
        time.sleep(0.02)


def ask(host: str, place: str) -> None:
    """Ends with 0 if the shop answers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(os.path.join(place, host + ".socket"))
            sys.exit(0 if client.recv(3) == b"yes" else 1)
        except OSError as error:
            sys.exit(f"{host} does not answer: {error}")


def orders(path: str) -> None:
    """Prints what a database holds."""
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    highest, count = database.execute("SELECT coalesce(max(number), 0), count(*) FROM orders").fetchone()
    print(highest, count)


if __name__ == "__main__":
    {"serve": serve, "ask": ask, "orders": orders}[sys.argv[1]](*sys.argv[2:])
