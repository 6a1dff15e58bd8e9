"""MsgRegisterHost, MsgUpdateHost, MsgDrainHost, MsgLeaveHost: who answers, at what price, with what bond."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, HOST_STATUS_DRAINING, HOST_STATUS_SLASHED, Host,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgDrainHost, MsgDrainHostResponse, MsgLeaveHost, MsgLeaveHostResponse, MsgRegisterHost, MsgRegisterHostResponse,
    MsgUpdateHost, MsgUpdateHostResponse,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, Model
from abci_app.x.inference import events
from abci_app.x.inference.errors import (
    BondTooLarge, BondTooLow, HostBusy, HostCoolingDown, HostNotActive, HostRegistered, HostsFull, HostSlashed,
    InferenceAbsent, ModelRetired,
)
from abci_app.x.inference.keeper import Keeper
from abci_app.x.inference.types import HOSTS_MAX, STORE, parse_bond


def register_host(ctx: Ctx, keeper: Keeper, msg: MsgRegisterHost) -> MsgRegisterHostResponse:
    """Put up a bond and offer answers of a model.

    Checks, in consensus order: model there, not retired, with an inference policy; no host yet; room for one more, or
    the dearest asks more and gives its place up; the bond reaches the contract's; the coins are there.
    Raises: ModelNotFound (models/2), ModelRetired (inference/7), InferenceAbsent (inference/8), HostRegistered
    (inference/9), HostsFull (inference/15), BondTooLow (inference/14), BondTooLarge (inference/6), InsufficientFunds
    (sdk/5).
    Emits: inference.host_registered; inference.host_stood_down for whom it displaces.    Gas: 3 writes, 6 if it
    displaces another, and the bank's.
    """
    model = find_asked_model(ctx, keeper, msg.model_id)
    address = decode_address(msg.host)
    if keeper.find_host(ctx, model.id, address) is not None:
        raise HostRegistered(f"model {model.id}")
    host = Host(model_id=model.id, address=msg.host, registered_height=ctx.height)
    _take_place(ctx, keeper, host, msg.price_ugrad_per_gma)
    _write_terms(ctx, keeper, model, host, msg)
    ctx.emit(events.host_registered(host))
    return MsgRegisterHostResponse()


def update_host(ctx: Ctx, keeper: Keeper, msg: MsgUpdateHost) -> MsgUpdateHostResponse:
    """Change a host's terms for what is asked after this block, and make it active again if it is not.

    Checks, in consensus order: model there, not retired, with an inference policy; a host, not slashed; if it is not
    active, not cooling down, and a place; the bond reaches the contract's; the coins are there.
    Raises: ModelNotFound (models/2), ModelRetired (inference/7), InferenceAbsent (inference/8), HostNotFound
    (inference/10), HostSlashed (inference/11), HostCoolingDown (inference/35), HostsFull (inference/15), BondTooLow
    (inference/14), BondTooLarge (inference/6), InsufficientFunds (sdk/5).
    Emits: inference.host_updated; inference.host_stood_down for whom it displaces.    Gas: 1 to 6 writes, and the
    bank's.
    """
    model = find_asked_model(ctx, keeper, msg.model_id)
    host = keeper.get_host(ctx, model.id, decode_address(msg.host))
    if host.status == HOST_STATUS_SLASHED:
        raise HostSlashed(f"{host.bond_ugrad} ugrad are left of the bond")
    if host.status != HOST_STATUS_ACTIVE:
        _check_cooled_down(ctx, host)
        _take_place(ctx, keeper, host, msg.price_ugrad_per_gma)
    _write_terms(ctx, keeper, model, host, msg)
    ctx.emit(events.host_updated(host))
    return MsgUpdateHostResponse()


def drain_host(ctx: Ctx, keeper: Keeper, msg: MsgDrainHost) -> MsgDrainHostResponse:
    """Take up nothing new; what is open goes on.

    Checks, in consensus order: a host, active.
    Raises: HostNotFound (inference/10), HostNotActive (inference/13).
    Emits: inference.host_drained.    Gas: 3 writes.
    """
    host = keeper.get_host(ctx, msg.model_id, decode_address(msg.host))
    if host.status != HOST_STATUS_ACTIVE:
        raise HostNotActive(f"model {msg.model_id}")
    host.status = HOST_STATUS_DRAINING
    keeper.put_host(ctx, host)
    ctx.emit(events.host_drained(host))
    return MsgDrainHostResponse()


def leave_host(ctx: Ctx, keeper: Keeper, msg: MsgLeaveHost) -> MsgLeaveHostResponse:
    """Give a host its bond, or what slashing has left of it, and forget it.

    Who withheld or missed anything lately waits with its bond: by leaving that would be forgotten.
    Checks, in consensus order: a host, nothing open, not cooling down.
    Raises: HostNotFound (inference/10), HostBusy (inference/12), HostCoolingDown (inference/35).
    Emits: inference.host_left.    Gas: a write, 3 if it was active, and the bank's.
    """
    address = decode_address(msg.host)
    host = keeper.get_host(ctx, msg.model_id, address)
    if host.open_count:
        raise HostBusy(f"{host.open_count} open")
    _check_cooled_down(ctx, host)
    keeper.drop_host(ctx, host)
    if host.bond_ugrad:
        keeper.bank.send_from_module(ctx, STORE, address, (base_coin(host.bond_ugrad),))
    ctx.emit(events.host_left(host))
    return MsgLeaveHostResponse(returned_ugrad=host.bond_ugrad)


def _check_cooled_down(ctx: Ctx, host: Host) -> None:
    if host.return_height > ctx.height:
        raise HostCoolingDown(f"from block {host.return_height} on, this is {ctx.height}")


def find_asked_model(ctx: Ctx, keeper: Keeper, model_id: int) -> Model:
    """A model that can be asked. Raises ModelNotFound (models/2), ModelRetired, InferenceAbsent (inference/7, 8)."""
    model = keeper.models.get_model(ctx, model_id)
    if model.status == MODEL_STATUS_RETIRED:
        raise ModelRetired(f"model {model_id}")
    if not model.spec.HasField("inference"):
        raise InferenceAbsent(f"model {model_id}")
    return model


def _take_place(ctx: Ctx, keeper: Keeper, host: Host, price_ugrad_per_gma: int) -> None:
    """Room for one active host more: where there is none, who asks most makes it for one who asks less."""
    if keeper.count_active(ctx, host.model_id) < HOSTS_MAX:
        return
    dearest = keeper.find_dearest(ctx, host.model_id)
    if dearest is None or dearest.price_ugrad_per_gma <= price_ugrad_per_gma:
        raise HostsFull(f"{HOSTS_MAX} are active")
    keeper.stand_down(ctx, dearest, "outbid")


def _write_terms(ctx: Ctx, keeper: Keeper, model: Model, host: Host, msg: MsgRegisterHost | MsgUpdateHost) -> None:
    """Check and add to the bond, and write the host with the message's terms. A host that only adds to its bond, or
    changes its capacity or endpoint, goes on being dealt requests."""
    added_ugrad, required_ugrad = parse_bond(msg.bond), model.spec.inference.host_bond_ugrad
    bond_ugrad = host.bond_ugrad + added_ugrad
    if bond_ugrad < required_ugrad:
        raise BondTooLow(f"{host.bond_ugrad} held, {added_ugrad} offered, {required_ugrad} required")
    if bond_ugrad > U64_MAX:
        raise BondTooLarge(f"{host.bond_ugrad} held, {added_ugrad} offered")
    if added_ugrad:
        keeper.bank.send_to_module(ctx, decode_address(msg.host), STORE, (base_coin(added_ugrad),))
    if host.status != HOST_STATUS_ACTIVE or host.price_ugrad_per_gma != msg.price_ugrad_per_gma:
        host.ready_height = ctx.height + 1
    if host.status != HOST_STATUS_ACTIVE and host.return_height:
        host.missed_in_a_row = host.return_height = 0  # it has waited for that
    host.status, host.bond_ugrad = HOST_STATUS_ACTIVE, bond_ugrad
    host.price_ugrad_per_gma, host.capacity = msg.price_ugrad_per_gma, msg.capacity
    host.endpoint, host.statement_key = msg.endpoint, msg.statement_key
    keeper.put_host(ctx, host)
