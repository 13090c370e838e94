"""A bare loop of parallel PUTs and GETs against an S3 server: what is possible there, whatever a client does besides.

It runs as `python3 -m tools.bench_remote.bare URL CA_FILE BYTES`, with the credentials in the environment, and prints
the seconds of both as JSON. It costs less processor time than any real client: the bodies are neither compressed nor
hashed (`UNSIGNED-PAYLOAD`), and TLS runs outside of Python's lock.
"""

import argparse
import datetime
import http.client
import json
import os
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from ..s3 import authorization

PART_BYTES = 6 << 20  # as holdfast's
CONNECTIONS = 8  # as holdfast's
READ_BYTES = 1 << 20


def parts(total: int) -> list[int]:
    """The sizes of the parts of so many bytes."""
    whole, rest = divmod(total, PART_BYTES)
    return [PART_BYTES] * whole + [rest] * (rest > 0)


class Loop:
    """Requests by several connections at once, each with its share of the parts."""

    def __init__(self, url: str, ca_file: str) -> None:
        address = urlsplit(url)
        self.host, self.path = address.netloc, address.path
        self.context = ssl.create_default_context(cafile=ca_file)
        self.key, self.secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]

    def request(self, connection: http.client.HTTPSConnection, method: str, number: int, body: bytes | None) -> int:
        """One request; the length of the answer."""
        path = f"{self.path}/{number}"
        now = datetime.datetime.now(datetime.timezone.utc)
        connection.request(method, path, body, authorization(method, self.host, path, now, self.key, self.secret))
        answer = connection.getresponse()
        received = 0
        while data := answer.read(READ_BYTES):
            received += len(data)
        if answer.status != 200:
            raise OSError(f"{method} {path}: {answer.status}")
        return received

    def seconds(self, sizes: list[int], each: Callable[[http.client.HTTPSConnection, int, int], None]) -> float:
        """How long all parts take."""
        def share(first: int) -> None:
            connection = http.client.HTTPSConnection(self.host, context=self.context)
            for number in range(first, len(sizes), CONNECTIONS):
                each(connection, number, sizes[number])
            connection.close()

        began_s = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(share, range(min(CONNECTIONS, len(sizes)))))
        return time.perf_counter() - began_s

    def run(self, total: int) -> dict[str, float]:
        """Sends so many bytes, and reads them back."""
        sizes, body = parts(total), os.urandom(PART_BYTES)

        def put(connection: http.client.HTTPSConnection, number: int, size: int) -> None:
            self.request(connection, "PUT", number, body[:size])

        def get(connection: http.client.HTTPSConnection, number: int, size: int) -> None:
            if self.request(connection, "GET", number, None) != size:
                raise OSError(f"part {number} came back shorter")

        return {"put": self.seconds(sizes, put), "get": self.seconds(sizes, get)}


def main() -> None:
    """Runs the loop, and prints what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("ca_file")
    parser.add_argument("bytes", type=int)
    options = parser.parse_args()
    print(json.dumps(Loop(options.url, options.ca_file).run(options.bytes)))


if __name__ == "__main__":
    main()
