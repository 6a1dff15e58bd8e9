"""Moves that are refused: too late, of the wrong side, out of turn, malformed. None changes or loses anything."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.runtime import contract
from abci_app.runtime.gas import GasMeter
from abci_app.wire.errors import ChainError, OutOfGas
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_NODE, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE,
    DISPUTE_STAGE_TRACE, DisputeStage, ProvedChunk,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import (
    MsgChallenge, MsgPickChild, MsgPickState, MsgProveOperation,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED
from abci_app.wire.seed import draw_row
from abci_app.x.disputes import block, errors, types
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.msgs import game
from kernels import transcript
from kernels.chunks import chunk_root
from tests.chain import address_of
from tests.sim.rows import new_rows_for
from tests.unit.disputes.duel import BOND_UGRAD, Duel, find_end, outcome
from tests.unit.disputes.liars import lie_about_trace

STAGES = (DISPUTE_STAGE_TRACE, DISPUTE_STAGE_STATE, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_NODE, DISPUTE_STAGE_CHILD,
          DISPUTE_STAGE_OPERATION)
CLAIMANT_STAGES = tuple(stage for stage in STAGES if not types.is_challenger_due(stage))
EXAMPLES = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


def name_of(stage: DisputeStage) -> str:
    return DisputeStage.Name(stage).removeprefix("DISPUTE_STAGE_").lower()


def any_stage(stages: tuple[DisputeStage, ...] = STAGES) -> Any:
    return pytest.mark.parametrize("stage", stages, ids=name_of)


def last(count: int) -> int:
    """A challenger who disputes the payload, and so the last operations."""
    return count - 1


def refusal(duel: Duel, message: Message) -> type[ChainError] | None:
    """What a message would be refused with now; None when it would be taken."""
    chain = duel.market.chain
    route = next(route for route in chain.app.router.msgs.values() if isinstance(message, route.request))
    try:
        route.check(message)
        route.run(chain.ctx(chain.height + 1), message)
    except ChainError as error:
        return type(error)
    return None


def changed(message: Message, **fields: Any) -> Message:
    """A copy with other values; lists replace lists."""
    copy = type(message)()
    copy.CopyFrom(message)
    for name, value in fields.items():
        if isinstance(value, list):
            copy.ClearField(name)
            getattr(copy, name).extend(value)
        else:
            setattr(copy, name, value)
    return copy


@any_stage()
def test_silent_side_loses_at_its_deadline_and_not_before(new_duel: Callable[..., Duel], stage: DisputeStage) -> None:
    duel = new_duel(None, last)
    duel.reach(stage)
    dispute = duel.dispute
    assert dispute is not None and dispute.deadline_height == duel.market.chain.height + 10
    duel.market.wait_for(dispute.deadline_height - 1)
    assert duel.dispute == dispute
    end = find_end(duel.market.block())
    if types.is_challenger_due(stage):
        assert outcome(end) == ("claimant", "silent") and duel.status() == UNIT_STATUS_ACCEPTED
    else:
        assert outcome(end) == ("challenger", "silent") and duel.status() == UNIT_STATUS_REJECTED
    assert duel.dispute is None


@any_stage()
def test_move_in_the_block_of_its_deadline_counts(new_duel: Callable[..., Duel], stage: DisputeStage) -> None:
    duel = new_duel(None, last)
    duel.reach(stage)
    assert duel.dispute is not None
    duel.market.wait_for(duel.dispute.deadline_height - 1)
    duel.move()
    assert duel.dispute is None if stage == DISPUTE_STAGE_OPERATION else duel.stage != stage
    assert duel.status() == UNIT_STATUS_ACCEPTED


@pytest.mark.parametrize("phase", ("commit_blocks", "reveal_blocks"))
def test_side_has_as_many_blocks_as_a_commit_or_a_reveal_where_those_are_more(new_duel: Callable[..., Duel],
                                                                              phase: str) -> None:
    """A claimant that was started anew computes its unit again, for which it has the blocks of a commit."""
    duel = new_duel(kept_rounds=10, **{phase: 25})
    duel.send(duel.challenge_msg())
    assert duel.dispute is not None
    assert duel.dispute.deadline_height == duel.market.chain.height + 25


def test_what_a_block_does_not_bear_ends_in_the_next_and_takes_no_move_till_then(
        new_duel: Callable[..., Duel], monkeypatch: pytest.MonkeyPatch) -> None:
    duel = new_duel(lie_about_trace)
    other = next(unit for unit in duel.market.units(duel.unit.round) if unit.index != duel.unit.index)
    duel.market.block(duel.challenge_msg(), duel.challenge_msg(unit=other))
    assert duel.dispute is not None
    monkeypatch.setattr(block, "TIMEOUTS_PER_BLOCK", 1)
    deadline = duel.dispute.deadline_height
    ends = [event for event in duel.market.wait_for(deadline) if event.type == "disputes.dispute_ended"]
    assert len(ends) == 1
    disputes = list(duel.market.chain.app.disputes.iter_disputes(duel.market.chain.ctx()))
    assert len(disputes) == 1
    if disputes[0].unit == duel.unit.index:
        move = duel.next_move()
        assert move is not None and refusal(duel, move) is errors.DeadlinePassed
    find_end(duel.market.block())


@any_stage()
def test_move_of_another_side_or_stage_is_refused(new_duel: Callable[..., Duel], stage: DisputeStage) -> None:
    duel = new_duel(None, last)
    moves: dict[DisputeStage, Message] = {}
    duel.send(duel.challenge_msg())
    while duel.dispute is not None:
        move = duel.next_move()
        assert move is not None
        moves[duel.stage] = move
        if duel.stage == stage:
            break
        duel.move()
    held, right = duel.dispute, moves[stage]
    signer = "challenger" if types.is_challenger_due(stage) else "claimant"
    other = "claimant" if signer == "challenger" else "challenger"
    for sender in (getattr(held, other), address_of("boss")):
        assert refusal(duel, changed(right, **{signer: sender})) is errors.PartyWrong
    for passed, move in moves.items():
        if passed != stage:
            assert refusal(duel, move) is errors.StageWrong
    assert refusal(duel, changed(right, unit=77)) is errors.DisputeNotFound
    assert refusal(duel, changed(right, model_id=2**63)) is errors.DisputeNotFound
    assert refusal(duel, changed(right, **{signer: "gradus1ann"})) is not None
    assert refusal(duel, right) is None
    assert duel.dispute == held


def test_challenger_picks_only_what_is_there(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, last)
    duel.reach(DISPUTE_STAGE_STATE)
    move = duel.next_move()
    assert isinstance(move, MsgPickState) and move.place == 2
    for place in (3, 2**32 - 1):
        assert refusal(duel, changed(move, place=place)) is errors.StatePlaceInvalid
    duel.reach(DISPUTE_STAGE_CHILD)
    move = duel.next_move()
    assert isinstance(move, MsgPickChild)
    for place in (move.place + 1, 2**32 - 1):
        assert refusal(duel, changed(move, place=place)) is errors.ChildPlaceInvalid


def test_move_draws_the_rows_of_its_operation_and_no_others(new_duel: Callable[..., Duel],
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit of a small model may have 2^24 examples, and every move asks for its terms, also one that is refused."""
    drawn: list[int] = []

    def count_draw(seed: bytes, place: int, row_count: int) -> int:
        drawn.append(place)
        return draw_row(seed, place, row_count)

    duel = new_duel(None, last)
    duel.send(duel.challenge_msg())
    monkeypatch.setattr(contract, "draw_row", count_draw)
    while duel.dispute is not None:
        move = duel.next_move()
        del drawn[:]
        with monkeypatch.context() as patch:
            patch.setattr(contract, "draw_rows", None)
            assert move is not None and refusal(duel, move) is None
        assert len(drawn) <= transcript.INPUTS_MAX if isinstance(move, MsgProveOperation) else not drawn
        duel.move()


