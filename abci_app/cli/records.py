"""One record of the state, as a node tells it or as the chain's validators signed it: what query commands print."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.cli.errors import CommandError
from abci_app.cli.options import combine, home_option, node_option, output_option
from abci_app.cli.output import message_fields, print_fields
from abci_app.cli.trust import read_terms
from abci_app.client.chain import ChainClient
from abci_app.sdk import proofs

SETTINGS = {"help_option_names": ["-h", "--help"]}
asking = combine(home_option, node_option, output_option)


def show(output: str, home: Path, node: str, trust: dict[str, Any], place: proofs.Place, kind: type[Message],
         find: Callable[[], Message | None], absent: str, hint: str = "") -> None:
    """Print a record as the node tells it, or as it is proved; that there is none, proved, is an answer too.

    absent, hint: what is said where there is none, and what to do then.
    """
    if trust["prove"]:
        proved = proofs.prove(read_terms(home, node, trust), place)
        value = proved.record.value
        fields = {"absent": absent} if value is None else message_fields(kind.FromString(value))
        print_fields({**fields, "proved": proofs.proved_fields(proved)}, output)
        return
    record = find()
    if record is None:
        raise CommandError(absent, hint)
    print_fields(message_fields(record), output)


def of_model(chain: ChainClient, model_id: int, find: Callable[[ChainClient], Message | None]
             ) -> Callable[[], Message | None]:
    """A question about a model, which raises ModelMissing where there is nothing because there is no such model."""
    def ask() -> Message | None:
        found = find(chain)
        if found is None:
            chain.get_model(model_id)
        return found
    return ask
