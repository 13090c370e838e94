"""The command line of `Scripts/soak-failover`."""

import argparse
import os
import random
import subprocess
import time

from .command import fail, say

TEST = "HoldfastFailoverTests.FailoverProcessTests/whereverItIsKilledTheNextCallGoesOn"
SEEDS_AT_ONCE = 8


def main() -> None:
    """Runs the test of a failover that is killed, with many seeds."""
    parser = argparse.ArgumentParser(description="Fail a shop over again and again, with kills that seeds draw.")
    parser.add_argument("rounds", nargs="?", type=int, default=100, metavar="ROUNDS",
                        help="so many failovers (default: 100)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, metavar="N",
                        help="what the seeds are drawn from")
    parser.add_argument("--tests", metavar="PROGRAM", default=".build/release/holdfastPackageTests.xctest",
                        help="the tests that were built (default: those of the release build)")
    arguments = parser.parse_args()
    drawn = random.Random(arguments.seed)
    seeds = [drawn.getrandbits(64) for _ in range(arguments.rounds)]
    say(f"{arguments.rounds} failovers, drawn from {arguments.seed}")
    for begin in range(0, len(seeds), SEEDS_AT_ONCE):
        some = ",".join(str(seed) for seed in seeds[begin:begin + SEEDS_AT_ONCE])
        done = subprocess.run(
            [arguments.tests, "--testing-library", "swift-testing", "--filter", TEST], check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "HOLDFAST_TESTS_SEEDS": some})
        if done.returncode != 0:
            print(done.stdout)
            fail(f"one of these failed: HOLDFAST_TESTS_SEEDS={some}")
        say(f"{min(begin + SEEDS_AT_ONCE, len(seeds))} of {len(seeds)} done")
    print(f"{len(seeds)} failovers: never two that serve, nothing acknowledged lost")
