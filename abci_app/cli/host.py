"""`gradus host`: answer for a model and earn; see where a host stands; leave."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.events import Nap, event_teller
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import (
    Amount, chain_option, combine, home_option, model_argument, nodes_option, open_key, output_option, price_option,
    resolve_address,
)
from abci_app.cli.output import message_fields, print_fields
from abci_app.cli.progress import progress_bar
from abci_app.client.chain import ChainClient
from abci_app.client.key_lock import KeyLock
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.host.behaviour import Behaviour
from abci_app.host.errors import HostStopped, JournalBusy
from abci_app.host.host import WORKERS, Host
from abci_app.host.journal import Journal
from abci_app.host.limits import Limits
from abci_app.host.terms import CAPACITY, PRICE_UGRAD_PER_GMA, Terms, send_or_stop, warm_kernels
from abci_app.units.events import Event
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgDrainHost, MsgLeaveHost

LISTEN = "127.0.0.1:8645"
PORT_MAX = 65_535
LIMITS = Limits()
EVERYWHERE = ("0.0.0.0", "::")


class Listen(click.ParamType[tuple[str, int]]):
    """An address and a port to listen on."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, int]:
        """(address, port)."""
        if isinstance(value, tuple):
            return value
        address, _, port = str(value).rpartition(":")
        if not address or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
            self.fail(f"{value!r} is not an address to listen on, such as {LISTEN}", param, context)
        return address.strip("[]"), int(port)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def host() -> None:
    """Answer for a model and earn."""


serving = combine(
    click.option("--listen", type=Listen(), default=LISTEN, show_default=True,
                 help="Where sessions are served; port 0 takes a free one."),
    click.option("--endpoint", help="URL by which users reach it [http://LISTEN]."),
    click.option("--no-sessions", is_flag=True, help="Answer requests on the chain alone; serve nothing."),
    click.option("--keep-sessions", "keeps_sessions", is_flag=True,
                 help="Leave sessions open when this ends, to go on after a restart."),
    click.option("--workers", type=click.IntRange(1, 64), default=WORKERS, show_default=True,
                 help="Threads that compute answers."),
    click.option("--queue", "queue_max", type=click.IntRange(min=1), default=LIMITS.queue_max, show_default=True,
                 help="Questions in work at most; more are told to come back."),
    click.option("--session-rate", type=click.IntRange(min=1), default=LIMITS.session_rate, show_default=True,
                 help="Questions a second of one session at most."))


@host.command()
@model_argument
@click.option("--key", "name", required=True, help="Name of the key that signs, is bonded and earns.")
@click.option("--price", "price_ugrad_per_gma", type=click.IntRange(1, U64_MAX), metavar="UGRAD",
              help=f"Asked for 10^9 multiply-adds [as registered, else {PRICE_UGRAD_PER_GMA}].")
@click.option("--capacity", type=click.IntRange(1, 1_024),
              help=f"Requests and sessions at once [as registered, else {CAPACITY}].")
@click.option("--bond", "bond_ugrad", type=Amount(), help="Bond to hold at least [the contract's least].")
@serving
@click.option("--behaviour", type=click.Choice([str(one) for one in Behaviour]), default=str(Behaviour.HONEST),
              show_default=True, help="Cheats are refused but on test networks.")
@price_option
@combine(nodes_option, chain_option, home_option, output_option)
def start(model_id: int, name: str, price_ugrad_per_gma: int | None, capacity: int | None, bond_ugrad: int | None,
          listen: tuple[str, int], endpoint: str | None, no_sessions: bool, keeps_sessions: bool, workers: int,
          queue_max: int, session_rate: int, behaviour: str, gas_price_ppm_max: int, nodes: tuple[str, ...],
          chain_id: str | None, home: Path, output: str) -> None:
    """Answer for model MODEL_ID until ended: register with a bond, answer what is dealt, serve sessions, earn.

    Ctrl-C ends it when what is committed is revealed and its sessions are closed; a second one ends it at once, which
    can cost a part of the bond.

    \b
    Example:
      gradus host start 1 --key alice --price 2000
      gradus host start 1 --key alice --listen 0.0.0.0:8645 --endpoint https://answers.example.org
    """
    if endpoint is None and not no_sessions and listen[0] in EVERYWHERE:
        raise CommandError(f"users cannot reach {listen[0]}", "name the URL that they can with --endpoint",
                           ExitStatus.USAGE)
    offered = "" if no_sessions else endpoint
    home = home.expanduser()
    key = open_key(home, name)
    chain = ChainClient(connect(nodes, chain_id))
    what = f"gradus host start {model_id}"
    nap = Nap()
    with (_stops(), Journal(home / "host", chain.chain_id(), model_id, key.bech32) as journal,
          KeyLock(home / "locks", chain.chain_id(), key.bech32, what, is_shared=True), event_teller(output) as tell):
        with progress_bar() as report:
            warm_kernels(lambda _, done, total: report("compiling and testing the kernels", done, total))
        with Host(chain, key, model_id, journal, terms=Terms(price_ugrad_per_gma, capacity, bond_ugrad, offered),
                  listen=None if no_sessions else listen, behaviour=Behaviour(behaviour), report=tell, sleep=nap,
                  gas_price_ppm_max=gas_price_ppm_max, workers=workers, keeps_sessions=keeps_sessions,
                  limits=Limits(queue_max=queue_max, session_rate=session_rate),
                  serving_chain=ChainClient(connect(nodes, chain_id))) as worker:
            worker.start()
            with nap.signals(worker.drain, "ending when what is committed is revealed and sessions are closed; "
                             "once more ends at once"):
                worker.run()
            tell(Event("finished", summarise(chain, model_id, name, key.bech32)))


