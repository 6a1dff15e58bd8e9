"""Every key of the room: validators, misbehaviours, how long evidence counts.

Store `validators`: 01 address -> Validator; 02 height address kind -> Misbehaviour; 03 00 -> EvidenceAge.
Misbehaviours stand in the order of their heights, so that the oldest are forgotten first.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes

VALIDATORS = b"\x01"
MISBEHAVIOURS = b"\x02"
EVIDENCE_AGE = b"\x03\x00"


def validator(address: bytes) -> bytes:
    """Key of a Validator."""
    return VALIDATORS + address


def misbehaviour(height: int, address: bytes, kind: int) -> bytes:
    """Key of a Misbehaviour."""
    return MISBEHAVIOURS + u64_bytes(height) + address + u32_bytes(kind)
