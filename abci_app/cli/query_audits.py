"""`gradus query audits`: what committees of validators recompute, what they found, and how auditors have done."""

from pathlib import Path
from typing import Any

import click

from abci_app.cli.absent import new_unit_absent
from abci_app.cli.connect import connect
from abci_app.cli.errors import CommandError
from abci_app.cli.options import MODEL_ID, ConsensusAddress, unit_arguments
from abci_app.cli.output import message_fields, print_fields, print_rows
from abci_app.cli.records import asking, show
from abci_app.cli.trust import proving, read_terms, unprovable
from abci_app.client.chain import ChainClient
from abci_app.sdk import proofs
from abci_app.wire.audit import (
    ANSWER, CONFIRMATION, STATEMENT, UNIT, Subject, confirmation_of, decode_subject, request_subject, statement_subject,
    unit_subject,
)
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit, Auditor, Params
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round

AUDIT_COLUMNS = ("model_id", "of", "asked", "status", "digests", "opened_height", "ready_height")
MEMBER_COLUMNS = ("consensus_address", "power", "verdict", "digest_height", "operator")
AUDITOR_COLUMNS = ("consensus_address", "right", "wrong", "missed", "arrears", "excluded_until_height",
                   "fees_ugrad")


@click.group("audits")
def audits() -> None:
    """What committees of validators recompute, units and answers, and how each validator has done at it."""


@audits.command("list")
@click.argument("model_id", type=MODEL_ID, required=False)
@click.option("--validator", type=ConsensusAddress(), help="Only those that wait for this validator's digest.")
@unprovable
@asking
def list_audits(model_id: int | None, validator: bytes | None, home: Path, node: str, output: str) -> None:
    """Undecided audits of MODEL_ID, or of all models.

    digests: how many members of the committee have said what they found. The answer may be told from ready_height on.

    \b
    Example: gradus query audits list
    Example: gradus query audits list 1 --output json
    """
    chain = connect(node)
    if model_id is not None:
        chain.get_model(model_id)
    rows = [_audit_fields(audit) for audit in chain.iter_open_audits(validator or b"")]
    wanted = [row for row in rows if model_id in (None, row["model_id"])]
    for row in wanted:
        row["digests"] = f"{sum(bool(member['digest']) for member in row['members'])} of {len(row['members'])}"
    print_rows(wanted, AUDIT_COLUMNS, output, "no audit is open")


@audits.command("show")
@unit_arguments
@click.option("--everybody", is_flag=True, help="What all were asked, where a committee disagreed or did not decide.")
@proving
@asking
def show_audit(model_id: int, number: int, index: int, everybody: bool, home: Path, node: str, output: str,
               **trust: Any) -> None:
    """The audit of UNIT of ROUND of MODEL_ID: who is in its committee, and what each of them said.

    It is kept until its round is settled; the unit keeps the verdict.

    \b
    Example: gradus query audits show 1 7 0
    Example: gradus query audits show 1 7 0 --everybody
    """
    absent = f"no audit of unit {index} of round {number} of model {model_id} is kept: it was not drawn, or is over"
    if trust["prove"]:
        fields, proof = _prove_audit(read_terms(home, node, trust), model_id, number, index, everybody, absent)
    else:
        chain = connect(node)
        subject = find_subject(chain, model_id, number, index)
        audit = chain.find_audit(confirmation_of(subject) if everybody else subject)
        if audit is None:
            raise CommandError(absent, f"`gradus query work unit {model_id} {number} {index}` shows the verdict")
        fields, proof = _audit_fields(audit), {}
    _print_audit(fields, proof, output)


@audits.command("request")
@click.argument("model_id", type=MODEL_ID)
@click.argument("request_id", type=click.IntRange(1, U64_MAX))
@proving
@asking
def show_request_audit(model_id: int, request_id: int, home: Path, node: str, output: str, **trust: Any) -> None:
    """The audit of the answer to REQUEST_ID, a request to MODEL_ID. It is kept until the request is settled.

    \b
    Example: gradus query audits request 1 12
    """
    _show_subject(request_subject(model_id, request_id), home, node, output, trust,
                  f"no audit of request {request_id} of model {model_id} is kept: it was not drawn, or is over",
                  f"`gradus query inference request {request_id}` shows what became of it")


@audits.command("session")
@click.argument("model_id", type=MODEL_ID)
@click.argument("session_id", type=click.IntRange(1, U64_MAX))
@click.argument("number", type=click.IntRange(1, U64_MAX))
@proving
@asking
def show_session_audit(model_id: int, session_id: int, number: int, home: Path, node: str, output: str,
                       **trust: Any) -> None:
    """The audit of the answer NUMBER, from 1, of SESSION_ID with a host of MODEL_ID. It is kept until it is decided.

    \b
    Example: gradus query audits session 1 3 5
    """
    _show_subject(statement_subject(model_id, session_id, number), home, node, output, trust,
                  f"no audit of answer {number} of session {session_id} of model {model_id} is kept: it was not drawn, "
                  "or is over",
                  f"`gradus query sessions show {session_id}` shows what became of it")


