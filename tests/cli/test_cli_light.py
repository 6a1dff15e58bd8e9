"""`gradus light` and what --prove starts from, without a node."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.client.light.client import LightClient, Trust
from abci_app.client.light.errors import Diverged, HeightTooHigh, LightError, Malformed
from abci_app.client.light.records import Record
from abci_app.client.light.trust import TrustStore
from abci_app.client.light.verify import Rules
from abci_app.client.rpc import Rpc, Status
from abci_app.sdk import proofs
from abci_app.sdk.proofs import Terms, check_chain_id, choose_trust
from abci_app.wire.audit import unit_subject
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from kernels import dispatch
from tests.chain import Chain
from tests.cli.shell import Shell
from tests.light_chain import CHAIN_ID, FakeSource, new_blocks, now_after

BLOCKS = new_blocks([{1: 10}] * 9)
TERMS = Terms(Path("/nowhere"), "http://127.0.0.1:1")


def new_client(**fields: object) -> LightClient:
    return LightClient(CHAIN_ID, FakeSource(BLOCKS, **fields), clock=now_after(BLOCKS),  # type: ignore[arg-type]
                       sleep=lambda seconds: None)


def test_home_that_trusts_nothing_says_how_to_begin(gradus: Callable) -> None:
    ran = gradus("light", "status")
    assert ran.status == 0 and "no chain is trusted yet" in ran.out
    assert gradus("light", "status", "--output", "json").out == "[]\n"
    assert gradus("light", "reset", "nowhere-1").status == 1


def test_status_shows_what_is_trusted_and_what_is_damaged(gradus: Callable, tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "home")
    store.put(CHAIN_ID, Trust(BLOCKS[0], True, BLOCKS[8]))
    store.path("broken-1").write_text("{}")
    broken, whole = json.loads(gradus("light", "status", "--output", "json").out)
    assert broken["chain_id"] == "broken-1" and "does not hold trusted blocks" in broken["problem"]
    assert (whole["trusted_height"], whole["verified_height"], whole["trusted_by"]) == (1, 9, "hash given")
    assert gradus("light", "reset", "broken-1").status == 0
    assert CHAIN_ID in gradus("light", "status").out


def test_proof_without_a_node_ends_with_3(gradus: Callable) -> None:
    assert gradus("query", "models", "show", "1", "--prove").status == 3
    assert gradus("light", "update").status == 3


def test_first_use_takes_block_one_and_where_that_is_gone_or_too_old_the_newest() -> None:
    assert choose_trust(new_client(), None, TERMS) == Trust(BLOCKS[0], False, BLOCKS[0])
    assert choose_trust(new_client(lowest=5), None, TERMS) == Trust(BLOCKS[8], False, BLOCKS[8])
    late = new_client()
    late.clock = lambda: BLOCKS[0].header.time_ns + Rules().trusting_period_ns
    assert choose_trust(late, None, TERMS) == Trust(BLOCKS[8], False, BLOCKS[8])


def test_what_is_known_is_kept_and_a_given_hash_begins_anew_unless_it_is_the_known_one() -> None:
    known = Trust(BLOCKS[0], False, BLOCKS[5])
    assert choose_trust(new_client(), known, TERMS) is known
    given = Terms(TERMS.home, TERMS.node, trust_height=3, trust_hash=BLOCKS[2].hash.hex())
    fresh = choose_trust(new_client(), known, given)
    assert fresh == Trust(BLOCKS[2], True, BLOCKS[2])
    grown = Trust(BLOCKS[2], True, BLOCKS[7])
    assert choose_trust(new_client(), grown, given) is grown


def test_given_hash_that_no_block_has_changes_nothing() -> None:
    with pytest.raises(LightError, match="has the hash"):
        choose_trust(new_client(), None, Terms(TERMS.home, TERMS.node, trust_hash="AB" * 32))
    with pytest.raises(HeightTooHigh):
        choose_trust(new_client(), None, Terms(TERMS.home, TERMS.node, trust_height=99, trust_hash="AB" * 32))


@pytest.mark.parametrize("name", ["", "x" * 51, "\u00e9" * 26, "a\x1b[31m", "a\nb", "\ud800"])
def test_name_that_no_chain_can_have_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match="no name of a chain"):
        check_chain_id(name)
    assert check_chain_id("gradus-1") == "gradus-1"


class Named(Rpc):
    """A node that says it is of a chain."""

    name = CHAIN_ID

    def status(self) -> Status:
        """What it says of itself."""
        return Status(self.name, "", "", 9, b"", "", False)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> type[Named]:
    monkeypatch.setattr(proofs, "Rpc", Named)
    return Named


def test_node_cannot_leave_the_trusted_chain_for_one_of_its_own(tmp_path: Path, named: type[Named],
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    terms = Terms(tmp_path, "http://127.0.0.1:1")
    with proofs._following(terms) as (client, _, store):
        assert client.chain_id == CHAIN_ID
    store.put(CHAIN_ID, Trust(BLOCKS[0], True, BLOCKS[8]))
    with proofs._following(terms) as (client, _, _):
        assert client.chain_id == CHAIN_ID
    monkeypatch.setattr(named, "name", "made-up-1")
    with pytest.raises(LightError, match="'made-up-1', of which nothing is trusted here") as caught:
        with proofs._following(terms):
            pass
    assert caught.value.exit_status == 4 and "--chain-id made-up-1" in caught.value.hint
    for chosen in (replace(terms, chain_id="made-up-1"), replace(terms, trust_hash="AB" * 32)):
        with proofs._following(chosen) as (client, _, _):
            assert client.chain_id == "made-up-1"


def test_divergence_ends_with_4_where_its_evidence_cannot_be_kept_too(tmp_path: Path, named: type[Named]) -> None:
    (tmp_path / "light").write_text("no folder")
    with pytest.raises(Diverged, match="two blocks; they could not be kept") as caught:
        with proofs._following(Terms(tmp_path, "http://127.0.0.1:1")):
            raise Diverged("two blocks", "hint", {"chain_id": CHAIN_ID, "height": 1, "primary": {"hash": "AA"},
                                                  "witness": {"hash": "BB"}})
    assert caught.value.exit_status == 4


@pytest.fixture
def shell(tmp_path: Path, gradus: Callable, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A node that answers, and another one, http://127.0.0.1:1, that is asked for proofs and is silent."""
    with dispatch.forced("ref"), Chain(tmp_path / "chain", {"alice": 10**9}) as chain:
        chain.block()
        yield Shell(chain, tmp_path / "home", gradus, monkeypatch)


