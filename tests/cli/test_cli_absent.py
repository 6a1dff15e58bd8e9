"""What is not on the chain has one answer in every command: what is not there, and what shows what is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernels import dispatch
from tests.chain import Chain, address_of
from tests.cli.shell import Shell

LIST = "gradus query models list"
QUESTIONS = [
    "query models show 99", "query models versions 99", "query models evaluate 99",
    "query models weights 99 --out FILE",
    "query work round 99", "query work round 99 3", "query work unit 99 1 0", "query work trainer 99 alice",
    "query work trainers 99", "query work slashes 99", "query rewards contributions 99",
    "query rewards contribution 99 alice", "query rewards shares 99", "query rewards vesting 99",
    "query rewards ledger 99", "query rewards royalties 99",
    "query rewards backing 99 alice", "query rewards backers 99", "query audits list 99",
    "query audits show 99 1 0", "miner status 99 --key alice", "miner start 99 --key alice", "watch 99",
    "query disputes list 99", "query disputes list 99 --ended", "query disputes show 99 1 0",
    "tx disputes challenge 99 1 0 --from alice", "tx models update 99 --set training.local_steps=9 --from alice",
]
MESSAGES = [
    "models fund 99 1grad", "models attach 99 --rounds-more 1", "models pause 99", "models resume 99",
    "models invite 99 --open", "models offer-admin 99 bob", "models accept-admin 99", "models close 99",
    "work enroll 99 --bond 1grad", "work leave 99", "rewards back 99 1grad", "rewards unback 99 1grad",
    "rewards collect 99",
]


@pytest.fixture
def shell(tmp_path: Path, gradus: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with dispatch.forced("ref"), Chain(tmp_path / "chain", {"alice": 10**9, "bob": 10**9}) as chain:
        chain.block()
        yield Shell(chain, tmp_path / "home", gradus, monkeypatch)


@pytest.fixture
def made(shell: Shell) -> Shell:
    """A model of alice, for which nobody trains."""
    shell.run("data", "add", "iris")
    shell.json("tx", "models", "create", "--dataset", "iris", "--hidden", "4", "--from", "alice")
    return shell


@pytest.mark.parametrize("line", QUESTIONS)
def test_model_that_is_not_there_ends_every_question_alike(line: str, shell: Shell) -> None:
    status, error, hint = shell.refused(*line.split())
    assert (status, error) == (1, "there is no model 99") and LIST in hint


@pytest.mark.parametrize("line", MESSAGES)
def test_model_that_is_not_there_ends_every_message_alike(line: str, shell: Shell) -> None:
    status, error, hint = shell.refused("tx", *line.split(), "--from", "alice")
    assert (status, error) == (1, "there is no model 99") and LIST in hint
    assert not shell.node.mempool


def test_round_that_is_not_there_is_told_with_why(made: Shell) -> None:
    status, error, hint = made.refused("query", "work", "round", "1")
    assert status == 1 and error.startswith("no round of model 1 runs: it waits for trainers: 0 of the 4") and not hint
    made.json("tx", "models", "pause", "1", "--from", "alice")
    status, error, hint = made.refused("query", "work", "round", "1")
    assert status == 1 and f"an end of its pause: {address_of('alice')} paused it" in error
    assert hint == "gradus tx models resume 1 --from KEY"
    for command in (("query", "work", "round", "1", "7"), ("query", "work", "unit", "1", "7", "0"),
                    ("query", "audits", "show", "1", "7", "0")):
        status, error, hint = made.refused(*command)
        assert (status, error) == (1, "model 1 has had no round 7: 0 are closed")
        assert "gradus query work round 1" in hint
    made.json("tx", "models", "close", "1", "--from", "alice")
    assert made.refused("query", "work", "round", "1")[1] == "no round of model 1 runs: it is closed"


def test_who_is_not_there_is_told_with_what_shows_those_who_are(made: Shell) -> None:
    bob = address_of("bob")
    for command, error, hint in [
        (("query", "work", "trainer", "1", "bob"), f"{bob} is no trainer of model 1", "query work trainers 1"),
        (("query", "rewards", "contribution", "1", "bob"), f"{bob} has not contributed to model 1", "contributions 1"),
        (("query", "rewards", "backing", "1", "bob"), f"{bob} does not back model 1", "query rewards backers 1"),
        (("query", "auth", "account", address_of("nobody")), f"there is no account {address_of('nobody')} yet",
         "gradus tx bank send"),
    ]:
        found = made.refused(*command)
        assert found[:2] == (1, error) and hint in found[2]


def test_amount_that_is_negative_is_told_as_such(made: Shell) -> None:
    status, error, hint = made.refused("tx", "bank", "send", "bob", "-5grad", "--from", "alice")
    assert status == 2 and error.startswith("-5grad is negative") and "5grad" in hint
    assert made.refused("tx", "models", "fund", "-1", "5grad", "--from", "alice")[1].startswith("-1 is negative")


def test_home_of_an_auditor_that_is_not_there_is_told_and_not_made(made: Shell, tmp_path: Path) -> None:
    missing = tmp_path / "node9"
    for verb in ("status", "start"):
        status, error, hint = made.refused("auditor", verb, "--home", str(missing))
        assert (status, error) == (1, f"there is no folder {missing}") and "--home" in hint and "node0" in hint
    assert not missing.exists()
    assert made.refused("auditor", "status", "--home", str(tmp_path))[1] == f"{tmp_path} is no home of a node"


def test_coins_that_an_escrow_lacks_for_more_rounds_are_told_with_the_command(made: Shell) -> None:
    told = made.json("tx", "models", "attach", "1", "--rounds-more", "5", "--from", "alice")
    assert told["lacking"] == "5.25grad (5250000ugrad)" and told["escrow"] == "26.25grad (26250000ugrad)"
    assert told["next"] == "gradus tx models fund 1 5250000ugrad --from alice"
    made.json("tx", "models", "fund", "1", "6.3grad", "--from", "alice")
    told = made.json("tx", "models", "attach", "1", "--rounds-more", "1", "--from", "alice")
    assert sorted(told) == ["in_force", "spec_version"]
