"""Stateless checks of messages, and the pure rules of the game: who is due, who gets what, what an operation reads.

Reads/Writes: nothing. Every bound has its reason in README.md beside this file, section "Bounds".
"""

from collections.abc import Iterable
from dataclasses import dataclass

from abci_app.runtime.contract import UnitTerms
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.merkle import HASH_BYTES
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE, DISPUTE_STAGE_TRACE,
    Dispute, DisputeStage, Node,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import (
    MsgChallenge, MsgPickChild, MsgPickState, MsgPostNode, MsgPostSegment, MsgPostTrace, MsgProveOperation,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import TrainingPolicy
from abci_app.x.disputes.errors import NodeMalformed, RootMalformed, TraceMalformed
from kernels import transcript
from kernels.errors import KernelInputError
from kernels.mlp import WEIGHT_BYTES
from kernels.unit import STATE_BYTES, param_count

STORE = "disputes"
DISPUTES_MAX = 1_024  # of a model
TIMEOUTS_PER_BLOCK = 256
FORGET_BLOCKS = 100
FORGOTTEN_ROUNDS_PER_BLOCK = 16
FORGOTTEN_PER_ROUND = 256  # in a block
MOVE_BLOCKS_MIN = 10
DIGESTS_MAX = 4_096
NODES_MAX = 4_096
CHALLENGER_STAGES = (DISPUTE_STAGE_STATE, DISPUTE_STAGE_CHILD)


def check_challenge(msg: MsgChallenge) -> None:
    """Stateless validity of MsgChallenge. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.challenger)
    parse_base_amount(msg.bond)


def check_post_trace(msg: MsgPostTrace) -> None:
    """Stateless validity of MsgPostTrace. Raises InvalidAddress (sdk/7), TraceMalformed (disputes/11)."""
    decode_address(msg.claimant)
    if not 1 <= len(msg.digests) <= DIGESTS_MAX or not _are_hashes(msg.digests):
        raise TraceMalformed(f"{len(msg.digests)} given")


def check_pick_state(msg: MsgPickState) -> None:
    """Stateless validity of MsgPickState. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.challenger)


def check_post_segment(msg: MsgPostSegment) -> None:
    """Stateless validity of MsgPostSegment. Raises InvalidAddress, RootMalformed, NodeMalformed (disputes/14, /15)."""
    decode_address(msg.claimant)
    if len(msg.root) != HASH_BYTES:
        raise RootMalformed(f"{len(msg.root)} bytes given")
    _check_nodes(msg.nodes)


def check_post_node(msg: MsgPostNode) -> None:
    """Stateless validity of MsgPostNode. Raises InvalidAddress (sdk/7), NodeMalformed (disputes/15)."""
    decode_address(msg.claimant)
    _check_children(msg.children)


def check_pick_child(msg: MsgPickChild) -> None:
    """Stateless validity of MsgPickChild. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.challenger)


def check_prove_operation(msg: MsgProveOperation) -> None:
    """Stateless validity of MsgProveOperation. Raises InvalidAddress (sdk/7), NodeMalformed (disputes/15).

    Chunks, rows and their proofs are checked in the handler, which knows the operation.
    """
    decode_address(msg.claimant)
    _check_nodes(msg.nodes)


def is_challenger_due(stage: DisputeStage) -> bool:
    """Whether the next move is the challenger's; else it is the claimant's."""
    return stage in CHALLENGER_STAGES


def compute_move_blocks(training: TrainingPolicy) -> int:
    """How many blocks a side has for a move: who was started anew computes the whole unit first, for which a contract
    gives the blocks of a commit; and so many that proposers cannot keep the move out."""
    return max(training.commit_blocks, training.reveal_blocks, MOVE_BLOCKS_MIN)


def compute_bond_min(challenge_bond_ugrad: int, won_count: int) -> int:
    """The least bond of a challenge, by the contract's and how often the claimant has won a dispute of the unit: twice
    as much each time, so that who delays a settlement for n disputes has to lose 2^n - 1 bonds."""
    return challenge_bond_ugrad << won_count


def compute_won(bond_ugrad: int) -> int:
    """What a claimant gets of the bond of a challenger who has lost: half of it, rounded down; the rest is burnt."""
    return bond_ugrad >> 1


def compute_segment_count(terms: UnitTerms) -> int:
    """Segments of a unit, each between two digests of its trace; and so its digests."""
    policy = terms.policy
    return (policy.local_steps + policy.trace_every - 1) // policy.trace_every  # rounded up: the last may be shorter


@dataclass(frozen=True, slots=True)
class Reading:
    """What an operation reads, each thing once, by rising place.

    outputs: of earlier operations of the segment. state: chunks of the state before the segment, which segment 0 has
    none of. weights: chunks of the round's weights. rows: of the dataset.
    """

    outputs: tuple[int, ...]
    state: tuple[int, ...]
    weights: tuple[int, ...]
    rows: tuple[int, ...]


def list_reading(terms: UnitTerms, segment: int, operation: int) -> Reading:
    """What a claimant has to show so that an operation can be executed."""
    places: dict[str, list[int]] = {"list": [], "state": [], "start": [], "rows": [], "targets": []}
    for ref in transcript.describe(terms.policy, segment, operation).inputs:
        places[ref.source].append(ref.place)
    rows = [terms.find_row(place) for place in places["rows"] + places["targets"]]
    return Reading(_rise(places["list"]), _rise(places["state"]), _rise(places["start"]), _rise(rows))


def find_operation(terms: UnitTerms, dispute: Dispute) -> int:
    """The operation that is left of a dispute, in stage OPERATION: its number in the segment's list."""
    return transcript.find_leaf(transcript.count(terms.policy, dispute.segment), tuple(dispute.path))


