"""`gradus query disputes`: challenged units, as the chain has them."""

from pathlib import Path

import click

from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import MODEL_ID, combine, model_argument, resolve_address
from abci_app.cli.output import message_fields, print_fields, print_rows
from abci_app.cli.records import asking
from abci_app.wire.ints import U32_MAX
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import Dispute, DisputeStage
from abci_app.x.disputes.types import is_challenger_due

COLUMNS = ("model_id", "round", "unit", "stage", "due", "deadline_height", "claimant", "challenger")
place_arguments = combine(model_argument, click.argument("number", metavar="ROUND", type=click.IntRange(1, U32_MAX)),
                          click.argument("unit", type=click.IntRange(0, U32_MAX)))


@click.group("disputes")
def disputes() -> None:
    """Challenged units, while the game about each is played."""


@disputes.command("list")
@click.argument("model_id", type=MODEL_ID, required=False)
@click.option("--party", metavar="KEY|ADDRESS", help="Only those of this claimant or challenger.")
@asking
def list_disputes(model_id: int | None, party: str | None, home: Path, node: str, output: str) -> None:
    """Open disputes of MODEL_ID, or of all models.

    \b
    Example: gradus query disputes list 1
    Example: gradus query disputes list --party alice
    """
    address = resolve_address(home, party) if party else ""
    rows = [_show(dispute) for dispute in connect(node).iter_disputes(model_id or 0, address)]
    print_rows(rows, COLUMNS, output, "no dispute is open")


@disputes.command("show")
@place_arguments
@asking
def show_dispute(model_id: int, number: int, unit: int, home: Path, node: str, output: str) -> None:
    """The open dispute of UNIT of ROUND of MODEL_ID.

    \b
    Example: gradus query disputes show 1 7 0
    """
    dispute = connect(node).find_dispute(model_id, number, unit)
    if dispute is None:
        raise CommandError(f"no dispute of unit {unit} of round {number} of model {model_id} is open",
                           f"`gradus query disputes list {model_id}` shows those that are")
    print_fields(_show(dispute), output)


def _show(dispute: Dispute) -> dict[str, object]:
    """The record's fields, and who is due."""
    fields = message_fields(dispute)
    fields["stage"] = DisputeStage.Name(dispute.stage).removeprefix("DISPUTE_STAGE_").lower()
    fields["due"] = "challenger" if is_challenger_due(dispute.stage) else "claimant"
    return fields
