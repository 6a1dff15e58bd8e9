"""Messages of the room: each is named checks, then writes. The stateless checks are in types.py and ran before."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES, compute_param_count
from abci_app.runtime.gas import BLOB_BYTE_GAS, MULTIPLY_ADDS_PER_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.ints import mul_div_ceil
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, MODEL_STATUS_UNSPECIFIED, Model, ModelSpec,
)
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAcceptAdminResponse, MsgAttachData, MsgAttachDataResponse, MsgCloseModel, MsgCloseModelResponse,
    MsgCreateModel, MsgCreateModelResponse, MsgFundModel, MsgFundModelResponse, MsgInviteTrainers,
    MsgInviteTrainersResponse, MsgOfferAdmin, MsgOfferAdminResponse, MsgPauseModel, MsgPauseModelResponse,
    MsgResumeModel, MsgResumeModelResponse, MsgUpdateModel, MsgUpdateModelResponse,
)
from abci_app.x.models import events
from abci_app.x.models.errors import (
    AdminNotOffered, ChangeEmpty, DatasetUnfit, ModelNotLive, ModelNotPaused, ModelPaused, ModelRetired, NotAdmin,
    PausedByGovernance, RoundPolicyInvalid, RoundRunning, VersionsExhausted,
)
from abci_app.x.models.keeper import Keeper
from abci_app.x.models.needs import Rounds
from abci_app.x.models.types.changes import check_change, list_invited, merge_policies
from abci_app.x.models.types.limits import check_within_limits
from abci_app.x.models.types.terms import (
    GOVERNANCE, SCHEDULE_ROUNDS_MAX, VERSIONS_MAX, check_audit_fee, check_economy, check_invited, check_spec,
)
from kernels.mlp import WEIGHT_BYTES

DRAW_OPERATIONS = 16


def create_model(ctx: Ctx, keeper: Keeper, msg: MsgCreateModel) -> MsgCreateModelResponse:
    """Write a contract, its initial weights and its escrow.

    Checks, in consensus order: the data's owner is no module account, the fee of the auditors covers the chain's price,
    the signer has the escrow.

    Raises: InferencePolicyInvalid (models/39), AuditFeeTooLow (models/38), OutOfGas (sdk/11), InsufficientFunds
    (sdk/5). Emits: models.model_created.
    Gas: compute_weights_gas, 4 writes of this room, and the bank's.
    """
    keeper.check_data_owner(msg.spec)
    check_audit_fee(msg.spec, keeper.params(ctx).audit_price_ugrad_per_gma)
    ctx.gas.use(compute_weights_gas(msg.spec), "the model's weights")
    escrow_ugrad = parse_base_amount(msg.escrow) if msg.HasField("escrow") else 0
    model = keeper.create_model(ctx, msg.creator, msg.spec)
    model = keeper.credit_escrow(ctx, model.id, decode_address(msg.creator), escrow_ugrad)
    ctx.emit(events.model_created(model))
    return MsgCreateModelResponse(model_id=model.id)


def fund_model(ctx: Ctx, keeper: Keeper, msg: MsgFundModel) -> MsgFundModelResponse:
    """Add to the escrow of a model that is not closed; anyone may.

    Checks, in consensus order: the model exists, it is not retired, the escrow stays below 2^64, the signer has
    the coins.

    Raises: ModelNotFound (models/2), ModelNotLive (models/22), EscrowTooLarge (models/21), InsufficientFunds (sdk/5).
    Emits: models.model_funded. Gas: one write of this room, and the bank's.
    """
    model = keeper.get_model(ctx, msg.model_id)
    if model.status == MODEL_STATUS_RETIRED:
        raise ModelNotLive(f"model {model.id}")
    amount_ugrad = parse_base_amount(msg.amount)
    model = keeper.credit_escrow(ctx, model.id, decode_address(msg.sender), amount_ugrad)
    ctx.emit(events.model_funded(model, msg.sender, amount_ugrad))
    return MsgFundModelResponse()


def close_model(ctx: Ctx, keeper: Keeper, rounds: Rounds, msg: MsgCloseModel) -> MsgCloseModelResponse:
    """End a model for good and give its admin what the escrow still holds.

    Checks, in consensus order: the model exists, the signer is its admin, it is not retired yet, no round runs, so that
    nobody's work goes unpaid.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), RoundRunning (models/26).
    Emits: models.model_closed. Gas: one write of this room, and the bank's.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_admin(model, msg.admin)
    if rounds.has_running_round(ctx, model.id):
        raise RoundRunning(f"model {model.id}, round {model.rounds_closed + 1}")
    refunded_ugrad = model.escrow_ugrad
    ctx.emit(events.model_closed(keeper.retire_model(ctx, model), refunded_ugrad))
    return MsgCloseModelResponse(refunded_ugrad=refunded_ugrad)


