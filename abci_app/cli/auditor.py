"""`gradus auditor`: recompute what the chain asks a validator about; see how a validator has done."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from abci_app.auditor.answers import AnswerFolder
from abci_app.auditor.auditor import Auditor
from abci_app.auditor.behaviour import Behaviour
from abci_app.auditor.errors import AuditorStopped
from abci_app.auditor.home import check_home, read_node_url, read_validator
from abci_app.cli.data import datasets_folder
from abci_app.cli.errors import CommandError
from abci_app.cli.events import Nap, event_teller
from abci_app.cli.options import DEFAULT_HOME, ConsensusAddress, NodeUrl, chain_option, combine, output_option
from abci_app.cli.output import print_fields
from abci_app.client.chain import ChainClient
from abci_app.client.node import connect
from abci_app.data.store import DatasetStore
from abci_app.data.stores import DatasetStores
from abci_app.units.source import UnitSource
from abci_app.wire.answer_file import ANSWERS_FOLDER

NICENESS = 5


auditor_options = combine(
    click.option("--home", type=click.Path(path_type=Path, file_okay=False), required=True,
                 help="Home of the validator's node."),
    click.option("--validator", type=ConsensusAddress(), help="Its consensus address [that of the home's key]."),
    click.option("--node", "nodes", multiple=True, type=NodeUrl(),
                 help="RPC address of a node; repeat it for more to fall back on [the home's own]."),
    chain_option,
    output_option)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def auditor() -> None:
    """Recompute units and answers for a validator, which the chain has judged by what its auditors answer."""


@auditor.command()
@click.option("--data", "folders", multiple=True, type=click.Path(path_type=Path),
              help="Folder of datasets; repeat it for more [HOME/datasets and your own].")
@click.option("--behaviour", type=click.Choice([str(one) for one in Behaviour]), default=str(Behaviour.HONEST),
              show_default=True, help="Cheats are refused but on test networks.")
@click.option("--niceness", type=click.IntRange(0, 19), default=NICENESS, show_default=True,
              help="By how much the node and everything else comes first.")
@auditor_options
def start(folders: tuple[Path, ...], behaviour: str, niceness: int, home: Path, validator: bytes | None,
          nodes: tuple[str, ...], chain_id: str | None, output: str) -> None:
    """Work beside a validator's node until Ctrl-C: what it is asked about is computed once more, and the
    answer laid where the node finds it (HOME/audits).

    `gradus localnet up` and `gradus node start` run one by themselves. It needs no key and sends nothing.

    \b
    Example: gradus auditor start --home ~/.gradus/localnet/node0
    """
    home = home.expanduser()
    with _stops(), ExitStack() as stack:
        if validator is None or not nodes:
            check_home(home)  # before a folder of answers is made in what is no home
        answers = stack.enter_context(AnswerFolder(home / ANSWERS_FOLDER))
        tell = stack.enter_context(event_teller(output))
        os.nice(niceness)
        chain = _open_chain(home, nodes, chain_id)
        source = UnitSource(chain, DatasetStores([DatasetStore(folder) for folder in _find_folders(home, folders)]))
        nap = Nap()
        worker = Auditor(chain, validator or read_validator(home), source, answers, behaviour=Behaviour(behaviour),
                         report=tell, sleep=nap)
        with nap.signals(worker.stop, "ending behind the unit that is being computed; once more ends at once"):
            worker.run()


@auditor.command()
@auditor_options
def status(home: Path, validator: bytes | None, nodes: tuple[str, ...], chain_id: str | None, output: str) -> None:
    """Show how a validator has done as an auditor, by the chain, and what waits for it.

    \b
    Example: gradus auditor status --home ~/.gradus/localnet/node0
    """
    home = home.expanduser()
    with _stops():
        if validator is None or not nodes:
            check_home(home)
        chain = _open_chain(home, nodes, chain_id)
        address = validator or read_validator(home)
    done, height = chain.find_auditor(address), chain.height()
    waiting = sum(1 for _ in chain.iter_open_audits(address))
    until = done.excluded_until_height if done is not None else 0
    print_fields({
        "validator": address.hex().upper(), "status": "excluded" if until > height else "in committees",
        "excluded_until_height": until, "right": done.right if done else 0, "wrong": done.wrong if done else 0,
        "missed": done.missed if done else 0, "arrears": done.arrears if done else 0,
        "fees_ugrad": done.fees_ugrad if done else 0, "waiting": waiting,
        "answers": len(AnswerFolder(home / ANSWERS_FOLDER).list_subjects()),
    }, output)


def _open_chain(home: Path, nodes: tuple[str, ...], chain_id: str | None) -> ChainClient:
    return ChainClient(connect(nodes or (read_node_url(home),), chain_id))


def _find_folders(home: Path, folders: tuple[Path, ...]) -> list[Path]:
    """Where to look for datasets: where was said, else with the node's and where `gradus data add` puts the user's."""
    own = Path(os.environ.get("GRADUS_HOME") or DEFAULT_HOME)
    chosen = folders or (datasets_folder(home), datasets_folder(own))
    return [folder.expanduser() for folder in chosen]


@contextmanager
def _stops() -> Iterator[None]:
    """What ends an auditor as a command's error."""
    try:
        yield
    except AuditorStopped as error:
        raise CommandError(error.text, error.hint) from None
