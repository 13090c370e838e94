"""The policies, as docs/operations.md has them."""

import json
import re
from pathlib import Path
from typing import Any

from ..command import fail

BLOCK = re.compile(r"^\*\*([a-z ]+)\*\*:(?:[^\n]+\n)+\n```json\n(.*?)```", re.MULTILINE | re.DOTALL)


def policies(document: Path, bucket: str, prefix: str) -> dict[str, dict[str, Any]]:
    """By role, for a repository below a prefix of a bucket."""
    found = {}
    for role, text in BLOCK.findall(document.read_text()):
        try:
            found[role] = json.loads(text.replace("BUCKET", bucket).replace("PREFIX", prefix))
        except ValueError as error:
            fail(f"the policy for {role} is no JSON: {error}")
    return found


def bucket_commands(document: Path, bucket: str) -> str:
    """What makes a bucket with object lock, up to the command of holdfast."""
    found = re.search(r"^The bucket has object lock from its beginning.*?\n```\n(.*?)^holdfast check",
                      document.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        fail("docs/operations.md has no commands that make a bucket with object lock")
    return found[1].replace("shop-backup", bucket)


def for_bucket(policy: dict[str, Any]) -> dict[str, Any]:
    """The same as a policy of the bucket, which says for whom it counts: here for everybody who has no other rights."""
    return {**policy, "Statement": [{**each, "Principal": "*"} for each in policy["Statement"]]}
