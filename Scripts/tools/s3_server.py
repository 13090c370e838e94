"""Starts a server of S3 for a script of the shell, and ends it with its standard input.

    python3 -m tools.s3_server DIRECTORY

Prints one line: the location of a repository, the access key and the secret key.
"""

import sys
from pathlib import Path

from .command import run
from .faults.seaweed import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFS


def main() -> None:
    server = SeaweedFS(Path(sys.argv[1]))
    try:
        print(f"s3:http://127.0.0.1:{server.port}/{BUCKET}/shop", ACCESS_KEY, SECRET_KEY, flush=True)
        sys.stdin.read()
    finally:
        server.kill()


if __name__ == "__main__":
    run(main)
