"""Genesis of audits.

{"params": Params, "audits": [Audit], "auditors": [Auditor]}
Everything may be left out; params then have their defaults. Audits and auditors are of a chain that goes on from
another's state.
"""

from typing import Any

from abci_app.runtime.context import Ctx
from abci_app.runtime.genesis import GenesisInvalid, Section
from abci_app.runtime.records import export_record, read_record
from abci_app.wire.audit import ANSWER_BYTES, DIGEST_BYTES, SUBJECT_BYTES
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    AUDIT_STATUS_DECIDED, AUDIT_STATUS_OPEN, AUDIT_STATUS_TAKEN, Audit, Auditor, Params,
)
from abci_app.x.audits.keeper import Keeper
from abci_app.x.audits.types import (
    ADDRESS_BYTES, COMMITTEE_MAX, EXCLUDED_BLOCKS_MAX, MISSED_MAX, PARAMS_DEFAULT, SEED_BYTES,
)

PATH = "app_state.audits"


def init_genesis(ctx: Ctx, keeper: Keeper, state: dict[str, Any]) -> None:
    """Write the genesis state. Raises GenesisInvalid."""
    section = Section(PATH, state).only("params", "audits", "auditors")
    keeper.put_params(ctx, _read_params(Section(f"{PATH}.params", section.value["params"]))
                      if "params" in section.value else PARAMS_DEFAULT)
    for item in section.sections("audits"):
        audit = read_record(item, Audit)
        _check_audit(item, audit)
        if keeper.find_audit(ctx, audit.subject) is not None:
            raise GenesisInvalid(f"{item.path}.subject", "stands in the list twice", "take one of them out")
        keeper.put_audit(ctx, audit)
        keeper.put_marks(ctx, audit)
    for item in section.sections("auditors"):
        auditor = read_record(item, Auditor)
        if len(auditor.consensus_address) != ADDRESS_BYTES:
            raise GenesisInvalid(f"{item.path}.consensus_address", f"{len(auditor.consensus_address)} bytes",
                                 f"write {ADDRESS_BYTES} bytes as lower-case hex")
        if keeper.find_auditor(ctx, auditor.consensus_address) is not None:
            raise GenesisInvalid(f"{item.path}.consensus_address", "stands in the list twice", "take one of them out")
        keeper.put_auditor(ctx, auditor)


def export_genesis(ctx: Ctx, keeper: Keeper) -> dict[str, Any]:
    """The genesis state that gives this state again."""
    return {"params": export_record(keeper.params(ctx)),
            "audits": [export_record(audit) for audit in keeper.iter_audits(ctx)],
            "auditors": [export_record(auditor) for auditor in keeper.iter_auditors(ctx)]}


def _read_params(section: Section) -> Params:
    params = read_record(section, Params)
    for name, most in (("missed_max", MISSED_MAX), ("missed_excluded_blocks", EXCLUDED_BLOCKS_MAX),
                       ("wrong_excluded_blocks", EXCLUDED_BLOCKS_MAX)):
        if not 1 <= getattr(params, name) <= most:
            raise GenesisInvalid(f"{section.path}.{name}", str(getattr(params, name)), f"1 to {most}")
    return params


def _check_audit(item: Section, audit: Audit) -> None:
    """The shape of a record; what it means together with others is for the invariants."""
    item.address("claimant")
    if len(audit.subject) != SUBJECT_BYTES:
        raise GenesisInvalid(f"{item.path}.subject", f"{len(audit.subject)} bytes", f"a subject has {SUBJECT_BYTES}")
    if audit.status not in (AUDIT_STATUS_OPEN, AUDIT_STATUS_DECIDED, AUDIT_STATUS_TAKEN):
        raise GenesisInvalid(f"{item.path}.status", "missing", "export it again")
    if len(audit.answer) != (0 if audit.status == AUDIT_STATUS_OPEN else ANSWER_BYTES):
        raise GenesisInvalid(f"{item.path}.answer", f"{len(audit.answer)} bytes",
                             f"{ANSWER_BYTES} once decided, none before")
    if len(audit.seed) != SEED_BYTES:
        raise GenesisInvalid(f"{item.path}.seed", f"{len(audit.seed)} bytes", f"a seed has {SEED_BYTES}")
    if not 1 <= len(audit.members) <= COMMITTEE_MAX:
        raise GenesisInvalid(f"{item.path}.members", f"{len(audit.members)} of them", f"1 to {COMMITTEE_MAX}")
    for index, member in enumerate(item.sections("members")):
        member.address("operator")
        record = audit.members[index]
        if len(record.consensus_address) != ADDRESS_BYTES or len(record.digest) not in (0, DIGEST_BYTES):
            raise GenesisInvalid(member.path, "an address of 20 bytes, and a digest of 32 or none", "export it again")
