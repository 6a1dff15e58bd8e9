"""MsgEnroll and MsgLeave: putting up a bond and taking it back."""

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import LIVE_STATUSES
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgEnrollResponse, MsgLeave, MsgLeaveResponse
from abci_app.wire.pb.gradus.work.v1.work_pb2 import TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED, Trainer
from abci_app.x.work import events
from abci_app.x.work.errors import (
    BondTooLarge, BondTooLow, ModelNotLive, TrainerActive, TrainerBusy, TrainerCoolingDown, TrainerNotInvited,
    TrainersFull, TrainerSlashed,
)
from abci_app.x.work.keeper import Keeper
from abci_app.x.work.types import STORE, TRAINERS_MAX, parse_bond


def enroll(ctx: Ctx, keeper: Keeper, msg: MsgEnroll) -> MsgEnrollResponse:
    """Enrol a new trainer, or bring back one that was stood down; the coins of `bond` are added to its bond.

    An active trainer may add what newer terms of the contract ask for. Checks, in consensus order: model there, live,
    trainer invited, not active with a bond that is enough, not slashed, not cooling down, room for one more, bond
    reaches the contract's, coins there.
    Raises: ModelNotFound (models/2), ModelNotLive (work/2), TrainerNotInvited (work/3), TrainerActive (work/4),
    TrainerSlashed (work/5), TrainerCoolingDown (work/34), TrainersFull (work/6), BondTooLow (work/7),
    BondTooLarge (work/8), InsufficientFunds (sdk/5).
    Emits: work.trainer_enrolled.    Gas: 3 writes, 4 where no round runs, and the bank's.
    """
    model = keeper.models.get_model(ctx, msg.model_id)
    address = decode_address(msg.trainer)
    _check_open_to(keeper, model, address)
    trainer = keeper.find_trainer(ctx, model.id, address)
    if trainer is None:
        trainer = Trainer(model_id=model.id, address=msg.trainer, enrolled_height=ctx.height)
    required_ugrad = model.spec.economy.bond_ugrad
    _check_may_return(ctx, trainer, required_ugrad)
    if trainer.status != TRAINER_STATUS_ACTIVE and keeper.count_active(ctx, model.id) >= TRAINERS_MAX:
        raise TrainersFull(f"{TRAINERS_MAX} are active")
    added_ugrad = parse_bond(msg.bond)
    bond_ugrad = trainer.bond_ugrad + added_ugrad
    if bond_ugrad < required_ugrad:
        raise BondTooLow(f"{trainer.bond_ugrad} held, {added_ugrad} offered, {required_ugrad} required")
    if bond_ugrad > U64_MAX:
        raise BondTooLarge(f"{trainer.bond_ugrad} held, {added_ugrad} offered")
    if added_ugrad:
        keeper.bank.send_to_module(ctx, address, STORE, (base_coin(added_ugrad),))
    trainer.bond_ugrad = bond_ugrad
    trainer.status = TRAINER_STATUS_ACTIVE
    trainer.missed_in_a_row = 0
    trainer.return_height = 0
    keeper.put_trainer(ctx, trainer)
    keeper.mark_idle(ctx, model.id)
    ctx.emit(events.trainer_enrolled(trainer, added_ugrad))
    return MsgEnrollResponse()


def leave(ctx: Ctx, keeper: Keeper, msg: MsgLeave) -> MsgLeaveResponse:
    """Give a trainer its bond, or what slashing has left of it, and forget it.

    Who withheld a reveal waits with its bond: by leaving it would be forgotten that it has to.
    Checks, in consensus order: enrolled, no unit that runs or is not settled yet, not cooling down.
    Raises: TrainerNotFound (work/9), TrainerBusy (work/10), TrainerCoolingDown (work/34).
    Emits: work.trainer_left.    Gas: a write, 3 if it was active, and the bank's.
    """
    address = decode_address(msg.trainer)
    trainer = keeper.get_trainer(ctx, msg.model_id, address)
    if trainer.open_units:
        raise TrainerBusy(f"{trainer.open_units} open")
    _check_cooled_down(ctx, trainer)
    keeper.drop_trainer(ctx, trainer)
    if trainer.bond_ugrad:
        keeper.bank.send_from_module(ctx, STORE, address, (base_coin(trainer.bond_ugrad),))
    ctx.emit(events.trainer_left(trainer))
    return MsgLeaveResponse(returned_ugrad=trainer.bond_ugrad)


def _check_open_to(keeper: Keeper, model: Model, address: bytes) -> None:
    if model.status not in LIVE_STATUSES:
        raise ModelNotLive(f"model {model.id}")
    if not keeper.models.is_invited(model, address):
        raise TrainerNotInvited(f"model {model.id} does not name {encode_address(address)}")


def _check_may_return(ctx: Ctx, trainer: Trainer, required_ugrad: int) -> None:
    if trainer.status == TRAINER_STATUS_ACTIVE and trainer.bond_ugrad >= required_ugrad:
        raise TrainerActive(f"with a bond of {trainer.bond_ugrad} ugrad")
    if trainer.status == TRAINER_STATUS_SLASHED:
        raise TrainerSlashed(f"{trainer.bond_ugrad} ugrad are left of the bond")
    _check_cooled_down(ctx, trainer)


def _check_cooled_down(ctx: Ctx, trainer: Trainer) -> None:
    if trainer.return_height > ctx.height:
        raise TrainerCoolingDown(f"from block {trainer.return_height} on, this is {ctx.height}")
