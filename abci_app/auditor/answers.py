"""The folder through which an auditor hands its answers to the node beside it: <home>/audits.

A file is written beside and renamed, and holds its own hash: the node, which reads it between two blocks, finds a whole
answer or none. What a crash tears is computed again.
"""

import fcntl
import os
from pathlib import Path

from abci_app.auditor.errors import AuditorStopped
from abci_app.wire.answer_file import SUFFIX, decode_answer_file, encode_answer_file, file_name, find_subject


class AnswerFolder:
    """The answers of one validator. Use in a `with`: it is locked against other auditors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = -1

    def __enter__(self) -> "AnswerFolder":
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            self._lock = -1
            raise AuditorStopped(f"another auditor works here: {self.folder} is locked", "end that one first") from None
        for left in self.folder.glob("*.writing"):
            left.unlink()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def put(self, subject: bytes, answer: bytes, seed: bytes) -> None:
        """Hand an answer over. seed: of its audit, 32 bytes.

        OSError when it cannot be written; then the folder is as it was.
        """
        path = self._path(subject)
        writing = path.with_suffix(".writing")
        try:
            writing.write_bytes(encode_answer_file(subject, answer, seed))
            writing.rename(path)
        except OSError:
            writing.unlink(missing_ok=True)
            raise

    def find(self, subject: bytes, seed: bytes | None = None) -> bytes | None:
        """The answer to a subject; None when there is none, a damaged one, or one to an audit of another seed."""
        try:
            found = decode_answer_file(subject, self._path(subject).read_bytes())
        except OSError:
            return None
        return None if found is None or seed not in (None, found[1]) else found[0]

    def list_subjects(self) -> list[bytes]:
        """The subjects that have a file, rising."""
        found = [find_subject(path.name) for path in self.folder.glob("*" + SUFFIX)]
        return sorted(subject for subject in found if subject is not None)

    def drop(self, subject: bytes) -> None:
        """Forget an answer; nothing happens when there is none."""
        self._path(subject).unlink(missing_ok=True)

    def _path(self, subject: bytes) -> Path:
        return self.folder / file_name(subject)
