"""Audits: the one seam between how a claim is judged and what a verdict does.

`apply_verdict` is all that the rest of the room knows of audits. In this file a verdict comes from recomputing the unit
inside the block, from rows that the proposer injected (AuditEvidence). A way of judging that moves out of the block
(digests in vote extensions, tallied by power) replaces the upper half of this file and calls the same `apply_verdict`.
"""

from collections.abc import Iterator

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import AUDIT_GAS_PER_BLOCK, EVIDENCE_GAS, compute_audit_gas, compute_unit_policy
from abci_app.runtime.module import RowSource
from abci_app.wire.address import decode_address
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.merkle import verify_leaves
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import AuditEvidence, AuditEvidenceResponse
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, AUDIT_VERDICT_PENDING, SLASH_REASON_MISMATCH, TRAINER_STATUS_SLASHED,
    UNIT_STATUS_REJECTED, Round, Unit,
)
from abci_app.wire.row import split_rows
from abci_app.wire.seed import unit_seed
from abci_app.x.work import events
from abci_app.x.work.errors import (
    AuditNotPending, AuditsExhausted, EvidenceMalformed, EvidenceProofInvalid, EvidenceUnusable,
)
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import (
    AUDITED_MODELS_MAX, compute_evidence_bytes, compute_payload_root, distinct_rows, draw_unit_rows, is_usable_row,
    join_unit_rows,
)
from kernels.errors import KernelInputError
from kernels.unit import run_unit


def check_evidence(ctx: Ctx, keeper: Keeper, msg: AuditEvidence) -> None:
    """Whether a block may carry this evidence: a function of the block and the state only (CometBFT requirement 4, 5).

    Checks, in consensus order: audit pending and not brought before in this block, gas left in the block, exactly the
    unit's distinct rows, under the dataset's root, usable by the numerics.
    Writes what makes a second copy and the excess of a block fail here too: the block's load of audits, and that this
    audit needs no rows any more.
    Raises: AuditNotPending (work/24), AuditsExhausted (work/28), EvidenceMalformed (work/25),
    EvidenceProofInvalid (work/26), EvidenceUnusable (work/27).
    Gas: compute_audit_gas, of which EVIDENCE_GAS are the writes here and of a match.
    """
    unit = keeper.find_unit(ctx, msg.model_id, msg.round, msg.unit)
    if unit is None or unit.verdict != AUDIT_VERDICT_PENDING or not keeper.has_pending(ctx, unit):
        raise AuditNotPending(f"model {msg.model_id}, round {msg.round}, unit {msg.unit}")
    model = keeper.models.get_model(ctx, msg.model_id)
    gas = compute_audit_gas(model.spec)
    _check_gas(ctx, keeper, gas)
    ctx.gas.use(gas - EVIDENCE_GAS, "audit")
    distinct = distinct_rows(draw_unit_rows(model.spec, keeper.get_round(ctx, unit.model_id, unit.round), unit.index))
    _check_rows(model, distinct, msg)
    keeper.put_audit_gas_used(ctx, keeper.audit_gas_used(ctx) + gas)
    keeper.drop_pending(ctx, unit)


def run_evidence(ctx: Ctx, keeper: Keeper, msg: AuditEvidence) -> AuditEvidenceResponse:
    """Recompute the unit from checked evidence and apply the verdict.

    Raises: EvidenceUnusable (work/27), never a slash, for rows that the numerics refuse.
    Emits: work.unit_audited, for a wrong claim also work.trainer_slashed.    Gas: 2 writes, for a wrong claim those
    of a slash too; check_evidence has booked the rest.
    """
    model = keeper.models.get_model(ctx, msg.model_id)
    audited = keeper.get_round(ctx, msg.model_id, msg.round)
    unit = keeper.get_unit(ctx, msg.model_id, msg.round, msg.unit)
    matched = judge_unit(ctx, keeper, model, audited, unit, msg.rows)
    apply_verdict(ctx, keeper, model, audited, unit, matched)
    return AuditEvidenceResponse(matched=matched)


def judge_unit(ctx: Ctx, keeper: Keeper, model: Model, audited: Round, unit: Unit, rows: bytes) -> bool:
    """Whether the claim is exactly what the unit gives on `rows` (distinct, rising). Raises EvidenceUnusable."""
    dataset = model.spec.dataset
    drawn = draw_unit_rows(model.spec, audited, unit.index)
    parts = split_rows(rows, dataset.features)
    features, labels = join_unit_rows(drawn, distinct_rows(drawn), parts, dataset.features)
    weights = keeper.models.load_weights(ctx, model.id, audited.number - 1)
    policy = compute_unit_policy(model.spec, audited.learning_rate_q16)
    try:
        result = run_unit(policy, weights, features, labels, unit_seed(audited.seed, unit.index))
    except KernelInputError as error:
        raise EvidenceUnusable(str(error)) from None
    payload_root = compute_payload_root(result.payload, model.spec.training.codec)
    return payload_root == unit.payload_root and result.trace_root == unit.trace_root


