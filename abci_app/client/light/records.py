"""A record of the state, or that there is none, proved under a header that the light client verified.

The state after block h is under the app hash of header h+1. A proof is two steps: the entry in its room's store (or
two neighbours between which there is nothing), and the store under the app hash. Which of the two encodings a node
chose, `simple:v` or ICS-23, says only how its bytes are read; both are checked to the end (wire/proof.py, ics23.py).
"""

from dataclasses import dataclass
from typing import Protocol

from abci_app.client.errors import QueryRefused
from abci_app.client.light.blocks import NS, LightBlock
from abci_app.client.light.client import POLL_S, LightClient, Trust
from abci_app.client.light.errors import ELSEWHERE, LightError
from abci_app.client.light.verify import check_fresh
from abci_app.client.rpc import Answer
from abci_app.wire import proof
from abci_app.wire.ics23 import verify_commitments
from abci_app.wire.ints import I64_MAX

OLD_NS = 60 * NS


class StateRpc(Protocol):
    """The part of rpc.Rpc that records are read with."""

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query to the application."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the state after `height` says under a key. value: None when it is proved that there is nothing.

    header: of height + 1, whose app hash the proof leads to.
    """

    store: str
    key: bytes
    value: bytes | None
    height: int
    header: LightBlock


def read_record(client: LightClient, trust: Trust, rpc: StateRpc, store: str, key: bytes,
                height: int = 0) -> tuple[Record, Trust]:
    """A record of the state after `height` (0: the newest that can be proved), with the trust that was reached.

    Unless a height is asked for, a node is never believed about a state before the one that was verified last, which is
    waited for, at most client.wait_s, nor about one older than the trusting period.
    Raises LightError (status 4), QueryRefused, NodeUnreachable, NodeRefused.
    """
    waited_s = 0.0
    while True:
        answer = ask(rpc, store, key, height)
        if height or answer.height + 1 >= trust.latest.height or waited_s >= client.wait_s:
            break
        client.sleep(POLL_S)
        waited_s += POLL_S
    if not height and answer.height + 1 < trust.latest.height:
        raise LightError(f"the node's newest state is that of height {answer.height}; block {trust.latest.height} was "
                         "verified before", "it is behind, ask another node (--node URL); if the chain was begun anew, "
                         "forget the old one: gradus light reset CHAIN_ID")
    header, reached = client.verify(trust, answer.height + 1)
    if not height:
        check_fresh(header, client.rules, client.clock())
    value = check_answer(answer, header.header.app_hash, store, key)
    age_ns = client.clock() - header.header.time_ns
    if not height and age_ns >= OLD_NS:
        client.notes.append(f"the newest state that the node has is {age_ns // NS} seconds old")
    return Record(store, key, value, answer.height, header), reached


def ask(rpc: StateRpc, store: str, key: bytes, height: int) -> Answer:
    """A node's answer with its proof, for the key and height that were asked. Raises LightError, QueryRefused."""
    answer = rpc.abci_query(f"store/{store}/key", key, height, prove=True)
    if answer.code:
        raise QueryRefused(answer.codespace, answer.code, answer.log)
    if answer.key != key:
        raise LightError(f"the answer is for the key {answer.key.hex()[:80]}, not {key.hex()}", ELSEWHERE)
    if not 1 <= answer.height < I64_MAX or height and answer.height != height:
        raise LightError(f"the answer is of height {answer.height}, not {height or 'one that exists'}", ELSEWHERE)
    return answer


def check_answer(answer: Answer, app_hash: bytes, store: str, key: bytes) -> bytes | None:
    """What an answer proves under an app hash: a value, or None for nothing. Raises LightError."""
    ops = [(op.type, op.key, op.data) for op in answer.proof_ops]
    value = answer.value or None
    try:
        if value is not None and ops and ops[0][0] == proof.SIMPLE_VALUE:
            proof.verify_value_ops(ops, app_hash, store, key, value)
        else:
            verify_commitments([data for _, _, data in ops], app_hash, store, key, value)
    except proof.ProofInvalid as error:
        raise LightError(f"the proof of {store}/{key.hex()} does not hold: {error}", ELSEWHERE) from None
    return value