@audits.command("auditors")
@unprovable
@asking
def list_auditors(home: Path, node: str, output: str) -> None:
    """How all validators that were in a committee have done.

    Who is excluded is in no new committee until excluded_until_height.

    \b
    Example: gradus query audits auditors
    """
    rows = [message_fields(auditor) for auditor in connect(node).iter_auditors()]
    print_rows(rows, AUDITOR_COLUMNS, output, "no validator has been judged as an auditor yet")


@audits.command("auditor")
@click.argument("validator", type=ConsensusAddress())
@proving
@asking
def show_auditor(validator: bytes, home: Path, node: str, output: str, **trust: Any) -> None:
    """How one VALIDATOR has done, by its consensus address; `gradus query validators list` shows them.

    \b
    Example: gradus query audits auditor 7B2E4D3F9C0A1B5E6D8F7A9C0B1D2E3F4A5B6C7D --prove
    """
    show(output, home, node, trust, proofs.auditor_place(validator), Auditor,
         lambda: connect(node).find_auditor(validator),
         f"validator {validator.hex().upper()} was in no audit that ended",
         "`gradus query validators list` shows the validators, `gradus query audits auditors` who was judged")


@audits.command("params")
@proving
@asking
def audits_params(home: Path, node: str, output: str, **trust: Any) -> None:
    """For what an auditor is excluded from committees, and for how many blocks.

    \b
    Example: gradus query audits params
    """
    show(output, home, node, trust, proofs.audits_params_place(), Params, lambda: connect(node).audits_params(),
         "the chain has no parameters of audits")


def find_subject(chain: ChainClient, model_id: int, number: int, index: int) -> bytes:
    """What is audited: a unit of the last dealing of a round. CommandError where there is no such unit."""
    dealing = chain.find_round(model_id, number)
    if dealing is None or dealing.round is None or index not in [unit.index for unit in dealing.units]:
        raise new_unit_absent(chain, model_id, number, index)
    return unit_subject(model_id, number, dealing.round.attempt, index)


def _show_subject(subject: bytes, home: Path, node: str, output: str, trust: dict[str, Any], absent: str,
                  hint: str) -> None:
    """An audit whose subject the arguments name. CommandError where there is none."""
    if trust["prove"]:
        proved = proofs.prove(read_terms(home, node, trust), proofs.audit_place(subject))
        value = proved.record.value
        fields: dict[str, Any] = {"absent": absent} if value is None else _audit_fields(Audit.FromString(value))
        _print_audit(fields, {"proved": proofs.proved_fields(proved)}, output)
        return
    audit = connect(node).find_audit(subject)
    if audit is None:
        raise CommandError(absent, hint)
    _print_audit(_audit_fields(audit), {}, output)


def _print_audit(fields: dict[str, Any], proof: dict[str, Any], output: str) -> None:
    """The fields, and of text its members as a table below."""
    members = fields.pop("members", None)
    if output == "text" and isinstance(members, list):
        print_fields({**fields, **proof}, output)
        print_rows(members, MEMBER_COLUMNS, output, "nobody is in the committee")
        return
    print_fields({**fields, **({} if members is None else {"members": members}), **proof}, output)


def _prove_audit(terms: proofs.Terms, model_id: int, number: int, index: int, everybody: bool, absent: str
                 ) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields of the audit, or `absent`; what is shown of the proof). Which attempt the round is in is proved first: a
    node that names another one would have it proved that there is no audit."""
    dealt = proofs.prove(terms, proofs.round_place(model_id, number))
    if dealt.record.value is None:
        return {"absent": f"model {model_id} has no round {number}, or no longer"}, {
            "proved": proofs.proved_fields(dealt)}
    subject = unit_subject(model_id, number, Round.FromString(dealt.record.value).attempt, index)
    proved = proofs.prove(terms, proofs.audit_place(confirmation_of(subject) if everybody else subject))
    value = proved.record.value
    fields = {"absent": absent} if value is None else _audit_fields(Audit.FromString(value))
    return fields, {"proved": proofs.proved_fields(proved)}


def _audit_fields(audit: Audit) -> dict[str, Any]:
    """The record's fields, with what is audited in place of its bytes."""
    subject, fields = decode_subject(audit.subject), message_fields(audit)
    del fields["subject"]
    asked = "a committee" if subject.kind == UNIT else "everybody"
    return {"model_id": subject.model_id, **_name_subject(subject), "asked": asked, **fields}


def _name_subject(subject: Subject) -> dict[str, int | str]:
    """What is audited, in words and by its numbers."""
    if subject.kind == ANSWER:
        return {"of": f"request {subject.number}", "request_id": subject.number}
    if subject.kind == STATEMENT:
        number = subject.entry_number
        return {"of": f"answer {number} of session {subject.number}", "session_id": subject.number, "number": number}
    if subject.kind not in (UNIT, CONFIRMATION):
        return {"of": f"kind {subject.kind}, which this version does not know"}
    return {"of": f"unit {subject.index} of round {subject.number}", "round": subject.number, "unit": subject.index,
            "attempt": subject.attempt}
