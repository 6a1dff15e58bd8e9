"""Answers to audits that an auditor beside this node has finished: files, written there and read here.

A file that is not as wire/answer_file.py has it is no answer: it costs this node's digest and nothing more. What stands
here decides what this node says with its votes and proposes, never what a block does.
"""

import logging
import os
from itertools import islice
from pathlib import Path

from abci_app.wire.answer_file import FILE_BYTES, decode_answer_file, file_name, find_subject

NAMES_MAX = 4_096  # looked at for one vote; an auditor removes the files of audits that are closed

_log = logging.getLogger("gradus.abci")


class Answers:
    """The finished answers in a folder, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list_subjects(self) -> list[bytes]:
        """What the files are named after, rising; of at most NAMES_MAX files."""
        try:
            with os.scandir(self._folder) as entries:
                names = [entry.name for entry in islice(entries, NAMES_MAX)]
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("the answers in %s cannot be listed: %s", self._folder, error)
            return []
        return sorted(subject for subject in map(find_subject, names) if subject is not None)

    def find(self, subject: bytes, seed: bytes | None = None) -> bytes | None:
        """The answer to an audit; None without one, where the file is damaged, or is of an audit of another seed."""
        try:
            with (self._folder / file_name(subject)).open("rb") as file:
                data = file.read(FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.warning("the answer to audit %s cannot be read: %s", subject.hex(), error)
            return None
        found = decode_answer_file(subject, data)
        if found is None:
            _log.warning("the answer to audit %s is damaged; its file is not used", subject.hex())
            return None
        return found[0] if seed in (None, found[1]) else None
