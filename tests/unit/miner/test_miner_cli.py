"""`gradus miner`: the whole command on a chain in this process, what it prints, and how it ends."""

import json
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from abci_app.cli import miner as command
from abci_app.cli.events import write_event
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.keys import Keyring
from abci_app.client.node import Nodes
from abci_app.miner.miner import Miner
from abci_app.units.events import Event
from tests.chain import address_of, new_test_key
from tests.unit.miner.conftest import NAMES, Rig


@pytest.fixture
def home(rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with ann's key and the dataset; whenever the command sleeps, the others act and a block is made."""
    made = tmp_path / "home"
    Keyring(made / "keys").put("ann", new_test_key("ann"), None)
    Keyring(made / "keys").put("nobody", new_test_key("nobody"), None)
    (made / "datasets").symlink_to(rig.store.folder)
    others: list[Miner] = [rig.miner(name) for name in NAMES[1:]]

    class Turns(command.Nap):
        def __call__(self, seconds: float) -> None:
            for other in others:
                other.step()
            rig.node.block()

    monkeypatch.setattr(command, "Nap", Turns)
    monkeypatch.setattr(command, "connect", lambda urls, chain_id: Nodes([rig.node for _ in urls], chain_id))
    yield made


def run(home: Path, *arguments: str) -> Result:
    return CliRunner(env={"GRADUS_HOME": str(home)}).invoke(command.miner, list(arguments))


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def names(told: Sequence[dict[str, object]]) -> list[object]:
    return [event["event"] for event in told]


def test_miner_works_until_the_model_is_trained_and_tells_it_in_json(rig: Rig, home: Path) -> None:
    result = run(home, "start", "1", "--key", "ann", "--output", "json")
    assert (result.exit_code, result.exception) == (0, None)
    told = lines(result)
    assert names(told)[0] == "enrolled" and names(told).count("revealed") == names(told).count("committed") == 3
    assert told[-1] == {"event": "finished", "accepted": 3, "earned_ugrad": 3 * 333_333,
                        "balance_ugrad": rig.chain.balance("ann"), "bond_ugrad": 12_000_000,
                        "next": "gradus tx work leave 1 --from ann"}


def test_plain_lines_and_status_say_the_same_for_people(rig: Rig, home: Path) -> None:
    result = run(home, "start", "1", "--key", "ann")
    assert result.exit_code == 0
    finished = result.stdout.splitlines()[-1]
    assert "finished   accepted 3, earned 0.999999grad" in finished
    assert finished.endswith("bond 12grad, get the bond back: gradus tx work leave 1 --from ann")
    status = json.loads(run(home, "status", "1", "--key", "ann", "--output", "json").stdout)
    assert (status["address"], status["accepted"]) == (address_of("ann"), 3)
    assert (status["status"], status["bond_ugrad"]) == ("active", 12_000_000)
    assert "active" in run(home, "status", "1", "--key", address_of("ann")).stdout
    assert "not enrolled" in run(home, "status", "1", "--key", address_of("mallory")).stdout


def test_terminal_shows_where_things_stand(home: Path) -> None:
    runner = CliRunner(env={"GRADUS_HOME": str(home), "FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "200"})
    result = runner.invoke(command.miner, ["start", "1", "--key", "ann"])
    assert result.exit_code == 0
    assert "phase reveal" in result.stdout and "\x1b[" in result.stdout and "finished   accepted 3" in result.stdout


@pytest.mark.parametrize("arguments, text", [
    (["start", "1", "--key", "nobody"], "the bond takes 12000000"),
    (["start", "1", "--key", "nobody"],
     f"hint:  send it coins: gradus tx bank send {address_of('nobody')} AMOUNT --from KEY"),
    (["start", "1", "--key", "ann", "--data", "/nowhere"], "trained on a dataset that is not here"),
])
def test_miner_that_cannot_start_says_why_and_what_to_do(home: Path, arguments: list[str], text: str) -> None:
    result = run(home, *arguments)
    assert result.exit_code == ExitStatus.REFUSED and text in result.stderr and "hint:" in result.stderr


def test_miner_pays_no_price_above_its_bound(rig: Rig, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain asks 1000; a bound of 999 keeps the miner from its first transaction, and it says why."""
    def end(_: Event) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Miner, "_move_on", end)
    result = run(home, "start", "1", "--key", "ann", "--gas-price-max-ppm", "999", "--output", "json")
    refused = lines(result)[0]
    assert refused["event"] == "refused" and "asks 1000 ugrad per million gas" in str(refused["problem"])


def test_second_miner_of_a_key_is_refused(rig: Rig, home: Path) -> None:
    from abci_app.miner.journal import Journal

    with Journal(home / "miner", rig.chain.chain_id, 1, address_of("ann")):
        result = run(home, "start", "1", "--key", "ann")
    assert result.exit_code == ExitStatus.REFUSED and "another miner works for this key" in result.stderr


def test_first_signal_drains_and_the_second_interrupts(rig: Rig, home: Path) -> None:
    sent: list[int] = []

    def interrupt() -> None:
        trainer = rig.client.assignments(1, address_of("ann"))
        if trainer.units and trainer.units[0].commitment and not sent:
            sent.append(trainer.round.number if trainer.round else 0)
            signal.raise_signal(signal.SIGTERM)

    rig.node.on_block = interrupt
    result = run(home, "start", "1", "--key", "ann", "--output", "json")
    told = lines(result)
    assert sent == [1] and result.exit_code == 0 and "ending when" in result.stderr
    assert names(told).count("committed") == names(told).count("revealed") == 1
    assert (told[-1]["event"], told[-1]["accepted"], told[-1]["pending"]) == ("finished", 0, 1)
    assert "accepted 0 so far, 1 still to be accepted" in write_event(Event("finished", dict(told[-1])))
    assert list(rig.client.iter_slashes(1)) == []
    nap, handler = command.Nap(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        with nap.signals(rig.miner("mallory").drain, "ending"):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler


def test_help_has_an_example_and_usage_errors_exit_2(home: Path) -> None:
    assert "gradus miner start 1 --key alice" in run(home, "start", "--help").stdout
    assert run(home, "start", "1").exit_code == ExitStatus.USAGE
    assert run(home, "start", "1", "--key", "ann", "--gas-price-max-ppm", "-1").exit_code == ExitStatus.USAGE
    assert run(home, "start", "1", "--key", "ann", "--behaviour", "nice").exit_code == ExitStatus.USAGE
