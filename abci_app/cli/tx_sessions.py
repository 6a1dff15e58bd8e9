"""`gradus tx sessions`: deposits with one host, by hand. Questions and receipts are `gradus infer --session`."""

from pathlib import Path

import click

from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import ROUND_NUMBER, model_argument, open_key, resolve_address
from abci_app.cli.output import grad_text, print_fields
from abci_app.cli.query_sessions import session_argument
from abci_app.cli.sending import AMOUNT, send, signing
from abci_app.cli.tx_inference import get_host
from abci_app.client.chain import ChainClient
from abci_app.sdk.closing import new_challenge, new_close
from abci_app.sdk.home import sessions_folder
from abci_app.sdk.journal import SessionJournal
from abci_app.sdk.paid import BLOCKS
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.ints import U32_MAX, U64_MAX
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgOpenSession, MsgOpenSessionResponse, MsgTopUpSession


@click.group("sessions")
def sessions() -> None:
    """Sessions by hand: what is needed of them stands in the journals of this home."""


@sessions.command("open")
@model_argument
@click.argument("host")
@click.option("--deposit", type=AMOUNT, required=True, help="What answers are paid from; what is left comes back. "
              "Beside it what an audit may cost is burnt, by its chance.")
@click.option("--price-max", type=AMOUNT, help="For 10^9 multiply-adds, at most [what the host asks now].")
@click.option("--blocks", type=click.IntRange(1, U32_MAX), default=BLOCKS, show_default=True,
              help="Until the session expires.")
@click.option("--round", "number", type=ROUND_NUMBER, help="Weights after this round [the newest].")
@signing
def open_session(model_id: int, host: str, deposit: int, price_max: int | None, blocks: int, number: int | None,
                 sender: str, home: Path, node: str, output: str) -> None:
    """Open a session with HOST, an address or the name of a key here.

    \b
    Example: gradus tx sessions open 1 gradus1... --deposit 5grad --from alice
    """
    key, address = open_key(home, sender), resolve_address(home, host)
    if price_max is None:
        price_max = get_host(node, model_id, address).price_ugrad_per_gma
    journal = SessionJournal.create(sessions_folder(home, connect(node).chain_id()))
    try:
        message = MsgOpenSession(user=key.bech32, model_id=model_id, host=address, is_pinned=number is not None,
                                 round=number or 0, price_max_ugrad_per_gma=price_max,
                                 deposit=coin_pb(base_coin(deposit)), receipt_key=journal.key.public, blocks=blocks)
        told = MsgOpenSessionResponse.FromString(send(key, message, node, "none"))
        journal.put_session(get_session(connect(node), told.session_id))
    finally:
        journal.close()
    print_fields({"session_id": told.session_id, "deposit": grad_text(deposit),
                  "next": f"gradus infer {model_id} --session {told.session_id} --from {sender}"}, output)


@sessions.command("top-up")
@session_argument
@click.argument("amount", type=AMOUNT)
@signing
def top_up(session_id: int, amount: int, sender: str, home: Path, node: str, output: str) -> None:
    """Add AMOUNT to the deposit of a session of yours. What an audit may cost the more is burnt beside it.

    \b
    Example: gradus tx sessions top-up 3 1grad --from alice
    """
    key = open_key(home, sender)
    send(key, MsgTopUpSession(user=key.bech32, session_id=session_id, amount=coin_pb(base_coin(amount))), node, output)


@sessions.command("close")
@session_argument
@signing
def close(session_id: int, sender: str, home: Path, node: str, output: str) -> None:
    """End a session of yours with the last receipt in its journal. What is not spent comes back when it is settled.

    \b
    Example: gradus tx sessions close 3 --from alice
    """
    key, chain = open_key(home, sender), connect(node)
    with find_journal(home, chain, session_id) as journal:
        last = None
        for last in journal.iter_answers():
            pass
        send(key, new_close(key.bech32, session_id, last), node, output)


@sessions.command("challenge")
@session_argument
@click.argument("number", type=click.IntRange(1, U64_MAX))
@signing
def challenge(session_id: int, number: int, sender: str, home: Path, node: str, output: str) -> None:
    """Say that answer NUMBER of a session of yours is wrong, and have auditors compute it again.

    It takes the contract's challenge bond, which comes back if the answer is wrong; the host then loses its stake and
    you get the whole deposit back. If it is right, the bond is lost.

    \b
    Example: gradus tx sessions challenge 3 17 --from alice
    """
    key, chain = open_key(home, sender), connect(node)
    with find_journal(home, chain, session_id) as journal:
        message = new_challenge(key.bech32, session_id, list(journal.iter_answers()), number)
    send(key, message, node, output)


def get_session(chain: ChainClient, session_id: int) -> Session:
    """A session as the node tells it. Raises CommandError."""
    found = chain.find_session(session_id)
    if found is None:
        raise CommandError(f"no session {session_id} is open or kept",
                           "`gradus query sessions list` shows those that are")
    return found


def find_journal(home: Path, chain: ChainClient, session_id: int) -> SessionJournal:
    """The journal of a session of this home. Raises CommandError, JournalDamaged, SessionBusy."""
    return SessionJournal.find(sessions_folder(home, chain.chain_id()), get_session(chain, session_id).receipt_key)
