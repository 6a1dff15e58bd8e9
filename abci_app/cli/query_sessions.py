"""`gradus query sessions`: deposits out of which answers are paid directly, and how each has ended."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.connect import connect
from abci_app.cli.options import resolve_address
from abci_app.cli.output import message_fields, print_rows
from abci_app.cli.records import asking, show
from abci_app.cli.trust import proving, unprovable
from abci_app.sdk import proofs
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Params, Session

COLUMNS = ("id", "model_id", "status", "outcome", "deposit_ugrad", "paid_ugrad", "refund_ugrad", "expiry_height",
           "host", "user")
session_argument = click.argument("session_id", type=click.IntRange(1, U64_MAX))


@click.group("sessions")
def sessions() -> None:
    """Sessions: one deposit, many answers, paid by receipts."""


@sessions.command("show")
@session_argument
@proving
@asking
def show_session(session_id: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """A session: deposit, the best receipt that the chain knows, and how it has ended.

    \b
    Example: gradus query sessions show 3 --prove
    """
    show(output, home, node, trust, proofs.session_place(session_id), Session,
         lambda: connect(node).find_session(session_id), f"no session {session_id} is open or kept",
         "`gradus query sessions list` shows those that are")


@sessions.command("list")
@click.option("--user", metavar="KEY|ADDRESS", help="Only those of this account.")
@click.option("--host", metavar="KEY|ADDRESS", help="Only those with this host.")
@unprovable
@asking
def list_sessions(user: str | None, host: str | None, home: Path, node: str, output: str) -> None:
    """Sessions that are open or kept.

    \b
    Example: gradus query sessions list --user alice
    """
    if user and host:
        raise click.UsageError("give --user or --host, not both")
    found = connect(node).iter_sessions(resolve_address(home, user) if user else "",
                                        resolve_address(home, host) if host else "")
    print_rows([message_fields(one) for one in found], COLUMNS, output, "no session is open or kept")


@sessions.command("params")
@proving
@asking
def params(home: Path, node: str, output: str, **trust: Any) -> None:
    """How long sessions may be open, and how long their ends take.

    \b
    Example: gradus query sessions params
    """
    show(output, home, node, trust, proofs.sessions_params_place(), Params, lambda: connect(node).sessions_params(),
         "the chain has no parameters of sessions")
