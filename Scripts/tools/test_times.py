"""Which Swift tests take longest, by the events that `swift test --no-parallel` writes. See `Scripts/test-times`."""

import argparse
import json
from collections import defaultdict
from pathlib import Path

from .report import figure, markdown

DESCRIPTION = "Print which suites and tests took longest, of a run of the tests one after the other."
ROWS_MAX = 20


def durations(lines: list[str]) -> dict[str, float]:
    """Seconds by test. What nobody ended is left out; suites are left to who adds them up."""
    begun: dict[str, float] = {}
    took: dict[str, float] = {}
    for line in lines:
        record = json.loads(line)
        event, test = record["payload"], record["payload"].get("testID", "")
        if record["kind"] != "event" or "/" not in test:
            continue
        if event["kind"] == "testStarted":
            begun[test] = event["instant"]["absolute"]
        elif event["kind"] == "testEnded" and test in begun:
            took[test] = event["instant"]["absolute"] - begun.pop(test)
    return took


def suite_and_test(identifier: str) -> tuple[str, str]:
    """The names in `Module.Suite/test(argument:)/File.swift:1:2`."""
    path, _, name = identifier.rpartition("/")[0].rpartition("/")
    return path, name


def tables(took: dict[str, float]) -> str:
    """The longest suites, and the longest tests."""
    suites: dict[str, list[float]] = defaultdict(list)
    for identifier, seconds in took.items():
        suites[suite_and_test(identifier)[0]].append(seconds)
    longest = sorted(suites.items(), key=lambda suite: -sum(suite[1]))[:ROWS_MAX]
    tests = sorted(took.items(), key=lambda test: -test[1])[:ROWS_MAX]
    return "\n".join([
        f"{len(took)} tests took {sum(took.values()):.0f} s one after the other.\n",
        markdown(["suite", "longest test s", "tests", "s"],
                 [[f"`{name}`", figure(max(each)), str(len(each)), figure(sum(each))] for name, each in longest]),
        markdown(["test", "suite", "s"],
                 [[f"`{name}`", f"`{suite}`", figure(seconds)] for identifier, seconds in tests
                  for suite, name in [suite_and_test(identifier)]])])


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("events", type=Path, help="what --event-stream-output-path has written")
    print(tables(durations(parser.parse_args().events.read_text().splitlines())))
