"""Tests of the faults through which holdfast is driven: the plan, packets of SFTP, the wrapper and the proxy."""

import http.client
import io
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support import SCRIPTS, TestInDirectory

from tools.faults import packets
from tools.faults.packets import BrokenPacket
from tools.faults.plan import S3_FAULTS, S3_RATES, SFTP_FAULTS, Plan
from tools.faults.proxy import ANSWERED, Proxy
from tools.faults.sftp_wrapper import CUTS_ANSWER


class PlanTests(unittest.TestCase):
    """What a seed decides."""

    def test_a_seed_always_gives_the_same_faults_and_another_one_others(self) -> None:
        def faults(seed: int) -> list[object]:
            plan = Plan.of(seed, S3_FAULTS, S3_RATES)
            return [plan.fault(1, number) for number in range(2000)]

        self.assertEqual(faults(7), faults(7))
        self.assertNotEqual(faults(7), faults(8))

    def test_connections_of_one_seed_meet_different_faults(self) -> None:
        plan = Plan(1, 0.5, {"reset": 1})
        first, second = ([bool(plan.fault(stream, number)) for number in range(100)] for stream in (1, 2))
        self.assertNotEqual(first, second)

    def test_faults_are_as_frequent_as_the_rate_and_the_weights_say(self) -> None:
        plan = Plan(1, 0.2, {"reset": 3, "500": 1, "403": 0})
        kinds = [fault.kind for number in range(5000) if (fault := plan.fault(0, number))]
        self.assertAlmostEqual(len(kinds) / 5000, 0.2, delta=0.03)
        self.assertAlmostEqual(kinds.count("reset") / len(kinds), 0.75, delta=0.05)
        self.assertNotIn("403", kinds)

    def test_without_a_rate_nothing_happens(self) -> None:
        plan = Plan(1, 0, {"reset": 1})
        self.assertFalse(any(plan.fault(0, number) for number in range(1000)))


class PacketTests(unittest.TestCase):
    """What passes between client and server of SFTP."""

    def test_packets_are_taken_one_by_one_until_the_end(self) -> None:
        stream = io.BytesIO(packets.framed(b"\x03abcd") + packets.framed(b"\x65efghi"))
        self.assertEqual([packets.take(stream), packets.take(stream), packets.take(stream)],
                         [b"\x03abcd", b"\x65efghi", None])

    def test_a_packet_that_is_cut_off_counts_as_the_end(self) -> None:
        for length in range(1, 9):
            self.assertIsNone(packets.take(io.BytesIO(packets.framed(b"\x03abcd")[:length])))

    def test_what_is_no_packet_is_not_taken_for_one(self) -> None:
        for length in (0, 1 << 31):
            with self.assertRaises(BrokenPacket):
                packets.take(io.BytesIO(struct.pack(">I", length) + b"x" * 10))
        with self.assertRaises(BrokenPacket):
            packets.number_of(b"\x65ab")

    def test_a_request_and_its_answer_have_a_number_but_not_those_that_begin(self) -> None:
        self.assertEqual(packets.number_of(b"\x03\0\0\1\2rest"), 258)
        self.assertIsNone(packets.number_of(b"\x01\0\0\0\3"))
        self.assertEqual(packets.number_of(packets.failure(9)), 9)

    def test_only_a_read_is_shortened_and_never_to_nothing(self) -> None:
        read = b"\x05" + struct.pack(">II4sQI", 1, 4, b"hand", 0, 1000)
        self.assertEqual(packets.with_shorter_read(read, 0.25), read[:-4] + struct.pack(">I", 250))
        self.assertEqual(packets.with_shorter_read(read, 0), read[:-4] + struct.pack(">I", 1))
        write = b"\x06" + read[1:]
        self.assertEqual(packets.with_shorter_read(write, 0.25), write)


