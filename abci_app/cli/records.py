"""One record of the state, as a node tells it or as the chain's validators signed it: what query commands print."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.cli import proofs
from abci_app.cli.errors import CommandError
from abci_app.cli.options import combine, home_option, node_option, output_option
from abci_app.cli.output import message_fields, print_fields
from abci_app.cli.trust import read_terms

SETTINGS = {"help_option_names": ["-h", "--help"]}
asking = combine(home_option, node_option, output_option)


def show(output: str, home: Path, node: str, trust: dict[str, Any], place: proofs.Place, kind: type[Message],
         find: Callable[[], Message | None], absent: str) -> None:
    """Print a record as the node tells it, or as it is proved; that there is none, proved, is an answer too."""
    if trust["prove"]:
        proved = proofs.prove(read_terms(home, node, trust), place)
        value = proved.record.value
        fields = {"absent": absent} if value is None else message_fields(kind.FromString(value))
        print_fields({**fields, "proved": proofs.proved_fields(proved)}, output)
        return
    record = find()
    if record is None:
        raise CommandError(absent)
    print_fields(message_fields(record), output)
