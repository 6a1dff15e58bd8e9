"""MsgProveOperation: the one operation that is left of a dispute, executed by every validator."""

from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import UnitTerms
from abci_app.runtime.gas import MULTIPLY_ADDS_PER_GAS
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.merkle import verify_leaves
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_REASON_EXECUTED, DISPUTE_STAGE_OPERATION, Dispute, ProvedChunk,
)
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgProveOperation, MsgProveOperationResponse
from abci_app.wire.row import split_rows
from abci_app.wire.seed import hash_fields
from abci_app.x.disputes import events
from abci_app.x.disputes.errors import (
    ClaimedOutputWrong, InputsMalformed, OutputProofInvalid, RowProofInvalid, StateProofInvalid, WeightsProofInvalid,
)
from abci_app.x.disputes.keeper import Keeper
from abci_app.x.disputes.msgs.game import get_waiting
from abci_app.x.disputes.types import (
    Reading, count_state_bytes, count_weight_bytes, find_operation, list_children, list_reading,
)
from kernels import transcript
from kernels.chunks import chunk_count, verify_chunk
from kernels.errors import KernelInputError

HASHED_BYTES_PER_GAS = 64


@dataclass(frozen=True, slots=True)
class Question:
    """Whether operation `index` of a segment gives `leaf`, and what it reads."""

    terms: UnitTerms
    segment: int
    index: int
    leaf: bytes
    reading: Reading


@dataclass(frozen=True, slots=True)
class Held:
    """What was proved, by place: outputs of the list, chunks of the state and of the weights, rows of the dataset."""

    outputs: dict[int, bytes]
    state: dict[int, bytes]
    weights: dict[int, bytes]
    rows: dict[int, bytes]


def prove_operation(ctx: Ctx, keeper: Keeper, msg: MsgProveOperation) -> MsgProveOperationResponse:
    """Execute the operation in question from proved inputs and end the dispute.

    Checks, in consensus order: those of every move (`get_waiting`), exactly what the operation reads, the outputs
    stand under the segment's root, the chunks of the state under the agreed one, the chunks of the weights under the
    round's, the rows under the dataset's, the claimed output is the posted one where one is needed.
    Raises: what `get_waiting` raises, InputsMalformed (disputes/19), OutputProofInvalid (disputes/20),
    StateProofInvalid (disputes/21), WeightsProofInvalid (disputes/22), RowProofInvalid (disputes/23),
    ClaimedOutputWrong (disputes/24).
    Emits: disputes.operation_executed, disputes.dispute_ended.
    Gas: ceil(multiply-adds / 1000), ceil(bytes / 64), 3 writes, and what the end of the dispute writes.
    """
    dispute = get_waiting(ctx, keeper, msg, msg.claimant, DISPUTE_STAGE_OPERATION)
    question = _read_question(keeper.compute_terms(ctx, dispute), dispute)
    _use_gas(ctx, question, msg)
    _check_counts(question, msg)
    held = Held(_read_outputs(question, dispute.segment_root, msg), _read_state(question, dispute.begin_root, msg),
                _read_weights(question, msg), _read_rows(question, msg))
    _check_output(question, msg.output)
    is_right = _is_right(question, held, msg.output, _compute_challenge(ctx, question))
    ctx.emit(events.operation_executed(dispute, question.index, is_right))
    if is_right:
        keeper.end_for_claimant(ctx, dispute, DISPUTE_REASON_EXECUTED)
    else:
        keeper.end_for_challenger(ctx, dispute, DISPUTE_REASON_EXECUTED)
    return MsgProveOperationResponse(is_right=is_right)


def _read_question(terms: UnitTerms, dispute: Dispute) -> Question:
    index = find_operation(terms, dispute)
    return Question(terms, dispute.segment, index, dispute.node, list_reading(terms, dispute.segment, index))


def _use_gas(ctx: Ctx, question: Question, msg: MsgProveOperation) -> None:
    """Book the operation and the hashing before either is done."""
    cost = transcript.cost(question.terms.policy, question.segment, question.index)
    ctx.gas.use(mul_div_ceil(cost, 1, MULTIPLY_ADDS_PER_GAS), "operation")
    ctx.gas.use(mul_div_ceil(msg.ByteSize(), 1, HASHED_BYTES_PER_GAS), "hashes of inputs")