def count_weight_bytes(terms: UnitTerms) -> int:
    """Bytes of the model's weights."""
    return WEIGHT_BYTES * param_count(terms.policy.model)


def count_state_bytes(terms: UnitTerms) -> int:
    """Bytes of the state between two steps: weights and what the optimiser keeps."""
    return STATE_BYTES[type(terms.policy.optimiser)] * param_count(terms.policy.model)


def list_ends(terms: UnitTerms, segment: int, end_root: bytes) -> dict[int, bytes]:
    """Leaves that the list of a segment must have, by place: the claimed state, and of the last segment the payload."""
    ends = {transcript.state_root_index(terms.policy, segment): transcript.leaf(end_root)}
    if segment == compute_segment_count(terms) - 1:
        ends[transcript.payload_root_index(terms.policy)] = transcript.leaf(terms.payload_root)
    return ends


def find_contradiction(terms: UnitTerms, dispute: Dispute) -> str | None:
    """What a record says that no game about a unit of these terms comes to; None for nothing."""
    stage, begin, root = dispute.stage, dispute.begin_root, dispute.segment_root
    if not DISPUTE_STAGE_TRACE <= stage <= DISPUTE_STAGE_OPERATION:
        return "it waits for no move"
    if dispute.bond_ugrad == 0 or not 0 < dispute.opened_height <= dispute.deadline_height:
        return "it has no bond, or its deadline is before its challenge"
    has_segment, has_list = stage >= DISPUTE_STAGE_SEGMENT, stage > DISPUTE_STAGE_SEGMENT
    if (len(dispute.end_root), len(begin)) != (HASH_BYTES * has_segment, HASH_BYTES * (dispute.segment > 0)) \
            or dispute.segment >= (compute_segment_count(terms) if has_segment else 1):
        return "its segment and the states around it are not those of its stage"
    if len(root) != HASH_BYTES * has_list or len(dispute.node) != HASH_BYTES * has_list \
            or not has_list and (dispute.path or dispute.children) or not dispute.path and dispute.node != root:
        return "its root, path and node are not those of its stage"
    return _find_node_contradiction(terms, dispute) if has_list else None


def _find_node_contradiction(terms: UnitTerms, dispute: Dispute) -> str | None:
    """As find_contradiction, of the node in question and what stands below it."""
    count, path = transcript.count(terms.policy, dispute.segment), tuple(dispute.path)
    try:
        if dispute.stage == DISPUTE_STAGE_OPERATION:
            transcript.find_leaf(count, path)
        else:
            transcript.child_count(count, path)
    except KernelInputError:
        return "its path leads nowhere in the list of operations, or too far"
    if dispute.stage != DISPUTE_STAGE_CHILD:
        return "it has children in a stage without" if dispute.children else None
    is_parent = transcript.verify_children(dispute.node, list(dispute.children), count, path)
    return None if is_parent else "its children do not give its node"


def list_children(nodes: Iterable[Node]) -> list[list[bytes]]:
    """The nodes of a message as lists of hashes."""
    return [list(node.children) for node in nodes]


def _rise(places: list[int]) -> tuple[int, ...]:
    return tuple(sorted(dict.fromkeys(places)))


def _check_nodes(nodes: Iterable[Node]) -> None:
    listed = list(nodes)
    if len(listed) > NODES_MAX:
        raise NodeMalformed(f"{len(listed)} nodes given, {NODES_MAX} at most")
    for node in listed:
        _check_children(node.children)


def _check_children(children: Iterable[bytes]) -> None:
    listed = list(children)
    if not 1 <= len(listed) <= transcript.ARITY or not _are_hashes(listed):
        raise NodeMalformed(f"{len(listed)} children given")


def _are_hashes(values: Iterable[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
