"""What commands that send transactions share: their options, and one message signed, sent and waited for."""

import json
import sys

import click
from google.protobuf.message import Message

from abci_app.cli.connect import connect
from abci_app.cli.errors import is_json_wanted
from abci_app.cli.options import Amount, combine, from_option, home_option, node_option, output_option
from abci_app.cli.output import print_fields
from abci_app.client.keys import Key
from abci_app.client.send import Sender

AMOUNT = Amount()
signing = combine(from_option, home_option, node_option, output_option)


def send(key: Key, message: Message, node: str, output: str) -> bytes:
    """Send one message and print what became of it, unless `output` is none; its response's bytes."""
    sent = Sender(connect(node), key, report=tell).send([message])
    if output != "none":
        print_fields({"tx_hash": sent.tx_hash.hex().upper(), "height": sent.height, "gas_used": sent.gas_used}, output)
    return sent.responses[0].value


def tell(text: str) -> None:
    """A line on stderr while a command waits, as JSON when the command was asked for JSON."""
    click.echo(json.dumps({"note": text}) if is_json_wanted(sys.argv[1:]) else f"note:  {text}", err=True)
