"""`gradus audit`: recompute what a chain has computed, and say whether it is equal."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from abci_app.cli.data import open_store
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import (
    ROUND_NUMBER, combine, data_option, home_option, model_argument, node_option, output_option,
)
from abci_app.cli.output import print_fields, print_rows
from abci_app.cli.progress import progress_bar
from abci_app.cli.trust import read_terms, trust_options
from abci_app.client.chain import ChainClient
from abci_app.client.errors import NodeRefused, QueryRefused
from abci_app.client.rpc import Rpc
from abci_app.data.table import Progress
from abci_app.replay.blocks import BlockReader
from abci_app.replay.records import NodeRecords
from abci_app.replay.replay import Replayer, RoundReplay
from abci_app.replay.rounds import ReplayedUnit
from abci_app.sdk import proofs
from abci_app.sdk.proved_records import ProvedRecords

ROUND_COLUMNS = ("round", "attempt", "units", "audits", "weights", "weights_root")
UNIT_COLUMNS = ("unit", "trainer", "standing", "claim")
EVENTS_HINT = ("either the chain is wrong or the events of this node's blocks are not the chain's, which nothing "
               "proves: ask another one (--node URL)")
VERIFY_HINT = ("either the chain is wrong or this node lies: ask another one (--node URL), and have what it says "
               "proved (--verify)")


@dataclass(frozen=True)
class Asked:
    """What a command line asks for, besides the model."""

    home: Path
    node: str
    folder: Path | None
    trust: dict[str, Any]
    is_verified: bool


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@model_argument
@click.argument("number", metavar="[ROUND]", type=ROUND_NUMBER, required=False)
@click.argument("index", metavar="[UNIT]", type=ROUND_NUMBER, required=False)
@click.option("--all", "is_all", is_flag=True, help="The whole model: every round's weights, from the seed to now.")
@click.option("--units", "with_units", is_flag=True, help="With --all: recompute every unit of every round, too.")
@click.option("--verify", "is_verified", is_flag=True,
              help="Take no node's word: prove records and blocks against what the chain's validators signed.")
@data_option
@combine(trust_options, home_option, node_option, output_option)
def audit(model_id: int, number: int | None, index: int | None, is_all: bool, with_units: bool, is_verified: bool,
          folder: Path | None, home: Path, node: str, output: str, **trust: Any) -> None:
    """Recompute a round of model MODEL_ID from chain data and say whether the chain has it as it comes out here.

    Every claim of ROUND, or that of its UNIT (from 0), is computed again from the round's seed, its weights and the
    rows of this home, the weights after it from the payloads that were accepted, and which units were audited from
    the salts that were revealed. With --all the weights of the
    contract's seed are taken through every closed round by the payloads in the chain's blocks, up to the root of now.
    What the chain keeps no longer is rebuilt from blocks, for which the node must have them all.

    Status 0: equal, as far as anything was compared; a claim that is not equal and was rejected for it is as it should
    be, unless that UNIT alone is asked for. 1: not equal. 2: there is no such thing, or its rows are not in this home.
    3: the node does not answer, or has no such block. 4: what it says does not verify.

    \b
    Examples:
      gradus audit 1 3
      gradus audit 1 3 0 --output json
      gradus audit 1 --all --verify --witness http://127.0.0.1:26667
    """
    if is_all and number is not None or not is_all and not number:
        raise click.UsageError("name a ROUND (from 1), or say --all for the whole model")
    if with_units and not is_all:
        raise click.UsageError("--units goes with --all; a ROUND has its units recomputed in any case")
    if not is_verified and (trust["trust_hash"] or trust["witnesses"]):
        raise click.UsageError("--trust-hash and --witness go with --verify")
    asked = Asked(home, node, folder, trust, is_verified)
    with progress_bar("reading records") as report, _replaying(asked, report) as (replayer, records):
        if is_all:
            found = list(replayer.replay_model(model_id, with_units))
        else:
            found = [replayer.replay_round(model_id, number or 0, index)]
    is_equal = all(one.is_equal for one in found) and (index is None or is_unit_equal(found[0].units[0]))
    proof = {"proved": proofs.proved_fields(records.proved)} if records is not None and records.proved else {}
    show = show_model if is_all else show_round
    show(model_id, found, is_equal, proof, output)
    if not is_equal:
        if not is_verified or any(one.source == "blocks" for one in found):
            click.echo(f"hint:  {EVENTS_HINT if is_verified else VERIFY_HINT}", err=True)
        sys.exit(ExitStatus.REFUSED)


@contextmanager
def _replaying(asked: Asked, report: Progress) -> Iterator[tuple[Replayer, ProvedRecords | None]]:
    """A replayer, and what proves its records where that is asked for. Status 1 is for what is not equal alone."""
    with ExitStack() as stack, _refused():
        rpc = stack.enter_context(Rpc(asked.node))
        chain_id = rpc.status().chain_id
        chain, reader, store = ChainClient(rpc), BlockReader(rpc, chain_id), open_store(asked.home, asked.folder)
        if asked.trust["chain_id"] not in (None, chain_id):
            raise CommandError(f"{asked.node} is a node of chain {chain_id!r}, not of {asked.trust['chain_id']!r}",
                               "check --node and --chain-id", ExitStatus.USAGE)
        if not asked.is_verified:
            yield Replayer(chain, NodeRecords(chain), reader, store, report), None
            return
        records = ProvedRecords(read_terms(asked.home, asked.node, asked.trust))
        yield Replayer(chain, records, reader, store, report, records.check_header), records


@contextmanager
def _refused() -> Iterator[None]:
    """A node that refuses a question is as good as none."""
    try:
        yield
    except (NodeRefused, QueryRefused) as error:
        raise CommandError(error.text, error.hint or "ask another node (--node URL)", ExitStatus.UNREACHABLE) from None


def is_unit_equal(replayed: ReplayedUnit) -> bool:
    """Whether a claim is there, and equal."""
    return replayed.verdict.is_equal


def show_round(model_id: int, found: list[RoundReplay], is_equal: bool, proof: dict[str, Any], output: str) -> None:
    """Print one round."""
    one = found[0]
    rows = [unit_fields(replayed) for replayed in one.units]
    fields = {"model_id": model_id, **round_fields(one), "equal": is_equal}
    if output == "json":
        print_fields({**fields, "units": rows, **proof}, output)
        return
    print_rows(rows, UNIT_COLUMNS, output, "no units")
    print_fields({**fields, **proof}, output)


def show_model(model_id: int, found: list[RoundReplay], is_equal: bool, proof: dict[str, Any], output: str) -> None:
    """Print all rounds of a model."""
    rows = [round_fields(one) for one in found]
    fields = {"model_id": model_id, "rounds": found[-1].number, "weights_root": found[-1].root.hex(), "equal": is_equal}
    if output == "json":
        units = [[unit_fields(replayed) for replayed in one.units] for one in found]
        listed = [{**row, **({"units": part} if part else {})} for row, part in zip(rows, units, strict=True)]
        print_fields({**fields, "replayed": listed, **proof}, output)
        return
    for row, one in zip(rows, found, strict=True):
        row["units"] = f"{sum(unit.verdict.is_right for unit in one.units)} of {len(one.units)}" if one.units else "-"
    print_rows(rows, ROUND_COLUMNS, output, "no rounds")
    for one in found:
        for replayed in one.units:
            if not replayed.verdict.is_right:
                click.echo(f"round {one.number}, unit {replayed.unit.index} of {replayed.unit.trainer}: "
                           f"{replayed.verdict}")
    print_fields({**fields, **proof}, output)


def round_fields(one: RoundReplay) -> dict[str, Any]:
    """A round for people and programs."""
    return {"round": one.number, "attempt": one.attempt, "source": one.source, "audits": str(one.audits),
            "weights": str(one.weights), "weights_root": one.root.hex(), "computed_root": one.computed_root.hex(),
            **({"note": one.note} if one.note else {})}


def unit_fields(replayed: ReplayedUnit) -> dict[str, Any]:
    """A unit for people and programs."""
    unit, computed = replayed.unit, replayed.computed
    return {"unit": unit.index, "trainer": unit.trainer, "standing": unit.standing, "claim": str(replayed.verdict),
            "payload_root": unit.payload_root.hex(), "trace_root": unit.trace_root.hex() if unit.payload_root else "",
            "computed_payload_root": computed.payload_root.hex() if computed else "",
            "computed_trace_root": computed.trace_root.hex() if computed else ""}
