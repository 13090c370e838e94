"""Tests of Scripts/bench-remote: its wire, how it counts, and how it judges."""

import datetime
import os
import struct
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from support import SCRIPTS, TestInDirectory

from tools.bench.peers import Holdfast, Restic
from tools.bench_remote import archiver
from tools.bench_remote import main as command_line
from tools.bench_remote.bare import PART_BYTES, parts
from tools.bench_remote.history import CHAIN, History
from tools.bench_remote.main import check, parse, report
from tools.bench_remote.network import ADDRESSES, Host, Link, Wire, traffic
from tools.bench_remote.peers import Local, Remote
from tools.bench_remote.servers import SERVERS, counted
from tools.bench_remote.steps import LOG, ROWS, Taken, median_taken, requests_in
from tools.bench_remote.targets import Bound, Setting
from tools.bench_remote.wire import QUEUE_S_MAX, Direction
from tools.command import Failure
from tools.running import Cost
from tools.s3 import authorization

CONNECT = """
import socket, time
began = time.monotonic()
socket.create_connection((%r, 4000)).close()
print(time.monotonic() - began)
"""
LISTEN = "import socket; socket.create_server(('', 4000)).accept()"


def taken(wall_s: float, sent: int = 0, received: int = 0) -> Taken:
    """What a run took."""
    return Taken(Cost(wall_s, 1, 50), sent, received)


class WireTests(unittest.TestCase):
    """What a frame goes through."""

    def test_a_frame_arrives_after_its_turn_and_the_delay_and_none_overtakes(self) -> None:
        way = Direction(0.5, 8)  # a byte takes a microsecond
        way.send(b"a" * 1000, 10)
        way.send(b"b" * 1000, 10)
        self.assertAlmostEqual(way.next_s(), 10.501)
        self.assertIsNone(way.arrived(10.5))
        self.assertEqual(way.arrived(10.5011), b"a" * 1000)
        self.assertIsNone(way.arrived(10.5011))
        self.assertEqual(way.arrived(10.5021), b"b" * 1000)
        self.assertEqual(way.next_s(), float("inf"))

    def test_a_queue_that_is_full_drops_what_comes(self) -> None:
        way = Direction(0, 8)
        for _ in range(10):
            way.send(bytes(100_000), 0)
        self.assertEqual(len(way.frames), 1 + int(QUEUE_S_MAX / 0.1))

    @unittest.skipUnless(os.geteuid() == 0 and Path("/dev/net/tun").exists(), "network namespaces need root")
    def test_two_hosts_hear_each_other_over_the_wire_and_leave_nothing(self) -> None:
        with Host() as client, Host() as server, Wire((client, server), Link(40, 1000)):
            with server.start([sys.executable, "-c", LISTEN], SCRIPTS, Path(os.devnull)) as listening:
                listening.wait_until(lambda: ":4000 " in server.run("ss", "-tln"))
                took_s = float(client.run(sys.executable, "-c", CONNECT % ADDRESSES[1]))
            sent, received = client.traffic()
            pids = [client.process.pid, server.process.pid, listening.process.pid]
        self.assertGreaterEqual(took_s, 0.04)
        self.assertGreater(min(sent, received), 0)
        self.assertFalse(any(Path(f"/proc/{pid}").exists() for pid in pids))


