"""`gradus miner`: train units of a model and earn; see where a miner stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from abci_app.cli.errors import CommandError
from abci_app.cli.events import Nap, event_teller
from abci_app.cli.options import (
    chain_option, combine, data_option, home_option, model_argument, nodes_option, open_key, output_option,
    price_option, resolve_address,
)
from abci_app.cli.output import message_fields, print_fields
from abci_app.cli.progress import progress_bar
from abci_app.cli.signed_rounds import open_signed
from abci_app.cli.trust import proving
from abci_app.client.chain import ChainClient, compute_earned
from abci_app.client.key_lock import KeyLock
from abci_app.client.node import connect
from abci_app.data.store import DatasetStore
from abci_app.miner.behaviour import Behaviour
from abci_app.miner.errors import MinerStopped
from abci_app.miner.journal import Journal, JournalBusy
from abci_app.miner.miner import Miner
from abci_app.miner.preflight import warm_kernels
from abci_app.units.events import Event
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, UNIT_STATUS_REVEALED

COMPILING = "compiling and testing the kernels"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def miner() -> None:
    """Train units of a model and earn."""


@miner.command()
@model_argument
@click.option("--key", "name", required=True, help="Name of the key that signs, is bonded and earns.")
@data_option
@click.option("--behaviour", type=click.Choice([str(one) for one in Behaviour]), default=str(Behaviour.HONEST),
              show_default=True, help="Cheats are refused but on test networks.")
@click.option("--top-up", "tops_up", is_flag=True, help="Put up again what a slash has taken from the bond.")
@price_option
@combine(nodes_option, proving, home_option, output_option)
def start(model_id: int, name: str, folder: Path | None, behaviour: str, tops_up: bool, gas_price_ppm_max: int,
          nodes: tuple[str, ...], home: Path, output: str, **trust: Any) -> None:
    """Work for model MODEL_ID until it is trained: enrol with the bond, compute, commit, reveal, earn.

    Ctrl-C ends it when what is committed is revealed; a second one ends it at once, which can cost a part of the bond.
    With --prove (or --trust-hash) it commits only in rounds that the chain's validators signed, whatever a node says.

    \b
    Example:
      gradus data add digits
      gradus miner start 1 --key alice
    """
    home = home.expanduser()
    key = open_key(home, name)
    chain = ChainClient(connect(nodes, trust["chain_id"]))
    signed = open_signed(home, nodes, chain.chain_id(), trust)
    if signed is not None:
        signed.check()
    store = DatasetStore((folder or home / "datasets").expanduser())
    what = f"gradus miner start {model_id}"
    with (_stops(), Journal(home / "miner", chain.chain_id(), model_id, key.bech32) as journal,
          KeyLock(home / "locks", chain.chain_id(), key.bech32, what, is_shared=True), event_teller(output) as tell):
        nap = Nap()
        worker = Miner(chain, key, model_id, store, journal, behaviour=Behaviour(behaviour), tops_up=tops_up,
                       report=tell, sleep=nap, gas_price_ppm_max=gas_price_ppm_max, signed=signed)
        worker.check()
        with progress_bar() as report:
            warm_kernels(chain.get_model(model_id), lambda _, done, total: report(COMPILING, done, total))
        with nap.signals(worker.drain, "ending when what is committed is revealed; once more ends at once"):
            worker.run()
        tell(Event("finished", summarise(chain, model_id, name, key.bech32)))


@miner.command()
@model_argument
@click.option("--key", "who", required=True, help="Name of a key here, or an address.")
@combine(nodes_option, chain_option, home_option, output_option)
def status(model_id: int, who: str, nodes: tuple[str, ...], chain_id: str | None, home: Path, output: str) -> None:
    """Show what the chain says of a miner: bond, running round, units, earnings.

    \b
    Example: gradus miner status 1 --key alice
    """
    chain = ChainClient(connect(nodes, chain_id))
    address = resolve_address(home, who)
    chain.get_model(model_id)
    dealing, booked = chain.assignments(model_id, address), chain.find_contribution(model_id, address)
    trainer = message_fields(dealing.trainer) if dealing.trainer is not None else {}
    running = dealing.round
    print_fields({
        "address": address, "model_id": model_id, "status": trainer.get("status", "not enrolled"),
        "bond_ugrad": trainer.get("bond_ugrad", 0), "accepted": booked.units if booked else 0,
        "earned_ugrad": compute_earned(booked), "balance_ugrad": chain.balance(address),
        "round": running.number if running is not None else 0,
        "phase": message_fields(running).get("phase", "") if running is not None else "",
        "units": [message_fields(unit) for unit in dealing.units],
    }, output)


def summarise(chain: ChainClient, model_id: int, name: str, address: str) -> dict[str, int | str]:
    """What the chain says of a miner that has ended, and how it gets its bond back.

    pending: units revealed in a round that still runs, which are not yet accepted. challengeable: accepted ones that
    somebody may still challenge. Each is absent when there are none.
    """
    dealing, booked = chain.assignments(model_id, address), chain.find_contribution(model_id, address)
    if chain.assignments(model_id, address) != dealing:  # the round has closed in between: read what it has paid
        dealing, booked = chain.assignments(model_id, address), chain.find_contribution(model_id, address)
    pending = sum(unit.status == UNIT_STATUS_REVEALED for unit in dealing.units)
    running = sum(unit.status in (UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED) for unit in dealing.units) + pending
    open_units = dealing.trainer.open_units - running if dealing.trainer is not None else 0
    bond_ugrad = dealing.trainer.bond_ugrad if dealing.trainer is not None else 0
    return {"accepted": booked.units if booked else 0, **({"pending": pending} if pending else {}),
            **({"challengeable": open_units} if open_units > 0 else {}),
            "earned_ugrad": compute_earned(booked), "balance_ugrad": chain.balance(address),
            "bond_ugrad": bond_ugrad,
            "next": f"gradus tx work leave {model_id} --from {name}" if bond_ugrad else ""}


@contextmanager
def _stops() -> Iterator[None]:
    """What ends a miner as a command's error."""
    try:
        yield
    except MinerStopped as error:
        raise CommandError(error.text, error.hint) from None
    except JournalBusy as error:
        raise CommandError(str(error), "end that one first, or use another key") from None
