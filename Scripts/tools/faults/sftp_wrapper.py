"""Stands before OpenSSH's sftp-server in place of ssh, and lets a plan's faults happen to what passes.

    python3 -I sftp_wrapper.py DIRECTORY ...

DIRECTORY has `plan.json`, which is read anew for each connection, and gets `connections` and `faults`, a line for each.
When it has `out`, nothing works any more.
What ssh would be told follows, and counts for nothing.
"""

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.faults import packets  # noqa: E402
from tools.faults.plan import Fault, Plan  # noqa: E402

SERVER = "/usr/lib/openssh/sftp-server"
STALL_S_MAX, PIECES = 1.0, 7
CUTS_ANSWER = ("cut after", "cut in the middle", "small pieces")


class Wrapper:
    """One connection."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        said = json.loads((directory / "plan.json").read_text())
        self.plan = Plan(said["seed"], said["rate"], said["weights"])
        self.stream = self.count_connection()
        self.server = subprocess.Popen([SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.out = directory / "out"
        self.of_answers: dict[int, Fault] = {}
        self.output_lock = threading.Lock()

    def count_connection(self) -> int:
        """The number of this connection among those of the seed."""
        with (self.directory / "connections").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("\n")
            file.flush()
            return os.fstat(file.fileno()).st_size

    def note(self, fault: Fault) -> None:
        """For the summary."""
        with (self.directory / "faults").open("a") as file:
            file.write(fault.kind + "\n")

    def put(self, packet: bytes) -> None:
        """Sends an answer."""
        with self.output_lock:
            sys.stdout.buffer.write(packets.framed(packet))
            sys.stdout.buffer.flush()

    def cut(self) -> NoReturn:
        """Ends the connection. The server carries out what it has got."""
        os._exit(255)

    def ask(self) -> None:
        """Hands over requests until there are no more."""
        requests: BinaryIO = sys.stdin.buffer
        number = 0
        assert self.server.stdin is not None
        while (packet := packets.take(requests)) is not None:
            number += 1
            if self.out.exists():
                self.cut()
            if fault := self.plan.fault(self.stream, number):
                changed = self.happen(fault, packet)
                if changed is None:
                    continue
                packet = changed
            self.server.stdin.write(packets.framed(packet))
            self.server.stdin.flush()
        self.cut()

    def happen(self, fault: Fault, packet: bytes) -> bytes | None:
        """Lets a fault happen to a request, now or to its answer.

        Returns what the server gets; nothing when it gets nothing.
        """
        request = packets.number_of(packet)
        if fault.kind == "short read":
            shorter = packets.with_shorter_read(packet, fault.measure)
            if shorter != packet:
                self.note(fault)
            return shorter
        if fault.kind == "failure" and request is None:
            return packet
        self.note(fault)
        if fault.kind == "cut before":
            self.cut()
        if fault.kind == "failure" and request is not None:
            self.put(packets.failure(request))
            return None
        if fault.kind == "stall":
            time.sleep(fault.measure * STALL_S_MAX)
        elif fault.kind in CUTS_ANSWER:
            self.of_answers[request or 0] = fault
        return packet

    def answer(self) -> None:
        """Hands over answers until there are no more."""
        answers = self.server.stdout
        assert answers is not None
        while (packet := packets.take(answers)) is not None:
            fault = self.of_answers.pop(packets.number_of(packet) or 0, None)
            if fault is None:
                self.put(packet)
                continue
            if fault.kind == "cut after":
                self.cut()
            whole = packets.framed(packet)
            with self.output_lock:
                if fault.kind == "cut in the middle":
                    os.write(1, whole[:max(1, int(len(whole) * fault.measure))])
                    self.cut()
                step = max(1, len(whole) // PIECES)
                for start in range(0, len(whole), step):
                    os.write(1, whole[start:start + step])
                    time.sleep(0.001)
        self.cut()


def main() -> None:
    """Serves one connection."""
    wrapper = Wrapper(Path(sys.argv[1]))
    threading.Thread(target=wrapper.answer, daemon=True).start()
    try:
        wrapper.ask()
    except BrokenPipeError:
        wrapper.cut()


if __name__ == "__main__":
    main()
