"""`gradus watch`, `gradus query disputes` and `gradus tx disputes` on a chain in this process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result

from abci_app.cli import query_disputes, sending, tx_disputes
from abci_app.cli import watch as command
from abci_app.cli.exit_status import ExitStatus
from abci_app.client.errors import NodeUnreachable
from abci_app.client.key_lock import KeyBusy, KeyLock
from abci_app.client.keys import Keyring
from abci_app.client.node import Nodes
from abci_app.client.send import Sender
from abci_app.miner.behaviour import Behaviour
from abci_app.watch.journal import Journal
from abci_app.watch.watcher import Watcher
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_REJECTED
from tests.chain import address_of, new_test_key
from tests.unit.watch.conftest import WATCHER, WatchedRig


@pytest.fixture
def rig(new_rig: Callable[..., WatchedRig]) -> WatchedRig:
    """A round is closed, in which cat has cheated."""
    rig = new_rig()
    rig.run_rounds({"cat": Behaviour.GARBAGE})
    return rig


@pytest.fixture
def home(rig: WatchedRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with the watcher's key and the dataset. A watcher that sleeps makes a block; it ends when cat has lost."""
    made = tmp_path / "home"
    Keyring(made / "keys").put("eve", new_test_key(WATCHER), None)
    (made / "datasets").symlink_to(rig.store.folder)
    watchers: list[Watcher] = []
    new_watcher = Watcher.__init__

    def remember(self: Watcher, *arguments: Any, **options: Any) -> None:
        new_watcher(self, *arguments, **options)
        watchers.append(self)

    class Turns(command.Nap):
        def __call__(self, seconds: float) -> None:
            rig.node.block()
            watcher, unit, dealing = watchers[-1], rig.unit("cat"), rig.client.find_round(1, 1)
            assert dealing is not None and dealing.round is not None
            if unit.status == UNIT_STATUS_REJECTED \
                    or not watcher.challenges and watcher.journal.find(dealing.round, unit) is not None:
                watcher.stop()

    def send(self: Sender, *arguments: Any, **options: Any) -> Any:
        self.sleep = rig.node.sleep
        return real_send(self, *arguments, **options)

    real_send = Sender.send
    monkeypatch.setattr(Watcher, "__init__", remember)
    monkeypatch.setattr(Sender, "send", send)
    monkeypatch.setattr(command, "Nap", Turns)
    monkeypatch.setattr(command, "connect", lambda urls, chain_id: Nodes([rig.node for _ in urls], chain_id))
    for module in (query_disputes, tx_disputes, sending):
        monkeypatch.setattr(module, "connect", lambda url: rig.client)
    yield made


def run(home: Path, root: Command, *arguments: str) -> Result:
    environment = {"GRADUS_HOME": str(home), "GRADUS_NODE": "http://127.0.0.1:1"}
    return CliRunner(env=environment).invoke(root, list(arguments))