@pytest.mark.parametrize("options", [
    ("--prove",), ("--trust-hash", "ab" * 32), ("--witness", "http://127.0.0.1:2"),
    ("--trust-hash", "ab" * 32, "--trust-height", "3")], ids=" ".join)
@pytest.mark.parametrize("question", ["query bank balance alice", "query auth account alice", "query models params"])
def test_who_says_what_a_proof_rests_on_is_not_answered_without_one(
        question: str, options: tuple[str, ...], shell: Shell) -> None:
    assert shell.run(*question.split()).status == 0
    ran = shell.run(*question.split(), *options)
    assert (ran.status, ran.out) == (3, "")


def test_witness_of_the_environment_is_for_what_is_proved_alone(
        shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADUS_WITNESS", "http://127.0.0.1:2")
    assert shell.json("query", "bank", "balance", "alice")["amount_ugrad"] == 10**9


def test_chain_that_is_named_holds_for_answers_that_are_not_proved_too(shell: Shell) -> None:
    name = shell.client.chain_id()
    assert shell.json("query", "bank", "balance", "alice", "--chain-id", name)["amount_ugrad"] == 10**9
    status, error, hint = shell.refused("query", "bank", "balance", "alice", "--chain-id", "other-1")
    assert status == 1 and f"of chain '{name}', not of 'other-1'" in error and "--chain-id" in hint


def test_attempt_of_an_audited_round_is_the_proved_one_and_not_the_node_s(
        shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[proofs.Place] = []
    answers = [Round(model_id=1, number=7, attempt=2).SerializeToString(), None]

    def prove(terms: Terms, place: proofs.Place) -> proofs.Proved:
        asked.append(place)
        value = answers[len(asked) - 1]
        return proofs.Proved(Record(place.store, place.key, value, 8, BLOCKS[8]), Trust(BLOCKS[0], True, BLOCKS[8]),
                             (), ())

    monkeypatch.setattr(proofs, "prove", prove)
    shown = shell.json("query", "audits", "show", "1", "7", "0", "--prove")
    assert asked == [proofs.round_place(1, 7), proofs.audit_place(unit_subject(1, 7, 2, 0))]
    assert "no audit of unit 0" in shown["absent"] and not shown["proved"]["exists"]
    asked.clear()
    answers[0] = None
    shown = shell.json("query", "audits", "show", "1", "7", "0", "--prove")
    assert asked == [proofs.round_place(1, 7)] and shown["absent"] == "model 1 has no round 7, or no longer"
