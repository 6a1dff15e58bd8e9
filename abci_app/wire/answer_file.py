"""The file by which an auditor hands an answer to the node beside it: its name, and its bytes. Pure.

`<subject in hex>.answer` holds the answer (96 bytes) ‖ the seed of its audit (32) ‖ SHA-256 of subject, answer and seed
(32 bytes); anything else is none. A subject may be asked again by another seed, by which another answer is right.
"""

import hashlib

from abci_app.wire.audit import ANSWER_BYTES, SUBJECT_BYTES

ANSWERS_FOLDER = "audits"  # in a node's home
SUFFIX = ".answer"
SEED_BYTES = 32
FILE_BYTES = ANSWER_BYTES + SEED_BYTES + 32


def file_name(subject: bytes) -> str:
    """The name of the file with the answer to an audit."""
    return subject.hex() + SUFFIX


def find_subject(name: str) -> bytes | None:
    """The subject that a file is named after; None for any other name."""
    try:
        subject = bytes.fromhex(name.removesuffix(SUFFIX))
    except ValueError:
        return None
    return subject if file_name(subject) == name and len(subject) == SUBJECT_BYTES else None


def encode_answer_file(subject: bytes, answer: bytes, seed: bytes) -> bytes:
    """What stands in the file. seed: of the audit, 32 bytes."""
    return answer + seed + hashlib.sha256(subject + answer + seed).digest()


def decode_answer_file(subject: bytes, data: bytes) -> tuple[bytes, bytes] | None:
    """(answer, seed of its audit) in a file; None for one that is damaged, or of another subject."""
    answer, seed = data[:ANSWER_BYTES], data[ANSWER_BYTES:ANSWER_BYTES + SEED_BYTES]
    return (answer, seed) if data == encode_answer_file(subject, answer, seed) and len(data) == FILE_BYTES else None