def propose_evidence(ctx: Ctx, keeper: Keeper, source: RowSource) -> Iterator[AuditEvidence]:
    """Evidence for pending audits of the datasets that this node holds: one unit of each model in turn, as gas lasts.

    A model's units stand in the order of their indices (they have one deadline). What is drawn counts as gas, found or
    not, so that a damaged dataset costs no more than the audits that a block bears; it is asked for no second row.
    Whoever builds the block drops what `check_evidence` refuses.
    """
    gas, held, queues = keeper.audit_gas_used(ctx), dict[bytes, bool](), []
    for model_id in keeper.list_pending_models(ctx, AUDITED_MODELS_MAX):
        model = keeper.models.get_model(ctx, model_id)
        root = model.spec.dataset.rows_root
        if root not in held:
            held[root] = source.has_rows(root)
        if held[root]:
            queues.append((model, keeper.list_pending(ctx, model_id)))
    for turn in range(max((len(units) for _, units in queues), default=0)):
        for model, units in queues:
            root, cost = model.spec.dataset.rows_root, compute_audit_gas(model.spec)
            if turn >= len(units) or not held[root] or gas + cost > AUDIT_GAS_PER_BLOCK:
                continue
            gas += cost
            number, index = units[turn]
            drawn = draw_unit_rows(model.spec, keeper.get_round(ctx, model.id, number), index)
            found = source.find_rows(root, distinct_rows(drawn))
            if found is None:
                held[root] = False
            else:
                yield AuditEvidence(model_id=model.id, round=number, unit=index, rows=found[0], proof=found[1])


def apply_verdict(ctx: Ctx, keeper: Keeper, model: Model, audited: Round, unit: Unit, matched: bool) -> None:
    """Settle a pending audit whose rows are here: a match stands, a mismatch slashes and drops the payload.

    Emits: work.unit_audited, for a mismatch also work.trainer_slashed.
    """
    if unit.verdict != AUDIT_VERDICT_PENDING:
        raise InvariantBroken(f"unit {unit.index} of model {unit.model_id} is judged without a pending audit")
    unit.verdict = AUDIT_VERDICT_MATCH if matched else AUDIT_VERDICT_MISMATCH
    audited.waiting_count -= 1
    if audited.waiting_count == 0:
        keeper.end_phase_now(ctx, audited)
    keeper.put_round(ctx, audited)
    ctx.emit(events.unit_audited(unit))
    if matched:
        keeper.put_unit(ctx, unit)
        return
    unit.status = UNIT_STATUS_REJECTED
    keeper.put_unit(ctx, unit)
    keeper.drop_payload(ctx, unit)
    trainer = keeper.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
    trainer.status = TRAINER_STATUS_SLASHED
    trainer.open_units -= 1
    policy = model.spec.audit
    keeper.slash_bond(ctx, trainer, unit, SLASH_REASON_MISMATCH, policy, policy.mismatch_slash_ppm)


def _check_gas(ctx: Ctx, keeper: Keeper, gas: int) -> None:
    total = keeper.audit_gas_used(ctx) + gas
    if total > AUDIT_GAS_PER_BLOCK:
        raise AuditsExhausted(f"with this audit the block's would take {total}, the most is {AUDIT_GAS_PER_BLOCK}")


def _check_rows(model: Model, distinct: list[int], msg: AuditEvidence) -> None:
    dataset = model.spec.dataset
    if len(msg.rows) != compute_evidence_bytes(model.spec, len(distinct)):
        raise EvidenceMalformed(f"{len(msg.rows)} bytes of rows, {len(distinct)} rows expected")
    rows = split_rows(msg.rows, dataset.features)
    count = dataset.train_rows + dataset.test_rows
    if not verify_leaves(dataset.rows_root, count, distinct, rows, list(msg.proof)):
        raise EvidenceProofInvalid(f"model {model.id}, round {msg.round}, unit {msg.unit}")
    if not all(is_usable_row(row, dataset.features, dataset.classes) for row in rows):
        raise EvidenceUnusable("a feature is -128 or a label is not below the number of classes")