def update_model(ctx: Ctx, keeper: Keeper, rounds: Rounds, msg: MsgUpdateModel) -> MsgUpdateModelResponse:
    """Give a model other policies: at once, or from the next round that is dealt while one runs.

    They are compared with the terms that wait, where some do, else with those in force.
    Checks, in consensus order: the model exists, the signer is its admin or governance, it is not retired, an admin
    stays within the limits, something changes, kept_rounds does not fall, rounds are not over already, the terms are
    those of a valid contract, the data owner is no module account, the fee of the auditors covers the chain's price,
    the versions are not used up.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), LimitExceeded (models/29),
    ChangeEmpty (models/31), RoundPolicyInvalid (models/10), check_spec's, AuditFeeTooLow (models/38),
    VersionsExhausted (models/30).
    Emits: models.terms_changed, or models.terms_pending, or models.terms_withdrawn; for a serving model with more
    rounds models.training_extended. Gas: a write while a round runs, else 2; one more where terms waited
    that no longer do, and where a serving model trains again.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_authority(model, msg.authority)
    before = keeper.find_pending(ctx, model.id) or model.spec
    after = merge_policies(before, msg)
    if msg.authority != GOVERNANCE:
        check_within_limits(before, after)
    return MsgUpdateModelResponse(spec_version=_change_terms(ctx, keeper, rounds, model, before, after))


def attach_data(ctx: Ctx, keeper: Keeper, rounds: Rounds, msg: MsgAttachData) -> MsgAttachDataResponse:
    """Have a model train on other rows, or for more rounds, or both: as update_model, without its limits.

    Checks, in consensus order: the model exists, the signer is its admin, it is not retired, the rows have the
    contract's features and classes, the rounds have an end, and those of update_model from "something changes" on.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), DatasetUnfit (models/32), and
    update_model's. Emits and Gas: as update_model.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_admin(model, msg.admin)
    before = keeper.find_pending(ctx, model.id) or model.spec
    after = ModelSpec()
    after.CopyFrom(before)
    if msg.HasField("dataset"):
        given, held = msg.dataset, before.dataset
        if (given.features, given.classes) != (held.features, held.classes):
            raise DatasetUnfit(f"{given.features} features and {given.classes} classes given, {held.features} and "
                               f"{held.classes} trained")
        after.dataset.CopyFrom(given)
    if msg.rounds_more:
        if not before.training.rounds:
            raise RoundPolicyInvalid("rounds is 0, so the model trains without end and has no more to add")
        more = before.training.rounds + msg.rounds_more
        if more > SCHEDULE_ROUNDS_MAX:
            raise RoundPolicyInvalid(f"rounds would be {more}, allowed are 0 to {SCHEDULE_ROUNDS_MAX}")
        after.training.rounds = more
    return MsgAttachDataResponse(spec_version=_change_terms(ctx, keeper, rounds, model, before, after))


def pause_model(ctx: Ctx, keeper: Keeper, msg: MsgPauseModel) -> MsgPauseModelResponse:
    """Deal no round of a model any more; one that runs ends as ever. Governance may take over the admin's pause.

    Checks, in consensus order: the model exists, the signer is its admin or governance, it is not retired, it is not
    paused already.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), ModelPaused (models/33).
    Emits: models.model_paused. Gas: one write of this room.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_authority(model, msg.authority)
    if model.status == MODEL_STATUS_PAUSED and (msg.authority != GOVERNANCE or model.paused_by == GOVERNANCE):
        raise ModelPaused(f"model {model.id}")
    if model.status != MODEL_STATUS_PAUSED:
        model.status, model.resumed_status = MODEL_STATUS_PAUSED, model.status
    model.paused_by = msg.authority
    keeper.put_model(ctx, model)
    ctx.emit(events.model_paused(model))
    return MsgPauseModelResponse()


def resume_model(ctx: Ctx, keeper: Keeper, rounds: Rounds, msg: MsgResumeModel) -> MsgResumeModelResponse:
    """Let a paused model go on as what it was; rounds are dealt again.

    Checks, in consensus order: the model exists, the signer is its admin or governance, it is not retired, it is
    paused, and not by governance where the signer is the admin.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), ModelNotPaused (models/34),
    PausedByGovernance (models/35). Emits: models.model_resumed. Gas: a write, 2 for a live model without a round.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_authority(model, msg.authority)
    if model.status != MODEL_STATUS_PAUSED:
        raise ModelNotPaused(f"model {model.id}")
    if model.paused_by == GOVERNANCE and msg.authority != GOVERNANCE:
        raise PausedByGovernance(f"model {model.id}")
    model.status, model.resumed_status, model.paused_by = model.resumed_status, MODEL_STATUS_UNSPECIFIED, ""
    keeper.put_model(ctx, model)
    ctx.emit(events.model_resumed(model))
    if model.status in LIVE_STATUSES:
        rounds.mark_idle(ctx, model.id)
    return MsgResumeModelResponse()


