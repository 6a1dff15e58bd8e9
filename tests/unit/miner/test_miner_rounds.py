"""Whole rounds on a real state machine: honest miners earn and keep their bonds, cheats are caught by the audit."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from abci_app.client.errors import NodeUnreachable
from abci_app.client.node import Nodes
from abci_app.client.send import Sender
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.errors import MinerStopped
from abci_app.miner.miner import Miner
from abci_app.miner.preflight import is_live
from abci_app.miner.reasons import describe_slash, describe_wait
from abci_app.runtime.contract import new_row_form
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import MsgPauseModel, MsgResumeModel
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_MISMATCH, SLASH_REASON_WITHHELD, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED,
    TRAINER_STATUS_STOOD_DOWN,
)
from kernels import mlp
from tests.chain import address_of, new_test_key
from tests.unit.miner.conftest import NAMES, Rig, iris


def drive(rig: Rig, miners: Sequence[Miner], steps: int = 200) -> dict[str, MinerStopped]:
    """Let the miners take turns until the model is trained; what stopped any of them."""
    stopped: dict[str, MinerStopped] = {}
    for _ in range(steps):
        if not is_live(rig.model()):
            return stopped
        for miner in miners:
            if miner.key.bech32 not in stopped:
                try:
                    miner.step()
                except MinerStopped as error:
                    stopped[miner.key.bech32] = error
        rig.node.block()
    raise AssertionError(f"the model is not trained after {steps} steps")


def accuracy_ppm(rig: Rig, round_number: int) -> int:
    """Accuracy of the chain's weights on the held-out rows."""
    weights = rig.client.find_weights(1, round_number)
    assert weights is not None
    widths = tuple(rig.spec.mlp_classifier.widths)
    features, labels = rig.store.open(iris().manifest.rows_root).read_held_out(new_row_form(rig.spec))
    answers = mlp.predict(widths, weights, features, len(labels) // 2)
    right = sum(answers[at:at + 2] == labels[at:at + 2] for at in range(0, len(labels), 2))
    return right * 1_000_000 // (len(labels) // 2)


def test_honest_miners_train_the_model_are_paid_and_never_slashed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rounds=8)
    miners = [rig.miner(name) for name in NAMES]
    for miner in miners:
        miner.check()
    assert drive(rig, miners) == {}
    assert list(rig.client.iter_slashes(1)) == []
    booked = [(entry.units, entry.earned_ugrad) for entry in rig.client.iter_contributions(1)]
    assert booked == [(8, 8 * 333_333)] * 3
    assert accuracy_ppm(rig, 8) >= 900_000 > accuracy_ppm(rig, 0)
    for name in NAMES:
        assert len(rig.told(name, "committed")) == len(rig.told(name, "revealed")) == 8
        assert rig.told(name, "missed") == []
    miners[0].step()
    last = rig.told("ann", "standing")[-1]
    assert (last["accepted"], last["earned_ugrad"]) == (8, 8 * 333_333)
    assert last["balance_ugrad"] == rig.chain.balance("ann")


def test_run_ends_when_the_model_is_trained(rig: Rig) -> None:
    others = [rig.miner(name) for name in NAMES[1:]]
    miner = rig.miner("ann")
    turns = iter(range(10_000))

    def take_turns(seconds: float) -> None:
        others[next(turns) % 2].step()
        rig.node.block()

    miner.sleep = miner.sender.sleep = take_turns
    miner.run()
    assert not is_live(rig.model()) and rig.client.find_contribution(1, address_of("ann")).units == 3


def test_miner_that_waits_says_for_what_and_again_when_that_changes(rig: Rig) -> None:
    ann, ben = rig.miner("ann"), rig.miner("ben")
    for miner in (ann, ann, ben, ann, ann):
        miner.step()
        rig.node.block()
    told = [event["waiting_for"] for event in rig.told("ann", "standing")]
    assert told == [f"trainers: {count} of the 3 that a round needs are active" for count in (1, 2)]


def test_miner_says_that_the_escrow_holds_no_more_rounds(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rounds=3, round_reward_ugrad=60_000_000)
    miners = [rig.miner(name) for name in NAMES]
    for _ in range(12):
        for miner in miners:
            miner.step()
        rig.node.block()
    assert rig.model().rounds_closed == 1
    assert rig.told("ann", "standing")[-1]["waiting_for"] == (
        "escrow: 37000000 of the 63000000 ugrad that a round pays (gradus tx models fund 1 AMOUNT --from KEY)")


