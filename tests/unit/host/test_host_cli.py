"""`gradus host`: the whole command on a chain in this process, what it prints, and how it ends."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import host as command
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.chain import ChainClient
from abci_app.client.keys import Keyring
from abci_app.client.node import Nodes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import REQUEST_STATUS_ANSWERED
from tests.chain import address_of, new_test_key
from tests.unit.host.rig import Rig, rows


@pytest.fixture
def home(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with ann's key; whenever the command sleeps a block is made."""
    made = tmp_path / "home"
    Keyring(made / "keys").put("ann", new_test_key("ann"), None)
    Keyring(made / "keys").put("nobody", new_test_key("nobody"), None)

    class Turns(command.Nap):
        def __call__(self, seconds: float) -> None:
            rig.node.block()
            if rig.chain.height > 60:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command, "Nap", Turns)
    monkeypatch.setattr(command, "connect", lambda urls, chain_id: Nodes([rig.node for _ in urls], chain_id))
    yield made


def run(home: Path, *arguments: str) -> Result:
    return CliRunner(env={"GRADUS_HOME": str(home)}).invoke(command.host, list(arguments))


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def start(home: Path, *arguments: str) -> Result:
    return run(home, "start", "1", "--key", "ann", "--listen", "127.0.0.1:0", "--output", "json", *arguments)


def test_a_host_answers_until_ctrl_c_and_tells_it_in_json(rig: Rig, home: Path) -> None:
    rig.end(rig.host("ann"))
    number = rig.request(rows())
    result = start(home, "--price", "2000", "--capacity", "4")
    assert (result.exit_code, result.exception) == (0, None)
    told = lines(result)
    assert told[0]["event"] == "updated" and (told[0]["price_ugrad_per_gma"], told[0]["capacity"]) == (2_000, 4)
    assert str(told[0]["endpoint"]).startswith("http://127.0.0.1:")
    assert [event["request"] for event in told if event["event"] in ("committed", "revealed")] == [number, number]
    assert rig.find(number).status == REQUEST_STATUS_ANSWERED
    assert told[-1] | {"balance_ugrad": 0} == {
        "event": "finished", "answered": 1, "earned_ugrad": rig.find(number).seats[0].ask_ugrad, "open": 0,
        "balance_ugrad": 0, "bond_ugrad": 1_000_000_000, "next": "gradus host leave 1 --key ann"}


def test_status_drain_and_leave_say_where_a_host_stands(rig: Rig, home: Path) -> None:
    assert json.loads(run(home, "status", "1", "--key", "ann", "--output", "json").stdout)["status"] == "not registered"
    rig.end(rig.host("ann"))
    told = json.loads(run(home, "status", "1", "--key", "ann", "--output", "json").stdout)
    assert (told["status"], told["bond_ugrad"]) == ("active", 1_000_000_000)
    assert run(home, "drain", "1", "--key", "ann").exit_code == 0
    before = rig.chain.balance("ann")
    told = json.loads(run(home, "leave", "1", "--key", "ann", "--output", "json").stdout)
    assert told["status"] == "left" and told["balance_ugrad"] > before
    assert ChainClient(rig.node).find_host(1, address_of("ann")) is None
    refused = run(home, "leave", "1", "--key", "ann")
    assert refused.exit_code == ExitStatus.REFUSED and "refused to let this host go" in refused.stderr


def test_what_is_missing_is_told_with_what_to_do(rig: Rig, home: Path) -> None:
    poor = run(home, "start", "1", "--key", "nobody", "--listen", "127.0.0.1:0")
    assert poor.exit_code == ExitStatus.REFUSED and "gradus tx bank send" in poor.stderr
    unreachable = run(home, "start", "1", "--key", "ann", "--listen", "0.0.0.0:0")
    assert unreachable.exit_code == ExitStatus.USAGE and "--endpoint" in unreachable.stderr
    assert run(home, "start", "1", "--key", "ann", "--listen", "nowhere").exit_code == ExitStatus.USAGE


def test_one_process_at_a_time_works_for_a_key_and_model(rig: Rig, home: Path) -> None:
    with command.Journal(home / "host", rig.chain.chain_id, 1, address_of("ann")):
        result = start(home)
    assert result.exit_code == ExitStatus.REFUSED and "another host works" in result.stderr
