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
from abci_app.wire.audit import CONFIRMATION, confirmation_of, decode_subject, unit_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit, Auditor, Params
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round

AUDIT_COLUMNS = ("model_id", "round", "unit", "asked", "status", "digests", "opened_height", "ready_height")
MEMBER_COLUMNS = ("consensus_address", "power", "verdict", "digest_height", "operator")
AUDITOR_COLUMNS = ("consensus_address", "right", "wrong", "missed", "arrears", "excluded_until_height",
                   "fees_ugrad")


@click.group("audits")
def audits() -> None:
    """Units that committees of validators recompute, and how each validator has done at it."""


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
    members = fields.pop("members", None)
    if output == "text" and isinstance(members, list):
        print_fields({**fields, **proof}, output)
        print_rows(members, MEMBER_COLUMNS, output, "nobody is in the committee")
        return
    print_fields({**fields, **({} if members is None else {"members": members}), **proof}, output)


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
    return {"model_id": subject.model_id, "round": subject.number, "unit": subject.index, "attempt": subject.attempt,
            "asked": "everybody" if subject.kind == CONFIRMATION else "a committee", **fields}
