"""`gradus infer`: ask a model, pay, and be shown the answer with its price and its proof."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from abci_app.cli.asked import Asked, build_question, question_options
from abci_app.cli.errors import CommandError
from abci_app.cli.exit_status import ExitStatus
from abci_app.cli.options import (
    ROUND_NUMBER, combine, home_option, model_argument, node_option, open_key, output_option,
)
from abci_app.cli.output import grad_text, print_fields
from abci_app.cli.progress import tell
from abci_app.cli.sending import AMOUNT
from abci_app.cli.trust import read_terms, trust_options
from abci_app.client.keys import Key
from abci_app.sdk.client import DEADLINE_BLOCKS, Client, Trusting
from abci_app.sdk.inference import Inference, Part
from abci_app.sdk.paid import PaidSession
from abci_app.sdk.proofs import proved_fields
from abci_app.sdk.translator import Answer, Classified, Regressed
from abci_app.wire.ints import U32_MAX, U64_MAX

NEW = "new"
VALUE_ONE = 1 << 16


class SessionChoice(click.ParamType[int]):
    """The number of an open session, or `new`, read as 0."""

    name = "session"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        """Its number."""
        text = str(value)
        if text == NEW:
            return 0
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and 0 < int(text) <= U64_MAX):
            self.fail(f"{text!r} is neither the number of a session nor {NEW}", param, context)
        return int(text)


request_options = combine(
    click.option("--replicas", type=click.IntRange(1, U32_MAX), default=1, show_default=True,
                 help="Hosts that answer, independently of one another."),
    click.option("--max-fee", type=AMOUNT,
                 help="The most that is paid [half more than it costs]; what is not needed comes back."),
    click.option("--deadline-blocks", type=click.IntRange(1, U32_MAX), default=DEADLINE_BLOCKS, show_default=True,
                 help="Until the last host has shown its answer."),
    click.option("--round", "number", type=ROUND_NUMBER, help="Weights after this round [the newest]."),
    click.option("--request", "request_id", type=click.IntRange(1, U64_MAX), metavar="ID",
                 help="Show the answer of a request that was made already."))
session_options = combine(
    click.option("--session", type=SessionChoice(), metavar="ID|new",
                 help="Ask one host directly: in an open session, or in a new one, which is closed afterwards."),
    click.option("--deposit", type=AMOUNT,
                 help="Of a new session; what is not spent comes back. What an audit may cost is burnt beside it."))


@click.command("infer", context_settings={"help_option_names": ["-h", "--help"]})
@model_argument
@question_options
@request_options
@session_options
@click.option("--from", "sender", metavar="KEY", help="Key that signs and pays.")
@click.option("--no-prove", is_flag=True, help="Believe the node, and do not verify what the validators signed.")
@trust_options
@home_option
@node_option
@output_option
def infer(model_id: int, request_id: int | None, session: int | None, deposit: int | None, sender: str | None,
          no_prove: bool, home: Path, node: str, output: str, **options: Any) -> None:
    """Ask a model, and show its answer, the price, who was paid, who was slashed, and the proof.

    Without --session the question stands on the chain: hosts answer independently, where they differ auditors decide,
    and the record of it is proved against what the chain's validators signed. With --session one host answers at
    once, with its signature; answers are audited by chance.

    \b
    Examples:
      gradus infer 1 --dataset-row 0 --replicas 3 --from alice
      gradus infer 1 --rows rows.csv --from alice --output json
      gradus infer 2 --prompt "The " --tokens 200 --session new --deposit 1grad --from alice
      gradus infer 1 --request 7
    """
    terms = read_terms(home, node, options)
    key = None if sender is None else open_key(home, sender)
    if key is None and request_id is None:
        raise CommandError("no key pays", "--from KEY", ExitStatus.USAGE)
    if (session == 0) != (deposit is not None):
        raise CommandError("a new session has a deposit, and nothing else has", "--session new --deposit AMOUNT",
                           ExitStatus.USAGE)
    with phases() as report:
        client = new_client(node, key, home, Trusting(not no_prove, tuple(terms.witnesses), terms.chain_id,
                                                      terms.trust_height, terms.trust_hash), report)
        with client:
            if request_id is not None:
                fields = show_inference(client.fetch(request_id), ())
            else:
                asked = build_question(home, client.get_model(model_id).spec, options)
                if session is None:
                    found = client.infer(model_id, options["replicas"], options["max_fee"], options["deadline_blocks"],
                                         options["number"], question=asked.question)
                    fields = show_inference(found, asked.truth)
                else:
                    fields = ask_directly(client, model_id, session, deposit, asked, options["number"], output)
    print_fields(fields, output)


def new_client(node: str, key: Key | None, home: Path, trusting: Trusting, report: Callable[[str], None]) -> Client:
    """A client as the options say."""
    return Client(node, key, home, trusting, report)


@contextmanager
def phases() -> Iterator[Callable[[str], None]]:
    """Tells what is waited for: one standing line on a terminal's stderr, else a line each."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield tell
        return
    with console.status("asking") as line:
        yield line.update


