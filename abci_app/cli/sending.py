"""What commands that send transactions share: their options, and one message signed, sent and waited for."""

from google.protobuf.message import Message

from abci_app.cli.connect import connect
from abci_app.cli.options import Amount, combine, from_option, home_option, node_option, output_option
from abci_app.cli.output import print_fields
from abci_app.cli.progress import tell
from abci_app.client.keys import Key
from abci_app.client.send import Sender

AMOUNT = Amount()
signing = combine(from_option, home_option, node_option, output_option)


def send(key: Key, message: Message, node: str, output: str) -> bytes:
    """Send one message and print what became of it, unless `output` is none; its response's bytes.

    Raises ModelMissing for a message about a model that is not there, which is then not sent.
    """
    chain = connect(node)
    if "model_id" in message.DESCRIPTOR.fields_by_name:
        chain.get_model(getattr(message, "model_id"))
    sent = Sender(chain, key, report=tell).send([message])
    if output != "none":
        print_fields({"tx_hash": sent.tx_hash.hex().upper(), "height": sent.height, "gas_used": sent.gas_used}, output)
    return sent.responses[0].value
