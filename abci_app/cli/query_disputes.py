"""`gradus query disputes`: challenged units, as the chain has them: disputes that are open, and how others ended."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import MODEL_ID, resolve_address, unit_arguments
from abci_app.cli.output import message_fields, print_fields, print_rows
from abci_app.cli.records import asking, show
from abci_app.cli.trust import proving, unprovable
from abci_app.sdk import proofs
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute
from abci_app.x.disputes.types import is_challenger_due

COLUMNS = ("model_id", "round", "unit", "stage", "due", "deadline_height", "claimant", "challenger")
ENDED_COLUMNS = ("model_id", "round", "unit", "winner", "reason", "won_ugrad", "burnt_ugrad", "ended_height",
                 "claimant", "challenger")


@click.group("disputes")
def disputes() -> None:
    """Challenged units: the game about each while it is played, and how it has ended."""


@disputes.command("list")
@click.argument("model_id", type=MODEL_ID, required=False)
@click.option("--party", metavar="KEY|ADDRESS", help="Only those of this claimant or challenger.")
@click.option("--ended", is_flag=True, help="Those that are over, of rounds that the chain still keeps.")
@unprovable
@asking
def list_disputes(model_id: int | None, party: str | None, ended: bool, home: Path, node: str, output: str) -> None:
    """Open disputes of MODEL_ID, or of all models; with --ended those that are over.

    \b
    Example: gradus query disputes list 1
    Example: gradus query disputes list --ended --party alice
    """
    address, chain = resolve_address(home, party) if party else "", connect(node)
    if model_id is not None:
        chain.get_model(model_id)
    if ended:
        rows = [message_fields(one) for one in chain.iter_ended_disputes(model_id or 0, party=address)]
        print_rows(rows, ENDED_COLUMNS, output, "no dispute has ended in the rounds that are kept")
    else:
        rows = [_show(dispute) for dispute in chain.iter_disputes(model_id or 0, address)]
        print_rows(rows, COLUMNS, output, "no dispute is open")


@disputes.command("show")
@unit_arguments
@proving
@asking
def show_dispute(model_id: int, number: int, index: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """The dispute of UNIT of ROUND of MODEL_ID: the open one, else how the last one has ended.

    With --prove the open one, or that none is.

    \b
    Example: gradus query disputes show 1 7 0
    """
    if trust["prove"]:
        show(output, home, node, trust, proofs.dispute_place(model_id, number, index), Dispute, lambda: None,
             f"no dispute of unit {index} of round {number} of model {model_id} is open")
        return
    chain = connect(node)
    dispute = chain.find_dispute(model_id, number, index)
    if dispute is not None:
        print_fields(_show(dispute), output)
        return
    ended = [one for one in chain.iter_ended_disputes(model_id, number) if one.unit == index]
    if not ended:
        chain.get_model(model_id)
        raise CommandError(f"no dispute of unit {index} of round {number} of model {model_id} is open or has ended",
                           f"`gradus query disputes list {model_id}` shows those that are open, "
                           f"`gradus query disputes list {model_id} --ended` the others")
    print_fields(message_fields(ended[-1]), output)


def _show(dispute: Dispute) -> dict[str, object]:
    """The record's fields, and who is due."""
    return {**message_fields(dispute), "due": "challenger" if is_challenger_due(dispute.stage) else "claimant"}
