"""MsgRequestInference: a question, and the coins for its answer."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS
from abci_app.runtime.question import QuestionInvalid, check_question, compute_work
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin, parse_base_amount
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import REQUEST_STATUS_PENDING, Request
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgRequestInference, MsgRequestInferenceResponse
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.question import question_hash
from abci_app.x.inference import events
from abci_app.x.inference.errors import DeadlineInvalid, FeeTooLow, HostsMissing, QuestionRefused, ReplicasInvalid
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.msgs.host import find_asked_model
from abci_app.x.inference.types import (
    HOST_LOOK_GAS, STORE, WRITES_LATER, WRITES_LATER_PER_SEAT, compute_burnt, compute_least_deadline,
)


def request_inference(ctx: Ctx, keeper: Keeper, msg: MsgRequestInference) -> MsgRequestInferenceResponse:
    """Ask a model, and put the most that the answer may cost into escrow.

    Checks, in consensus order: model there, not retired, with an inference policy; the weights are kept; the question
    has an answer; the contract allows so many replicas; the deadline leaves time for the work; so many hosts would
    answer, whatever they have open; max_fee covers the cheapest of them; the coins are there.
    Raises: ModelNotFound (models/2), ModelRetired (inference/7), InferenceAbsent (inference/8), WeightsNotFound
    (models/3), QuestionRefused (inference/20), ReplicasInvalid (inference/19), DeadlineInvalid (inference/18),
    HostsMissing (inference/21), FeeTooLow (inference/22), InsufficientFunds (sdk/5).
    Emits: inference.request_opened.    Gas: 5 writes, those of blocks later (WRITES_LATER, WRITES_LATER_PER_SEAT),
    HOST_LOOK_GAS for each host looked at, the weights' hold and the bank's.
    """
    model = find_asked_model(ctx, keeper, msg.model_id)
    weights = keeper.models.get_weights(ctx, model.id, msg.round if msg.is_pinned else model.rounds_closed)
    work, policy = _check_question(model.spec, msg), model.spec.inference
    if msg.replicas > policy.replicas_max:
        raise ReplicasInvalid(f"{msg.replicas} given, the most is {policy.replicas_max}")
    if msg.deadline_blocks < compute_least_deadline(work):
        raise DeadlineInvalid(f"{msg.deadline_blocks} given, the least for {work} multiply-adds is "
                              f"{compute_least_deadline(work)}")
    _check_fee(ctx, keeper, model.spec, msg, work)
    escrow_ugrad = parse_base_amount(msg.max_fee)
    burnt_ugrad = compute_burnt(keeper.params(ctx), policy, work, keeper.audit_price(ctx))
    ctx.gas.use(WRITE_GAS * (WRITES_LATER + msg.replicas * WRITES_LATER_PER_SEAT), "what blocks write for the request")
    keeper.bank.send_to_module(ctx, decode_address(msg.user), STORE, (base_coin(escrow_ugrad + burnt_ugrad),))
    if burnt_ugrad:
        keeper.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
    keeper.models.hold_weights(ctx, model.id, weights.round)
    request = Request(
        id=keeper.next_id(ctx), model_id=model.id, user=msg.user, round=weights.round, weights_root=weights.root,
        spec_version=model.spec_version, question_hash=question_hash(msg.question), work=work, replicas=msg.replicas,
        escrow_ugrad=escrow_ugrad, status=REQUEST_STATUS_PENDING, opened_height=ctx.height,
        deadline_height=ctx.height + msg.deadline_blocks, due_height=ctx.height + 1)
    keeper.put_next_id(ctx, request.id + 1)
    keeper.add_request(ctx, request, msg.question)
    ctx.emit(events.request_opened(request))
    return MsgRequestInferenceResponse(request_id=request.id)


def _check_question(spec: ModelSpec, msg: MsgRequestInference) -> int:
    """The work of a valid question, multiply-adds. Raises QuestionRefused (inference/20)."""
    try:
        check_question(spec, msg.question)
    except QuestionInvalid as error:
        raise QuestionRefused(str(error)) from None
    return compute_work(spec, msg.question)


def _check_fee(ctx: Ctx, keeper: Keeper, spec: ModelSpec, msg: MsgRequestInference, work: int) -> None:
    """So many hosts would answer for what the user offers. Raises HostsMissing (inference/21), FeeTooLow (22)."""
    offers, looked = keeper.list_offers(ctx, msg.model_id, spec.inference, work, msg.user, msg.replicas,
                                        ctx.height, needs_room=False)
    ctx.gas.use(HOST_LOOK_GAS * looked, "a look at hosts")
    if len(offers) < msg.replicas:
        raise HostsMissing(f"{len(offers)} would answer, {msg.replicas} are asked for")
    fee_ugrad, offered_ugrad = sum(offer.fee_ugrad for offer in offers), parse_base_amount(msg.max_fee)
    if fee_ugrad > offered_ugrad:
        raise FeeTooLow(f"{msg.replicas} answers of {work} multiply-adds cost {fee_ugrad} ugrad, {offered_ugrad} are "
                        "offered")
