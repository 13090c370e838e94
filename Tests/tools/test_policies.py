"""Tests of Scripts/try-policies: what it reads, and that it finds a right that is too much, or missing."""

import unittest
from typing import Any
from unittest import mock

from support import SCRIPTS, TestInDirectory

from tools.command import Failure
from tools.faults.runs import Ended
from tools.policies.documents import bucket_commands, for_bucket, policies
from tools.policies.locked import LockedTrial
from tools.policies.roles import Trial
from tools.s3 import User

ANSWERS = {"allowed": (200, b""), "refused": (403, b"")}


class DocumentTests(TestInDirectory):
    """The document is what is tried."""

    def test_every_role_has_a_policy(self) -> None:
        found = policies(SCRIPTS.parent / "docs/operations.md", "shop", "orders")
        locked = {"locked backup", "locked prune", "locked restore"}
        self.assertEqual(set(found), {"backup", "restore", "ci", "prune"} | locked)
        for policy in found.values():
            resources = [resource for each in policy["Statement"] for resource in
                         ([each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"])]
            self.assertTrue(all(each == "arn:aws:s3:::shop" or each.startswith("arn:aws:s3:::shop/orders/")
                                for each in resources), resources)

    def test_what_is_no_json_is_told(self) -> None:
        document = self.write("operations.md", "**backup**: does.\n\n```json\n{]\n```\n")
        with self.assertRaisesRegex(Failure, "the policy for backup is no JSON"):
            policies(document, "shop", "orders")

    def test_the_bucket_is_made_as_the_document_says(self) -> None:
        commands = bucket_commands(SCRIPTS.parent / "docs/operations.md", "other")
        self.assertEqual([line.split("--")[0] for line in commands.splitlines() if line.startswith("aws")],
                         ["aws s3api create-bucket ", "aws s3api put-bucket-lifecycle-configuration "])
        self.assertNotIn("shop-backup", commands)
        with self.assertRaisesRegex(Failure, "has no commands that make a bucket"):
            bucket_commands(self.write("operations.md", "nothing"), "other")

    def test_no_policy_ends_a_lock(self) -> None:
        text = str(policies(SCRIPTS.parent / "docs/operations.md", "shop", "orders"))
        for action in ("DeleteObjectVersion", "BypassGovernanceRetention", "PutBucket", "PutLifecycle", "*'"):
            self.assertNotIn(f"s3:{action}", text)

    def test_a_policy_of_the_bucket_counts_for_everybody(self) -> None:
        policy: dict[str, Any] = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}
        self.assertEqual(for_bucket(policy)["Statement"],
                         [{"Effect": "Allow", "Action": "s3:GetObject", "Principal": "*"}])
        self.assertNotIn("Principal", policy["Statement"][0])


class TrialTests(TestInDirectory):
    """A right that is too much is found, and so is one that is missing."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("Source", "describe"):
            patched = mock.patch(f"tools.policies.roles.{name}")
            self.addCleanup(patched.stop)
            patched.start()
        server = mock.Mock(bucket="shop", admin=User(1, "admin", "s"), guest=User(1, "guest", "s"))
        self.trial = Trial(self.root, "holdfast", server, {})

    def asked(self, answer: str) -> mock.Mock:
        """What the server answers to every request."""
        patched = mock.patch.object(User, "ask", return_value=ANSWERS[answer])
        self.addCleanup(patched.stop)
        return patched.start()

    def ended(self, status: int, errors: str) -> None:
        """How every run ends."""
        machine = self.trial.machines[self.trial.server.guest]
        patched = mock.patch.object(machine, "run", return_value=Ended(("list",), status, "", errors, 1, 2))
        self.addCleanup(patched.stop)
        patched.start()

    def test_what_is_not_forbidden_is_found(self) -> None:
        self.asked("allowed")
        with self.assertRaisesRegex(Failure, "PUT orders/holdfast.json .* is not forbidden: 200"):
            self.trial.fail_to_put("holdfast.json")
        with self.assertRaisesRegex(Failure, "elsewhere/object .* is not forbidden"):
            self.trial.refuse_elsewhere("ci")

    def test_what_is_forbidden_is_right(self) -> None:
        self.asked("refused")
        self.trial.fail_to_put("holdfast.json")
        self.trial.refuse_elsewhere("ci")
        self.assertEqual(self.trial.tried, 5)

    def test_a_run_that_fails_is_found(self) -> None:
        self.ended(1, f"{self.trial.location}/ does not permit s3:PutObject")
        with self.assertRaisesRegex(Failure, "list ended with 1"):
            self.trial.succeed("list")
        self.trial.fail("does not permit s3:PutObject", "list")
        with self.assertRaisesRegex(Failure, "not because it may not be removed"):
            self.trial.fail("may not be removed", "list")

    def test_a_run_that_should_fail_and_does_not_is_found(self) -> None:
        self.ended(0, "")
        with self.assertRaisesRegex(Failure, "prune ended with 0"):
            self.trial.fail("may not be removed", "prune")
        with self.assertRaisesRegex(Failure, "list ended with 0"):
            self.trial.succeed("list", warns=True)

    def test_a_role_without_a_policy_is_told(self) -> None:
        with self.assertRaisesRegex(Failure, "docs/operations.md has no policy for ci"):
            self.trial.become("ci")


class LockedTrialTests(TestInDirectory):
    """A term that ends earlier is found, and so is a version that may be deleted."""

    VERSIONS = b"<Version><Key>orders/holdfast.json</Key><VersionId>1</VersionId></Version>"

    def setUp(self) -> None:
        super().setUp()
        for name in ("Source", "describe"):
            patched = mock.patch(f"tools.policies.roles.{name}")
            self.addCleanup(patched.stop)
            patched.start()
        server = mock.Mock(bucket="shop", admin=User(1, "admin", "s"), guest=User(1, "guest", "s"))
        self.trial = LockedTrial(self.root, "holdfast", server, {})

    def asked(self, *, deletes: bool = False, shortens: bool = False) -> None:
        """What the server answers, and whether a guest may do what nobody may."""
        term = ["2026-12-30"]

        def ask(user: User, method: str, _path: str, query: dict[str, str], _body: bytes = b"",
                _more: object = None) -> tuple[int, bytes]:
            if method == "GET":
                return 200, self.VERSIONS if "versions" in query else f"<Mode>GOVERNANCE</Mode>{term[0]}".encode()
            if method == "PUT" and user.key == "guest" and shortens:
                term[0] = "2026-12-01"
                return 200, b""
            return (204 if deletes else 403), b""

        patched = mock.patch.object(User, "ask", ask)
        self.addCleanup(patched.stop)
        patched.start()

    def test_what_stays_is_right(self) -> None:
        self.asked()
        self.trial.fail_to_end_terms()
        self.trial.fail_to_change_the_bucket()
        self.assertEqual(self.trial.tried, 9)

    def test_a_term_that_is_shortened_is_found(self) -> None:
        self.asked(shortens=True)
        with self.assertRaisesRegex(Failure, "terms have changed"):
            self.trial.fail_to_end_terms()

    def test_a_version_that_is_deleted_is_found(self) -> None:
        self.asked(deletes=True)
        with self.assertRaisesRegex(Failure, "DELETE orders/holdfast.json .* is not forbidden"):
            self.trial.fail_to_end_terms()
        with self.assertRaisesRegex(Failure, "PUT  .*versioning.* is not forbidden"):
            self.trial.fail_to_change_the_bucket()


if __name__ == "__main__":
    unittest.main()
