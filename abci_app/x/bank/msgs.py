"""Handlers of the bank's messages."""

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address
from abci_app.wire.coin import parse_coins
from abci_app.wire.errors import Unauthorized
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend, MsgSendResponse
from abci_app.x.bank.keeper import Keeper


def send(ctx: Ctx, keeper: Keeper, msg: MsgSend) -> MsgSendResponse:
    """Move coins from the signer to another account.

    Checks, in consensus order: the recipient is no module account, the sender has the coins.

    Raises: Unauthorized (sdk/4), InsufficientFunds (sdk/5). Emits: coin_spent, coin_received, transfer.
    Gas: 2 writes a coin, and 2 more for a recipient without an account.
    """
    sender, recipient = decode_address(msg.from_address), decode_address(msg.to_address)
    module = keeper.accounts.find_module_name(recipient)
    if module is not None:
        raise Unauthorized(f"{msg.to_address} is the module account {module} and takes no transfers")
    keeper.send(ctx, sender, recipient, parse_coins(msg.amount))
    return MsgSendResponse()