def test_trace_is_paid_before_it_is_read(new_duel: Callable[..., Duel], monkeypatch: pytest.MonkeyPatch) -> None:
    """Else whoever may pick has thousands of digests hashed for the price of a refused message, again and again."""
    duel = new_duel(None, last)
    duel.reach(DISPUTE_STAGE_STATE)
    move, chain = duel.next_move(), duel.market.chain
    assert isinstance(move, MsgPickState)
    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "get_trace", None)
        assert refusal(duel, changed(move, place=3)) is errors.StatePlaceInvalid
        with pytest.raises(OutOfGas):
            game.pick_state(chain.ctx(chain.height + 1).branch(GasMeter(63)), chain.app.disputes, move)
    assert refusal(duel, move) is None


MUTATIONS = ("flip", "cut", "grow", "empty", "drop", "repeat", "swap", "add")


def mutate(message: Message, draw: Callable[[Any], Any]) -> Message:
    """A copy of a claimant's move in which one field, anywhere below it, is not what it was (or, rarely, is)."""
    copy = type(message)()
    copy.CopyFrom(message)
    fields = list(iter_fields(copy))
    owner, field = draw(st.sampled_from(fields))
    how = draw(st.sampled_from(MUTATIONS))
    value = getattr(owner, field.name)
    if not field.is_repeated:
        setattr(owner, field.name, mutate_bytes(value, how, draw))
        return copy
    items = list(value)
    at = draw(st.integers(0, max(0, len(items) - 1)))
    if how == "drop" and items:
        items.pop(at)
    elif how == "repeat" and items:
        items.insert(at, items[at])
    elif how == "swap" and len(items) > 1:
        items[at - 1], items[at] = items[at], items[at - 1]
    elif how == "add":
        items.append(field.message_type._concrete_class() if field.message_type else bytes(32))
    elif items and not field.message_type:
        items[at] = mutate_bytes(items[at], how, draw)
    owner.ClearField(field.name)
    getattr(owner, field.name).extend(items)
    return copy


