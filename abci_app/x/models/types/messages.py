"""Stateless checks of the room's messages, in the order of consensus.

Reads/Writes: nothing. Source: README.md of the room.
"""

from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_base_amount
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAttachData, MsgCloseModel, MsgCreateModel, MsgFundModel, MsgInviteTrainers, MsgOfferAdmin,
    MsgPauseModel, MsgResumeModel, MsgUpdateModel,
)
from abci_app.x.models.errors import ChangeEmpty, EscrowTooLow, TrainersInvalid
from abci_app.x.models.types.limits import POLICIES, check_initial_policies
from abci_app.x.models.types.terms import INVITED_MAX, OUTPUTS_MIN, check_dataset, check_spec


def check_create_model(msg: MsgCreateModel) -> None:
    """Stateless validity of MsgCreateModel. Raises InvalidAddress (sdk/7), check_spec's, InvalidCoins, EscrowTooLow."""
    decode_address(msg.creator)
    check_spec(msg.spec)
    check_initial_policies(msg.spec)
    escrow_ugrad = parse_base_amount(msg.escrow) if msg.HasField("escrow") else 0
    cost_ugrad = compute_round_cost(msg.spec)
    if escrow_ugrad < cost_ugrad:
        raise EscrowTooLow(f"{escrow_ugrad} ugrad offered, a round takes {cost_ugrad}")


def check_fund_model(msg: MsgFundModel) -> None:
    """Stateless validity of MsgFundModel. Raises InvalidAddress (sdk/7), InvalidCoins (sdk/10)."""
    decode_address(msg.sender)
    parse_base_amount(msg.amount)


def check_close_model(msg: MsgCloseModel) -> None:
    """Stateless validity of MsgCloseModel. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.admin)


def check_update_model(msg: MsgUpdateModel) -> None:
    """Stateless validity of MsgUpdateModel. Raises InvalidAddress (sdk/7), ChangeEmpty (models/31)."""
    decode_address(msg.authority)
    if not any(msg.HasField(policy) for policy in POLICIES):
        raise ChangeEmpty("no policy is given")


def check_attach_data(msg: MsgAttachData) -> None:
    """Stateless validity of MsgAttachData. Raises InvalidAddress (sdk/7), DatasetInvalid, ChangeEmpty (models/31)."""
    decode_address(msg.admin)
    if msg.HasField("dataset"):
        check_dataset(msg.dataset, OUTPUTS_MIN)
    elif not msg.rounds_more:
        raise ChangeEmpty("neither rows nor rounds are given")


def check_authority(msg: MsgPauseModel | MsgResumeModel) -> None:
    """Stateless validity of MsgPauseModel and MsgResumeModel. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.authority)


def check_invite_trainers(msg: MsgInviteTrainers) -> None:
    """Stateless validity of MsgInviteTrainers. Raises InvalidAddress (sdk/7), ChangeEmpty, TrainersInvalid."""
    decode_address(msg.admin)
    named = len(msg.add) + len(msg.remove)
    if not named and not msg.open:
        raise ChangeEmpty("nobody is added or removed")
    if named and msg.open:
        raise TrainersInvalid("open enrolment names nobody: add and remove stay empty")
    if max(len(msg.add), len(msg.remove)) > INVITED_MAX:
        raise TrainersInvalid(f"{len(msg.add)} added, {len(msg.remove)} removed; each at most {INVITED_MAX}")
    for text in (*msg.add, *msg.remove):
        decode_address(text)


def check_offer_admin(msg: MsgOfferAdmin) -> None:
    """Stateless validity of MsgOfferAdmin. Raises InvalidAddress (sdk/7), ChangeEmpty (models/31)."""
    decode_address(msg.admin)
    if msg.recipient:
        decode_address(msg.recipient)
    if msg.recipient == msg.admin:
        raise ChangeEmpty("the admin has the model already")


def check_accept_admin(msg: MsgAcceptAdmin) -> None:
    """Stateless validity of MsgAcceptAdmin. Raises InvalidAddress (sdk/7)."""
    decode_address(msg.recipient)
