"""MsgCommitWork, MsgRevealWork, MsgRevealPart: a claim is bound first and shown later, in parts where it is large."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_param_count
from abci_app.runtime.gas import BLOB_READ_BYTE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import (
    MsgCommitWork, MsgCommitWorkResponse, MsgRevealPart, MsgRevealPartResponse, MsgRevealWork, MsgRevealWorkResponse,
)
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED, Round,
    RoundPhase, Unit,
)
from abci_app.wire.seed import claim_commitment
from abci_app.x.work import events
from abci_app.x.work.errors import (
    AttemptOver, CommitmentMismatch, PartMalformed, PartOutOfTurn, PayloadInvalid, PhaseNotCommit, PhaseNotReveal,
    UnitCommitted, UnitNotAssigned, UnitNotCommitted, UnitRevealed,
)
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import compute_part_sizes, compute_payload_root
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
    """Show what a commitment was made of, and take the first part of the payload; also again, from the beginning.

    Checks, in consensus order: round there, not dealt again since, in its reveal phase, unit there, the sender's,
    committed and not revealed yet, the commitment matches; then those of a part.
    Raises: RoundNotFound (work/12), AttemptOver (work/30), PhaseNotReveal (work/19), UnitNotFound (work/14),
    UnitNotAssigned (work/15), UnitNotCommitted (work/20), UnitRevealed (work/21), CommitmentMismatch (work/23),
    PartMalformed (work/32), PayloadInvalid (work/22).
    Emits: work.unit_revealed or work.part_revealed.    Gas: 1 write, 2 with the last part; BLOB_BYTE_GAS for each byte.
    """
    running, unit = _find_committed(ctx, keeper, msg)
    _check_commitment(running, unit, msg)
    keeper.drop_payload(ctx, unit)
    unit.payload_root, unit.trace_root, unit.salt, unit.parts = msg.payload_root, msg.trace_root, msg.salt, 0
    _take_part(ctx, keeper, running, unit, msg.payload)
    return MsgRevealWorkResponse()


def reveal_part(ctx: Ctx, keeper: Keeper, msg: MsgRevealPart) -> MsgRevealPartResponse:
    """Take the next part of a payload whose reveal has begun; the last one, if the payload is what was committed.

    Checks, in consensus order: round there, not dealt again since, in its reveal phase, unit there, the sender's,
    committed and not revealed yet, the part is the one that is due, of its size; with the last part: the payload has
    the committed root and is canonical.
    Raises: as reveal_work; PartOutOfTurn (work/33).
    Emits: work.unit_revealed or work.part_revealed.    Gas: as reveal_work; with the last part BLOB_READ_BYTE_GAS for
    each byte of the others, also where it is refused: a few wrong bytes have all of them read and hashed.
    """
    running, unit = _find_committed(ctx, keeper, msg)
    if msg.part != unit.parts or unit.parts == 0:
        raise PartOutOfTurn(f"part {msg.part} of unit {unit.index}, of which {unit.parts} are here")
    _take_part(ctx, keeper, running, unit, msg.data)
    return MsgRevealPartResponse()


def _find_committed(ctx: Ctx, keeper: Keeper, msg: MsgRevealWork | MsgRevealPart) -> tuple[Round, Unit]:
    """The round and the unit of a reveal, if it is due."""
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
    return running, unit


def _take_part(ctx: Ctx, keeper: Keeper, running: Round, unit: Unit, data: bytes) -> None:
    """Keep the part that is due; with the last one the unit is revealed. Writes `unit`."""
    spec = keeper.spec_of(ctx, running)
    sizes = compute_part_sizes(spec)
    if len(data) != sizes[unit.parts]:
        raise PartMalformed(f"part {unit.parts} of {len(sizes)} has {sizes[unit.parts]} bytes, not {len(data)}")
    keeper.put_part(ctx, unit, data)
    if unit.parts < len(sizes):
        keeper.put_unit(ctx, unit)
        ctx.emit(events.part_revealed(unit))
        return
    ctx.gas.use(BLOB_READ_BYTE_GAS * sum(sizes[:-1]), "the parts before")
    payload = b"".join(keeper.iter_parts(ctx, unit))
    if compute_payload_root(payload, spec.training.codec) != unit.payload_root:
        raise CommitmentMismatch(f"the payload of unit {unit.index} does not have the committed root")
    _check_payload(spec, payload)
    unit.status = UNIT_STATUS_REVEALED
    keeper.put_unit(ctx, unit)
    _count_act(ctx, keeper, running)
    ctx.emit(events.unit_revealed(unit))


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


def _check_commitment(running: Round, unit: Unit, msg: MsgRevealWork) -> None:
    commitment = claim_commitment(decode_address(unit.trainer), unit.model_id, unit.round, running.attempt, unit.index,
                                  msg.payload_root, msg.trace_root, msg.salt)
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
