"""`gradus tx inference`: hosts register, change their terms and leave; users ask."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.asked import build_question, question_options
from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import ROUND_NUMBER, combine, model_argument, open_key
from abci_app.cli.output import grad_text, print_fields
from abci_app.cli.sending import AMOUNT, send, signing
from abci_app.sdk.client import DEADLINE_BLOCKS, FEE_MARGIN_PPM
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import PPM, U32_MAX, mul_div_ceil
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Host, Question
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import (
    MsgDrainHost, MsgLeaveHost, MsgLeaveHostResponse, MsgRegisterHost, MsgRequestInference, MsgRequestInferenceResponse,
    MsgUpdateHost,
)

KEY_BYTES = 33
CAPACITY = click.IntRange(1, U32_MAX)


class StatementKey(click.ParamType[bytes]):
    """A compressed secp256k1 key in hex; empty text for none."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> bytes:
        """Its bytes."""
        if isinstance(value, bytes):
            return value
        try:
            found = bytes.fromhex(str(value))
        except ValueError:
            found = b"?"
        if len(found) not in (0, KEY_BYTES):
            self.fail(f"not a key: write the {2 * KEY_BYTES} hex digits of a compressed secp256k1 key", param, context)
        return found


host_options = combine(
    click.option("--endpoint", metavar="URL", help="Where sessions find it; none: it takes no sessions."),
    click.option("--statement-key", type=StatementKey(), metavar="HEX",
                 help="Public key of what it answers in sessions; `gradus host start` makes one and tells it."))


@click.group("inference")
def inference() -> None:
    """Hosts and requests. `gradus host start` registers and answers by itself, `gradus infer` asks and waits."""


@inference.command("register")
@model_argument
@click.option("--price", type=AMOUNT, required=True, help="For 10^9 multiply-adds.")
@click.option("--capacity", type=CAPACITY, default=8, show_default=True, help="Requests and sessions at once, at most.")
@click.option("--bond", type=AMOUNT, help="What wrong answers cost it at most [the contract's least].")
@host_options
@signing
def register(model_id: int, price: int, capacity: int, bond: int | None, endpoint: str | None,
             statement_key: bytes | None, sender: str, home: Path, node: str, output: str) -> None:
    """Host a model: answer for it and earn. Then keep `gradus host start MODEL_ID --key KEY` running.

    \b
    Example: gradus tx inference register 1 --price 2000ugrad --bond 100grad --from alice
    """
    key = open_key(home, sender)
    if bond is None:
        bond = connect(node).get_model(model_id).spec.inference.host_bond_ugrad
    message = MsgRegisterHost(host=key.bech32, model_id=model_id, price_ugrad_per_gma=price, capacity=capacity,
                              bond=coin_pb(base_coin(bond)), endpoint=endpoint or "",
                              statement_key=statement_key or b"")
    send(key, message, node, output)


@inference.command("update")
@model_argument
@click.option("--price", type=AMOUNT, help="For 10^9 multiply-adds [as it is].")
@click.option("--capacity", type=CAPACITY, help="Requests and sessions at once, at most [as it is].")
@click.option("--bond", type=AMOUNT, help="To be added to the bond.")
@host_options
@signing
def update(model_id: int, price: int | None, capacity: int | None, bond: int | None, endpoint: str | None,
           statement_key: bytes | None, sender: str, home: Path, node: str, output: str) -> None:
    """Change a host's terms, from the next request on; one that drains or was stood down is active again.

    \b
    Example: gradus tx inference update 1 --price 1500ugrad --from alice
    Example: gradus tx inference update 1 --endpoint "" --from alice
    """
    key = open_key(home, sender)
    known = get_host(node, model_id, key.bech32)
    if endpoint == "":
        statement_key = b""
    message = MsgUpdateHost(
        host=key.bech32, model_id=model_id, bond=coin_pb(base_coin(bond or 0)),
        price_ugrad_per_gma=known.price_ugrad_per_gma if price is None else price,
        capacity=known.capacity if capacity is None else capacity,
        endpoint=known.endpoint if endpoint is None else endpoint,
        statement_key=known.statement_key if statement_key is None else statement_key)
    send(key, message, node, output)


def get_host(node: str, model_id: int, address: str) -> Host:
    """A host of a model. Raises ModelMissing, CommandError."""
    chain = connect(node)
    chain.get_model(model_id)
    found = chain.find_host(model_id, address)
    if found is None:
        raise CommandError(f"{address} does not host model {model_id}",
                           f"`gradus query inference hosts {model_id}` shows who does; host it: gradus tx inference "
                           "register")
    return found


@inference.command("drain")
@model_argument
@signing
def drain(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Take no new requests and sessions; what is open is finished as ever.

    \b
    Example: gradus tx inference drain 1 --from alice
    """
    key = open_key(home, sender)
    send(key, MsgDrainHost(host=key.bech32, model_id=model_id), node, output)


@inference.command("leave")
@model_argument
@signing
def leave(model_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """Host a model no longer, and take what is left of the bond back.

    \b
    Example: gradus tx inference leave 1 --from alice
    """
    key = open_key(home, sender)
    told = MsgLeaveHostResponse.FromString(send(key, MsgLeaveHost(host=key.bech32, model_id=model_id), node, "none"))
    print_fields({"returned": grad_text(told.returned_ugrad)}, output)


@inference.command("request")
@model_argument
@question_options
@click.option("--replicas", type=click.IntRange(1, U32_MAX), default=1, show_default=True,
              help="Hosts that shall answer, independently of one another.")
@click.option("--max-fee", type=AMOUNT, help="The most that is paid [half more than it costs]; the rest comes back.")
@click.option("--deadline-blocks", type=click.IntRange(1, U32_MAX), default=DEADLINE_BLOCKS, show_default=True,
              help="Until the last host has shown its answer.")
@click.option("--round", "number", type=ROUND_NUMBER, help="Weights after this round [the newest].")
@signing
def request(model_id: int, replicas: int, max_fee: int | None, deadline_blocks: int, number: int | None, sender: str,
            home: Path, node: str, output: str, **options: Any) -> None:
    """Ask a model, and do not wait for the answer; `gradus infer` waits and checks it.

    \b
    Example: gradus tx inference request 1 --dataset-row 0 --replicas 3 --from alice
    """
    chain = connect(node)
    asked = build_question(home, chain.get_model(model_id).spec, options)
    key = open_key(home, sender)
    if max_fee is None:
        max_fee = choose_max_fee(node, model_id, asked.question, replicas)
    message = MsgRequestInference(user=key.bech32, model_id=model_id, is_pinned=number is not None, round=number or 0,
                                  question=asked.question, max_fee=coin_pb(base_coin(max_fee)), replicas=replicas,
                                  deadline_blocks=deadline_blocks)
    told = MsgRequestInferenceResponse.FromString(send(key, message, node, "none"))
    print_fields({"request_id": told.request_id, "escrow": grad_text(max_fee),
                  "next": f"gradus infer {model_id} --request {told.request_id}"}, output)


def choose_max_fee(node: str, model_id: int, question: Question, replicas: int) -> int:
    """Half more than an answer costs now. Raises CommandError where too few hosts would answer."""
    quoted = connect(node).quote(model_id, question, replicas)
    if not quoted.is_available:
        raise CommandError(f"{len(quoted.offers)} hosts of model {model_id} would answer now, not {replicas}",
                           f"ask for fewer; `gradus query inference hosts {model_id}` shows who hosts it")
    return mul_div_ceil(quoted.fee_ugrad, FEE_MARGIN_PPM, PPM)