def show_inference(found: Inference, truth: tuple[int, ...]) -> dict[str, Any]:
    """What is shown of an answer from the chain."""
    record = found.record
    return {
        "request_id": found.request_id, **show_answer(found.answer, truth), "answer_hash": record.answer_hash.hex(),
        "cost_ugrad": found.cost_ugrad, "cost": grad_text(found.cost_ugrad), "refund_ugrad": record.refund_ugrad,
        "audited": record.audited, "paid": [_show_part(part) for part in found.paid],
        "slashed": [_show_part(part) for part in found.slashed],
        "others": [_show_part(part) for part in found.parts if part not in (*found.paid, *found.slashed)],
        **({} if found.proved is None else {"proved": proved_fields(found.proved)})}


def _show_part(part: Part) -> dict[str, Any]:
    fields: dict[str, Any] = {"host": part.host, "standing": part.standing}
    if part.earned_ugrad:
        fields["earned_ugrad"] = part.earned_ugrad
    if part.slashed_ugrad:
        fields["slashed_ugrad"] = part.slashed_ugrad
    return fields


def show_answer(answer: Answer, truth: tuple[int, ...]) -> dict[str, Any]:
    """What is shown of an answer. truth: labels that the rows have."""
    if isinstance(answer, Classified):
        named: dict[str, Any] = {"names": list(answer.names)} if answer.names else {}
        known = {"known_labels": list(truth), "right": sum(map(int.__eq__, answer.labels, truth))} if truth else {}
        return {"labels": list(answer.labels), **named, **known}
    if isinstance(answer, Regressed):
        return {"outputs": [[value / VALUE_ONE for value in row] for row in answer.outputs]}
    return {"tokens": len(answer.tokens), "text": answer.text}


def ask_directly(client: Client, model_id: int, session_id: int, deposit_ugrad: int | None, asked: Asked,
                 round_number: int | None, output: str) -> dict[str, Any]:
    """Ask one host, with the answer's text on stdout as it is written. A new session is closed at once."""
    if session_id:
        session = client.resume_session(session_id)
        try:
            return _ask_session(session, asked, output, is_kept=True)
        finally:
            session.session.close()
    session = client.open_session(model_id, deposit_ugrad or 0, round_number=round_number)
    with session:
        return _ask_session(session, asked, output, is_kept=False)


def _ask_session(session: PaidSession, asked: Asked, output: str, is_kept: bool) -> dict[str, Any]:
    if asked.translator.takes_text and output == "text":
        for tokens in session.stream(question=asked.question):
            sys.stdout.write(asked.translator.decode(tokens))
            sys.stdout.flush()
        click.echo()
        told = session.last
        assert told is not None
    else:
        told = session.ask(question=asked.question)
    following = f"gradus tx sessions close {session.id} --from KEY" if is_kept else \
        f"it is closing, and what is left comes back with its end: gradus query sessions show {session.id}"
    shown = show_answer(told.answer, asked.truth)
    if asked.translator.takes_text and output == "text":
        shown.pop("text", None)
    return {"session_id": session.id, "host": session.host, "number": told.kept.entry.number, **shown,
            "answer_hash": told.kept.entry.answer_hash.hex(), "statement": told.kept.statement.hex(),
            "cost_ugrad": told.cost_ugrad, "cost": grad_text(told.cost_ugrad), "left_ugrad": session.left_ugrad,
            "next": following}
