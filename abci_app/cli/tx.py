"""`gradus tx`: messages signed by a key of this home, sent, and waited for until a block has them."""

import json
import re
import sys
from pathlib import Path

import click
from google.protobuf.message import Message

from abci_app.cli.connect import connect
from abci_app.cli.contracts import merge_terms, new_contract, new_spec
from abci_app.cli.errors import CommandError, is_json_wanted
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import (
    ROUND_NUMBER, Amount, combine, from_option, home_option, model_argument, node_option, open_key,
    output_option, resolve_address,
)
from abci_app.cli.output import grad_text, message_fields, print_fields
from abci_app.client.keys import Key
from abci_app.client.send import Sender
from abci_app.data.manifest import Manifest
from abci_app.data.store import DatasetStore
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgCloseModel, MsgCloseModelResponse, MsgCreateModelResponse, MsgFundModel,
)
from abci_app.wire.pb.gradus.rewards.v1.tx_pb2 import MsgBack, MsgUnback, MsgUnbackResponse
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave, MsgLeaveResponse
from abci_app.x.models.types import CODEC, CODECS, RULES, UNITS_MAX

HIDDEN = "128,64"
SETTINGS = {"help_option_names": ["-h", "--help"]}
AMOUNT = Amount()
WIDTH = re.compile("[1-9][0-9]{0,5}")
signing = combine(from_option, home_option, node_option, output_option)


@click.group(context_settings=SETTINGS)
def tx() -> None:
    """Send transactions.

    Every command waits until a block has the transaction, and ends with status 1 when the chain refuses it.
    """


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
def models() -> None:
    """Model contracts."""


@models.command("create")
@click.option("--dataset", "dataset_name", required=True, metavar="NAME|ROOT",
              help="A dataset of this home, by name or by the first characters of its root; see `gradus data list`.")
@click.option("--escrow", type=AMOUNT, required=True, help="Coins from which the rounds are paid.")
@click.option("--name", default="", help="Name of the model [the dataset's name].")
@click.option("--rounds", type=ROUND_NUMBER, default=25, show_default=True, help="0: train without end.")
@click.option("--trainers-min", type=click.IntRange(1, UNITS_MAX), default=4, show_default=True,
              help="Enrolled trainers before the first round opens.")
@click.option("--reward", type=AMOUNT, default="1grad", show_default=True, help="Of a round, for all its units.")
@click.option("--hidden", help="Widths of the hidden layers [128,64, or the half, a quarter ... for wide rows].")
@click.option("--codec", type=click.Choice(CODECS), default=CODEC, show_default=True,
              help="How updates are written: 8, 4 or 2 bits a parameter, or 64 of every 4096 parameters.")
@click.option("--aggregation", type=click.Choice(RULES), metavar="RULE",
              help="How a round's updates become one: mean, trimmed_mean, median, krum, multi_krum, geometric_median, "
                   "clipped_mean, centered_clip or sign_vote, each also with nnm+ before it [trimmed_mean, with nnm+ "
                   "before it for top64/4096].")
@click.option("--trim", type=click.IntRange(0, UNITS_MAX),
              help="Wrong updates that the rule must withstand [1 where there are trainers enough].")
