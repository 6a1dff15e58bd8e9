"""The file by which an auditor hands an answer to the node beside it: its name, and its bytes. Pure.

`<subject in hex>.answer` holds the answer (96 bytes) ‖ SHA-256 of subject and answer (32 bytes); anything else is none.
"""

import hashlib

from abci_app.wire.audit import ANSWER_BYTES, SUBJECT_BYTES

ANSWERS_FOLDER = "audits"  # in a node's home
SUFFIX = ".answer"
FILE_BYTES = ANSWER_BYTES + 32


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


def encode_answer_file(subject: bytes, answer: bytes) -> bytes:
    """What stands in the file."""
    return answer + hashlib.sha256(subject + answer).digest()


def decode_answer_file(subject: bytes, data: bytes) -> bytes | None:
    """The answer in a file; None for one that is damaged, or of another subject."""
    answer = data[:ANSWER_BYTES]
    return answer if data == encode_answer_file(subject, answer) and len(data) == FILE_BYTES else None
