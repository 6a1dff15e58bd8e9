"""Audits on the wire: what is audited, digests of answers, and the vote extensions that carry both. Pure.

A subject (25 bytes) names what is computed again: kind u8 ‖ model u64 ‖ number u64 ‖ attempt u32 ‖ index u32,
big-endian. The kind says what it is, and who is asked. A unit of work: a committee, or everybody, whose word stands
above the committee's. An answer to a request or in a session: everybody. What is said has 96 bytes: of a committee
payload root ‖ trace root ‖ witness; of everybody about a unit a hash of both roots ‖ the witness that a committee's
answer must have ‖ a witness of its own; about an answer its hash ‖ the question's ‖ witness. A digest binds this to the
validator that gives it, so that nobody can take another's.

An extension is empty, or at most 2048 bytes: 01 ‖ count u8 ‖ count x (subject ‖ digest) ‖ openings (subject ‖ answer),
each list strictly rising by subject, at most 35 digests, not both lists empty. One content has one form of bytes. An
opening tells a proposer an answer whose digests are in; it proves itself by them, and nobody has to believe it.
Source: abci_app/x/audits/README.md; CometBFT v0.38 types/canonical.go for what a validator signs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from abci_app.wire.fields import encode_bytes, encode_fixed64
from abci_app.wire.ints import U32_MAX, u32_bytes, u64_bytes
from abci_app.wire.seed import hash_fields
from abci_app.wire.varint import encode_uvarint

UNIT = 1  # the kind of a unit of work of which a committee is asked
CONFIRMATION = 2  # of the same unit, of which everybody is asked
ANSWER = 3  # of a request for inference (number: its id), of which everybody is asked
STATEMENT = 4  # of an entry of a session (number: the session's id, attempt and index: the entry's number), as well
SUBJECT_BYTES = 25
DIGEST_BYTES = 32
ANSWER_BYTES = 96
ROOT_BYTES = 32
EXTENSION_BYTES_MAX = 2_048
DIGESTS_MAX = 35
EXTENSION_VERSION = b"\x01"
HEAD_BYTES = 2

Entry = tuple[bytes, bytes]


class ExtensionInvalid(ValueError):
    """The bytes are no vote extension in its one form."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is audited: a unit of a model's round in one dealing of it, or an answer of a model."""

    kind: int
    model_id: int
    number: int
    attempt: int
    index: int

    @property
    def entry_number(self) -> int:
        """Of a session's entry: its number, u64, of which attempt is the high half and index the low one."""
        return self.attempt << 32 | self.index

    def encode(self) -> bytes:
        """The 25 bytes; OverflowError for numbers that do not fit."""
        return (self.kind.to_bytes(1, "big") + u64_bytes(self.model_id) + u64_bytes(self.number)
                + u32_bytes(self.attempt) + u32_bytes(self.index))


@dataclass(frozen=True, slots=True)
class Extension:
    """What a validator says with a precommit: (subject, digest) and (subject, answer), each rising by subject."""

    digests: tuple[Entry, ...] = ()
    openings: tuple[Entry, ...] = ()


def unit_subject(model_id: int, number: int, attempt: int, index: int) -> bytes:
    """The subject of a unit of work: model, round, attempt of its dealing, index."""
    return Subject(UNIT, model_id, number, attempt, index).encode()


def confirmation_of(subject: bytes) -> bytes:
    """The subject by which everybody is asked about the unit of a subject."""
    return bytes([CONFIRMATION]) + subject[1:]


def request_subject(model_id: int, request_id: int) -> bytes:
    """The subject of the answer to a request for inference."""
    return Subject(ANSWER, model_id, request_id, 0, 0).encode()


def statement_subject(model_id: int, session_id: int, number: int) -> bytes:
    """The subject of the entry `number` (u64, from 1) of a session."""
    return Subject(STATEMENT, model_id, session_id, number >> 32, number & U32_MAX).encode()


def decode_subject(data: bytes) -> Subject:
    """The parts of a subject. ValueError for another length."""
    if len(data) != SUBJECT_BYTES:
        raise ValueError(f"a subject has {SUBJECT_BYTES} bytes, not {len(data)}")
    return Subject(data[0], int.from_bytes(data[1:9], "big"), int.from_bytes(data[9:17], "big"),
                   int.from_bytes(data[17:21], "big"), int.from_bytes(data[21:25], "big"))


def new_answer(payload_root: bytes, trace_root: bytes, witness: bytes) -> bytes:
    """What is said of a unit: its two roots and a witness, of 32 bytes each; of an answer: its hash, the question's and
    a witness. ValueError for other lengths."""
    answer = payload_root + trace_root + witness
    if len(payload_root) != ROOT_BYTES or len(trace_root) != ROOT_BYTES or len(answer) != ANSWER_BYTES:
        raise ValueError(f"an answer is three roots of {ROOT_BYTES} bytes")
    return answer


