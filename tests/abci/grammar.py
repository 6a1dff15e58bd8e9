"""The order of ABCI calls, checked on traces: python -m tests.abci.grammar FILE...

A trace has a line for each life of the application's process and a letter for each call (abci_app/abci/trace.py).
The calls of all four connections stand in it as they arrived, so that those that the protocol lets come at any time are
passed over: Query, CheckTx, ListSnapshots, LoadSnapshotChunk, and an Info that somebody asks by RPC. What remains is

    life      = handshake blocks | sync info blocks           (sync: restores a snapshot; no handshake)
    handshake = info [init-chain]                             (InitChain as long as the app is at height 0)
    sync      = (offer chunk*)* offer chunk+
    blocks    = (round-call* finalize-block commit)*          (no round-call while blocks are replayed)

and every beginning of it, because a process may die at any call. What a life begins with depends on those before:
InitChain comes while nothing was committed, and never after.
Source: CometBFT spec/abci/abci++_comet_expected_behavior.md; test/e2e/pkg/grammar of its v1.x line.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from abci_app.abci.trace import LETTERS

NAMES = {letter: name for name, letter in LETTERS.items()}
FREE = "qcls"

_ROUND = "[iprxv]*"
_BLOCKS = f"(?:{_ROUND}fi*C)*{_ROUND}(?:fi*)?"
_TRY = "oi*(?:ai*)*"
_SYNC = f"i*(?:{_TRY})*"
_SYNCED = f"{_SYNC}oi*(?:ai*)*ai+{_BLOCKS}"
_UNTIL_HANDSHAKE = "i*"
_REPLAYING = f"i+{_BLOCKS}"
_BEGINNING = f"i+I{_BLOCKS}"

EMPTY = re.compile(f"{_UNTIL_HANDSHAKE}|{_BEGINNING}|{_SYNC}|{_SYNCED}")
UNKNOWN = re.compile(f"{_REPLAYING}|{EMPTY.pattern}")
COMMITTED = re.compile(f"{_UNTIL_HANDSHAKE}|{_REPLAYING}")


class GrammarBroken(Exception):
    """A trace in which a call stands where it may not."""


def check_trace(text: str) -> int:
    """Check the lives of one home, from its first on; the number of calls. Raises GrammarBroken."""
    count, phase = 0, EMPTY
    for number, line in enumerate(filter(None, text.splitlines()), start=1):
        check_life(line, phase, f"life {number}")
        count += len(line)
        phase = compute_phase(line, phase)
    return count


def check_life(line: str, phase: "re.Pattern[str]" = EMPTY, name: str = "life") -> None:
    """Check one life after lives that left the state EMPTY, COMMITTED or UNKNOWN. Raises GrammarBroken."""
    strangers = [letter for letter in line if letter not in NAMES]
    if strangers:
        raise GrammarBroken(f"{name}: {NAMES.get(strangers[0], 'no call')} ({strangers[0]!r}) has no place here")
    places = [place for place, letter in enumerate(line) if letter not in FREE]
    calls = "".join(line[place] for place in places)
    if phase.fullmatch(calls):
        return
    good = 0
    while phase.fullmatch(calls, 0, good + 1):
        good += 1
    place = places[good]
    raise GrammarBroken(f"{name}, call {place + 1}: {NAMES[line[place]]} after ...{line[max(0, place - 12):place]}")


def compute_phase(line: str, phase: "re.Pattern[str]") -> "re.Pattern[str]":
    """What the state may be after a life. A Commit or a chunk that was the last call may or may not have been done."""
    if phase is COMMITTED or re.search("C[^oaC]*[prxvf]", line):
        return COMMITTED
    return UNKNOWN if "C" in line or "a" in line else phase


def main(paths: Sequence[str]) -> int:
    """Check the files; 1 when one is broken."""
    status = 0
    for path in paths:
        text = Path(path).read_text()
        try:
            print(f"{path}: {check_trace(text)} calls in {len(text.split())} lives, in order")
        except GrammarBroken as error:
            print(f"{path}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
