"""`gradus gateway`: API keys by command, and what is refused before anything listens."""

import json
from collections.abc import Callable

from tests.cli.conftest import Ran


def test_keys_are_made_listed_and_revoked_by_command(gradus: Callable[..., Ran]) -> None:
    made = json.loads(gradus("gateway", "keys", "create", "laptop", "--limit", "1grad", "--output", "json").out)
    assert made["api_key"].startswith("gk-") and made["limit_ugrad"] == 1_000_000
    listed = gradus("gateway", "keys", "list", "--output", "json").out
    assert made["api_key"] not in listed
    row, = json.loads(listed)
    assert (row["name"], row["state"], row["spent_ugrad"]) == ("laptop", "in force", 0)
    assert gradus("gateway", "keys", "create", "laptop").status == 1
    assert gradus("gateway", "keys", "revoke", "laptop").status == 0
    assert "revoked" in gradus("gateway", "keys", "list").out
    assert gradus("gateway", "start", "--key", "alice", "--limit", "1grad", "--bind", "nowhere").status == 2
