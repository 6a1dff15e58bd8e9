"""`gradus bench`: load a network with transactions and measure what it commits."""

import asyncio
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import DEFAULT_HOME, NodeUrl, find_nodes, open_key, output_option
from abci_app.cli.output import print_fields
from abci_app.cli.progress import progress_bar
from abci_app.client.errors import NodeRefused
from abci_app.client.keys import Key
from abci_app.client.load import HandedIn, Method, Pace, Report, hand_in
from abci_app.client.load_result import compute_result, read_blocks
from abci_app.client.load_txs import (
    AMOUNT_UGRAD, Signed, derive_load_key, estimate_offer, fund_accounts, read_accounts, sign_load,
)
from abci_app.client.network_file import find_network_nodes
from abci_app.client.rpc import Rpc

DEFAULT_LOCALNET = DEFAULT_HOME / "localnet"
SIGNED_PER_S = 3000  # for each second of a run as fast as the chain takes them
TXS_MAX = 1_000_000
SECONDS = 20.0


class PositiveNumber(click.FloatRange):
    """A positive number up to a limit; click's own range lets what is no number through."""

    def __init__(self, limit: float) -> None:
        super().__init__(0, limit, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        """The number."""
        number = float(super().convert(value, param, context))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, context)
        return number


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def bench() -> None:
    """Load a network and measure it."""


@bench.command()
@click.option("--from", "payer", default="faucet", show_default=True, metavar="KEY",
              help="Key that funds the accounts; theirs are derived from it.")
@click.option("--accounts", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--connections", type=click.IntRange(1, 256), default=4, show_default=True,
              help="WebSockets to each node.")
@click.option("--rate", type=PositiveNumber(1_000_000), metavar="TX/S",
              help="Hand in so many a second [as many as the chain takes].")
@click.option("--seconds", type=PositiveNumber(3600), help=f"Hand in for so long [{SECONDS:g}].")
@click.option("--txs", type=click.IntRange(1, TXS_MAX), help="Hand in so many [as many as fit into the time].")
@click.option("--method", type=click.Choice(["async", "sync"]), default="async", show_default=True,
              help="sync: a node answers with the application's word on a transaction.")
@click.option("--waiting", "waiting_max", type=click.IntRange(1, 1_000_000), default=4000, show_default=True,
              help="At most so many wait for a block; a node's mempool holds 5000 by default.")
@click.option("--node", "nodes", multiple=True, type=NodeUrl(), envvar="GRADUS_NODE", show_envvar=True,
              help="RPC address of a node; repeat it for more [all of the network's in --dir or --home].")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=DEFAULT_LOCALNET,
              envvar="GRADUS_LOCALNET", show_default=True,
              help="A localnet: its nodes are loaded and its keys used, unless --node and --home name others.")
@click.option("--home", type=click.Path(path_type=Path), envvar="GRADUS_HOME", show_envvar=True,
              help="Folder of keys [the localnet's].")
@output_option
def tx(payer: str, accounts: int, connections: int, rate: float | None, seconds: float | None, txs: int | None,
       method: Method, waiting_max: int, nodes: tuple[str, ...], folder: Path, home: Path | None, output: str) -> None:
    """Hand in signed transfers of many accounts and report what the chain commits.

    Everything is signed before the clock starts. With --rate the latency counts from when a transaction was due, as its
    memo tells; else from when it was handed in. Ends with status 1 when a transaction failed or vanished.

    \b
    Example: gradus localnet up && gradus bench tx --seconds 30
      gradus bench tx --rate 500 --seconds 60 --node http://127.0.0.1:26657 --from alice --home ~/.gradus
    """
    keys_folder, urls = choose_network(click.get_current_context(), nodes, folder, home)
    key = open_key(keys_folder, payer)
    count = txs or min(TXS_MAX, max(1, int((rate or SIGNED_PER_S) * (seconds or SECONDS))))
    limit_s = seconds if seconds or txs else SECONDS
    with progress_bar() as report:
        signed = prepare(urls, key, min(accounts, count), count, rate, report)
        figures = run_load(urls, signed, Pace(connections, method, waiting_max, None if rate else limit_s),
                           rate is not None, report)
    fields = {"nodes": len(urls), "accounts": min(accounts, count), "connections": connections * len(urls),
              "method": method, "rate": rate or "saturation", "signing_s": round(signed.seconds, 2), **figures}
    print_fields(fields if output == "json" else describe_figures(fields), output)
    check_figures(figures)


def choose_network(context: click.Context, nodes: tuple[str, ...], folder: Path, home: Path | None
                   ) -> tuple[Path, tuple[str, ...]]:
    """The folder of the keys, and the nodes.

    What the command line names goes before the environment; --dir must then be a network, unless --node and --home
    leave it nothing to say. Raises CommandError, NetworkFileInvalid.
    """
    named = [name for name in ("nodes", "folder", "home")
             if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if "folder" in named and ("nodes" not in named or "home" not in named):
        found = find_network_nodes(folder)
        if not found:
            raise CommandError(f"there is no network in {folder}",
                               f"make one: gradus localnet up --dir {shlex.quote(str(folder))}", ExitStatus.USAGE)
        return home if home and "home" in named else folder, nodes if "nodes" in named else found
    return home or folder, nodes or (home and find_network_nodes(home)) or find_nodes(folder)


def prepare(urls: Sequence[str], payer: Key, accounts: int, count: int, rate: float | None, report: Report) -> Signed:
    """Accounts with coins, and their transactions signed."""
    chain = connect(urls[0])
    offer = estimate_offer(chain, payer)
    keys = [derive_load_key(payer, index) for index in range(accounts)]
    need_ugrad = -(-count // accounts) * (offer.fee_ugrad + AMOUNT_UGRAD)
    fund_accounts(chain, payer, keys, need_ugrad, report)
    return sign_load(read_accounts(chain, keys), offer, count, rate, report)


def run_load(urls: Sequence[str], signed: Signed, pace: Pace, is_from_memo: bool, report: Report) -> dict[str, Any]:
    """Hand in a signed load, and the figures of it from the first node's blocks. Raises BlocksUnreadable."""
    rpcs = [Rpc(url) for url in urls]
    first = rpcs[0].status().height + 1
    handed: HandedIn = asyncio.run(hand_in(urls, signed.load, pace, report))
    expected = len(handed.first_s) - len(handed.refused)
    return compute_result(read_blocks(rpcs, first, signed.run, expected, report), signed.load, handed, is_from_memo)


def describe_figures(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields for people: `none` where there is nothing, and no rate that one block cannot give."""
    return {name: "none" if value == {} else "unknown: one block" if value is None else value
            for name, value in fields.items()}


def check_figures(figures: dict[str, Any]) -> None:
    """CommandError when a transaction was not handed in, was refused, failed in a block, or is in none."""
    refused = sum(figures["refused"].values())
    if figures["failed"] or refused or figures["vanished"] or figures["lost_connections"]:
        hint = "run the accounts alone: nothing else may use them meanwhile"
        if figures["failed"] or refused:
            hint = f"the codes and texts are above; {hint}"
        elif figures["lost_connections"]:
            hint = "the nodes whose connections broke are above: read their logs"
        raise CommandError(
            f"{sum(figures['failed'].values())} transactions failed in a block, {refused} were refused by a node, "
            f"{figures['vanished']} are in no block; {sum(figures['lost_connections'].values())} connections broke",
            hint)
    if not figures["committed"]:
        raise NodeRefused("nothing was committed", "is the chain making blocks? gradus localnet status")