@host.command()
@model_argument
@click.option("--key", "name", required=True, help="Name of the host's key.")
@price_option
@combine(nodes_option, chain_option, home_option, output_option)
def drain(model_id: int, name: str, gas_price_ppm_max: int, nodes: tuple[str, ...], chain_id: str | None, home: Path,
          output: str) -> None:
    """Have nothing new dealt to a host. Its process goes on until all that is open has ended, and then ends.

    \b
    Example: gradus host drain 1 --key alice
    """
    _send(home, name, nodes, chain_id, gas_price_ppm_max, output, model_id,
          lambda address: MsgDrainHost(host=address, model_id=model_id), "the chain refused to drain this host")


@host.command()
@model_argument
@click.option("--key", "name", required=True, help="Name of the host's key.")
@price_option
@combine(nodes_option, chain_option, home_option, output_option)
def leave(model_id: int, name: str, gas_price_ppm_max: int, nodes: tuple[str, ...], chain_id: str | None, home: Path,
          output: str) -> None:
    """Give a host's bond back. Nothing of it may be open: drain it first.

    \b
    Example: gradus host leave 1 --key alice
    """
    _send(home, name, nodes, chain_id, gas_price_ppm_max, output, model_id,
          lambda address: MsgLeaveHost(host=address, model_id=model_id), "the chain refused to let this host go")


@host.command()
@model_argument
@click.option("--key", "who", required=True, help="Name of a key here, or an address.")
@combine(nodes_option, chain_option, home_option, output_option)
def status(model_id: int, who: str, nodes: tuple[str, ...], chain_id: str | None, home: Path, output: str) -> None:
    """Show what the chain says of a host: price, bond, what is open, what it has earned.

    \b
    Example: gradus host status 1 --key alice
    """
    chain = ChainClient(connect(nodes, chain_id))
    address = resolve_address(home, who)
    chain.get_model(model_id)
    found = chain.find_host(model_id, address)
    known = message_fields(found) if found is not None else {"model_id": model_id, "address": address,
                                                             "status": "not registered"}
    print_fields({**known, "balance_ugrad": chain.balance(address)}, output)


def summarise(chain: ChainClient, model_id: int, name: str, address: str) -> dict[str, int | str]:
    """What the chain says of a host that has ended, and what is left to do."""
    found = chain.find_host(model_id, address)
    if found is None:
        return {"balance_ugrad": chain.balance(address)}
    following = {"start_again": f"gradus host start {model_id} --key {name}"} if found.open_count else \
        {"next": f"gradus host leave {model_id} --key {name}"}
    return {"answered": found.answered, "earned_ugrad": found.earned_ugrad, "open": found.open_count,
            "balance_ugrad": chain.balance(address), "bond_ugrad": found.bond_ugrad, **following}


def _send(home: Path, name: str, nodes: tuple[str, ...], chain_id: str | None, gas_price_ppm_max: int, output: str,
          model_id: int, new_message: Any, what: str) -> None:
    key = open_key(home.expanduser(), name)
    chain = ChainClient(connect(nodes, chain_id))
    with _stops():
        sender = Sender(chain, key, sleep=Nap(), gas_price_ppm_max=gas_price_ppm_max)
        height = send_or_stop(sender, new_message(key.bech32), what)
    found = chain.find_host(model_id, key.bech32)
    print_fields({"height": height, **(message_fields(found) if found is not None else {"status": "left"}),
                  "balance_ugrad": chain.balance(key.bech32)}, output)


@contextmanager
def _stops() -> Iterator[None]:
    """What ends a host as a command's error."""
    try:
        yield
    except HostStopped as error:
        raise CommandError(error.text, error.hint) from None
    except JournalBusy as error:
        raise CommandError(str(error), "end that one first, or use another key") from None
