"""The game from a challenge down to one operation: each move is named checks, then writes.

    MsgChallenge -> MsgPostTrace -> MsgPickState -> MsgPostSegment -> (MsgPostNode -> MsgPickChild) ... -> proof.py

Whoever picks the first thing that it disputes agrees with all that stands before it.
"""

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import BLOB_READ_BYTE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin, parse_base_amount
from abci_app.wire.merkle import HASH_BYTES, merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_NODE, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE,
    DISPUTE_STAGE_TRACE, Dispute, DisputeStage,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import (
    MsgChallenge, MsgChallengeResponse, MsgPickChild, MsgPickChildResponse, MsgPickState, MsgPickStateResponse,
    MsgPostNode, MsgPostNodeResponse, MsgPostSegment, MsgPostSegmentResponse, MsgPostTrace, MsgPostTraceResponse,
    MsgProveOperation,
)
from abci_app.x.disputes import events
from abci_app.x.disputes.errors import (
    BondTooLow, ChildPlaceInvalid, DeadlinePassed, DisputeMoot, DisputesFull, ModelUndisputable, NodeMismatch,
    PartyWrong, SegmentMismatch, StatePlaceInvalid, StageWrong, TraceMismatch, UnitDisputed, UnitNotChallengeable,
)
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.types import (
    DISPUTES_MAX, STORE, compute_move_blocks, compute_segment_count, is_challenger_due, list_children, list_ends,
)
from kernels import transcript

Move = MsgPostTrace | MsgPickState | MsgPostSegment | MsgPostNode | MsgPickChild | MsgProveOperation


def challenge(ctx: Ctx, keeper: Keeper, msg: MsgChallenge) -> MsgChallengeResponse:
    """Open a dispute of an accepted unit, with the challenger's bond; the claimant is due to post its trace.

    Checks, in consensus order: no dispute of the unit open, unit challengeable, units of its model can be disputed,
    room for one more, bond reaches the least one (Keeper.compute_bond_min), coins there.
    Raises: UnitDisputed (disputes/3), UnitNotChallengeable (disputes/2), ModelUndisputable (disputes/25), DisputesFull
    (disputes/4), BondTooLow (disputes/5), InsufficientFunds (sdk/5).
    Emits: disputes.unit_challenged.    Gas: 3 writes, those of the work room's mark, and the bank's.
    """
    if keeper.find_dispute(ctx, msg.model_id, msg.round, msg.unit) is not None:
        raise UnitDisputed(f"model {msg.model_id}, round {msg.round}, unit {msg.unit}")
    unit = keeper.work.find_challengeable(ctx, msg.model_id, msg.round, msg.unit)
    if unit is None:
        raise UnitNotChallengeable(f"model {msg.model_id}, round {msg.round}, unit {msg.unit}")
    if not keeper.is_disputable(ctx, msg.model_id, msg.round):
        raise ModelUndisputable(f"model {msg.model_id}")
    if keeper.count_disputes(ctx, msg.model_id) >= DISPUTES_MAX:
        raise DisputesFull(f"{DISPUTES_MAX} are open")
    dispute = Dispute(model_id=msg.model_id, round=msg.round, unit=msg.unit, claimant=unit.trainer,
                      challenger=msg.challenger, bond_ugrad=parse_base_amount(msg.bond), opened_height=ctx.height,
                      stage=DISPUTE_STAGE_TRACE)
    required_ugrad = keeper.compute_bond_min(ctx, dispute)
    if dispute.bond_ugrad < required_ugrad:
        raise BondTooLow(f"{dispute.bond_ugrad} offered, {required_ugrad} required")
    keeper.bank.send_to_module(ctx, decode_address(msg.challenger), STORE, (base_coin(dispute.bond_ugrad),))
    keeper.work.mark_disputed(ctx, unit, True)
    dispute.deadline_height = ctx.height + compute_move_blocks(keeper.get_spec(ctx, dispute).training)
    keeper.put_dispute(ctx, dispute)
    ctx.emit(events.unit_challenged(dispute))
    return MsgChallengeResponse(deadline_height=dispute.deadline_height)


def post_trace(ctx: Ctx, keeper: Keeper, msg: MsgPostTrace) -> MsgPostTraceResponse:
    """Take the digests of the claimed trace, from which the challenger picks.

    Checks, in consensus order: those of every move (`get_waiting`), the digests are those under the trace root.
    Raises: what `get_waiting` raises, TraceMismatch (disputes/12).
    Emits: disputes.move_made.    Gas: 3 writes, BLOB_BYTE_GAS for each byte.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.claimant, DISPUTE_STAGE_TRACE)
    terms = keeper.compute_terms(ctx, dispute)
    digests, count = list(msg.digests), compute_segment_count(terms)
    if len(digests) != count or merkle_root(digests) != terms.trace_root:
        raise TraceMismatch(f"{len(digests)} given, {count} under {terms.trace_root.hex()}")
    keeper.put_trace(ctx, dispute, digests)
    _move_on(ctx, keeper, dispute, DISPUTE_STAGE_STATE)
    return MsgPostTraceResponse()


def pick_state(ctx: Ctx, keeper: Keeper, msg: MsgPickState) -> MsgPickStateResponse:
    """Dispute the segment that ends with the first wrong digest, or the last one's payload when all are right.

    Checks, in consensus order: those of every move, the place is one of the trace's digests or their number.
    Raises: what `get_waiting` raises, StatePlaceInvalid (disputes/13).
    Emits: disputes.move_made.    Gas: BLOB_READ_BYTE_GAS for each byte of the trace before it is read; 3 writes.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.challenger, DISPUTE_STAGE_STATE)
    terms = keeper.compute_terms(ctx, dispute)
    count = compute_segment_count(terms)
    if msg.place > count:
        raise StatePlaceInvalid(f"{msg.place} of {count} digests")
    ctx.gas.use(BLOB_READ_BYTE_GAS * HASH_BYTES * count, "trace")
    digests = keeper.get_trace(ctx, dispute, terms.trace_root)
    dispute.segment = min(msg.place, len(digests) - 1)
    dispute.begin_root = digests[dispute.segment - 1] if dispute.segment else b""
    dispute.end_root = digests[dispute.segment]
    keeper.drop_trace(ctx, dispute)
    _move_on(ctx, keeper, dispute, DISPUTE_STAGE_SEGMENT)
    return MsgPickStateResponse()