def test_watch_challenges_and_plays_to_the_end_in_json(rig: WatchedRig, home: Path) -> None:
    result = run(home, command.watch, "--key", "eve", "--challenge", "--output", "json")
    assert (result.exit_code, result.exception) == (0, None)
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in told if event["event"] == "challenged"] == ["challenged"]
    slash = next(rig.client.iter_slashes(1))
    unit = rig.unit("cat")
    assert told[-1] == {"event": "dispute-over", "model_id": 1, "round": 1, "unit": unit.index, "side": "challenger",
                        "winner": "challenger", "reason": "silent", "lost_ugrad": 0, "height": slash.height,
                        "won_ugrad": (slash.amount_ugrad - slash.amount_ugrad // 2) // 2}
    assert rig.unit("cat").status == UNIT_STATUS_REJECTED
    for arguments in (("list", "1", "--ended"), ("show", "1", "1", str(unit.index))):
        shown = json.loads(run(home, query_disputes.disputes, *arguments, "--output", "json").stdout)
        ended = shown[0] if isinstance(shown, list) else shown
        assert (ended["winner"], ended["reason"], int(ended["won_ugrad"])) == (
            "challenger", "silent", told[-1]["won_ugrad"])


def test_watch_without_a_key_says_what_is_wrong_for_people(rig: WatchedRig, home: Path) -> None:
    result = run(home, command.watch, "1")
    assert result.exit_code == 0
    assert "replayed" in result.stdout and "found wrong" in result.stdout
    assert not rig.has_disputes()


def test_challenge_without_a_key_is_misuse(home: Path) -> None:
    result = run(home, command.watch, "--challenge")
    assert result.exit_code == ExitStatus.USAGE and "name one with --key" in result.stderr


def test_watch_of_a_model_that_does_not_exist_ends_and_says_so(rig: WatchedRig, home: Path) -> None:
    result = run(home, command.watch, "99")
    assert "there is no model 99" in str(result.exception)


@pytest.mark.parametrize("is_shared", (False, True), ids=("watcher", "miner"))
def test_watcher_of_a_key_that_is_at_work_is_refused(rig: WatchedRig, home: Path, is_shared: bool) -> None:
    with KeyLock(home / "locks", rig.chain.chain_id, address_of(WATCHER), "gradus miner start 1", is_shared):
        result = run(home, command.watch, "--key", "eve")
        assert isinstance(result.exception, KeyBusy) and "gradus miner start 1, process" in result.exception.text
    assert run(home, command.watch, "--key", "eve", "--challenge").exit_code == 0


def test_watcher_without_a_key_works_beside_any_other(rig: WatchedRig, home: Path) -> None:
    with Journal(home / "watch", rig.chain.chain_id), \
            KeyLock(home / "locks", rig.chain.chain_id, address_of(WATCHER), "gradus watch"):
        assert "found wrong" in run(home, command.watch).stdout


def test_challenge_by_hand_is_shown_until_it_is_over(rig: WatchedRig, home: Path) -> None:
    unit = str(rig.unit("cat").index)
    assert "no dispute is open" in run(home, query_disputes.disputes, "list").stdout
    missing = run(home, query_disputes.disputes, "show", "1", "1", unit)
    assert missing.exit_code == ExitStatus.REFUSED and "gradus query disputes list 1" in missing.stderr
    made = run(home, tx_disputes.disputes, "challenge", "1", "1", unit, "--from", "eve", "--output", "json")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["bond"] == "0.1grad (100000ugrad)"
    assert json.loads(made.stdout)["next"] == "gradus watch 1 --key eve"
    shown = json.loads(run(home, query_disputes.disputes, "show", "1", "1", unit, "--output", "json").stdout)
    assert (shown["stage"], shown["due"], shown["challenger"]) == ("trace", "claimant", address_of(WATCHER))
    for arguments, count in (((), 1), (("1",), 1), (("--party", "eve"), 1),
                             (("--party", address_of("ann")), 0)):
        listed = run(home, query_disputes.disputes, "list", *arguments, "--output", "json")
        assert len(json.loads(listed.stdout)) == count
    assert "trace" in run(home, query_disputes.disputes, "list").stdout
    late = run(home, tx_disputes.disputes, "challenge", "1", "7", unit, "--from", "eve")
    assert late.exit_code == ExitStatus.REFUSED and "model 1 has had no round 7" in late.stderr


@pytest.mark.parametrize("options", (("--prove",), ("--trust-height", "1", "--trust-hash", "ab" * 32)))
def test_watch_that_can_prove_nothing_ends_at_once(home: Path, options: tuple[str, ...]) -> None:
    result = run(home, command.watch, *options)
    assert result.exit_code != 0 and isinstance(result.exception, NodeUnreachable)


def test_height_without_its_hash_is_misuse(home: Path) -> None:
    assert run(home, command.watch, "--trust-height", "1").exit_code == ExitStatus.USAGE
