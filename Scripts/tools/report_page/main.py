"""The command line of `Scripts/test-page`."""

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from ..command import fail, say
from ..holdfast import binary
from . import shops
from .chromium import Chromium

DESCRIPTION = """Makes the report of a shop that is well, of one in trouble and of an empty one, and looks at each with
Chromium: 360, 800 and 1600 px wide, light and dark, and on A4. No part may lie beside the page, text is at least 11 px
high with a contrast of 4.5, drawings have words, headings are in order, and nothing is asked for.

Usage: Scripts/test-page [--holdfast FILE] [--keep DIRECTORY] [--picture FILE]
"""
EXAMINE = Path(__file__).with_name("examine.js").read_text()
WIDTHS = (360, 800, 1600)
MEMORY_MIN = 2 << 30
A4_PX = 680  # 180 mm between margins of 15 mm
PICTURE_WIDTH, PICTURE_HEIGHT = 960, 905
EXPECTED = {
    "well": ("OK", ["Yes.", "Proved by day", "Drills and their phases", "Where the copies are", "monthly",
                    "Days of which a snapshot is kept", "At a growth of at most"]),
    "trouble": ("CRITICAL", ["Not for certain.", "Damage to orders was found", "so about 4 backups were missed",
                             "backups failed in a row", "It was accepted: old invoices were archived",
                             "usual for an incremental", "The clock of", "A drill failed", "A verify found damage",
                             "Lag"]),
    "empty": ("CRITICAL", ["No. There is no snapshot."]),
}


class Examination:
    """Pages, and what was found wrong with them."""

    def __init__(self, browser: Chromium, keep: Path) -> None:
        self.browser, self.keep, self.looks = browser, keep, 0
        self.faults: list[str] = []

    def look(self, page: Path, width: int, theme: str, medium: str = "screen") -> None:
        """Looks at a page, and keeps a picture of it."""
        self.browser.open(page, width, theme, medium)
        found = [str(fault) for fault in self.browser.evaluate(EXAMINE)]
        found += [f"asks for {each}" for each in self.browser.requests()]
        self.browser.screenshot(self.keep / f"{page.stem}-{medium}-{width}-{theme}.png")
        self.note(f"{page.stem}, {medium}, {width} px, {theme}", found)

    def print(self, page: Path) -> None:
        """Prints a page, and looks at the paper."""
        self.look(page, A4_PX, "light", "print")
        self.browser.open(page, A4_PX, "dark")
        data = self.browser.pdf(self.keep / f"{page.stem}.pdf")
        boxes = set(re.findall(rb"/MediaBox \[ ?0 0 (\d+)[.\d]* (\d+)[.\d]* ?\]", data))
        self.note(f"{page.stem}.pdf", [] if boxes == {(b"594", b"841")} or boxes == {(b"595", b"842")}
                  else [f"its pages are not A4: {boxes}"])

    def read(self, page: Path, level: str, is_nearly_full: bool) -> None:
        """Reads what a page says."""
        self.browser.open(page, WIDTHS[1], "light")
        text = " ".join(str(self.browser.evaluate("document.body.textContent")).split())
        expected, sentences = EXPECTED[page.stem]
        sentences = sentences + ["the space ends at the latest on 2"] * is_nearly_full
        found = [f"does not say: {sentence}" for sentence in sentences if sentence not in text]
        self.note(f"{page.stem}: what it says", found + ([] if level == expected else [f"the level is {level}"]))

    def note(self, what: str, found: list[str]) -> None:
        """Keeps what was found in one look."""
        self.looks += 1
        self.faults += [f"{what}: {fault}" for fault in found]


def examine(made: dict[str, shops.Shop], keep: Path, picture: Path | None) -> None:
    """Looks at the report of each shop."""
    with Chromium() as browser:
        examination = Examination(browser, keep)
        for name, shop in made.items():
            page = keep / f"{name}.html"
            examination.read(page, str(shop.report(page)["level"]), shop.free_mib > 0)
            for width in WIDTHS:
                for theme in ("light", "dark"):
                    examination.look(page, width, theme)
            examination.print(page)
        if picture:
            take(picture, browser, made["well"], keep)
    for fault in examination.faults:
        say(fault)
    if examination.faults:
        fail(f"{len(examination.faults)} faults in {examination.looks} looks at {len(made)} reports")
    print(f"{examination.looks} looks at {len(made)} reports, and nothing is wrong with them")


def take(picture: Path, browser: Chromium, shop: shops.Shop, keep: Path) -> None:
    """The picture of the README: the beginning of a report, with a place as a site has it."""
    page = keep / "picture.html"
    page.write_text((keep / "well.html").read_text().replace(str(shop.repository), "/backup/shop"))
    browser.open(page, PICTURE_WIDTH, "light")
    browser.screenshot(picture, PICTURE_HEIGHT)


def main() -> None:
    """Makes the shops and looks at their reports."""
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--holdfast", help="the program; the release build if it is not said")
    parser.add_argument("--keep", type=Path, help="leaves pages and pictures in this directory")
    parser.add_argument("--picture", type=Path, help="writes the picture of docs/report.png to this file")
    options = parser.parse_args()
    for program in ("chromium", "faketime"):
        if not shutil.which(program):
            fail(f"{program} is not there: Scripts/install-deps test installs it")
    # In memory, where there is enough of it: every run waits for the disk many times.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > MEMORY_MIN else None
    with tempfile.TemporaryDirectory(prefix="holdfast-page-", dir=memory) as directory:
        keep = options.keep or Path(directory) / "pages"
        keep.mkdir(parents=True, exist_ok=True)
        examine(shops.all_shops(Path(directory), binary(options.holdfast)), keep.resolve(), options.picture)