def post_segment(ctx: Ctx, keeper: Keeper, msg: MsgPostSegment) -> MsgPostSegmentResponse:
    """Take the root of the claimed list of operations, which must end with what was claimed.

    Checks, in consensus order: those of every move, the nodes prove that the list has the claimed state after the
    segment, and the last segment's also the claimed payload, in their places.
    Raises: what `get_waiting` raises, SegmentMismatch (disputes/16).
    Emits: disputes.move_made.    Gas: 3 writes.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.claimant, DISPUTE_STAGE_SEGMENT)
    terms = keeper.compute_terms(ctx, dispute)
    count = transcript.count(terms.policy, dispute.segment)
    ends = list_ends(terms, dispute.segment, dispute.end_root)
    if not transcript.verify_leaves(msg.root, count, ends, list_children(msg.nodes)):
        raise SegmentMismatch(f"segment {dispute.segment} of {count} operations")
    dispute.segment_root = msg.root
    dispute.node = msg.root
    _move_on(ctx, keeper, dispute, DISPUTE_STAGE_NODE)
    return MsgPostSegmentResponse()


def post_node(ctx: Ctx, keeper: Keeper, msg: MsgPostNode) -> MsgPostNodeResponse:
    """Take what stands below the node in question.

    Checks, in consensus order: those of every move, as many children as the tree has there, which give the node.
    Raises: what `get_waiting` raises, NodeMismatch (disputes/17).
    Emits: disputes.move_made.    Gas: 3 writes.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.claimant, DISPUTE_STAGE_NODE)
    count = transcript.count(keeper.compute_terms(ctx, dispute).policy, dispute.segment)
    children, path = list(msg.children), tuple(dispute.path)
    if not transcript.verify_children(dispute.node, children, count, path):
        raise NodeMismatch(f"{len(children)} given, {transcript.child_count(count, path)} under {dispute.node.hex()}")
    dispute.children.extend(children)
    _move_on(ctx, keeper, dispute, DISPUTE_STAGE_CHILD)
    return MsgPostNodeResponse()


def pick_child(ctx: Ctx, keeper: Keeper, msg: MsgPickChild) -> MsgPickChildResponse:
    """Go down to the first child that is wrong; at the leaves it is the one operation to prove.

    Checks, in consensus order: those of every move, the node has such a child.
    Raises: what `get_waiting` raises, ChildPlaceInvalid (disputes/18).
    Emits: disputes.move_made.    Gas: 3 writes.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.challenger, DISPUTE_STAGE_CHILD)
    if msg.place >= len(dispute.children):
        raise ChildPlaceInvalid(f"child {msg.place} of {len(dispute.children)}")
    count = transcript.count(keeper.compute_terms(ctx, dispute).policy, dispute.segment)
    dispute.node = dispute.children[msg.place]
    dispute.path.append(msg.place)
    dispute.ClearField("children")
    is_leaf = len(dispute.path) == transcript.find_depth(count)
    _move_on(ctx, keeper, dispute, DISPUTE_STAGE_OPERATION if is_leaf else DISPUTE_STAGE_NODE)
    return MsgPickChildResponse()


def get_waiting(ctx: Ctx, keeper: Keeper, msg: Move, sender: str, stage: DisputeStage) -> Dispute:
    """The dispute that a move is for, if it waits for this move of this account: the checks of every move.

    Raises: DisputeNotFound (disputes/6), DeadlinePassed (disputes/10), DisputeMoot (disputes/7), StageWrong
    (disputes/9), PartyWrong (disputes/8).
    """
    dispute = keeper.get_dispute(ctx, msg.model_id, msg.round, msg.unit)
    if ctx.height > dispute.deadline_height:
        raise DeadlinePassed(f"it was due by height {dispute.deadline_height}")
    if keeper.is_moot(ctx, dispute):
        raise DisputeMoot(f"model {msg.model_id}, round {msg.round}, unit {msg.unit}")
    if dispute.stage != stage:
        raise StageWrong(f"stage {DisputeStage.Name(dispute.stage).removeprefix('DISPUTE_STAGE_').lower()}")
    if sender != (dispute.challenger if is_challenger_due(stage) else dispute.claimant):
        raise PartyWrong(f"{sender} is not due")
    return dispute


def _move_on(ctx: Ctx, keeper: Keeper, dispute: Dispute, stage: DisputeStage) -> None:
    """Wait for the next move. Emits disputes.move_made."""
    dispute.stage = stage
    dispute.deadline_height = ctx.height + compute_move_blocks(keeper.get_spec(ctx, dispute).training)
    keeper.put_dispute(ctx, dispute)
    ctx.emit(events.move_made(dispute))
