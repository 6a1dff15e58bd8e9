"""Requests that the chain has dealt to this host: what is due is computed, committed to, revealed.

Nothing is remembered but the journal. The salt is derived from the key, so that even without a journal the same answer
and salt come out again: what is committed can always be revealed.

Nothing waits for a long computation: answers are computed in workers, as many at once as there are workers, those first
that are due first, and each is committed to in the first step that finds it computed. Reveals need none of that.
"""

import hmac
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress

from google.protobuf.message import Message

from abci_app.answers.source import AnswerSource
from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError, ProofInvalid, TxRefused
from abci_app.client.keys import Key
from abci_app.client.send import Sender
from abci_app.host.behaviour import Behaviour, distort
from abci_app.host.journal import Dealt, Journal
from abci_app.host.metrics import Metrics
from abci_app.units.events import Event, Report
from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, Request, Seat,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgCommitAnswer, MsgRevealAnswer
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, answer_commitment, answer_hash, question_hash
from abci_app.wire.seed import hash_fields

BATCH_MAX = 16  # messages of one transaction
BATCH_BYTES_MAX = 32 << 10  # of answers in one transaction
WAIT_S = 1.0  # a reveal or a commitment waits so long for answers that are being computed
KEPT_BLOCKS = 20_000  # an answer is kept so long after it was committed


