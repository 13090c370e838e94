"""A bare loop of parallel PUTs and GETs against an S3 server: what is possible there, whatever a client does besides.

It runs as `python3 -m tools.bench_remote.bare URL CA_FILE BYTES`, with the credentials in the environment, and prints
the seconds of both as JSON. It costs less processor time than any real client: the bodies are neither compressed nor
hashed (`UNSIGNED-PAYLOAD`), and TLS runs outside of Python's lock.
"""

import argparse
import datetime
import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

PART_BYTES = 6 << 20  # as holdfast's
CONNECTIONS = 8  # as holdfast's
READ_BYTES = 1 << 20
REGION = "us-east-1"


def parts(total: int) -> list[int]:
    """The sizes of the parts of so many bytes."""
    whole, rest = divmod(total, PART_BYTES)
    return [PART_BYTES] * whole + [rest] * (rest > 0)


def authorization(method: str, host: str, path: str, at: datetime.datetime, key: str, secret: str) -> dict[str, str]:
    """The headers that sign a request without a query, by Signature Version 4."""
    stamp, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": stamp}
    names = ";".join(headers)
    request = "\n".join([method, path, "", *(f"{name}:{value}" for name, value in headers.items()), "", names,
                         headers["x-amz-content-sha256"]])
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing = f"AWS4{secret}".encode()
    for word in (day, REGION, "s3", "aws4_request"):
        signing = hmac.digest(signing, word.encode(), "sha256")
    signature = hmac.digest(signing, text.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": credential}


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