def iter_fields(message: Message) -> Iterator[tuple[Message, Any]]:
    """Fields of bytes and of messages, at any depth, with the message that each is of."""
    for field in message.DESCRIPTOR.fields:
        if field.type in (field.TYPE_BYTES, field.TYPE_MESSAGE):
            yield message, field
            if field.message_type:
                for one in getattr(message, field.name):
                    yield from iter_fields(one)


def mutate_bytes(value: bytes, how: str, draw: Callable[[Any], Any]) -> bytes:
    """Other bytes."""
    if how == "flip" and value:
        at = draw(st.integers(0, len(value) - 1))
        return value[:at] + bytes([value[at] ^ 1 << draw(st.integers(0, 7))]) + value[at + 1:]
    if how == "cut":
        return value[:-1]
    return b"" if how == "empty" else value + b"\x00"


@any_stage(CLAIMANT_STAGES)
@pytest.mark.parametrize("pick", (last, lambda count: 0), ids=("the payload", "the first operation"))
def test_claimants_move_that_is_not_exactly_the_right_one_is_refused(
        new_duel: Callable[..., Duel], stage: DisputeStage, pick: Callable[[int], int]) -> None:
    duel = new_duel(None, pick)
    duel.reach(stage)
    right, before = duel.next_move(), duel.market.chain.state()
    assert right is not None

    @EXAMPLES
    @given(st.data())
    def check(data: st.DataObject) -> None:
        message = mutate(right, data.draw)
        if message != right:
            found = refusal(duel, message)
            assert found is not None and found.codespace == "disputes", message

    check()
    assert duel.market.chain.state() == before
    assert refusal(duel, right) is None


def test_each_part_of_a_proof_is_refused_by_its_own_error(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, lambda count: 0)
    duel.reach(DISPUTE_STAGE_OPERATION)
    first: Any = duel.next_move()
    assert first.weights and refusal(duel, first) is None
    spoilt = ProvedChunk(chunk=bytes(len(first.weights[0].chunk)), proof=first.weights[0].proof)
    assert refusal(duel, changed(first, weights=[spoilt])) is errors.WeightsProofInvalid
    assert refusal(duel, changed(first, weights=[])) is errors.InputsMalformed
    assert refusal(duel, changed(first, row_proof=[bytes(32)])) is errors.InputsMalformed
    assert refusal(duel, changed(first, output=b"\x00")) is errors.ClaimedOutputWrong


