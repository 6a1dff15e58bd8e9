"""An answer that was bought on the chain: what it says, what it cost, who earned and who lost by it, and its proof.

A request is dealt to hosts who answer independently; its record says what each of them is owed and why. The record is
read from the state under a header that the light client has verified; the answer's bytes are checked against the hash
in the record. So neither the node nor a host is believed.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, ProofInvalid, TimedOut
from abci_app.client.light.errors import ELSEWHERE
from abci_app.client.words import enum_word
from abci_app.sdk.errors import AnswerMissing, RequestFailed
from abci_app.sdk.host_client import HostClient
from abci_app.sdk.proofs import Proved
from abci_app.sdk.translator import Answer, Classified, Regressed, Written
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED, SEAT_STATUS_PAID, Request, RequestStatus, SeatStatus,
)
from abci_app.wire.question import answer_hash

ENDED = (REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED)
POLL_S = 0.25
HOST_S = 30.0

_Kind = TypeVar("_Kind")
Sleep = Callable[[float], None]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What a host had of a request. standing: paid, wrong, withheld, missed or unpaid. earned_ugrad: of the fee;
    slashed_ugrad: of its bond."""

    host: str
    standing: str
    earned_ugrad: int
    slashed_ugrad: int


@dataclass(frozen=True, slots=True)
class Inference:
    """An answer from the chain. answer_bytes: as auditors compare it. proved: None when the node was believed.

    record: as the chain has it, without the question's own bytes where it is proved.
    """

    answer: Answer
    answer_bytes: bytes
    record: Request
    proved: Proved | None

    @property
    def request_id(self) -> int:
        """The request's number on the chain."""
        return self.record.id

    @property
    def cost_ugrad(self) -> int:
        """What was paid for the answer; the rest of the escrow came back. Gas is not in it."""
        return self.record.fee_ugrad

    @property
    def parts(self) -> tuple[Part, ...]:
        """What became of each host that it was dealt to, as they were dealt."""
        return tuple(Part(seat.host, enum_word(SeatStatus.DESCRIPTOR, seat.status),
                          seat.ask_ugrad if seat.status == SEAT_STATUS_PAID else 0, seat.slashed_ugrad)
                     for seat in self.record.seats)

    @property
    def paid(self) -> tuple[Part, ...]:
        """Hosts that earned their price."""
        return tuple(part for part in self.parts if part.earned_ugrad)

    @property
    def slashed(self) -> tuple[Part, ...]:
        """Hosts that lost of their bond."""
        return tuple(part for part in self.parts if part.slashed_ugrad)

    @property
    def labels(self) -> tuple[int, ...]:
        """Of a classifier: a class for each row. Raises TypeError for another kind of model."""
        return _of(Classified, self.answer).labels

    @property
    def names(self) -> tuple[str, ...]:
        """Of a classifier: the classes' names. Raises TypeError."""
        return _of(Classified, self.answer).names

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        """Of a regressor: for each row, a value is q * 2^-16. Raises TypeError."""
        return _of(Regressed, self.answer).outputs

    @property
    def tokens(self) -> tuple[int, ...]:
        """Of a language model: what follows the prompt. Raises TypeError."""
        return _of(Written, self.answer).tokens

    @property
    def text(self) -> str:
        """Of a language model: what follows the prompt. Raises TypeError."""
        return _of(Written, self.answer).text


def _of(kind: type[_Kind], answer: Answer) -> _Kind:
    if not isinstance(answer, kind):
        raise TypeError(f"the model's answer is {type(answer).__name__}, not {kind.__name__}")
    return answer


def wait_request(chain: ChainClient, request_id: int, timeout_s: float, sleep: Sleep, report: Report) -> Request:
    """A request once it has ended, as the node tells it. report: is told each phase.

    Raises RequestFailed with why all coins came back, TimedOut.
    """
    deadline, told = time.monotonic() + timeout_s, ""
    while True:
        found = chain.find_request(request_id)
        if found is None:
            raise ProofInvalid(f"the node knows no request {request_id}, which it has just taken", ELSEWHERE)
        phase = describe_phase(found)
        if phase != told:
            report(phase)
            told = phase
        if found.status in ENDED:
            return found
        if time.monotonic() >= deadline:
            raise TimedOut(f"request {request_id} has no answer after {timeout_s:g} s: {phase}",
                           f"it goes on without you: gradus query inference request {request_id}")
        sleep(POLL_S)


def describe_phase(request: Request) -> str:
    """Where a request stands, such as `reveal, 2 of 3 hosts`."""
    word = enum_word(RequestStatus.DESCRIPTOR, request.status)
    if request.status in ENDED or not request.seats:
        return word
    done = len(request.seats) - request.waiting_count
    return f"{word}, {done} of {len(request.seats)} hosts" if request.waiting_count else word


def check_answered(request: Request) -> None:
    """Raises RequestFailed for a request that was not answered."""
    if request.status == REQUEST_STATUS_FAILED:
        raise RequestFailed(request.id, request.reason, request.refund_ugrad)


def find_answer(chain: ChainClient, request: Request, timeout_s: float = HOST_S) -> bytes:
    """The answer's bytes, checked against the record's hash: out of the record, else from a host that was paid for it.

    Raises AnswerMissing when none of them gives it out.
    """
    if request.answer:
        if answer_hash(request.answer) != request.answer_hash:
            raise ProofInvalid(f"the answer of request {request.id} has another hash than its record says", ELSEWHERE)
        return request.answer
    problems = []
    for endpoint in list_endpoints(chain, request):
        try:
            with closing(HostClient(endpoint, timeout_s)) as host:
                found = host.find_answer(request.id)
        except ClientError as error:
            problems.append(error.text)
            continue
        if found is not None and answer_hash(found) == request.answer_hash:
            return found
        problems.append(f"{endpoint} has " + ("none" if found is None else "one with another hash"))
    raise AnswerMissing(request.id, request.answer_hash, problems)


def list_endpoints(chain: ChainClient, request: Request) -> Iterable[str]:
    """Where the hosts are that were paid for a request."""
    for seat in request.seats:
        if seat.status == SEAT_STATUS_PAID:
            host = chain.find_host(request.model_id, seat.host)
            if host is not None and host.endpoint:
                yield host.endpoint
