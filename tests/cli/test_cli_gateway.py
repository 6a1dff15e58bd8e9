"""`gradus gateway`: API keys by command, and what is refused before anything listens."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.client.keys import Keyring
from abci_app.gateway.run import GatewayRuns, alone
from tests.chain import new_test_key
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


def test_a_port_that_is_taken_is_said_before_anything_is_begun(gradus: Callable[..., Ran], tmp_path: Path) -> None:
    Keyring(tmp_path / "home" / "keys").put("una", new_test_key("una"), None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = gradus("gateway", "start", "--key", "una", "--limit", "1grad", "--port", str(taken.getsockname()[1]))
    assert ran.status == 1 and "cannot listen" in ran.err and "--port" in ran.err


def test_one_gateway_runs_in_a_home(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(GatewayRuns), alone(tmp_path):
        raise AssertionError
    with alone(tmp_path):
        pass
