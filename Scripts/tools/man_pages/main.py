"""The command line of `Scripts/man-pages`."""

import json
import os
import sys
import time
from pathlib import Path

from ..running import quietly
from .page import pages


def main() -> None:
    """Writes all pages."""
    if len(sys.argv) != 3:
        sys.exit("usage: Scripts/man-pages HOLDFAST DIRECTORY")
    binary, directory = sys.argv[1], Path(sys.argv[2])
    tool = json.loads(quietly([binary, "--experimental-dump-help"]))
    version = quietly([binary, "--version"]).splitlines()[0]
    seconds = os.environ.get("SOURCE_DATE_EPOCH") or os.stat(binary).st_mtime
    date = time.strftime("%Y-%m-%d", time.gmtime(float(seconds)))
    directory.mkdir(parents=True, exist_ok=True)
    for page in pages(tool["command"], date, version, []):
        (directory / f"{page.name}.1").write_text("\n".join(page.lines()) + "\n", encoding="ascii")
