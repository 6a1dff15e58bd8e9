"""The next move of a dispute, for either side, as a pure function of the dispute and of the unit replayed here.

Whoever moves as these functions say and has the true replay never loses: abci_app/x/disputes/README.md.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from google.protobuf.message import Message

from abci_app.runtime.contract import UnitTerms
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_STAGE_CHILD, DISPUTE_STAGE_NODE, DISPUTE_STAGE_OPERATION, DISPUTE_STAGE_SEGMENT, DISPUTE_STAGE_STATE,
    DISPUTE_STAGE_TRACE, Dispute, Node, ProvedChunk,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import (
    MsgPickChild, MsgPickState, MsgPostNode, MsgPostSegment, MsgPostTrace, MsgProveOperation,
)
from abci_app.x.disputes.types import find_operation, list_ends, list_reading
from kernels import transcript
from kernels.chunks import chunk_proof, split


class Replay(Protocol):
    """A unit as this side says that it goes."""

    @property
    def terms(self) -> UnitTerms:
        """What the unit is computed from, and what was claimed of it."""

    @property
    def trace(self) -> Sequence[bytes]:
        """The digests of the states after each segment."""

    @property
    def payload_root(self) -> bytes:
        """The root of the payload."""

    def list_leaves(self, segment: int) -> Sequence[bytes]:
        """The hashes of the outputs of a segment's operations, in their order."""

    def read_output(self, segment: int, operation: int) -> bytes:
        """The output of one operation."""

    def load_state(self, segment: int) -> bytes:
        """The state before a segment."""

    def load_weights(self) -> bytes:
        """The weights that the unit begins with."""

    def load_rows(self, indices: Sequence[int]) -> tuple[bytes, list[bytes]]:
        """Rows of the dataset at rising indices, concatenated, with their multiproof."""


def is_claimed(replay: Replay) -> bool:
    """Whether the claim is exactly what the replay gives."""
    return (replay.payload_root == replay.terms.payload_root
            and merkle_root(replay.trace) == replay.terms.trace_root)


def find_move(dispute: Dispute, posted: Sequence[bytes], replay: Replay) -> Message | None:
    """What the side that is due sends. None for a challenger who finds nothing wrong, and so has lost.

    posted: the trace that the claimant has posted, in stage STATE.
    """
    if dispute.stage == DISPUTE_STAGE_STATE:
        return _pick_state(dispute, posted, replay)
    if dispute.stage == DISPUTE_STAGE_CHILD:
        return _pick_child(dispute, replay)
    if dispute.stage == DISPUTE_STAGE_TRACE:
        return MsgPostTrace(**_claimant(dispute), digests=replay.trace)
    if dispute.stage == DISPUTE_STAGE_SEGMENT:
        return _post_segment(dispute, replay)
    if dispute.stage == DISPUTE_STAGE_NODE:
        return MsgPostNode(**_claimant(dispute), children=_list_children(dispute, replay))
    return _prove_operation(dispute, replay) if dispute.stage == DISPUTE_STAGE_OPERATION else None


def _pick_state(dispute: Dispute, posted: Sequence[bytes], replay: Replay) -> Message | None:
    """The first digest that is not ours; their number when all are and the payload is not."""
    wrong = _find_first(posted, replay.trace)
    if wrong is None and replay.payload_root == replay.terms.payload_root:
        return None
    return MsgPickState(**_challenger(dispute), place=len(posted) if wrong is None else wrong)


def _pick_child(dispute: Dispute, replay: Replay) -> Message | None:
    """The first child that is not ours."""
    wrong = _find_first(dispute.children, _list_children(dispute, replay))
    return None if wrong is None else MsgPickChild(**_challenger(dispute), place=wrong)


def _post_segment(dispute: Dispute, replay: Replay) -> Message:
    leaves = replay.list_leaves(dispute.segment)
    ends = sorted(list_ends(replay.terms, dispute.segment, dispute.end_root))
    return MsgPostSegment(**_claimant(dispute), root=transcript.root(leaves), nodes=_open(leaves, ends))


def _list_children(dispute: Dispute, replay: Replay) -> list[bytes]:
    """What stands below the node in question in our list."""
    return transcript.children(replay.list_leaves(dispute.segment), tuple(dispute.path))


def _prove_operation(dispute: Dispute, replay: Replay) -> Message:
    """Everything that the operation reads, with its proofs."""
    terms, segment = replay.terms, dispute.segment
    operation = find_operation(terms, dispute)
    reading = list_reading(terms, segment, operation)
    is_large = transcript.is_large(terms.policy, segment, operation)
    rows, row_proof = replay.load_rows(reading.rows) if reading.rows else (b"", [])
    return MsgProveOperation(
        **_claimant(dispute), outputs=[replay.read_output(segment, place) for place in reading.outputs],
        nodes=_open(replay.list_leaves(segment), reading.outputs) if reading.outputs else [],
        state=_prove_chunks(replay.load_state(segment), reading.state) if reading.state else [],
        weights=_prove_chunks(replay.load_weights(), reading.weights) if reading.weights else [],
        rows=rows, row_proof=row_proof, output=replay.read_output(segment, operation) if is_large else b"")


def _open(leaves: Sequence[bytes], places: Sequence[int]) -> list[Node]:
    """The nodes that lead from the root to leaves at rising places."""
    return [Node(children=children) for children in transcript.open_leaves(leaves, list(places))]


def _prove_chunks(data: bytes, numbers: Sequence[int]) -> list[ProvedChunk]:
    chunks = split(data)
    return [ProvedChunk(chunk=chunks[number], proof=chunk_proof(data, number)) for number in numbers]


def _find_first(claimed: Sequence[bytes], own: Sequence[bytes]) -> int | None:
    """The first place at which two equally long lists differ."""
    return next((place for place, (one, other) in enumerate(zip(claimed, own)) if one != other), None)


def _unit(dispute: Dispute) -> dict[str, int]:
    return {"model_id": dispute.model_id, "round": dispute.round, "unit": dispute.unit}


def _claimant(dispute: Dispute) -> dict[str, Any]:
    return {"claimant": dispute.claimant, **_unit(dispute)}


def _challenger(dispute: Dispute) -> dict[str, Any]:
    return {"challenger": dispute.challenger, **_unit(dispute)}