class CountingTests(TestInDirectory):
    """What is read of other programs, and what they are called with."""

    def test_the_traffic_of_the_wire_is_found_among_all_devices(self) -> None:
        text = "Inter-|\n face |\n    lo: 7 1 0 0 0 0 0 0 7 1 0\n  wire: 100 2 0 0 0 0 0 0 300 4 0\n"
        self.assertEqual(traffic(text), (300, 100))
        with self.assertRaisesRegex(Failure, "no wire"):
            traffic("    lo: 7 1\n")

    def test_requests_of_a_kind_are_added_whatever_was_answered(self) -> None:
        name = "SeaweedFS_s3_request_total"
        text = (f'# TYPE {name} counter\n{name}{{bucket="b",code="200",type="GET"}} 6\n'
                f'{name}{{bucket="b",code="404",type="GET"}} 1\n{name}{{bucket="b",code="200",type="LIST"}} 1e+03\n')
        self.assertEqual(counted(text), {"GET": 7, "LIST": 1000})

    def test_requests_are_taken_from_what_holdfast_says(self) -> None:
        self.assertEqual([requests_in(said) for said in ('{"requests": 3}', "{}", "[1]", "not this", "")],
                         [3, None, None, None, None])

    def test_parts_add_up(self) -> None:
        self.assertEqual([parts(total) for total in (0, 5, PART_BYTES, PART_BYTES + 1)],
                         [[], [5], [PART_BYTES], [PART_BYTES, 1]])

    def test_a_signature_depends_on_everything_that_is_signed(self) -> None:
        at = datetime.datetime(2026, 1, 2, 3, 4, 5)
        usual = ("PUT", "host:1", "/b/1", at, "key", "secret")
        signed = {authorization(*usual)["authorization"]}
        for number, other in enumerate(("GET", "host:2", "/b/2", at.replace(hour=4), "yek", "terces")):
            signed.add(authorization(*usual[:number], other, *usual[number + 1:])["authorization"])  # type: ignore
        self.assertEqual(len(signed), 7)
        self.assertEqual(authorization(*usual)["x-amz-date"], "20260102T030405Z")

    def test_medians_leave_out_what_is_not_known(self) -> None:
        each = [Taken(Cost(wall_s, 1, 1), sent, 0, requests) for wall_s, sent, requests in
                ((1, 30, 5), (2, 10, None), (9, 20, 7))]
        self.assertEqual(median_taken(each), Taken(Cost(2, 1, 1, walls_s=(1, 2, 9)), 20, 0, 6))

    def test_the_last_chain_of_a_history_is_whole(self) -> None:
        history = History(self.root, 2 * CHAIN + 50)
        self.assertEqual([number for number in range(history.snapshots) if history.is_full(number)],
                         [0, 50, CHAIN + 50])
        self.assertEqual([number for number in range(20) if History(self.root, 20).is_full(number)], [0])

    def test_a_tool_runs_on_the_client_with_what_reaches_the_server(self) -> None:
        client = mock.Mock(enter=["enter"])
        with mock.patch.dict("os.environ", {"AWS_CA_BUNDLE": "/mine"}):
            server = SERVERS["s3"](client, client, self.root / "server")
            restic = Remote(Restic(self.root / "restic"), client, server)
            mine = Remote(Holdfast(self.root / "holdfast", "/bin/holdfast"), client, server)
        certificate = str(self.root / "server" / "server.pem")
        self.assertEqual(restic.command("unchanged"),
                         ["enter", "restic", "--cacert", certificate, "backup", "--quiet", "."])
        self.assertEqual(mine.question("cat", "a"), ["enter", "/bin/holdfast", "cat", "latest", "a"])
        self.assertNotIn("AWS_CA_BUNDLE", mine.tool.environment)
        self.assertIn("--full", mine.command("full"))
        self.assertEqual(Local(mine.tool).command("verify"), ["/bin/holdfast", "verify", "--data", "--json"])
        self.assertEqual(mine.log_command("push", self.root, 5)[-5:],
                         ["tools.bench_remote.archiver", "push", "/bin/holdfast", str(self.root), "5"])
        self.assertEqual([LOG[0] in tool.rows for tool in (mine, restic, Local(mine.tool))], [True, False, True])

    def test_a_server_asks_for_one_segment_after_the_other(self) -> None:
        with mock.patch.object(archiver, "SEGMENT_BYTES", 2 * archiver.PAGE_BYTES):
            archiver.make(self.root, 3)
        log = self.root / "pg_wal"
        segments = sorted(path.name for path in log.iterdir() if path.is_file())
        self.assertEqual(segments, [f"00000001000000000000000{number}" for number in (1, 2, 3)])
        self.assertEqual(len({(log / each).read_bytes() for each in segments}), 3)
        last = (log / segments[1]).read_bytes()[archiver.PAGE_BYTES:]
        left = archiver.RECORD_BYTES - (archiver.PAGE_BYTES - 40)
        self.assertEqual(struct.unpack_from("<HHIQI", last), (0xD110, 1, 1, 5 * archiver.PAGE_BYTES, left),
                         "all pages are of one record: otherwise the segment would look unfinished")
        self.assertEqual(archiver.name(0x1FF), "0000000100000001000000FF")
        archiver.Server("true", self.root).push(2)
        self.assertEqual(sorted(path.name for path in (log / "archive_status").iterdir()),
                         [f"{segments[0]}.ready", f"{segments[1]}.done", f"{segments[2]}.ready"])
        with self.assertRaises(subprocess.CalledProcessError):
            archiver.Server("false", self.root).push(3)
        with self.assertRaisesRegex(OSError, "wal push said: wal push pg_wal/"):
            archiver.Server("echo", self.root).push(3)
        (self.root / archiver.RECOVERY).write_bytes(b"another")
        with self.assertRaisesRegex(OSError, "came back as something else"):
            archiver.Server("true", self.root).fetch(1)