def test_miner_waits_for_the_end_of_a_pause_and_trains_on(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    boss = Sender(rig.client, new_test_key("boss"), sleep=rig.node.sleep)
    for count in range(14):
        for miner in miners:
            miner.step()
        rig.node.block()
        if count == 2:
            boss.send([MsgPauseModel(authority=address_of("boss"), model_id=1)])
    assert rig.model().rounds_closed == 1
    assert rig.told("ann", "standing")[-1]["waiting_for"] == (
        f"an end of its pause: {address_of('boss')} paused it, and resumes it")
    boss.send([MsgResumeModel(authority=address_of("boss"), model_id=1)])
    assert drive(rig, miners) == {} and rig.model().rounds_closed == 3


def test_miner_of_a_model_that_is_trained_waits_for_nothing(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    drive(rig, miners)
    miners[0].step()
    assert "waiting_for" not in rig.told("ann", "standing")[-1] and describe_wait(rig.client, 1) == ""
    assert describe_slash(rig.client, 1, address_of("ann")) == f"no slash of {address_of('ann')} is on record"


@pytest.mark.parametrize("behaviour", [Behaviour.GARBAGE, Behaviour.COPY, Behaviour.WRONG_DATA])
def test_cheat_is_slashed_at_its_first_audit_and_the_others_are_not(rig: Rig, behaviour: Behaviour) -> None:
    cheat = rig.miner("mallory", behaviour)
    cheat.check()
    stopped = drive(rig, [cheat, *(rig.miner(name) for name in NAMES)])
    assert list(stopped) == [address_of("mallory")] and "proved wrong" in stopped[address_of("mallory")].text
    slashes = list(rig.client.iter_slashes(1))
    assert [(slash.trainer, slash.reason) for slash in slashes] == [(address_of("mallory"), SLASH_REASON_MISMATCH)]
    assert (f"{slashes[0].amount_ugrad} ugrad were taken for unit {slashes[0].unit} of round {slashes[0].round} at "
            f"height {slashes[0].height}: an audit proved its claim wrong") in stopped[address_of("mallory")].text
    trainer = rig.client.find_trainer(1, address_of("mallory"))
    assert trainer is not None and trainer.status == TRAINER_STATUS_SLASHED and trainer.units_accepted == 0
    assert rig.client.find_contribution(1, address_of("mallory")) is None


def test_copied_payload_of_the_round_before_is_slashed_too(tmp_path: Path) -> None:
    """One unit of four is audited in a round, drawn by a seed that the chain's name is in: on one of these chains the
    zero payload of the first round escapes, so that a copy is made and caught later."""
    for number in range(8):
        rig = Rig(tmp_path / str(number), rounds=16, chain_id=f"gradus-test-{number}", rate_ppm=1,
                  round_reward_ugrad=2, audit_fee_ppm=500_000, bond_ugrad=50_000_000)
        cheat = rig.miner("mallory", Behaviour.COPY)
        stopped = drive(rig, [cheat, *(rig.miner(name) for name in NAMES)], 400)
        slashes = list(rig.client.iter_slashes(1))
        payloads = [entry.read_bytes()[96:] for entry in sorted(cheat.journal.folder.glob("*.claim"))]
        rig.chain.database.close()
        if slashes and slashes[0].round > 1:
            break
    assert [(slash.trainer, slash.reason) for slash in slashes] == [(address_of("mallory"), SLASH_REASON_MISMATCH)]
    assert slashes[0].round > 1 and len(payloads) >= 2 and payloads[0] != payloads[1]
    assert list(stopped) == [address_of("mallory")]


def test_withholder_loses_part_of_its_bond_and_is_stood_down(rig: Rig) -> None:
    cheat = rig.miner("mallory", Behaviour.WITHHOLD)
    stopped = drive(rig, [cheat, *(rig.miner(name) for name in NAMES)])
    assert "part of the bond" in stopped[address_of("mallory")].text
    assert "it was never revealed" in stopped[address_of("mallory")].text
    assert "--top-up" in stopped[address_of("mallory")].hint
    slashes = list(rig.client.iter_slashes(1))
    assert [(slash.trainer, slash.reason) for slash in slashes] == [(address_of("mallory"), SLASH_REASON_WITHHELD)]
    trainer = rig.client.find_trainer(1, address_of("mallory"))
    assert trainer is not None and trainer.status == TRAINER_STATUS_STOOD_DOWN


def test_stood_down_miner_enrols_again_by_itself(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rounds=6, missed_rounds_max=1, trainers_min=2, trim=0)
    late, others = rig.miner("ann"), [rig.miner(name) for name in NAMES[1:]]
    late.step()
    assert rig.client.find_trainer(1, address_of("ann")).status == TRAINER_STATUS_ACTIVE
    while rig.client.find_trainer(1, address_of("ann")).status == TRAINER_STATUS_ACTIVE:
        for other in others:
            other.step()
        rig.node.block()
    assert drive(rig, [late, *others]) == {}
    assert len(rig.told("ann", "enrolled")) == 2 and rig.told("ann", "enrolled")[1]["bond_ugrad"] == 12_000_000
    assert rig.client.find_contribution(1, address_of("ann")).units >= 1
    assert list(rig.client.iter_slashes(1)) == []


def test_commitment_can_never_meet_a_round_that_was_dealt_again(tmp_path: Path) -> None:
    """An honest miner whose transaction is held back past the deadline would be bound to a claim that is now wrong."""
    rig = Rig(tmp_path, rounds=2, commit_blocks=3, missed_rounds_max=100)
    miners = [rig.miner(name) for name in NAMES]
    for miner in miners:
        miner.step()
        rig.node.block()
    rig.node.holds_back = True
    miners[0].step()
    assert [entry["problem"] for entry in rig.told("ann", "missed")] != []
    rig.node.holds_back = False
    rig.node.block()
    dealing = rig.client.find_round(1)
    assert dealing is not None and dealing.round is not None and dealing.round.attempt >= 1
    assert [unit.commitment for unit in dealing.units] == [b""] * 3
    assert drive(rig, miners) == {}
    assert list(rig.client.iter_slashes(1)) == []
    assert len({path.name for path in miners[0].journal.folder.glob("0000000001-*.claim")}) >= 2


def test_miner_that_computes_too_late_sends_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path, rounds=2, commit_blocks=3, missed_rounds_max=100)
    miners = [rig.miner(name) for name in NAMES]
    for miner in miners:
        miner.step()
    rig.node.block()
    slow = miners[0]
    put = slow.journal.put

    def put_slowly(*arguments: object) -> None:
        put(*arguments)  # type: ignore[arg-type]
        for _ in range(3):
            rig.node.block()

    slow.journal.put = put_slowly  # type: ignore[method-assign,assignment]
    slow.step()
    assert [entry["problem"] for entry in rig.told("ann", "missed")] == ["computed too late"]
    assert rig.told("ann", "committed") == []


def test_nodes_that_die_and_lose_replies_cost_an_honest_miner_nothing(rig: Rig) -> None:
    calls = iter(range(10_000_000))

    class Flaky:
        """Dies at every third call, after it has done what was asked."""

        url = "flaky"

        def __getattr__(self, name: str) -> object:
            def call(*arguments: object, **named: object) -> object:
                turn = next(calls)
                result = getattr(rig.node, name)(*arguments, **named)
                if turn % 3 == 1:
                    raise NodeUnreachable("it died over the call")
                return result
            return call

    miner = rig.miner("ann", node=Nodes([Flaky(), Flaky()]))  # type: ignore[list-item]
    others = [rig.miner(name) for name in NAMES[1:]]
    turns = iter(range(10_000))

    def take_turns(seconds: float) -> None:
        others[next(turns) % 2].step()
        rig.node.block()

    miner.sleep = miner.sender.sleep = take_turns
    miner.run()
    assert rig.client.find_contribution(1, address_of("ann")).units == 3
    assert list(rig.client.iter_slashes(1)) == []


def test_miner_waits_for_a_node_that_is_away_and_goes_on(rig: Rig) -> None:
    others = [rig.miner(name) for name in NAMES[1:]]
    miner = rig.miner("ann")
    turns = iter(range(10_000))

    def take_turns(seconds: float) -> None:
        turn = next(turns)
        rig.node.is_down = False
        others[turn % 2].step()
        rig.node.block()
        rig.node.is_down = turn % 7 == 3

    miner.sleep = miner.sender.sleep = take_turns
    miner.run()
    assert len(rig.told("ann", "waiting")) >= 1
    assert rig.client.find_contribution(1, address_of("ann")).units == 3


def test_draining_miner_reveals_what_it_committed_and_takes_nothing_new(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    while not rig.told("ann", "committed"):
        for miner in miners:
            miner.step()
        rig.node.block()
    miners[0].drain()
    miners[0].sleep = lambda seconds: [other.step() for other in miners[1:]] and rig.node.block() or None
    miners[0].run()
    assert len(rig.told("ann", "revealed")) == len(rig.told("ann", "committed"))
    assert list(rig.client.iter_slashes(1)) == []


def test_miner_never_sends_twice_to_a_node_that_is_behind(rig: Rig) -> None:
    miners = [rig.miner(name) for name in NAMES]
    while not rig.told("ann", "committed"):
        for miner in miners:
            miner.step()
        rig.node.block()
    stale = rig.client.assignments(1, address_of("ann"))
    for unit in stale.units:
        unit.status = 1
        unit.commitment = b""
    stale.round.phase = 1
    height = rig.chain.height
    assert [miners[0]._work(stale.round, unit) for unit in stale.units] == [False]
    assert rig.chain.height == height