@click.option("--spec", "spec_path", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="JSON with further terms, over the defaults and the options above; such as `--dry-run` prints.")
@click.option("--dry-run", is_flag=True, help="Print the terms and stop.")
@signing
def models_create(dataset_name: str, escrow: int, name: str, rounds: int, trainers_min: int, reward: int,
                  hidden: str | None, codec: str, aggregation: str | None, trim: int | None, spec_path: Path | None,
                  dry_run: bool, sender: str, home: Path, node: str, output: str) -> None:
    """Deploy a model contract for a dataset and fund it.

    \b
    Example: gradus tx models create --dataset digits --escrow 25grad --from alice
    Example: gradus tx models create --dataset digits --escrow 25grad --trainers-min 9 --codec int4/256 \\
                 --aggregation nnm+trimmed_mean --trim 2 --from alice
    """
    manifest = find_manifest(home, dataset_name)
    widths = parse_widths(HIDDEN if hidden is None else hidden)
    spec = new_spec(manifest, rounds, trainers_min, reward, widths, name, codec, aggregation or "")
    fitting = tuple(spec.mlp_classifier.widths[1:-1])
    if hidden is not None and fitting != widths:
        raise CommandError(f"hidden layers of {hidden} are too large for a contract",
                           f"--hidden {','.join(map(str, fitting))} fits", ExitStatus.USAGE)
    if trim is not None:
        spec.training.trim = trim
    if spec_path is not None:
        spec = read_terms(spec, spec_path)
    key = open_key(home, sender)
    message = new_contract(key.bech32, spec, escrow)
    if dry_run:
        print_fields(message_fields(spec), output)
        return
    response = MsgCreateModelResponse.FromString(send(key, message, node, "none"))
    print_fields({"model_id": response.model_id, "escrow": grad_text(escrow),
                  "bond": grad_text(spec.economy.bond_ugrad),
                  "next": f"gradus miner start {response.model_id} --key KEY"}, output)


@models.command("fund")
@model_argument
@click.argument("amount", type=AMOUNT)
@signing
def models_fund(model_id: int, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Add AMOUNT to a model's escrow.

    \b
    Example: gradus tx models fund 1 10grad --from alice
    """
    key = open_key(home, sender)
    send(key, MsgFundModel(sender=key.bech32, model_id=model_id, amount=coin_pb(base_coin(amount))), node, output)


@models.command("close")
@model_argument
@signing
def models_close(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """End a model of yours and take back what its escrow holds; refused while a round runs.

    \b
    Example: gradus tx models close 1 --from alice
    """
    key = open_key(home, sender)
    response = MsgCloseModelResponse.FromString(send(key, MsgCloseModel(admin=key.bech32, model_id=model_id), node,
                                                     "none"))
    print_fields({"refunded": grad_text(response.refunded_ugrad)}, output)


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
    """Coins behind models, which then get their part of the emission."""


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


def send(key: Key, message: Message, node: str, output: str) -> bytes:
    """Send one message and print what became of it, unless `output` is none; its response's bytes."""
    sent = Sender(connect(node), key, report=tell).send([message])
    if output != "none":
        print_fields({"tx_hash": sent.tx_hash.hex().upper(), "height": sent.height, "gas_used": sent.gas_used}, output)
    return sent.responses[0].value


def tell(text: str) -> None:
    """A line on stderr while a command waits, as JSON when the command was asked for JSON."""
    click.echo(json.dumps({"note": text}) if is_json_wanted(sys.argv[1:]) else f"note:  {text}", err=True)


def find_manifest(home: Path, name: str) -> Manifest:
    """The one dataset of this home that has this name, or a root that begins with it."""
    manifests = DatasetStore(home.expanduser() / "datasets").read_manifests()
    found = [one for one in manifests if one.name == name or one.rows_root.hex().startswith(name.lower())]
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} datasets of this home have the name {name} or a root that begins so",
                           "`gradus data list` shows them; `gradus data add` makes one", ExitStatus.USAGE)
    return found[0]


def parse_widths(text: str) -> tuple[int, ...]:
    """`128,64` as (128, 64); empty text for no hidden layer."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(WIDTH.fullmatch(part) for part in parts):
        raise CommandError(f"{text!r} are not widths of layers", "such as 128,64", ExitStatus.USAGE)
    return tuple(int(part) for part in parts)


def read_terms(spec: ModelSpec, path: Path) -> ModelSpec:
    """`spec` with the terms of a JSON file over it."""
    try:
        return merge_terms(spec, path, json.loads(path.read_text()))
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}", "", ExitStatus.USAGE) from None