def test_root_and_nodes_of_a_segment_must_end_with_what_was_claimed(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(None, last)
    duel.reach(DISPUTE_STAGE_SEGMENT)
    right: Any = duel.next_move()
    leaves = [bytes(32)] * transcript.count(duel.truth.terms.policy, 1)
    ends = sorted(types.list_ends(duel.truth.terms, 1, duel.truth.trace[1]))
    opened = [type(right.nodes[0])(children=children) for children in transcript.open_leaves(leaves, ends)]
    assert refusal(duel, changed(right, root=transcript.root(leaves), nodes=opened)) is errors.SegmentMismatch
    assert refusal(duel, changed(right, root=bytes(31))) is errors.RootMalformed
    assert refusal(duel, changed(right, nodes=[*right.nodes] * 4_096)) is errors.NodeMalformed


def test_challenge_is_refused_by_its_own_errors(new_duel: Callable[..., Duel], monkeypatch: pytest.MonkeyPatch) -> None:
    duel = new_duel(challenge_bond_ugrad=BOND_UGRAD)
    right = duel.challenge_msg()
    assert refusal(duel, duel.challenge_msg(BOND_UGRAD - 1)) is errors.BondTooLow
    assert refusal(duel, changed(right, unit=9)) is errors.UnitNotChallengeable
    assert refusal(duel, changed(right, round=2)) is errors.UnitNotChallengeable
    assert refusal(duel, changed(right, model_id=9)) is errors.UnitNotChallengeable
    for amount in ("0", "-1", str(2**64)):
        bad = MsgChallenge(challenger=right.challenger, model_id=1, round=1, bond={"denom": "ugrad", "amount": amount})
        found = refusal(duel, bad)
        assert found is not None and (found.codespace, found.code) == ("sdk", 10)
    poor = refusal(duel, changed(right, challenger=address_of("nobody")))
    assert poor is not None and (poor.codespace, poor.code) == ("sdk", 5)
    duel.send(right)
    assert refusal(duel, right) is errors.UnitDisputed
    other = next(unit for unit in duel.market.units(duel.unit.round) if unit.index != duel.unit.index)
    assert refusal(duel, duel.challenge_msg(unit=other)) is None
    monkeypatch.setattr("abci_app.x.disputes.msgs.game.DISPUTES_MAX", 1)
    assert refusal(duel, duel.challenge_msg(unit=other)) is errors.DisputesFull


def test_unit_of_a_decoder_cannot_be_challenged(new_duel: Callable[..., Duel]) -> None:
    market = new_duel(table=new_rows_for("decoder", "text", 32, 8, 4, 3), architecture="decoder").market
    unit = next(unit for unit in market.units(1) if unit.status == UNIT_STATUS_ACCEPTED)
    message = MsgChallenge(challenger=address_of("eve"), model_id=1, round=1, unit=unit.index,
                           bond={"denom": "ugrad", "amount": str(BOND_UGRAD)})
    assert market.refusal(message) == (errors.ModelUndisputable.codespace, errors.ModelUndisputable.code)


def test_unit_cannot_be_challenged_when_its_window_has_passed(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel()
    settle_height = duel.market.round(duel.unit.round).settle_height
    duel.market.wait_for(settle_height - 1)
    assert refusal(duel, duel.challenge_msg()) is None
    duel.market.wait_for(settle_height)
    assert refusal(duel, duel.challenge_msg()) is errors.UnitNotChallengeable


def test_dispute_with_oneself_does_not_shut_others_out(new_duel: Callable[..., Duel]) -> None:
    """The window has passed when the dispute ends, and the next challenger is heard."""
    duel = new_duel(lie_about_trace, challenge_blocks=6)
    duel.send(duel.challenge_msg())
    duel.move()
    assert duel.stage == DISPUTE_STAGE_STATE and duel.dispute is not None
    duel.market.wait_for(duel.dispute.deadline_height)
    assert duel.dispute is None and duel.status() == UNIT_STATUS_ACCEPTED
    duel.send(duel.challenge_msg())
    while duel.dispute is not None:
        duel.move()
    assert duel.status() == UNIT_STATUS_REJECTED


def test_state_chunks_of_another_root_are_refused(new_duel: Callable[..., Duel]) -> None:
    duel = new_duel(lambda truth: lie_about_trace(truth, 1), None)
    duel.reach(DISPUTE_STAGE_OPERATION)
    move: Any = duel.next_move()
    assert duel.dispute is not None and duel.dispute.segment == 1
    if move.state:
        data = bytes(len(duel.truth.load_state(1)))
        assert chunk_root(data) != duel.dispute.begin_root
        spoilt = [ProvedChunk(chunk=one.chunk[:-1] + b"\x7f", proof=one.proof) for one in move.state]
        assert refusal(duel, changed(move, state=spoilt)) is errors.StateProofInvalid
