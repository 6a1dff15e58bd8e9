"""What users and hosts say to each other in a session, as JSON: questions, receipts, entries, and refusals.

Bytes that may be long stand as base64, hashes, keys and signatures as hex. Decoding is strict: a field that is missing,
unknown, of another kind or out of range is refused, so that one content has one meaning on both sides.
Source: abci_app/host/README.md, section "The HTTP API".
"""

import base64
import binascii
from typing import Any

from abci_app.wire.ints import U32_MAX, U64_MAX, u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt
from abci_app.wire.seed import hash_fields

HASH_BYTES = 32
SIGNATURE_BYTES = 64
QUESTION_BYTES_FIELDS = ("features", "prompt")
QUESTION_FIELDS = ("rows", "features", "prompt", "tokens", "temperature_q16", "top_k", "has_stop", "stop")
RECEIPT_FIELDS = ("session_id", "count", "total_ugrad", "root", "signature")
ENTRY_FIELDS = ("number", "question_hash", "answer_hash", "fee_ugrad", "total_ugrad")

# Codes of refusals: what a client does about one depends on it.
BUSY, RATE, DRAINING = "busy", "rate", "draining"  # come back later
INVALID, TOO_LARGE, QUESTION, MISSING = "invalid", "too_large", "question", "missing"  # ask otherwise
UNPAID, SPENT, CONFLICT, CLOSED = "unpaid", "spent", "conflict", "closed"  # the session stands otherwise
FAULT = "fault"  # of the host


class HostApiInvalid(ValueError):
    """What was said is not in the form of the API; the text says which field."""


def asking_digest(chain_id: str, session_id: int, number: int, hash_of_question: bytes) -> bytes:
    """The 32 bytes that a user signs with the session's receipt key to ask: nobody else can use up its numbers."""
    return hash_fields("gradus/session-asking", chain_id.encode(), u64_bytes(session_id), u64_bytes(number),
                       hash_of_question)


def encode_question(question: Question) -> dict[str, Any]:
    """A question as JSON; fields that are 0 or empty are left out."""
    fields: dict[str, Any] = {}
    for name in QUESTION_FIELDS:
        value = getattr(question, name)
        if value:
            fields[name] = base64.b64encode(value).decode() if name in QUESTION_BYTES_FIELDS else value
    return fields


def decode_question(fields: object) -> Question:
    """A question from JSON. HostApiInvalid."""
    known = check_object(fields, QUESTION_FIELDS, "question")
    question = Question()
    for name, value in known.items():
        if name in QUESTION_BYTES_FIELDS:
            setattr(question, name, read_base64(value, name))
        elif name == "has_stop":
            if not isinstance(value, bool):
                raise HostApiInvalid("has_stop is true or false")
            question.has_stop = value
        else:
            setattr(question, name, read_int(value, name, U32_MAX))
    return question


def encode_receipt(receipt: Receipt) -> dict[str, Any]:
    """A receipt as JSON."""
    return {"session_id": receipt.session_id, "count": receipt.count, "total_ugrad": receipt.total_ugrad,
            "root": receipt.root.hex(), "signature": receipt.signature.hex()}


def decode_receipt(fields: object) -> Receipt:
    """A receipt from JSON; its signature is not checked here. HostApiInvalid."""
    known = check_object(fields, RECEIPT_FIELDS, "receipt", is_whole=True)
    return Receipt(session_id=read_int(known["session_id"], "session_id"), count=read_int(known["count"], "count"),
                   total_ugrad=read_int(known["total_ugrad"], "total_ugrad"),
                   root=read_hex(known["root"], "root", HASH_BYTES),
                   signature=read_hex(known["signature"], "signature", SIGNATURE_BYTES))


def encode_entry(entry: Entry) -> dict[str, Any]:
    """An entry as JSON."""
    return {"number": entry.number, "question_hash": entry.question_hash.hex(),
            "answer_hash": entry.answer_hash.hex(), "fee_ugrad": entry.fee_ugrad, "total_ugrad": entry.total_ugrad}


def decode_entry(fields: object) -> Entry:
    """An entry from JSON. HostApiInvalid."""
    known = check_object(fields, ENTRY_FIELDS, "entry", is_whole=True)
    return Entry(number=read_int(known["number"], "number"),
                 question_hash=read_hex(known["question_hash"], "question_hash", HASH_BYTES),
                 answer_hash=read_hex(known["answer_hash"], "answer_hash", HASH_BYTES),
                 fee_ugrad=read_int(known["fee_ugrad"], "fee_ugrad"),
                 total_ugrad=read_int(known["total_ugrad"], "total_ugrad"))


def encode_reply(answer: bytes, entry: Entry, statement: bytes) -> dict[str, Any]:
    """An answer in a session as JSON: its bytes, its entry, and the host's signature of the state after it."""
    return {"answer": base64.b64encode(answer).decode(), "entry": encode_entry(entry), "statement": statement.hex()}


def check_object(fields: object, names: tuple[str, ...], what: str, is_whole: bool = False) -> dict[str, Any]:
    """A JSON object with fields of these names alone; is_whole: with all of them. HostApiInvalid."""
    if not isinstance(fields, dict):
        raise HostApiInvalid(f"{what} is no object")
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise HostApiInvalid(f"{what} has an unknown field {unknown[0][:32]!r}; known are {', '.join(names)}")
    missing = [name for name in names if is_whole and name not in fields]
    if missing:
        raise HostApiInvalid(f"{what} lacks {missing[0]}")
    return fields


def read_int(value: object, name: str, most: int = U64_MAX) -> int:
    """A whole number from 0 on. HostApiInvalid."""
    if type(value) is not int or not 0 <= value <= most:
        raise HostApiInvalid(f"{name} is a whole number from 0 to {most}")
    return value


def read_hex(value: object, name: str, size: int) -> bytes:
    """So many bytes of hex. HostApiInvalid."""
    try:
        found = bytes.fromhex(value) if isinstance(value, str) and len(value) == 2 * size else b""
    except ValueError:
        found = b""
    if len(found) != size:
        raise HostApiInvalid(f"{name} is hex of {size} bytes")
    return found


def read_base64(value: object, name: str) -> bytes:
    """Bytes of base64. HostApiInvalid."""
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise HostApiInvalid(f"{name} is base64")
