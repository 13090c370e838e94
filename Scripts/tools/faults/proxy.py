"""A proxy before a server of S3 that lets a plan's faults happen to what passes."""

import http.client
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .plan import Fault, Plan

DELAY_S_MAX, LATE_S_MAX = 1.0, 1.0
LISTING_LAG_S = 2.0  # a listing is never older
TIMEOUT_S = 60
HOP_BY_HOP = ("connection", "transfer-encoding", "keep-alive", "content-length")
ANSWERED = {"500": (500, "InternalError", {}), "503": (503, "SlowDown", {}),
            "503 with Retry-After": (503, "SlowDown", {"Retry-After": "1"}), "403": (403, "AccessDenied", {})}


@dataclass(frozen=True)
class Request:
    """What a client asked for."""
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_listing(self) -> bool:
        """Whether it lists objects."""
        return self.method == "GET" and "list-type=2" in self.target


@dataclass(frozen=True)
class Answer:
    """What a server answered."""
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def serialized(self, method: str) -> bytes:
        """As it is sent."""
        kept = [(name, value) for name, value in self.headers if name.lower() not in HOP_BY_HOP]
        length = dict((name.lower(), value) for name, value in self.headers).get("content-length", str(len(self.body)))
        if method != "HEAD":
            length = str(len(self.body))
        lines = [f"HTTP/1.1 {self.status} {http.client.responses.get(self.status, 'Status')}",
                 *(f"{name}: {value}" for name, value in kept), f"Content-Length: {length}"]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


def refusal(status: int, code: str, headers: dict[str, str]) -> Answer:
    """The answer of a server that does not do what it is asked for."""
    body = f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a fault</Message></Error>".encode()
    return Answer(status, (("Content-Type", "application/xml"), *headers.items()), body)


class Unreachable(Exception):
    """The server does not answer."""


class Listings:
    """What listings showed a moment ago."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seen: dict[str, list[tuple[float, Answer]]] = {}

    def note(self, target: str, answer: Answer) -> None:
        """Remembers a listing."""
        with self.lock:
            known = self.seen.setdefault(target, [])
            known.append((time.monotonic(), answer))
            del known[:-8]

    def older(self, target: str, measure: float) -> Answer | None:
        """One of the listings that are not too old."""
        since = time.monotonic() - LISTING_LAG_S
        with self.lock:
            known = [answer for when, answer in self.seen.get(target, []) if when >= since]
        return known[int(measure * len(known))] if known else None


class Proxy:
    """The proxy of one seed, on a port of its own."""

    def __init__(self, plan: Plan, server_port: int) -> None:
        self.plan, self.server_port = plan, server_port
        self.is_calm = True
        self.is_out = False  # answers nothing but 503
        self.speaks = threading.Event()  # without it nothing is answered, and no connection ends
        self.speaks.set()
        self.faults, self.requests = Counter[str](), 0
        self.lock = threading.Lock()
        self.listings = Listings()
        self.late: list[threading.Thread] = []
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        """Where clients find it."""
        return int(self.server.server_address[1])

    def draw(self, request: Request) -> Fault | None:
        """What happens to a request."""
        with self.lock:
            self.requests += 1
            if self.is_out:
                return Fault("503", 0)
            fault = None if self.is_calm else self.plan.fault(0, self.requests)
            if fault and fault.kind == "old listing" and not request.is_listing:
                fault = None
            if fault:
                self.faults[fault.kind] += 1
            return fault

    def calm(self) -> None:
        """From now on nothing happens, and nothing is on the way any more."""
        self.is_calm = True
        for thread in self.late:
            thread.join()

    def forward_late(self, request: Request, after_s: float) -> None:
        """Lets a request reach the server when nobody waits for its answer any more."""
        def deliver() -> None:
            time.sleep(after_s)
            upstream = Upstream(self.server_port)
            try:
                upstream.ask(request)
            except Unreachable:
                pass
            finally:
                upstream.close()

        thread = threading.Thread(target=deliver, daemon=True)
        self.late.append(thread)
        thread.start()

    def close(self) -> None:
        """Ends it."""
        self.speaks.set()
        self.server.shutdown()
        self.server.server_close()


class Upstream:
    """A connection to the server, made anew when it breaks."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, request: Request) -> Answer:
        """Forwards a request, as it is: it is signed."""
        try:
            return self.exchange(request)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(str(error)) from error

    def exchange(self, request: Request) -> Answer:
        """One request and its answer."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            self.connection.putheader(name, value)
        self.connection.endheaders(request.body or None)
        response = self.connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())

    def close(self) -> None:
        """Ends the connection."""
        if self.connection:
            self.connection.close()
        self.connection = None


class Server(ThreadingHTTPServer):
    """A thread for each connection."""
    daemon_threads = True
    request_queue_size = 64
    proxy: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error here."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Has a connection to the server."""
        super().setup()
        self.upstream = Upstream(self.server.proxy.server_port)

    def finish(self) -> None:
        """Ends both."""
        self.upstream.close()
        super().finish()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Says nothing."""

    def serve(self) -> None:
        """One request."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        if not self.server.proxy.speaks.is_set():
            # What was asked meanwhile is never answered.
            self.server.proxy.speaks.wait()
            self.close_connection = True
            return
        request = Request(self.command, self.path, tuple(self.headers.items()), body)
        proxy = self.server.proxy
        fault = proxy.draw(request)
        try:
            answer = self.answer(request, fault)
        except Unreachable:
            answer = None
        if answer is None:
            return self.reset()
        if request.is_listing and answer.status == 200:
            proxy.listings.note(request.target, answer)
        whole = answer.serialized(request.method)
        if fault and fault.kind == "half an answer":
            self.connection.sendall(whole[:max(1, int(len(whole) * fault.measure))])
            self.close_connection = True
            return
        self.connection.sendall(whole)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def answer(self, request: Request, fault: Fault | None) -> Answer | None:
        """What the client gets; nothing when its connection breaks."""
        kind = fault.kind if fault else ""
        measure = fault.measure if fault else 0
        if kind in ANSWERED:
            return refusal(*ANSWERED[kind])
        if kind == "old listing":
            if old := self.server.proxy.listings.older(request.target, measure):
                return old
        if kind == "late":
            self.server.proxy.forward_late(request, measure * LATE_S_MAX)
        if kind in ("reset", "late"):
            return None
        answer = self.upstream.ask(request)
        if kind == "twice":
            answer = self.upstream.ask(request)
        if kind == "delay":
            time.sleep(measure * DELAY_S_MAX)
        if kind == "500 though done":
            return refusal(*ANSWERED["500"])
        return None if kind == "lost answer" else answer

    def reset(self) -> None:
        """Breaks the connection at once, without a word."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
