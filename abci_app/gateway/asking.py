"""One question to one of several hosts: a session is taken, the answer paid, and another host asked where one fails.

Nothing is signed for an answer that did not come whole and verified, so that a host which vanishes costs at most the
receipt of its last whole answer. A text that a client has begun to read is continued by the next host where the first
one broke off: what is there becomes part of the prompt.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from abci_app.client.errors import ClientError
from abci_app.client.host_api import BUSY, RATE
from abci_app.gateway.catalogue import Served
from abci_app.gateway.errors import SERVER, ApiError, new_busy
from abci_app.gateway.ledger import ApiKey, Ledger
from abci_app.gateway.pool import Pool
from abci_app.sdk.errors import DepositSpent, HostFaulty, HostRefused, HostsMissing, HostUnreachable, SessionBusy
from abci_app.sdk.paid import PaidSession, Told
from abci_app.sdk.translator import Classified, Regressed, Written, write_tokens
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question

TRIES = 3
VALUE_ONE = 1 << 16
FAILURES = (HostUnreachable, HostRefused, HostFaulty, SessionBusy, DepositSpent)
_log = logging.getLogger("gradus.gateway")


@dataclass(frozen=True, slots=True)
class Answered:
    """tokens: of a text. text: of rows, their labels or outputs, a line for each. host, session_id: the last ones."""

    tokens: tuple[int, ...]
    text: str
    cost_ugrad: int
    host: str
    session_id: int
    answer_hash: bytes


class Asking:
    """Questions for API keys. Calls come from the threads that wait for answers."""

    def __init__(self, pool: Pool, ledger: Ledger) -> None:
        self.pool, self.ledger = pool, ledger

    def ask(self, key: ApiKey, served: Served, question: Question,
            tell: Callable[[list[int]], None] | None = None) -> Answered:
        """The answer. tell: is given a text's tokens as they come, each once. Raises ApiError, ClientError."""
        tried: set[str] = set()
        written: list[int] = []
        problem: ClientError | None = None
        while len(tried) < TRIES:
            try:
                session = self.pool.acquire(served.model.id, question, frozenset(tried))
            except HostsMissing as error:
                raise new_busy(str(problem or error)) from None
            try:
                told = self._ask(key, session, _continue(question, written), written, tell)
            except FAILURES as error:
                problem = error
                tried.add(session.host)
                self._put_aside(served.model.id, session, error)
                if tell is None:
                    written.clear()
                elif len(written) >= question.tokens > 0:
                    return Answered(tuple(written), "", 0, session.host, session.id, b"")
                continue
            except BaseException:
                self.pool.release(served.model.id, session)
                raise
            self.pool.release(served.model.id, session)
            return _new_answered(session, told, written)
        raise ApiError(502, SERVER, "hosts_failed", f"{TRIES} hosts have failed, the last one: {problem}", None, 5)

    def _ask(self, key: ApiKey, session: PaidSession, question: Question, written: list[int],
             tell: Callable[[list[int]], None] | None) -> Told:
        with self.ledger.reserve(key, session.session.compute_fee(question)) as reservation:
            if question.prompt:
                for tokens in session.stream(question=question):
                    written += tokens
                    if tell is not None:
                        tell(tokens)
                told = session.last
                assert told is not None
            else:
                told = session.ask(question=question)
            reservation.cost_ugrad = told.cost_ugrad
            return told

    def _put_aside(self, model_id: int, session: PaidSession, error: ClientError) -> None:
        _log.warning("session %d with %s: %s", session.id, session.host, error)
        if isinstance(error, HostRefused) and error.code in (BUSY, RATE):
            self.pool.shun(session.host)
            self.pool.release(model_id, session)
        else:
            self.pool.discard(model_id, session)


def _continue(question: Question, written: list[int]) -> Question:
    """A question after part of its answer."""
    if not written:
        return question
    following = Question.FromString(question.SerializeToString())
    following.prompt += write_tokens(written)
    following.tokens -= len(written)
    return following


def _new_answered(session: PaidSession, told: Told, written: list[int]) -> Answered:
    if isinstance(told.answer, Written):
        text = ""
    elif isinstance(told.answer, Classified):
        text = "\n".join(told.answer.names or map(str, told.answer.labels))
    else:
        text = write_outputs(told.answer)
    return Answered(tuple(written), text, told.cost_ugrad, session.host, session.id, told.kept.entry.answer_hash)


def write_outputs(answer: Regressed) -> str:
    """A regressor's outputs as decimals, a line for each row."""
    return "\n".join(",".join(f"{value / VALUE_ONE:.6f}" for value in row) for row in answer.outputs)
