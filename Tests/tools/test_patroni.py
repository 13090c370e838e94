"""What `Scripts/test-patroni` is made of, without its servers."""

import os
import subprocess
import sys
import unittest

from support import SCRIPTS

from tools.command import Failure
from tools.patroni.site import BOOTSTRAP, NODE, children, free_ports, wait_for


class PatroniTests(unittest.TestCase):
    """Processes, ports and patience."""

    def test_the_children_of_a_process_are_found(self) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            self.assertIn(child.pid, children(os.getpid()))
            child.kill()
        self.assertNotIn(child.pid, children(os.getpid()))

    def test_ports_are_free_and_different(self) -> None:
        self.assertEqual(len(set(free_ports(4))), 4)

    def test_what_does_not_come_to_be_so_is_a_failure(self) -> None:
        self.assertEqual(wait_for("it", lambda: 7), 7)
        with self.assertRaisesRegex(Failure, "the moon: it did not come to be so"):
            wait_for("the moon", lambda: None, 0.01)

    def test_the_guide_has_every_key_of_what_is_tested(self) -> None:
        guide = (SCRIPTS.parent / "docs/operations.md").read_text()
        for line in (NODE + BOOTSTRAP).splitlines():
            key = line.strip().split(":")[0].lstrip("{- ")
            is_of_the_test = key in ("ttl", "loop_wait", "retry_timeout", "primary_start_timeout", "initdb", "pgpass",
                                     "pg_hba", "local all all trust", "parameters") or "127.0.0.1" in line
            if key.isidentifier() and not is_of_the_test:
                self.assertIn(f"{key}:", guide, line)


if __name__ == "__main__":
    unittest.main()
