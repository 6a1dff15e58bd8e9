"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `sessions`: 01 id -> Session; 02 -> the id that the next session gets (u64); 03 height id -> 01 while what the
session waits for ends with that block; 04 height id -> 01 while that block, as it begins, draws whether it is audited;
05 height id -> 01 while that block asks auditors about its entry; 06 user id, 07 host id -> 01 while it is kept;
08 -> Params.
"""

from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_DRAW, Session,
)

SESSIONS = b"\x01"
NEXT_ID = b"\x02"
DUE = b"\x03"
DRAWING = b"\x04"
ASKING = b"\x05"
USERS = b"\x06"
HOSTS = b"\x07"
PARAMS = b"\x08"
MARKS = (DUE, DRAWING, ASKING)
ID_BYTES = 8


def session(session_id: int) -> bytes:
    """Key of a Session record."""
    return SESSIONS + u64_bytes(session_id)


def mark(record: Session) -> bytes:
    """Key of the one mark by which a block finds a session, from its status and its due height."""
    kind = DUE
    if record.status == SESSION_STATUS_DRAW:
        kind = DRAWING
    elif record.status == SESSION_STATUS_AUDIT and not record.audit_seed:
        kind = ASKING
    return kind + u64_bytes(record.due_height) + u64_bytes(record.id)


def read_mark(key: bytes) -> tuple[int, int]:
    """(height, session) of a mark's key."""
    return int.from_bytes(key[1:9], "big"), int.from_bytes(key[9:], "big")


def sessions_of_user(address: bytes) -> bytes:
    """Prefix of the marks of an account's sessions as a user."""
    return USERS + address


def sessions_of_host(address: bytes) -> bytes:
    """Prefix of the marks of an account's sessions as a host."""
    return HOSTS + address


def party(prefix: bytes, session_id: int) -> bytes:
    """Key of the mark of a session under one of its parties."""
    return prefix + u64_bytes(session_id)