def _check_counts(question: Question, msg: MsgProveOperation) -> None:
    """As many inputs of each kind as are read; a proof only where there is something to prove."""
    reading, size = question.reading, question.terms.form.row_bytes
    given = len(msg.outputs), len(msg.state), len(msg.weights), len(msg.rows)
    read = len(reading.outputs), len(reading.state), len(reading.weights), size * len(reading.rows)
    if given != read:
        raise InputsMalformed(f"outputs, chunks of state and weights, bytes of rows: {given} given, {read} read")
    if msg.nodes and not reading.outputs or msg.row_proof and not reading.rows:
        raise InputsMalformed("a proof of nothing")


def _read_outputs(question: Question, root: bytes, msg: MsgProveOperation) -> dict[int, bytes]:
    """Outputs of earlier operations, as they stand under the segment's root."""
    outputs = dict(zip(question.reading.outputs, msg.outputs))
    leaves = {place: transcript.leaf(outputs[place]) for place in question.reading.outputs}
    count = transcript.count(question.terms.policy, question.segment)
    if leaves and not transcript.verify_leaves(root, count, leaves, list_children(msg.nodes)):
        raise OutputProofInvalid(f"operation {question.index} of segment {question.segment}")
    return outputs


def _read_state(question: Question, root: bytes, msg: MsgProveOperation) -> dict[int, bytes]:
    """Chunks of the agreed state before the segment."""
    length = count_state_bytes(question.terms)
    for number, proved in zip(question.reading.state, msg.state):
        if not _is_proved(root, length, number, proved):
            raise StateProofInvalid(f"chunk {number}")
    return {number: proved.chunk for number, proved in zip(question.reading.state, msg.state)}


def _read_weights(question: Question, msg: MsgProveOperation) -> dict[int, bytes]:
    """Chunks of the weights that the unit began with."""
    length = count_weight_bytes(question.terms)
    for number, proved in zip(question.reading.weights, msg.weights):
        if not _is_proved(question.terms.weights_root, length, number, proved):
            raise WeightsProofInvalid(f"chunk {number}")
    return {number: proved.chunk for number, proved in zip(question.reading.weights, msg.weights)}


def _is_proved(root: bytes, length: int, number: int, proved: ProvedChunk) -> bool:
    """Whether a chunk stands in its place under the root of `length` bytes in chunks of the usual size."""
    return verify_chunk(root, proved.chunk, number, chunk_count(length), list(proved.proof))


def _read_rows(question: Question, msg: MsgProveOperation) -> dict[int, bytes]:
    """Rows of the dataset."""
    terms, indices = question.terms, list(question.reading.rows)
    rows = split_rows(msg.rows, terms.form.row_bytes)
    if rows and not verify_leaves(terms.rows_root, terms.row_count, indices, rows, list(msg.row_proof)):
        raise RowProofInvalid(f"{len(rows)} rows")
    return dict(zip(indices, rows))


def _check_output(question: Question, output: bytes) -> None:
    """A large operation is checked against its output, which must be the one that was posted."""
    if transcript.is_large(question.terms.policy, question.segment, question.index):
        if transcript.leaf(output) != question.leaf:
            raise ClaimedOutputWrong(f"the posted hash is {question.leaf.hex()}")
    elif output:
        raise ClaimedOutputWrong(f"operation {question.index} is not large")


def _compute_challenge(ctx: Ctx, question: Question) -> bytes:
    """What nobody knew when the leaf was posted, which was in an earlier block or by both sides in collusion."""
    return hash_fields("gradus/dispute", ctx.last_app_hash, ctx.last_block_hash, question.leaf)


def _is_right(question: Question, held: Held, output: bytes, challenge: bytes) -> bool:
    """Whether the operation gives the leaf. What the numerics refuse gives nothing: no right claim rests on it."""
    policy, segment, index = question.terms.policy, question.segment, question.index
    inputs = [_find_input(question, held, ref) for ref in transcript.describe(policy, segment, index).inputs]
    try:
        if output:
            return transcript.execute_claimed(policy, segment, index, inputs, output, question.terms.seed,
                                              question.terms.first_step, challenge)
        made = transcript.execute(policy, segment, index, inputs, question.terms.seed, question.terms.first_step)
        return transcript.leaf(made) == question.leaf
    except KernelInputError:
        return False


def _find_input(question: Question, held: Held, ref: transcript.Ref) -> bytes:
    """The bytes of one input, as the operation takes it."""
    if ref.source == "list":
        return held.outputs[ref.place]
    if ref.source == "start":
        return held.weights[ref.place]
    if ref.source == "state":
        return held.state[ref.place]
    row = held.rows[question.terms.find_row(ref.place)]
    features, targets = question.terms.form.join_columns([row])
    return features if ref.source == "rows" else targets
