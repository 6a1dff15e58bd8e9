"""Whole games: whoever is right wins, whatever the other side says, and within few messages."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_OPERATION, Dispute
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgProveOperation
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED,
)
from abci_app.watch.game import find_move, is_claimed
from abci_app.x.disputes.msgs.proof import prove_operation
from abci_app.x.disputes.types import find_operation
from kernels import transcript
from tests.sim.rows import new_rows_for
from tests.unit.disputes.duel import BOND_UGRAD, CHALLENGER, CLAIMANT, Duel, Lie, find_end, outcome
from tests.unit.disputes.liars import (
    find_first, lie_about_operation, lie_about_payload, lie_about_trace, lie_about_tree,
)
from tests.unit.work.market import attribute


def new_lie(segment: int, kind: str) -> Lie:
    """The first operation of a kind gives something else, and everything follows from it."""
    return lambda truth: lie_about_operation(truth, segment, find_first(truth, segment, kind))


LIES: dict[str, Lie] = {
    "the first digest": lie_about_trace,
    "the last digest": lambda truth: lie_about_trace(truth, 1),
    "the payload": lie_about_payload,
    "every leaf of the first segment": lie_about_tree,
    "every leaf of the last segment": lambda truth: lie_about_tree(truth, 1),
    **{f"an operation of kind {kind} in segment {segment}": new_lie(segment, kind)
       for segment, kind in ((0, "take"), (0, "scale"), (0, "forward"), (0, "cross-entropy"), (1, "take"), (1, "error"),
                             (1, "gradient"), (1, "step m"))},
}
PICKS: dict[str, Callable[[int], int]] = {
    "the first": lambda count: 0,
    "the last": lambda count: count - 1,
    "any": random.Random(7).randrange,
    "any other": random.Random(8).randrange,
}


def messages_of(duel: Duel, segment: int) -> int:
    """How many messages a whole game about a segment has."""
    return 5 + 2 * transcript.find_depth(transcript.count(duel.truth.terms.policy, segment))


@pytest.mark.parametrize("lie", LIES)
def test_honest_challenger_wins_against_a_claimant_who_lies_about(new_duel: Callable[..., Duel], lie: str) -> None:
    duel = new_duel(LIES[lie])
    assert not is_claimed(duel.truth)
    before = duel.market.chain.balance(CHALLENGER)
    end = duel.play()
    assert outcome(end) == ("challenger", "executed")
    assert duel.status() == UNIT_STATUS_REJECTED
    assert duel.market.trainer(CLAIMANT).status == TRAINER_STATUS_SLASHED
    slash = duel.market.slashes()[-1]
    assert slash.reason == SLASH_REASON_DISPUTE
    won = int(attribute(end, "won_ugrad"))
    assert 0 < won == slash.amount_ugrad - slash.burnt_ugrad
    fees = before + won - duel.market.chain.balance(CHALLENGER)
    assert 0 < fees < 20_000


@pytest.mark.parametrize("pick", PICKS)
def test_honest_claimant_wins_against_a_challenger_who_picks(new_duel: Callable[..., Duel], pick: str) -> None:
    duel = new_duel(None, PICKS[pick])
    assert is_claimed(duel.truth)
    supply = duel.market.chain.app.bank.supply(duel.market.chain.ctx())
    before = duel.market.chain.balance(CLAIMANT)
    end = duel.play()
    assert outcome(end) == ("claimant", "executed")
    assert (attribute(end, "won_ugrad"), attribute(end, "burnt_ugrad")) == ("500000", "500001")
    assert duel.status() == UNIT_STATUS_ACCEPTED
    assert supply - duel.market.chain.app.bank.supply(duel.market.chain.ctx()) == 500_001
    assert before + 500_000 - 20_000 < duel.market.chain.balance(CLAIMANT) < before + 500_000
    assert duel.market.slashes() == []


def test_game_has_five_messages_and_two_for_each_level(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, PICKS["the first"])
    duel.play()
    assert len(duel.sent) == messages_of(duel, 0) == 9


def test_list_of_a_million_operations_takes_fifteen_messages() -> None:
    assert 5 + 2 * transcript.find_depth(10**6) == 15


def test_honest_challenger_finds_the_first_wrong_operation(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(new_lie(0, "gradient"))
    duel.reach(DISPUTE_STAGE_OPERATION)
    assert duel.dispute is not None
    assert find_operation(duel.truth.terms, duel.dispute) == find_first(duel.truth, 0, "gradient")


def test_challenger_who_finds_nothing_wrong_makes_no_move_and_loses(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    end = duel.play()
    assert outcome(end) == ("claimant", "silent")
    assert duel.status() == UNIT_STATUS_ACCEPTED


def test_claimant_whose_trace_root_has_no_digests_cannot_move_and_loses(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lambda truth: lie_about_trace(truth, 1))
    duel.send(duel.challenge_msg())
    duel.claimant = duel.truth
    move = duel.next_move()
    assert move is not None
    assert duel.market.refusal(move) == ("disputes", 12)
    assert duel.dispute is not None
    duel.market.wait_for(duel.dispute.deadline_height)
    assert duel.status() == UNIT_STATUS_REJECTED


@pytest.mark.parametrize("large_cost, odd, architecture", (
    (None, False, "mlp_classifier"), (0, False, "mlp_classifier"), (None, True, "mlp_classifier"),
    (None, False, "mlp_regressor"), (None, True, "mlp_regressor")),
    ids=("computed", "checked", "of rows that no importer makes", "of a regressor", "of any bytes for a regressor"))
@pytest.mark.parametrize("segment", (0, 1))
def test_every_operation_of_a_unit_executes_to_what_it_gave_and_to_nothing_else(
        new_duel: Callable[..., Duel], monkeypatch: pytest.MonkeyPatch, segment: int, large_cost: int | None,
        odd: bool, architecture: str) -> None:
    """The last move of the game from every place it can end at, on layers that nobody keeps.

    checked: products of any size count as large, so that their claimed outputs are checked and not computed.
    """
    if large_cost is not None:
        monkeypatch.setattr(transcript, "LARGE_COST", large_cost)
    duel = new_duel(table=new_rows_for(architecture, "odd", 32, 8, 4, 3, odd=odd), architecture=architecture)
    duel.send(duel.challenge_msg())
    held, truth, chain = duel.dispute, duel.truth, duel.market.chain
    assert held is not None
    leaves = truth.list_leaves(segment)
    kinds, checked = dict[str, int](), 0
    for place, leaf in enumerate(leaves):
        kinds[transcript.describe(truth.terms.policy, segment, place).kind] = place
        is_large = transcript.is_large(truth.terms.policy, segment, place)
        checked += is_large
        for node, is_right in ((leaf, True),) if is_large else ((leaf, True), (bytes(32), False)):
            dispute = Dispute()
            dispute.CopyFrom(held)
            dispute.MergeFrom(Dispute(
                stage=DISPUTE_STAGE_OPERATION, segment=segment, begin_root=truth.trace[segment - 1] if segment else b"",
                segment_root=transcript.root(leaves), path=transcript.find_path(len(leaves), place), node=node))
            ctx = chain.ctx(chain.height + 1)
            chain.app.disputes.put_dispute(ctx, dispute)
            message = find_move(dispute, [], truth)
            assert message is not None
            assert prove_operation(ctx, chain.app.disputes, message).is_right == is_right
            assert chain.app.disputes.find_dispute(ctx, 1, duel.unit.round, duel.unit.index) is None
    assert len(kinds) >= 15 and (checked > 0) == (large_cost == 0)


def test_lie_about_a_large_product_loses_though_nobody_computes_it(
        new_duel: Callable[..., Duel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "LARGE_COST", 0)
    duel = new_duel(new_lie(0, "forward"))
    duel.reach(DISPUTE_STAGE_OPERATION)
    proof = duel.next_move()
    assert isinstance(proof, MsgProveOperation) and proof.output
    for output in (b"", duel.truth.read_output(0, find_first(duel.truth, 0, "forward"))):
        other = MsgProveOperation()
        other.CopyFrom(proof)
        other.output = output
        assert duel.market.refusal(other) == ("disputes", 24)
    assert outcome(find_end(duel.send(proof))) == ("challenger", "executed")


def test_several_units_are_disputed_at_once_and_end_each_for_itself(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lie_about_trace)
    other = next(unit for unit in duel.market.units(duel.unit.round) if unit.index != duel.unit.index)
    duel.market.block(duel.challenge_msg(), duel.challenge_msg(unit=other))
    assert [result.code for result in duel.market.results] == [0, 0]
    mine = replace(duel.replay(other).terms)
    assert mine.claimant == other.trainer
    while duel.dispute is not None:
        duel.move()
    duel.market.wait_for(duel.market.chain.height + 10)
    units = duel.market.units(duel.unit.round)
    assert units[duel.unit.index].status == UNIT_STATUS_REJECTED
    assert units[other.index].status == UNIT_STATUS_REJECTED  # its claimant said nothing


def test_bond_stays_in_the_room_while_the_dispute_is_open(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    before = duel.market.chain.balance(CHALLENGER)
    duel.send(duel.challenge_msg())
    assert before - duel.market.chain.balance(CHALLENGER) > BOND_UGRAD
    assert duel.dispute is not None and duel.dispute.bond_ugrad == BOND_UGRAD