class Dealer:
    """One host's dealt requests. For the host's loop."""

    def __init__(self, chain: ChainClient, key: Key, model_id: int, sender: Sender, source: AnswerSource,
                 journal: Journal, workers: Executor, *, computing_max: int = 1,
                 behaviour: Behaviour = Behaviour.HONEST, report: Report = lambda event: None,
                 metrics: Metrics | None = None) -> None:
        """workers: which nothing else waits for. computing_max: how many answers are computed at once."""
        self.chain, self.key, self.model_id, self.sender, self.source = chain, key, model_id, sender, source
        self.journal, self.workers, self.behaviour, self.report = journal, workers, behaviour, report
        self.computing_max, self.metrics = computing_max, metrics or Metrics()
        self.is_bound = False
        self._commits: list[Request] = []
        self._computing: dict[int, Future[Dealt]] = {}
        self._told: dict[tuple[int, str], str] = {}

    def reveal(self) -> bool:
        """Look at what is dealt, and reveal what is due. True when anything was done.

        is_bound tells afterwards whether anything is committed that is not revealed.
        """
        self._commits = []
        requests = [one for one in self.chain.iter_requests(host=self.key.bech32) if one.model_id == self.model_id]
        commits = [one for one in requests if _is_due(one, self._seat(one), REQUEST_STATUS_COMMIT,
                                                      SEAT_STATUS_ASSIGNED)]
        reveals = [one for one in requests if _is_due(one, self._seat(one), REQUEST_STATUS_REVEAL,
                                                      SEAT_STATUS_COMMITTED)]
        self.is_bound = self.behaviour.reveals and any(
            self._seat(one).status == SEAT_STATUS_COMMITTED for one in requests
            if one.status in (REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL))
        self._commits = commits if self.behaviour.commits else []
        due = [one.id for one in commits + reveals]
        self._computing = {number: future for number, future in self._computing.items()
                           if number in due or not (future.done() or future.cancel())}
        self._told = {key: text for key, text in self._told.items() if key[0] in [one.id for one in requests]}
        return bool(reveals) and self.behaviour.reveals and self._reveal(reveals)

    def commit(self, height: int) -> bool:
        """Commit to what is computed of that which reveal() has found due. True when anything was done."""
        did = bool(self._commits) and self._commit(self._commits, height)
        self.journal.drop_dealt_before(height - KEPT_BLOCKS)
        return did

    def _seat(self, request: Request) -> Seat:
        return next((seat for seat in request.seats if seat.host == self.key.bech32), Seat())

    def _commit(self, requests: list[Request], height: int) -> bool:
        """Write down what is computed, and send the commitments."""
        messages: list[tuple[Request, Message]] = []
        for request, found in self._take(requests):
            try:
                self.journal.put_dealt(request.id, found, height)
            except (sqlite3.Error, ValueError) as error:
                self._tell(request, "waiting", f"the journal does not take its answer: {error}")
                continue
            commitment = answer_commitment(self.key.address, request.id, answer_hash(found.answer), found.salt)
            messages.append((request, MsgCommitAnswer(host=self.key.bech32, request_id=request.id,
                                                      commitment=commitment)))
        sent = self._send_all(messages, 0)
        self.metrics.add("gradus_host_commits_total", len(sent))
        for request in sent:
            self.is_bound = self.is_bound or self.behaviour.reveals
            self.report(Event("committed", {"request": request.id, "ask_ugrad": self._seat(request).ask_ugrad}))
        return bool(sent)

    def _take(self, requests: list[Request]) -> list[tuple[Request, Dealt]]:
        """The answers that are in the journal or computed within WAIT_S. The others go on, and are taken in a later
        step; a problem of one is told, and it is tried again in the next."""
        found: list[tuple[Request, Dealt]] = []
        missing: list[Request] = []
        for request in sorted(requests, key=lambda one: (one.due_height, one.id)):
            try:
                held = self._find_held(request)
            except (ClientError, sqlite3.Error) as error:
                self._tell(request, "waiting", str(error))
                continue
            if held is None:
                missing.append(request)
            else:
                found.append((request, held))
        deadline = time.monotonic() + WAIT_S
        while missing:
            self._submit(missing)
            running = [self._computing[one.id] for one in missing if one.id in self._computing]
            done = wait(running, max(deadline - time.monotonic(), 0.0), FIRST_COMPLETED).done
            if not done:
                break
            ready = [one for one in missing if self._computing.get(one.id) in done]
            missing = [one for one in missing if one not in ready]
            for request in ready:
                try:
                    found.append((request, self._computing.pop(request.id).result()))
                except Exception as error:  # of one request, whatever it is: the others go on
                    self._tell(request, "waiting", getattr(error, "text", f"{type(error).__name__}: {error}"))
        return found

    def _submit(self, requests: list[Request]) -> None:
        """Have as many answers computed as there is room for, the first first."""
        for request in requests:
            if request.id not in self._computing and len(self._computing) < self.computing_max:
                self._computing[request.id] = self.workers.submit(self._compute, request)

    def _find_held(self, request: Request) -> Dealt | None:
        """What is committed to, from the journal. Raises ProofInvalid."""
        held = self.journal.find_dealt(request.id)
        if held is not None and held.seed != request.seed:
            raise ProofInvalid(f"{self.chain.node.url} tells another seed of request {request.id} than before",
                               "ask another node")
        return held

    def _compute(self, request: Request) -> Dealt:
        """An answer and its salt. Raises ClientError."""
        whole = self.chain.find_request(request.id)
        if whole is None or question_hash(whole.question) != request.question_hash:
            raise ProofInvalid(f"{self.chain.node.url} does not tell the question of request {request.id}",
                               "ask another node")
        network = self.source.load_network(request.model_id, request.spec_version, request.round, request.weights_root)
        answer = network.answer(whole.question, request.seed)
        if self.behaviour is Behaviour.LIE:
            answer = distort(answer)
        context = hash_fields("gradus/answer-salt", u64_bytes(request.id), request.seed, answer_hash(answer))
        return Dealt(request.seed, answer, hmac.digest(self.key.private, context, "sha256"))

    def _reveal(self, requests: list[Request]) -> bool:
        messages: list[tuple[Request, Message]] = []
        for request, dealt in self._take(requests):
            found = answer_hash(dealt.answer)
            if answer_commitment(self.key.address, request.id, found, dealt.salt) != self._seat(request).commitment:
                self._tell(request, "missed", "what was committed is in no journal here")
                continue
            is_inline = len(dealt.answer) <= ANSWER_INLINE_BYTES_MAX and request.answer != dealt.answer
            messages.append((request, MsgRevealAnswer(
                host=self.key.bech32, request_id=request.id, answer_hash=found, salt=dealt.salt,
                answer=dealt.answer if is_inline else b"")))
            with suppress(sqlite3.Error, ValueError):  # nobody can commit any more: it is no secret, sent or not
                self.journal.put_dealt(request.id, dealt, request.due_height)
                self.journal.put_revealed(request.id)
        sent = self._send_all(messages, BATCH_BYTES_MAX)
        self.metrics.add("gradus_host_reveals_total", len(sent))
        for request in sent:
            self.report(Event("revealed", {"request": request.id}))
        return bool(sent)

    def _send_all(self, messages: Sequence[tuple[Request, Message]], bytes_max: int) -> list[Request]:
        """Send messages, several in a transaction; those of one that is refused each in its own. Who got through."""
        sent: list[Request] = []
        for batch in _split(messages, bytes_max):
            try:
                self._send(batch)
                sent += [request for request, _ in batch]
            except TxRefused:
                sent += [request for one in batch for request in self._send_alone(*one)]
        return sent

    def _send_alone(self, request: Request, message: Message) -> list[Request]:
        try:
            self._send([(request, message)])
            return [request]
        except TxRefused as error:
            self._tell(request, "waiting", error.text)  # the next step's record says what is still due
            return []

    def _send(self, batch: Sequence[tuple[Request, Message]]) -> None:
        self.sender.send([message for _, message in batch], is_usual=False,
                         timeout_height=min(request.due_height for request, _ in batch))

    def _tell(self, request: Request, what: str, problem: str) -> None:
        """Report a request's problem, if it is not the one that was last reported of it."""
        if self._told.get((request.id, what)) != problem:
            self._told[request.id, what] = problem
            self.report(Event(what, {"request": request.id, "problem": problem}))


def _is_due(request: Request, seat: Seat, status: int, seat_status: int) -> bool:
    return request.status == status and seat.status == seat_status


def _split(messages: Sequence[tuple[Request, Message]], bytes_max: int) -> list[list[tuple[Request, Message]]]:
    """Batches of at most BATCH_MAX messages and about `bytes_max` bytes (0: any number)."""
    batches: list[list[tuple[Request, Message]]] = []
    size = 0
    for one in messages:
        if not batches or len(batches[-1]) == BATCH_MAX or (bytes_max and size + one[1].ByteSize() > bytes_max):
            batches.append([])
            size = 0
        batches[-1].append(one)
        size += one[1].ByteSize()
    return batches
