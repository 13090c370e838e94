"""Three shops with a past, which holdfast itself backed up under a clock that `faketime` sets."""

import datetime
import json
import os
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random

from ..command import fail, say
from ..holdfast import own_environment, places

NOW = datetime.datetime(2026, 11, 30, 9, 12)
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


class Shop:
    """A directory with orders, a repository, and a clock."""

    def __init__(self, work: Path, program: str, configuration: str = "") -> None:
        self.work, self.program, self.random = work, program, Random(work.name)
        self.root, self.repository = work / "orders", work / "repository"
        self.free_mib = 0  # what is free on its disk; 0 for what is
        self.root.mkdir(parents=True)
        self.environment = own_environment("PG", "FAKETIME") | places(work) | {"TZ": "UTC"}
        (work / "configuration").mkdir()
        if configuration:
            del self.environment["HOLDFAST_REPOSITORY"]
            file = work / "configuration" / "holdfast.yaml"
            file.write_text(configuration.replace("WORK", str(work)))
            file.chmod(0o600)

    def holdfast(self, time: datetime.datetime, *arguments: str, ends: tuple[int, ...] = (0,),
                 within: list[str] | None = None) -> str:
        """Runs it at a time, with a command before it if there is one."""
        done = subprocess.run([*(within or []), "faketime", "-f", f"@{time:%Y-%m-%d %H:%M:%S}", self.program,
                               *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode not in ends:
            fail(f"holdfast {' '.join(arguments)} at {time}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def open(self) -> None:
        """Makes the database."""
        with closing(sqlite3.connect(self.root / "orders.db")) as database, database:
            database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, cents INT, note TEXT)")
            database.execute("CREATE TABLE ledger (id INTEGER PRIMARY KEY, cents INT)")
        self.sell(9000)
        (self.root / "invoices").mkdir()
        for number in range(60):
            self.write(f"invoices/{number:04}.pdf", 20_000)

    def write(self, name: str, length: int) -> None:
        """A file that does not compress."""
        (self.root / name).write_bytes(self.random.randbytes(length))

    def sell(self, count: int) -> None:
        """So many orders."""
        with closing(sqlite3.connect(self.root / "orders.db")) as database, database:
            rows = [(self.random.randrange(99_999), self.random.randbytes(90).hex()) for _ in range(count)]
            database.executemany("INSERT INTO orders (cents, note) VALUES (?, ?)", rows)
            database.executemany("INSERT INTO ledger (cents) VALUES (?)", [(cents,) for cents, _ in rows])

    def report(self, page: Path) -> dict[str, object]:
        """Writes the report; what it says as JSON."""
        report = ("report", "--html", str(page), "--json", "--since", "60d")
        if not self.free_mib:
            return dict(json.loads(self.holdfast(NOW, *report)))
        # A disk of its own, which only this command sees.
        full = self.work / "full"
        full.mkdir()
        used = sum(file.stat().st_blocks * 512 for file in self.repository.rglob("*")) // 2**20
        script = (f'mount -t tmpfs -o size={used + 1 + self.free_mib}m tmpfs "$1" && cp -a "$2/." "$1" && '
                  'mount --bind "$1" "$2" && shift 2 && exec "$@"')
        within = ["unshare", "--mount", "sh", "-c", script, "sh", str(full), str(self.repository)]
        return dict(json.loads(self.holdfast(NOW, *report, within=within)))


WELL = """
repositories:
  shop:
    targets:
      - {name: office, path: WORK/repository, site: office}
      - {name: barn, path: WORK/barn, site: barn, keep: {monthly: 24}}
    min-copies: 1
sources:
  orders:
    path: WORK/orders
    schedule: {full: 4w, incremental: 30min}
    keep: {last: 6, hourly: 24, daily: 14, weekly: 10, monthly: 24}
    grace: 1d
    verify: {within: 10d}
    drill:
      every: 7d
      in: WORK/drill
      assertions:
        - {sql: SELECT (SELECT sum(cents) FROM orders) = (SELECT sum(cents) FROM ledger)}
    objectives: {max-age: 26h, prove-within: 30d, restore-within: 5min, drilled-within: 8d}
"""


def well(work: Path, program: str, days: int = 100) -> Shop:
    """Some months of a shop in which nothing went wrong."""
    shop = Shop(work, program, WELL)
    begin = NOW.replace(hour=3, minute=0) - days * DAY
    shop.open()
    shop.holdfast(begin - HOUR, "init", "--unsealed")
    for day in range(days + 1):
        shop.sell(shop.random.randrange(60, 200))
        shop.write(f"invoices/{day + 100:04}.pdf", shop.random.randrange(20_000, 60_000))
        shop.holdfast(begin + day * DAY, "run", "--quiet")
    for hours in range(1, 7):
        shop.sell(20)
        shop.holdfast(begin + days * DAY + hours * HOUR, "run", "--quiet")
    return shop


TROUBLE = """
repositories:
  shop:
    targets:
      - {name: office, path: WORK/repository, site: office}
      - {name: barn, path: WORK/barn, site: barn}
    min-copies: 1
    linger: 2s
sources:
  orders:
    path: WORK/orders
    schedule: {full: 4w, incremental: 12h}
    keep: {daily: 30, weekly: 10}
    verify: {within: 10d}
    objectives: {max-age: 26h, prove-within: 30d, restore-within: 5min, drilled-within: 8d}
  website: {path: WORK/website, keep: {daily: 30}}
"""


def in_trouble(work: Path, program: str, days: int = 60) -> Shop:
    """Two months in which much went wrong, and the last two days without a backup."""
    shop = Shop(work, program, TROUBLE)
    begin = NOW.replace(hour=3, minute=0) - days * DAY
    shop.open()
    (work / "website").mkdir()
    (work / "website" / "index.html").write_text("<h1>The shop</h1>")
    shop.holdfast(begin - HOUR, "init", "--unsealed")
    for day in range(days - 2):
        shop.sell(shop.random.randrange(60, 200))
        time = begin + day * DAY
        if day == 21:
            shop.write("invoices/video.mov", 9_000_000)
        if day == 33:  # a clock that is wrong for one run
            time += 2 * DAY
        if day == 40:
            for name in sorted((shop.root / "invoices").iterdir())[:45]:
                name.unlink()
            (shop.root / "invoices" / "video.mov").unlink()
        if 25 <= day < 29:  # the machine is off
            continue
        if day == 46:
            shutil.move(work / "barn", work / "barn.away")
        is_away = 36 <= day < 39
        if is_away:
            shop.root.rename(work / "unmounted")
        shop.holdfast(time, "run", "--quiet", ends=(0, 1, 3, 21))
        if is_away:
            (work / "unmounted").rename(shop.root)
        if day == 40:
            shop.holdfast(time + HOUR, "accept", "latest", "--name", "orders", "--reason", "old invoices were archived")
        if day in (10, 20, 44):
            what = "SELECT count(*) > 0 FROM orders" if day < 44 else "SELECT count(*) < 10 FROM orders"
            shop.holdfast(time + HOUR, "drill", "orders", "--in", str(work / "drill"), "--assert", what,
                          ends=(0, 22))
    shutil.move(work / "barn.away", work / "barn")
    damage(shop)
    shop.holdfast(begin + (days - 3) * DAY + 2 * HOUR, "verify", "--data", "--name", "orders", ends=(21,))
    mount = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", str(work)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        shop.free_mib = 12
    else:
        say("the disk of the shop in trouble is not nearly full: this user cannot mount one that is")
    return shop


def damage(shop: Shop) -> None:
    """Overwrites a part of the newest archive."""
    archives = sorted((shop.repository / "sources/orders").glob("*/archive-*")) or fail("there is no archive")
    with archives[-1].open("r+b") as archive:
        archive.seek(archive.seek(0, os.SEEK_END) // 2)
        archive.write(b"damage" * 40)


def empty(work: Path, program: str) -> Shop:
    """A repository without a snapshot."""
    shop = Shop(work, program)
    shop.holdfast(NOW, "init", "--unsealed")
    return shop


def all_shops(work: Path, program: str) -> dict[str, Shop]:
    """The three shops by name."""
    say("making a shop that is well, one in trouble, and an empty one")
    makers = {"well": well, "trouble": in_trouble, "empty": empty}
    with ThreadPoolExecutor() as pool:
        made = {name: pool.submit(maker, work / name, program) for name, maker in makers.items()}
        return {name: shop.result() for name, shop in made.items()}
