"""Options that say what a proof rests on, and what a command makes of them."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import HEIGHT, Hash, NodeUrl, combine
from abci_app.cli.proofs import FIRST_HEIGHT, Terms

trust_options = combine(
    click.option("--trust-height", type=HEIGHT, help="Height of the block that is believed [1]."),
    click.option("--trust-hash", type=Hash(), default="",
                 help="Hash of that block, from a source you trust [what HOME/light knows, else the node's word]."),
    click.option("--witness", "witnesses", multiple=True, type=NodeUrl(), envvar="GRADUS_WITNESS", show_envvar=True,
                 help="RPC address of another node, which must have the same block; as often as you like."),
    click.option("--chain-id", help="Chain that the node must be of [what it says, of those HOME/light knows]."))

proving = combine(
    click.option("--prove", is_flag=True, help="Check the answer against what the chain's validators signed."),
    trust_options)


def _refuse_list(context: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        raise click.UsageError("a list cannot be proved, for nothing shows that it is whole; ask for one record",
                               context)


unprovable = click.option("--prove", is_flag=True, hidden=True, expose_value=False, callback=_refuse_list)


def read_terms(home: Path, node: str, trust: dict[str, Any]) -> Terms:
    """How a proof is asked for, from the values of `trust_options`. Raises CommandError."""
    if trust["trust_height"] is not None and not trust["trust_hash"]:
        raise CommandError("--trust-height needs --trust-hash: a block is believed by its hash",
                           "leave both out to go on from what is trusted already, or to take the node's word once",
                           ExitStatus.USAGE)
    return Terms(home, node, trust["witnesses"], trust["chain_id"], trust["trust_height"] or FIRST_HEIGHT,
                 trust["trust_hash"])
