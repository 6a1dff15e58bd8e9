"""Every key of the room: audits, what waits for whom, how auditors have done.

Store `audits`: 01 subject -> Audit; 02 validator subject -> the height that opened it, u64: the audit waits for this
validator's digest; 03 height subject -> 01: the answer, which is not known, may be told from this height on; 04 subject
-> 01: decided and not taken; 05 validator -> Auditor; 06 00 -> Params; 06 01 -> BlockLoad; 06 02 kind ->
height u64, multiply-adds u64: what auditors owed of audits of a kind then.
"""

from abci_app.wire.ints import u64_bytes

AUDITS = b"\x01"
WAITING = b"\x02"
READY = b"\x03"
DECIDED = b"\x04"
AUDITORS = b"\x05"
PARAMS = b"\x06\x00"
LOAD = b"\x06\x01"
DEBTS = b"\x06\x02"
MARK = b"\x01"


def audit(subject: bytes) -> bytes:
    """Key of an Audit."""
    return AUDITS + subject


def waiting(validator: bytes, subject: bytes) -> bytes:
    """Key of a digest that an open audit waits for."""
    return waiting_of(validator) + subject


def waiting_of(validator: bytes) -> bytes:
    """Prefix of what waits for a validator."""
    return WAITING + validator


def ready(height: int, subject: bytes) -> bytes:
    """Key of the mark that an audit waits for its answer only, from a height on."""
    return READY + u64_bytes(height) + subject


def decided(subject: bytes) -> bytes:
    """Key of the mark that an audit's answer was not taken yet."""
    return DECIDED + subject


def decided_of(kind: int) -> bytes:
    """Prefix of such marks of audits of a kind (u8), with which a subject begins."""
    return DECIDED + bytes([kind])


def debt(kind: int) -> bytes:
    """Key of what auditors owe of audits of a kind (u8)."""
    return DEBTS + bytes([kind])


def auditor(validator: bytes) -> bytes:
    """Key of an Auditor."""
    return AUDITORS + validator