class JudgementTests(unittest.TestCase):
    """The targets."""

    def setUp(self) -> None:
        self.taken = {("full", "holdfast"): taken(10, 125_000_000), ("full", "restic"): taken(15),
                      ("full", "local"): taken(4), ("unchanged", "holdfast"): taken(0.3)}
        self.setting = Setting("s3", "S3", Link(20, 100), self.taken, {"full": 9})

    def test_the_bound_is_the_slowest_of_wire_server_and_this_machine(self) -> None:
        self.assertEqual(self.setting.bound("full"), Bound("link", 10))
        self.setting.link = Link(20, 1000)
        self.assertEqual(self.setting.bound("full"), Bound("server", 9))
        self.setting.bare = {"full": 2}
        self.assertEqual(self.setting.bound("full"), Bound("local", 4))
        self.assertIsNone(self.setting.bound("unchanged"))

    def test_a_full_must_be_twice_as_fast_only_where_neither_link_nor_server_bounds_it(self) -> None:
        def judged() -> dict[str, bool | None]:
            return {verdict.what: verdict.met for verdict in self.setting.verdicts() if verdict.step == ROWS["full"]}
        self.assertEqual(judged(), {"share of the bound (link)": True, "times as fast as restic": True})
        self.setting.link, self.setting.bare = Link(20, 1000), {"full": 2}
        self.assertEqual(judged(), {"share of the bound (local)": False, "times as fast as restic": False})

    def test_round_trips_are_what_latency_adds(self) -> None:
        self.assertAlmostEqual(self.setting.trips("unchanged", "holdfast") or 0, 15)
        self.setting.at_once = {("unchanged", "holdfast"): taken(0.16)}
        self.assertAlmostEqual(self.setting.trips("unchanged", "holdfast") or 0, 7)
        self.assertIsNone(self.setting.trips("full", "holdfast"))

    def test_the_log_is_judged_by_segments_a_second_and_by_the_local_speed(self) -> None:
        self.setting.segments = 200
        self.setting.taken |= {("push", "holdfast"): taken(25), ("fetch", "holdfast"): taken(30),
                               ("fetch", "local"): taken(20)}

        def judged() -> dict[str, bool | None]:
            return {f"{verdict.what} {verdict.measured:.2g}": verdict.met for verdict in self.setting.verdicts()
                    if verdict.step in (ROWS["push"], ROWS["fetch"])}
        self.assertEqual(judged(), {"segments a second 8": False, "share of the local speed 0.67": True})
        self.setting.link = Link(80, 100)
        self.assertEqual(set(judged().values()), {None})

    def test_a_report_names_what_is_missed(self) -> None:
        said = report([self.setting])
        self.assertIn("### S3, 20 ms, 100 Mbit/s", said)
        self.assertIn("- s3, 20 ms, 100 Mbit/s: nothing changed | round trips | 15.0 | ≤ 8", said)
        self.setting.taken = {("list", "holdfast"): taken(0.1)}
        self.assertIn("Every target is met.", report([self.setting]))


class CommandLineTests(unittest.TestCase):
    """What is asked for."""

    def test_quick_is_one_small_setting(self) -> None:
        options = parse(["--quick", "--kind", "sftp"])
        self.assertEqual((options.mib, options.runs, options.latency, options.kind), (16, 1, [20.0], ["sftp"]))
        self.assertEqual(parse(["64", "--latency", "0,5"]).latency, [0, 5])

    def test_without_root_it_says_so(self) -> None:
        with mock.patch.object(command_line.os, "geteuid", return_value=1000):
            with self.assertRaisesRegex(Failure, "need root"):
                check(["s3"])


if __name__ == "__main__":
    unittest.main()
