"""MsgCommitWork and MsgRevealWork: the two halves of a claim."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_param_count
from abci_app.wire.address import decode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import (
    MsgCommitWork, MsgCommitWorkResponse, MsgRevealWork, MsgRevealWorkResponse,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED, Round,
    RoundPhase, Unit,
)
from abci_app.wire.seed import claim_commitment
from abci_app.x.work import events
from abci_app.x.work.errors import (
    AttemptOver, CommitmentMismatch, PayloadInvalid, PhaseNotCommit, PhaseNotReveal, UnitCommitted, UnitNotAssigned,
    UnitNotCommitted, UnitRevealed,
)
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import compute_payload_root
from kernels import payload as payload_codec
from kernels.errors import KernelInputError


def commit_work(ctx: Ctx, keeper: Keeper, msg: MsgCommitWork) -> MsgCommitWorkResponse:
    """Bind a trainer to its result before it can see anybody else's.

    Checks, in consensus order: round there, not dealt again since, in its commit phase, unit there, the sender's, not
    committed yet.
    Raises: RoundNotFound (work/12), AttemptOver (work/30), PhaseNotCommit (work/13), UnitNotFound (work/14),
    UnitNotAssigned (work/15), UnitCommitted (work/16).
    Emits: work.unit_committed.    Gas: 2 writes.
    """
    running = keeper.get_round(ctx, msg.model_id, msg.round)
    _check_attempt(running, msg.attempt)
    if running.phase != ROUND_PHASE_COMMIT:
        raise PhaseNotCommit(_phase(running))
    unit = keeper.get_unit(ctx, msg.model_id, msg.round, msg.unit)
    _check_assigned(unit, msg.trainer)
    if unit.status != UNIT_STATUS_ASSIGNED:
        raise UnitCommitted(f"unit {unit.index}")
    unit.status = UNIT_STATUS_COMMITTED
    unit.commitment = msg.commitment
    keeper.put_unit(ctx, unit)
    _count_act(ctx, keeper, running)
    ctx.emit(events.unit_committed(unit))
    return MsgCommitWorkResponse()


def reveal_work(ctx: Ctx, keeper: Keeper, msg: MsgRevealWork) -> MsgRevealWorkResponse:
    """Take the payload of a committed unit: its root into the state, its bytes beside it.

    Checks, in consensus order: round there, not dealt again since, in its reveal phase, unit there, the sender's,
    committed and not revealed yet, the commitment matches, the payload is canonical.
    Raises: RoundNotFound (work/12), AttemptOver (work/30), PhaseNotReveal (work/19), UnitNotFound (work/14),
    UnitNotAssigned (work/15), UnitNotCommitted (work/20), UnitRevealed (work/21), CommitmentMismatch (work/23),
    PayloadInvalid (work/22).
    Emits: work.unit_revealed.    Gas: 2 writes, BLOB_BYTE_GAS for each byte of the payload.
    """
    running = keeper.get_round(ctx, msg.model_id, msg.round)
    _check_attempt(running, msg.attempt)
    if running.phase != ROUND_PHASE_REVEAL:
        raise PhaseNotReveal(_phase(running))
    unit = keeper.get_unit(ctx, msg.model_id, msg.round, msg.unit)
    _check_assigned(unit, msg.trainer)
    if unit.status == UNIT_STATUS_REVEALED:
        raise UnitRevealed(f"unit {unit.index}")
    if unit.status != UNIT_STATUS_COMMITTED:
        raise UnitNotCommitted(f"unit {unit.index}")
    spec = keeper.models.get_model(ctx, msg.model_id).spec
    unit.payload_root = compute_payload_root(msg.payload, spec.training.codec)
    unit.trace_root = msg.trace_root
    _check_commitment(running, unit, msg.salt)
    _check_payload(spec, msg.payload)
    unit.status = UNIT_STATUS_REVEALED
    keeper.put_unit(ctx, unit)
    keeper.put_payload(ctx, unit, msg.payload)
    _count_act(ctx, keeper, running)
    ctx.emit(events.unit_revealed(unit))
    return MsgRevealWorkResponse()


def _count_act(ctx: Ctx, keeper: Keeper, running: Round) -> None:
    """One unit less has to act in the phase; after the last one it ends with this block."""
    running.waiting_count -= 1
    if running.waiting_count == 0:
        keeper.end_phase_now(ctx, running)
    keeper.put_round(ctx, running)


def _check_attempt(running: Round, attempt: int) -> None:
    if attempt != running.attempt:
        raise AttemptOver(f"round {running.number} of model {running.model_id} is in attempt {running.attempt}, the "
                          f"message is for {attempt}")


def _check_assigned(unit: Unit, sender: str) -> None:
    if unit.trainer != sender:
        raise UnitNotAssigned(f"unit {unit.index} belongs to {unit.trainer}")


def _check_commitment(running: Round, unit: Unit, salt: bytes) -> None:
    commitment = claim_commitment(decode_address(unit.trainer), unit.model_id, unit.round, running.attempt, unit.index,
                                  unit.payload_root, unit.trace_root, salt)
    if commitment != unit.commitment:
        raise CommitmentMismatch(f"unit {unit.index} was committed as {unit.commitment.hex()}")


def _check_payload(spec: ModelSpec, payload: bytes) -> None:
    try:
        payload_codec.check(payload, compute_param_count(spec), spec.training.codec)
    except KernelInputError as error:
        raise PayloadInvalid(str(error)) from None


def _phase(running: Round) -> str:
    name = RoundPhase.Name(running.phase).removeprefix("ROUND_PHASE_").lower()
    return f"round {running.number} of model {running.model_id} is in phase {name}"