def new_confirmation(payload_root: bytes, trace_root: bytes, committee_witness: bytes, witness: bytes) -> bytes:
    """The answer of everybody about a recomputed unit: what tells right answers of committees, and its own witness.

    ValueError for anything but 32 bytes.
    """
    return new_answer(_hash_roots(payload_root, trace_root), committee_witness, witness)


def is_answer_of(kind: int, answer: bytes, payload_root: bytes, trace_root: bytes) -> bool:
    """Whether a decided answer (96 bytes) to a question of this kind is of a unit with these roots."""
    if kind == CONFIRMATION:
        return answer[:ROOT_BYTES] == _hash_roots(payload_root, trace_root)
    return split_answer(answer)[:2] == (payload_root, trace_root)


def is_confirmed(confirmation: bytes, answer: bytes) -> bool:
    """Whether a committee's answer, its witness too, is the one that everybody's answer stands for."""
    payload_root, trace_root, witness = split_answer(answer)
    return confirmation[:2 * ROOT_BYTES] == _hash_roots(payload_root, trace_root) + witness


def is_said_of(audit_answer: bytes, question_hash: bytes, answer_hash: bytes) -> bool:
    """Whether what was decided (96 bytes) of a request or an entry calls this answer to this question right."""
    return split_answer(audit_answer)[:2] == (answer_hash, question_hash)


def split_answer(answer: bytes) -> tuple[bytes, bytes, bytes]:
    """The three parts of 32 bytes, the witness last. ValueError for another length."""
    if len(answer) != ANSWER_BYTES:
        raise ValueError(f"an answer has {ANSWER_BYTES} bytes, not {len(answer)}")
    return answer[:32], answer[32:64], answer[64:]


def compute_digest(validator: bytes, subject: bytes, answer: bytes) -> bytes:
    """What a validator (consensus address, 20 bytes) says of a subject before anybody may know the answer."""
    return hash_fields("gradus/audit-digest", validator, subject, answer)


def encode_extension(digests: Sequence[Entry], openings: Sequence[Entry] = ()) -> bytes:
    """The bytes of an extension; b"" without entries. ExtensionInvalid for entries that have no canonical form."""
    if not digests and not openings:
        return b""
    if len(digests) > DIGESTS_MAX:
        raise ExtensionInvalid(f"{len(digests)} digests; the most is {DIGESTS_MAX}")
    body = b"".join(subject + rest for subject, rest in (*digests, *openings))
    data = EXTENSION_VERSION + len(digests).to_bytes(1, "big") + body
    if decode_extension(data) != Extension(tuple(digests), tuple(openings)):
        raise ExtensionInvalid("the entries are not of their sizes")
    return data


def decode_extension(data: bytes) -> Extension:
    """What an extension says. ExtensionInvalid for anything but its one form."""
    if not data:
        return Extension()
    if len(data) > EXTENSION_BYTES_MAX:
        raise ExtensionInvalid(f"{len(data)} bytes; the most is {EXTENSION_BYTES_MAX}")
    if len(data) <= HEAD_BYTES or data[:1] != EXTENSION_VERSION:
        raise ExtensionInvalid("it does not begin with 01 and a count, or says nothing")
    count, digest_entry = data[1], SUBJECT_BYTES + DIGEST_BYTES
    if count > DIGESTS_MAX:
        raise ExtensionInvalid(f"{count} digests; the most is {DIGESTS_MAX}")
    end = HEAD_BYTES + count * digest_entry
    if len(data) < end:
        raise ExtensionInvalid(f"{count} digests do not stand in {len(data)} bytes")
    return Extension(_split(data[HEAD_BYTES:end], DIGEST_BYTES), _split(data[end:], ANSWER_BYTES))


def extension_sign_bytes(chain_id: str, height: int, round_number: int, extension: bytes) -> bytes:
    """What a validator signs of an extension that is not empty: CanonicalVoteExtension, its length in front.

    chain_id is not empty; height and round_number are those of the precommit, within i64.
    """
    body = (encode_bytes(1, extension) + encode_fixed64(2, height) + encode_fixed64(3, round_number)
            + encode_bytes(4, chain_id.encode()))
    return encode_uvarint(len(body)) + body


def _hash_roots(payload_root: bytes, trace_root: bytes) -> bytes:
    return hash_fields("gradus/roots", payload_root, trace_root)


def _split(data: bytes, rest_bytes: int) -> tuple[Entry, ...]:
    """Entries of a subject and so many bytes more, strictly rising. Raises ExtensionInvalid."""
    size = SUBJECT_BYTES + rest_bytes
    if len(data) % size:
        raise ExtensionInvalid(f"{len(data)} bytes are not a whole number of entries of {size}")
    entries = tuple((data[at:at + SUBJECT_BYTES], data[at + SUBJECT_BYTES:at + size])
                    for at in range(0, len(data), size))
    if any(one[0] >= other[0] for one, other in zip(entries, entries[1:])):
        raise ExtensionInvalid("the subjects do not rise strictly")
    return entries
