"""A record of the calls, one letter each, to be checked against the protocol's grammar of calls.

A process begins with a line break, and a letter is written before its call is answered, so that a killed process
leaves the call it died in. Echo and Flush are transport and not written.
Source: CometBFT spec/abci/abci++_comet_expected_behavior.md.
"""

import os
import threading
from pathlib import Path

from abci_app.abci.errors import ConfigProblem

LETTERS = {
    "info": "i", "init_chain": "I", "query": "q", "check_tx": "c", "commit": "C", "list_snapshots": "l",
    "offer_snapshot": "o", "load_snapshot_chunk": "s", "apply_snapshot_chunk": "a", "prepare_proposal": "p",
    "process_proposal": "r", "extend_vote": "x", "verify_vote_extension": "v", "finalize_block": "f",
}


class Trace:
    """Appends to a file, a letter a call; from any thread."""

    def __init__(self, path: Path) -> None:
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise ConfigProblem(f"cannot write the trace {path}: {error.strerror}", "choose another --trace") from error
        self._lock = threading.Lock()
        os.write(self._fd, b"\n")

    def mark(self, name: str) -> None:
        """Write the letter of a call."""
        with self._lock:
            os.write(self._fd, LETTERS[name].encode())

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
