"""Events of the room. Attributes are decimal integers, lower-case hex for subjects, upper-case hex for validators."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    MEMBER_VERDICT_DIFFERS, MEMBER_VERDICT_LATE, MEMBER_VERDICT_MISSING, MEMBER_VERDICT_RIGHT, MEMBER_VERDICT_WRONG,
    Audit, AuditStatus, MemberVerdict,
)


def audit_opened(audit: Audit) -> Event:
    """A committee was drawn."""
    return new_event("audits.audit_opened", subject=audit.subject.hex(), members=len(audit.members))


def digest_recorded(subject: bytes, validator: bytes) -> Event:
    """A member has given its digest."""
    return new_event("audits.digest_recorded", subject=subject.hex(), validator=validator.hex().upper())


def audit_decided(audit: Audit) -> Event:
    """The answer is known; how many members gave it in time, gave another, gave it late, gave none.

    Who gave another is wrong where the answer is final, else only differs.
    """
    return new_event("audits.audit_decided", subject=audit.subject.hex(), right=_count(audit, MEMBER_VERDICT_RIGHT),
                     wrong=_count(audit, MEMBER_VERDICT_WRONG), late=_count(audit, MEMBER_VERDICT_LATE),
                     missing=_count(audit, MEMBER_VERDICT_MISSING), differs=_count(audit, MEMBER_VERDICT_DIFFERS))


def audit_closed(audit: Audit, status: str = "") -> Event:
    """An audit is forgotten. status: what it was then, or refuted."""
    return new_event("audits.audit_closed", subject=audit.subject.hex(),
                     status=status or AuditStatus.Name(audit.status).removeprefix("AUDIT_STATUS_").lower())


def auditor_excluded(validator: bytes, reason: str, until_height: int) -> Event:
    """A validator is in no new committee below a height. reason: wrong or missed."""
    return new_event("audits.auditor_excluded", validator=validator.hex().upper(), reason=reason,
                     until_height=until_height)


def _count(audit: Audit, verdict: MemberVerdict) -> int:
    return sum(1 for member in audit.members if member.verdict == verdict)