class WrapperTests(TestInDirectory):
    """What stands in place of ssh, with the real server behind it."""

    START = packets.framed(b"\x01" + struct.pack(">I", 3))

    def talk(self, kind: str, *requests: bytes, rate: float = 1, seed: int = 1) -> list[bytes]:
        """The answers to requests; those after a broken one are missing."""
        self.write("plan.json", json.dumps({"seed": seed, "rate": rate, "weights": {kind: 1}}))
        wrapper = SCRIPTS / "tools/faults/sftp_wrapper.py"
        with subprocess.Popen([sys.executable, "-I", str(wrapper), str(self.root)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as running:
            assert running.stdin and running.stdout
            try:
                running.stdin.write(b"".join(requests))
                running.stdin.flush()
            except BrokenPipeError:
                pass
            answers = []
            while len(answers) < len(requests) and (packet := packets.take(running.stdout)):
                answers.append(packet)
            try:
                running.stdin.close()
            except BrokenPipeError:
                pass
        return answers

    def make_directory(self, name: str) -> bytes:
        """A request."""
        path = str(self.root / name).encode()
        return packets.framed(b"\x0e" + struct.pack(">II", 5, len(path)) + path + struct.pack(">I", 0))

    def appears(self, name: str) -> bool:
        """Whether a directory was made: the server may still be at it."""
        until = time.monotonic() + 10
        while not (self.root / name).is_dir() and time.monotonic() < until:
            time.sleep(0.01)
        return (self.root / name).is_dir()

    def test_without_faults_it_passes_everything_on(self) -> None:
        answers = self.talk("cut before", self.START, self.make_directory("made"), rate=0)
        self.assertEqual([answer[0] for answer in answers], [packets.VERSION, packets.STATUS])
        self.assertTrue((self.root / "made").is_dir())
        self.assertFalse((self.root / "faults").exists())

    def test_a_cut_before_a_request_leaves_the_server_without_it(self) -> None:
        self.assertEqual(self.talk("cut before", self.START), [])
        self.assertEqual((self.root / "faults").read_text(), "cut before\n")

    def test_a_cut_after_a_request_has_it_done(self) -> None:
        def only_second(seed: int) -> bool:
            plan = Plan(seed, 0.5, {"cut after": 1})
            return not plan.fault(1, 1) and bool(plan.fault(1, 2))

        seed = next(filter(only_second, range(1000)))
        answers = self.talk("cut after", self.START, self.make_directory("made"), rate=0.5, seed=seed)
        self.assertEqual([answer[0] for answer in answers], [packets.VERSION])
        self.assertTrue(self.appears("made"))

    def test_a_failure_is_an_answer_and_nothing_is_done(self) -> None:
        answers = self.talk("failure", self.START, self.make_directory("made"))
        self.assertIn(packets.failure(5), answers)
        self.assertFalse((self.root / "made").exists())

    def test_in_small_pieces_everything_arrives(self) -> None:
        answers = self.talk("small pieces", self.START, self.make_directory("made"))
        self.assertEqual([answer[0] for answer in answers], [packets.VERSION, packets.STATUS])

    def test_every_kind_of_fault_is_known(self) -> None:
        self.assertEqual(set(CUTS_ANSWER) | {"cut before", "failure", "stall", "short read"}, set(SFTP_FAULTS))


class Echo(BaseHTTPRequestHandler):
    """A server that remembers what it was asked for."""
    protocol_version = "HTTP/1.1"
    asked: list[str] = []

    def do_GET(self) -> None:
        """Answers with the number of requests so far."""
        self.asked.append(self.path)
        body = str(len(self.asked)).encode() * 10
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class ProxyTests(unittest.TestCase):
    """What happens to requests on the way to a server."""

    def setUp(self) -> None:
        Echo.asked = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def proxy(self, kind: str) -> Proxy:
        """A proxy that lets a fault of one kind happen to every request."""
        proxy = Proxy(Plan(1, 1, {kind: 1}), self.server.server_port)
        proxy.is_calm = False
        self.addCleanup(proxy.close)
        return proxy

    @staticmethod
    def get(proxy: Proxy, target: str = "/x") -> tuple[int, bytes]:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def breaks(self, kind: str) -> int:
        """How many requests reach the server when the client gets no whole answer."""
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.get(self.proxy(kind))
        return len(Echo.asked)

    def test_a_reset_comes_before_the_server_and_a_lost_answer_after_it(self) -> None:
        self.assertEqual(self.breaks("reset"), 0)
        self.assertEqual(self.breaks("lost answer"), 1)

    def test_half_an_answer_is_not_whole(self) -> None:
        proxy = self.proxy("half an answer")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(1000), b""))
        self.assertTrue(answer.startswith(b"HTTP"))
        self.assertFalse(answer.endswith(b"1" * 10))
        self.assertEqual(len(Echo.asked), 1)

    def test_a_late_request_is_over_when_it_is_calm(self) -> None:
        proxy = self.proxy("late")
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.get(proxy)
        proxy.calm()
        self.assertEqual(len(Echo.asked), 1)

    def test_refusals_do_not_reach_the_server(self) -> None:
        for kind, (status, code, _) in ANSWERED.items():
            answered, body = self.get(self.proxy(kind))
            self.assertEqual(answered, status)
            self.assertIn(code.encode(), body)
        self.assertEqual(Echo.asked, [])

    def test_a_request_that_is_sent_twice_gets_the_second_answer(self) -> None:
        self.assertEqual(self.get(self.proxy("twice")), (200, b"2" * 10))

    def test_what_was_done_can_be_answered_with_a_failure(self) -> None:
        self.assertEqual(self.get(self.proxy("500 though done"))[0], 500)
        self.assertEqual(len(Echo.asked), 1)

    def test_a_listing_lags_and_nothing_else_does(self) -> None:
        proxy = self.proxy("old listing")
        first = self.get(proxy, "/b?list-type=2&prefix=a")
        self.assertEqual(self.get(proxy, "/b?list-type=2&prefix=a"), first)
        self.assertNotEqual(self.get(proxy, "/b?list-type=2&prefix=b"), first)
        self.assertNotEqual(self.get(proxy, "/b/key"), self.get(proxy, "/b/key"))
        self.assertEqual(proxy.faults["old listing"], 3)

    def test_when_it_is_calm_nothing_happens(self) -> None:
        proxy = self.proxy("reset")
        proxy.calm()
        self.assertEqual(self.get(proxy)[0], 200)
        self.assertEqual(proxy.faults.total(), 0)


if __name__ == "__main__":
    unittest.main()
