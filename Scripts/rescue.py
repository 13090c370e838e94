#!/usr/bin/env python3
"""Restores snapshots of a holdfast repository where no holdfast runs: `rescue.py --help` says how.

Needs nothing but Python 3.8 on Linux and the directory `rescue` beside this file:

    cp -r Scripts/rescue.py Scripts/rescue DIRECTORY

and for a sealed repository the Python library `cryptography`.
"""
import os
import sys

try:
    from rescue.command import main
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("rescue"):
        raise
    sys.exit("rescue: the directory `rescue` is not beside this file, or not whole\n"
             f"HINT: Copy it from where rescue.py comes from to {os.path.dirname(os.path.abspath(__file__))}")

if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