def invite_trainers(ctx: Ctx, keeper: Keeper, msg: MsgInviteTrainers) -> MsgInviteTrainersResponse:
    """Change who may train from the next round on: the invited accounts, or anyone.

    The list is no part of a version: nothing that was computed depends on it.
    Checks, in consensus order: the model exists, the signer is its admin, it is not retired, who is removed was
    invited, the list changes, open enrolment has a bond, the list is one that a contract may have; the last two also
    with the terms that wait.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), TrainersInvalid (models/19),
    ChangeEmpty (models/31), BondTooLow (models/18). Emits: models.trainers_invited. Gas: a write, 2 where terms wait.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_admin(model, msg.admin)
    invited = list_invited(list(model.spec.invited_trainers), msg)
    if invited == list(model.spec.invited_trainers):
        raise ChangeEmpty("the same accounts may train")
    pending = keeper.find_pending(ctx, model.id)
    for spec in (model.spec, pending):
        if spec is not None:
            spec.invited_trainers[:] = invited
            check_economy(spec)
            check_invited(spec)
    keeper.put_model(ctx, model)
    if pending is not None:
        keeper.put_pending(ctx, model.id, pending)
    ctx.emit(events.trainers_invited(model))
    return MsgInviteTrainersResponse()


def offer_admin(ctx: Ctx, keeper: Keeper, msg: MsgOfferAdmin) -> MsgOfferAdminResponse:
    """Offer a model to another account, instead of any to whom it was offered; an empty one withdraws the offer.

    Checks, in consensus order: the model exists, the signer is its admin, it is not retired, the offer changes.

    Raises: ModelNotFound (models/2), NotAdmin (models/24), ModelRetired (models/25), ChangeEmpty (models/31).
    Emits: models.admin_offered. Gas: one write of this room.
    """
    model = keeper.get_model(ctx, msg.model_id)
    _check_admin(model, msg.admin)
    if msg.recipient == model.offered_admin:
        raise ChangeEmpty(f"the model is offered to {msg.recipient or 'nobody'}")
    model.offered_admin = msg.recipient
    keeper.put_model(ctx, model)
    ctx.emit(events.admin_offered(model))
    return MsgOfferAdminResponse()


def accept_admin(ctx: Ctx, keeper: Keeper, msg: MsgAcceptAdmin) -> MsgAcceptAdminResponse:
    """Become the admin of a model that is offered, with what its escrow will give back.

    Checks, in consensus order: the model exists, it is offered to the signer; a retired one is offered to nobody.

    Raises: ModelNotFound (models/2), AdminNotOffered (models/36). Emits: models.admin_changed. Gas: one write.
    """
    model = keeper.get_model(ctx, msg.model_id)
    if model.offered_admin != msg.recipient:
        raise AdminNotOffered(f"model {model.id}")
    model.admin, model.offered_admin = msg.recipient, ""
    keeper.put_model(ctx, model)
    ctx.emit(events.admin_changed(model))
    return MsgAcceptAdminResponse()


def compute_weights_gas(spec: ModelSpec) -> int:
    """Gas of a new model's weights: their bytes in the blobs, and the draws of each parameter (rounded up)."""
    count = compute_param_count(spec)
    return BLOB_BYTE_GAS * WEIGHT_BYTES * count + mul_div_ceil(count, DRAW_OPERATIONS, MULTIPLY_ADDS_PER_GAS)


def _change_terms(ctx: Ctx, keeper: Keeper, rounds: Rounds, model: Model, before: ModelSpec, after: ModelSpec) -> int:
    """Put terms in force, or have them wait while a round runs; the version that they have or will have."""
    is_running = rounds.has_running_round(ctx, model.id)
    check_change(before, after, model.rounds_closed + is_running)
    check_spec(after)
    keeper.check_data_owner(after)
    check_audit_fee(after, keeper.params(ctx).audit_price_ugrad_per_gma)
    if model.spec_version >= VERSIONS_MAX:
        raise VersionsExhausted(f"model {model.id} has had {model.spec_version}")
    if after == model.spec:
        keeper.drop_pending(ctx, model.id)
        ctx.emit(events.terms_withdrawn(model))
        return model.spec_version
    if is_running:
        keeper.put_pending(ctx, model.id, after)
        ctx.emit(events.terms_pending(model))
        return model.spec_version + 1
    if keeper.find_pending(ctx, model.id) is not None:
        keeper.drop_pending(ctx, model.id)
    was_live = model.status in LIVE_STATUSES
    model = keeper.change_spec(ctx, model, after)
    if model.status in LIVE_STATUSES and not was_live:
        rounds.mark_idle(ctx, model.id)
    return model.spec_version


def _check_admin(model: Model, signer: str) -> None:
    if model.admin != signer:
        raise NotAdmin(f"the admin of model {model.id} is {model.admin}")
    if model.status == MODEL_STATUS_RETIRED:
        raise ModelRetired(f"model {model.id}")


def _check_authority(model: Model, signer: str) -> None:
    _check_admin(model, model.admin if signer == GOVERNANCE else signer)
