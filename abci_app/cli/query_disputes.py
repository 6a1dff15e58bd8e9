"""`gradus query disputes`: challenged units, as the chain has them: disputes that are open, and how others ended."""

from pathlib import Path

import click

from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import MODEL_ID, combine, model_argument, resolve_address
from abci_app.cli.output import message_fields, print_fields, print_rows
from abci_app.cli.records import asking
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    Dispute, DisputeReason, DisputeStage, DisputeWinner, EndedDispute,
)
from abci_app.x.disputes.types import is_challenger_due

COLUMNS = ("model_id", "round", "unit", "stage", "due", "deadline_height", "claimant", "challenger")
ENDED_COLUMNS = ("model_id", "round", "unit", "winner", "reason", "won_ugrad", "burnt_ugrad", "ended_height",
                 "claimant", "challenger")
place_arguments = combine(model_argument, click.argument("number", metavar="ROUND", type=click.IntRange(1, U32_MAX)),
                          click.argument("unit", type=click.IntRange(0, U32_MAX)))


@click.group("disputes")
def disputes() -> None:
    """Challenged units: the game about each while it is played, and how it has ended."""


@disputes.command("list")
@click.argument("model_id", type=MODEL_ID, required=False)
@click.option("--party", metavar="KEY|ADDRESS", help="Only those of this claimant or challenger.")
@click.option("--ended", is_flag=True, help="Those that are over, of rounds that the chain still keeps.")
@asking
def list_disputes(model_id: int | None, party: str | None, ended: bool, home: Path, node: str, output: str) -> None:
    """Open disputes of MODEL_ID, or of all models; with --ended those that are over.

    \b
    Example: gradus query disputes list 1
    Example: gradus query disputes list --ended --party alice
    """
    address, chain = resolve_address(home, party) if party else "", connect(node)
    if ended:
        rows = [_show_ended(one) for one in chain.iter_ended_disputes(model_id or 0, party=address)]
        print_rows(rows, ENDED_COLUMNS, output, "no dispute has ended in the rounds that are kept")
    else:
        rows = [_show(dispute) for dispute in chain.iter_disputes(model_id or 0, address)]
        print_rows(rows, COLUMNS, output, "no dispute is open")


@disputes.command("show")
@place_arguments
@asking
def show_dispute(model_id: int, number: int, unit: int, home: Path, node: str, output: str) -> None:
    """The dispute of UNIT of ROUND of MODEL_ID: the open one, else how the last one has ended.

    \b
    Example: gradus query disputes show 1 7 0
    """
    chain = connect(node)
    dispute = chain.find_dispute(model_id, number, unit)
    if dispute is not None:
        print_fields(_show(dispute), output)
        return
    ended = [one for one in chain.iter_ended_disputes(model_id, number) if one.unit == unit]
    if not ended:
        raise CommandError(f"no dispute of unit {unit} of round {number} of model {model_id} is open or has ended",
                           f"`gradus query disputes list {model_id}` shows those that are open, "
                           f"`gradus query disputes list {model_id} --ended` the others")
    print_fields(_show_ended(ended[-1]), output)


def _show(dispute: Dispute) -> dict[str, object]:
    """The record's fields, and who is due."""
    fields = message_fields(dispute)
    fields["stage"] = DisputeStage.Name(dispute.stage).removeprefix("DISPUTE_STAGE_").lower()
    fields["due"] = "challenger" if is_challenger_due(dispute.stage) else "claimant"
    return fields


def _show_ended(ended: EndedDispute) -> dict[str, object]:
    """The record's fields, in words."""
    fields = message_fields(ended)
    fields["winner"] = DisputeWinner.Name(ended.winner).removeprefix("DISPUTE_WINNER_").lower()
    fields["reason"] = DisputeReason.Name(ended.reason).removeprefix("DISPUTE_REASON_").lower()
    return fields
