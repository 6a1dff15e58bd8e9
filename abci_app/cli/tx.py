"""`gradus tx`: messages signed by a key of this home, sent, and waited for until a block has them."""

from pathlib import Path

import click

from abci_app.cli.options import model_argument, open_key, resolve_address
from abci_app.cli.output import grad_text, print_fields
from abci_app.cli.sending import AMOUNT, send, signing
from abci_app.cli.tx_disputes import disputes
from abci_app.cli.tx_inference import inference
from abci_app.cli.tx_models import models
from abci_app.cli.tx_sessions import sessions
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import (
    MsgBack, MsgCollectRoyalties, MsgCollectRoyaltiesResponse, MsgUnback, MsgUnbackResponse,
)
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave, MsgLeaveResponse

SETTINGS = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=SETTINGS)
def tx() -> None:
    """Send transactions.

    Every command waits until a block has the transaction, and ends with status 1 when the chain refuses it.
    """


tx.add_command(models)
tx.add_command(disputes)
tx.add_command(inference)
tx.add_command(sessions)


@tx.group()
def bank() -> None:
    """Coins."""


@bank.command("send")
@click.argument("recipient")
@click.argument("amount", type=AMOUNT)
@signing
def bank_send(recipient: str, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Send AMOUNT to RECIPIENT, an address or the name of a key here.

    \b
    Example: gradus tx bank send gradus1... 2.5grad --from alice
    """
    key = open_key(home, sender)
    message = MsgSend(from_address=key.bech32, to_address=resolve_address(home, recipient),
                      amount=[coin_pb(base_coin(amount))])
    send(key, message, node, output)


@tx.group()
def work() -> None:
    """Enrolment. The miner commits and reveals by itself."""


@work.command("enroll")
@model_argument
@click.option("--bond", type=AMOUNT, required=True, help="At least what the contract asks for.")
@signing
def work_enroll(model_id: int, bond: int, sender: str, home: Path, node: str, output: str) -> None:
    """Enrol as a trainer of a model with a bond.

    \b
    Example: gradus tx work enroll 1 --bond 2grad --from alice
    """
    key = open_key(home, sender)
    send(key, MsgEnroll(trainer=key.bech32, model_id=model_id, bond=coin_pb(base_coin(bond))), node, output)


@work.command("leave")
@model_argument
@signing
def work_leave(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Leave a model and take what is left of the bond back.

    \b
    Example: gradus tx work leave 1 --from alice
    """
    key = open_key(home, sender)
    response = MsgLeaveResponse.FromString(send(key, MsgLeave(trainer=key.bech32, model_id=model_id), node, "none"))
    print_fields({"returned": grad_text(response.returned_ugrad)}, output)


@tx.group()
def rewards() -> None:
    """Coins behind models, which then get their part of the emission; what trainers earn by answers."""


@rewards.command("back")
@model_argument
@click.argument("amount", type=AMOUNT)
@signing
def rewards_back(model_id: int, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Put AMOUNT behind a model; the more stands behind it, the more of the emission its trainers earn.

    \b
    Example: gradus tx rewards back 1 100grad --from alice
    """
    key = open_key(home, sender)
    send(key, MsgBack(owner=key.bech32, model_id=model_id, amount=coin_pb(base_coin(amount))), node, output)


@rewards.command("unback")
@model_argument
@click.argument("amount", type=AMOUNT)
@signing
def rewards_unback(model_id: int, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Take AMOUNT from behind a model. The coins come back some blocks later; see `gradus query rewards params`.

    \b
    Example: gradus tx rewards unback 1 100grad --from alice
    """
    key = open_key(home, sender)
    message = MsgUnback(owner=key.bech32, model_id=model_id, amount=coin_pb(base_coin(amount)))
    response = MsgUnbackResponse.FromString(send(key, message, node, "none"))
    print_fields({"unbacked": grad_text(amount), "due_height": response.due_height}, output)


@rewards.command("collect")
@model_argument
@signing
def rewards_collect(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Take what the units of yours that a model accepted have earned by its answers.

    \b
    Example: gradus tx rewards collect 1 --from alice
    """
    key = open_key(home, sender)
    response = MsgCollectRoyaltiesResponse.FromString(
        send(key, MsgCollectRoyalties(trainer=key.bech32, model_id=model_id), node, "none"))
    print_fields({"collected": grad_text(response.paid_ugrad)}, output)
