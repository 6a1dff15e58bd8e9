"""Every key of the room: audits, what waits for whom, how auditors have done.

Store `audits`: 01 subject -> Audit; 02 validator subject -> the height that opened it, u64: the audit waits for this
validator's digest; 03 subject -> 01: digests of more than 2/3 of the power are there, the answer is not; 04 subject ->
01: decided and not taken; 05 validator -> Auditor; 06 00 -> Params; 06 01 -> BlockLoad.
"""

AUDITS = b"\x01"
WAITING = b"\x02"
READY = b"\x03"
DECIDED = b"\x04"
AUDITORS = b"\x05"
PARAMS = b"\x06\x00"
LOAD = b"\x06\x01"
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


def ready(subject: bytes) -> bytes:
    """Key of the mark that an audit waits for its answer only."""
    return READY + subject


def decided(subject: bytes) -> bytes:
    """Key of the mark that an audit's answer was not taken yet."""
    return DECIDED + subject


def auditor(validator: bytes) -> bytes:
    """Key of an Auditor."""
    return AUDITORS + validator
