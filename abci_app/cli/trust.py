"""Options that say what a proof rests on, and what a command makes of them."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import HEIGHT, Hash, NodeUrl, combine
from abci_app.client.node import connect
from abci_app.sdk.proofs import FIRST_HEIGHT, Terms

trust_options = combine(
    click.option("--trust-height", type=HEIGHT, help="Height of the block that is believed [1]."),
    click.option("--trust-hash", type=Hash(), default="",
                 help="Hash of that block, from a source you trust [what HOME/light knows, else the node's word]."),
    click.option("--witness", "witnesses", multiple=True, type=NodeUrl(), envvar="GRADUS_WITNESS", show_envvar=True,
                 help="RPC address of another node, which must have the same block; as often as you like."),
    click.option("--chain-id", help="Chain that the node must be of [what it says, of those HOME/light knows]."))

_prove_options = combine(
    click.option("--prove", is_flag=True, help="Check the answer against what the chain's validators signed; "
                                               "--trust-hash and --witness ask for it by themselves."),
    trust_options)


def proving(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that proves what it says, when it is asked to.

    Whoever says what a proof shall rest on is never answered without one. A --chain-id holds for an answer that is not
    proved too: where a command asks one `node`, the chain of that is looked at here.
    """
    @wraps(command)
    def decide(*arguments: Any, **values: Any) -> Any:
        values["prove"] = values["prove"] or any(map(_is_given, ("trust_hash", "trust_height", "witnesses")))
        if values["chain_id"] and not values["prove"] and "node" in values:
            connect([values["node"]], values["chain_id"]).status()
        return command(*arguments, **values)
    decorated: Callable[..., Any] = _prove_options(decide)
    return decorated


def _is_given(option: str) -> bool:
    """Whether an option of the running command is on its command line, and says something."""
    context = click.get_current_context()
    return context.get_parameter_source(option) is ParameterSource.COMMANDLINE and bool(context.params[option])


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
