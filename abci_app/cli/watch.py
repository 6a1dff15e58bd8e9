"""`gradus watch`: replay what others claim, challenge what is wrong, play disputes to their end."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click

from abci_app.cli.data import datasets_folder
from abci_app.cli.errors import CommandError
from abci_app.cli.events import Nap, event_teller
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import (
    MODEL_ID, combine, data_option, home_option, nodes_option, open_key, output_option, price_option,
)
from abci_app.cli.signed_rounds import open_signed
from abci_app.cli.trust import proving
from abci_app.client.chain import ChainClient
from abci_app.client.key_lock import KeyLock
from abci_app.client.node import connect
from abci_app.client.send import Sender
from abci_app.data.store import DatasetStore
from abci_app.units.source import UnitSource
from abci_app.watch.journal import Journal, JournalBusy
from abci_app.watch.kept import KeptRounds
from abci_app.watch.source import ReplaySource
from abci_app.watch.watcher import Watcher


@click.command()
@click.argument("models", metavar="[MODEL_ID]...", type=MODEL_ID, nargs=-1)
@click.option("--key", "name", help="Key whose disputes are played; it signs, and pays bonds and fees.")
@click.option("--challenge", "challenges", is_flag=True, help="Challenge wrong claims, each with the contract's bond.")
@data_option
@price_option
@combine(nodes_option, proving, home_option, output_option)
def watch(models: tuple[int, ...], name: str | None, challenges: bool, folder: Path | None, gas_price_ppm_max: int,
          nodes: tuple[str, ...], home: Path, output: str, **trust: Any) -> None:
    """Replay the accepted units of models whose dataset is here, and say which claims are wrong.

    All models unless some are named. With --key the disputes of that key are played to their end, on whichever side it
    stands; with --challenge too, every wrong claim is challenged. Ctrl-C ends it when no dispute of the key is open; a
    second one ends it at once, which loses those that are. With --prove (or --trust-hash) it replays and challenges
    only what the chain's validators signed, whatever a node says.

    \b
    Example: gradus watch 1
    Example: gradus watch --key alice --challenge
    """
    if challenges and name is None:
        raise CommandError("a challenge is signed by a key", "name one with --key", ExitStatus.USAGE)
    home = home.expanduser()
    chain = ChainClient(connect(nodes, trust["chain_id"]))
    signed = open_signed(home, nodes, chain.chain_id(), trust)
    if signed is not None:
        signed.check()
    for model_id in models:
        chain.get_model(model_id)  # a model that does not exist ends the command, and is not waited for
    store = DatasetStore((folder or datasets_folder(home)).expanduser())
    key = open_key(home, name) if name is not None else None
    nap = Nap()
    address = key.bech32 if key is not None else ""
    lock = KeyLock(home / "locks", chain.chain_id(), address, "gradus watch") if key is not None else nullcontext()
    with (_stops(), lock, Journal(home / "watch", chain.chain_id(), address, signed is not None) as journal,
          event_teller(output) as tell):
        units = UnitSource(chain, store, signed)
        source = ReplaySource(chain, units, KeptRounds(journal.folder / "weights"))
        sender = Sender(chain, key, sleep=nap, gas_price_ppm_max=gas_price_ppm_max) if key is not None else None
        watcher = Watcher(chain, source, journal, models=models, sender=sender, challenges=challenges, report=tell,
                          sleep=nap)
        with nap.signals(watcher.stop, "ending when no dispute is open; once more ends at once"):
            watcher.run()


@contextmanager
def _stops() -> Iterator[None]:
    """What ends a watcher as a command's error."""
    try:
        yield
    except JournalBusy as error:
        raise CommandError(str(error), "end that one first, or use another --home") from None
