"""The desk: questions of sessions in, answers out; between the HTTP server, the chain's records and the models.

What the chain says of the sessions is brought by the host's loop (`refresh`), which asks a node every second or so; a
session that is not known yet is waited for until the loop has asked again. So users make a node no work.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from coincurve import PrivateKey

from abci_app.answers.network import Network
from abci_app.client.errors import ClientError
from abci_app.client.host_api import CLOSED, DRAINING, FAULT, MISSING
from abci_app.host.behaviour import Behaviour, distort
from abci_app.host.errors import Refusal
from abci_app.host.journal import Given, Journal
from abci_app.host.ledger import Asked, Due, Ledger
from abci_app.host.limits import Limits, Queue, Rates
from abci_app.host.metrics import Metrics
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_OPEN, Receipt, Session

INLINE_WORK_MAX = 1 << 22  # multiply-adds that take less time than handing them to another thread does
LOOKUP_S = 5.0
TOKEN_PIECE_BYTES = 2
Piece = bytes | Given


class Desk:
    """The sessions of one host. All but `refresh`, `wanted` and `close_all` is for the server's thread alone."""

    def __init__(self, chain_id: str, statement_key: PrivateKey, journal: Journal,
                 find_spec: Callable[[Session], ModelSpec], load: Callable[[Session], Network], workers: Executor, *,
                 behaviour: Behaviour = Behaviour.HONEST, limits: Limits = Limits(),
                 metrics: Metrics | None = None) -> None:
        """find_spec, load: the terms, and the model, that a session is answered by; called in `workers`, at most one
        call for a session. They may raise ClientError."""
        self.chain_id, self.journal, self.behaviour = chain_id, journal, behaviour
        self.metrics = metrics or Metrics()
        self.queue = Queue(limits.queue_max, "questions are in work")
        self.rates = Rates(limits.session_rate, limits.burst_s, "this session")
        self.is_draining = False
        self.is_wanted = False
        self._key, self._find_spec, self._load, self._workers = statement_key, find_spec, load, workers
        self._records: dict[int, Session] = {}
        self._refreshes = 0
        self._ledgers: dict[int, Ledger] = {}
        self._networks: dict[int, Network] = {}
        self._opening: dict[int, asyncio.Lock] = {}
        self._working: set[asyncio.Task[Given]] = set()

    def refresh(self, records: Sequence[Session]) -> None:
        """What the chain says of all sessions of this host now. From the host's loop."""
        self._records = {record.id: record for record in records}
        self._refreshes += 1
        self.is_wanted = False
        self.metrics.put("gradus_host_sessions", sum(one.status == SESSION_STATUS_OPEN for one in records))

    def forget(self, session_id: int) -> None:
        """Let go of a session that is over."""
        for kept in (self._ledgers, self._networks, self._opening):
            kept.pop(session_id, None)

    async def answer(self, session_id: int, asked: Asked) -> Given:
        """The answer to a question, given before or computed now. Raises Refusal."""
        found: Given | None = None
        async for piece in self.stream(session_id, asked, is_whole=True):
            found = piece if isinstance(piece, Given) else None
        assert found is not None
        return found

    async def stream(self, session_id: int, asked: Asked, is_whole: bool = False) -> AsyncGenerator[Piece, None]:
        """A decoder's tokens as they are drawn (each u16 little-endian), and at last the whole answer. Raises Refusal.

        is_whole: the last alone. Who stops listening leaves the question in work: it is answered, and counts.
        """
        ledger = await self._open(session_id)
        self.rates.check(session_id)
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        working = asyncio.create_task(self._work(ledger, asked, is_whole, pieces))
        self._working.add(working)
        working.add_done_callback(self._end_work)
        working.add_done_callback(lambda _: pieces.put_nowait(None))
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await working

    async def finish(self, timeout_s: float) -> None:
        """Wait for the questions that are in work and that nobody listens to any more; give up what takes longer."""
        if self._working:
            _, late = await asyncio.wait(self._working, timeout=timeout_s)
            for working in late:
                working.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _work(self, ledger: Ledger, asked: Asked, is_whole: bool, pieces: asyncio.Queue[bytes | None]) -> Given:
        """The answer, given before or computed, to the end and counted even where who asked has gone: tokens that are
        out are never free, and no second question has their number. Raises Refusal."""
        began = time.monotonic()
        async with ledger.lock:
            found = ledger.check(asked)
            if isinstance(found, Given):
                self.metrics.add("gradus_host_repeated_total")
                return found
            if self.is_draining:
                raise Refusal(503, DRAINING, "the host takes no more questions", "close the session", 5.0)
            with self.queue.place():
                parts: list[bytes] = []
                async for part in self._compute(self._networks[ledger.record.id], found, is_whole):
                    if self.behaviour is Behaviour.LIE and not parts:
                        part = distort(part)
                    parts.append(part)
                    if not is_whole and len(part) == TOKEN_PIECE_BYTES:
                        pieces.put_nowait(part)
            given = ledger.give(found, b"".join(parts))
        self.metrics.add("gradus_host_answers_total")
        self.metrics.add("gradus_host_owed_ugrad_total", found.fee_ugrad)
        self.metrics.time_answer(time.monotonic() - began)
        return given

    def _end_work(self, working: asyncio.Task[Given]) -> None:
        self._working.discard(working)
        if not working.cancelled():
            working.exception()  # looked at, so that asyncio reports none of a question that nobody listens to

    async def take_receipt(self, session_id: int, receipt: Receipt | None, closes: bool) -> bool:
        """Take a receipt that comes without a question; closes: the user wants the session to be closed. Whether it
        will be: never without a receipt, for nothing else in the call is signed. Raises Refusal."""
        ledger = await self._open(session_id)
        self.rates.check(session_id)
        async with ledger.lock:
            ledger.take_receipt(receipt)
            is_honest = self.behaviour is not Behaviour.VANISH
            if closes and receipt is not None and is_honest:
                self.journal.put_closing(session_id)
                self.is_wanted = True
                return True
        return False

    async def _open(self, session_id: int) -> Ledger:
        """The ledger of a session, as the chain has it now. Raises Refusal."""
        record = await self._find_record(session_id)
        ledger = self._ledgers.get(session_id)
        if ledger is None:
            if record.status != SESSION_STATUS_OPEN:
                raise Refusal(410, CLOSED, f"session {session_id} is not open", "open another one")
            async with self._opening.setdefault(session_id, asyncio.Lock()):
                ledger = self._ledgers.get(session_id) or await self._load_ledger(record)
        ledger.record = record
        return ledger

    async def _load_ledger(self, record: Session) -> Ledger:
        """Everything that a session's questions need, kept until it is over. Raises Refusal."""
        loop = asyncio.get_running_loop()
        try:
            spec = await loop.run_in_executor(self._workers, self._find_spec, record)
            self._networks[record.id] = await loop.run_in_executor(self._workers, self._load, record)
        except ClientError as error:
            raise Refusal(503, FAULT, f"the model cannot be loaded: {error.text}", error.hint, 1.0) from None
        self._ledgers[record.id] = Ledger(self.chain_id, record, spec, self._key, self.journal)
        return self._ledgers[record.id]

    async def _find_record(self, session_id: int) -> Session:
        """What the chain says of a session, once the loop has asked twice where it is not known. Raises Refusal."""
        seen, end = self._refreshes, time.monotonic() + LOOKUP_S
        while session_id not in self._records:
            self.is_wanted = True
            if self._refreshes >= seen + 2 or time.monotonic() > end:
                raise Refusal(404, MISSING, f"this host has no session {session_id}",
                              "wait until the block that opens it is in; is the host's endpoint the right one?")
            await asyncio.sleep(0.05)
        return self._records[session_id]

    async def _compute(self, network: Network, due: Due, is_whole: bool) -> AsyncIterator[bytes]:
        """The pieces of an answer; what is small at once, all else in a worker."""
        if due.work <= INLINE_WORK_MAX:
            for piece in network.stream(due.question, due.seed):
                yield piece
            return
        loop = asyncio.get_running_loop()
        if is_whole:
            yield await loop.run_in_executor(self._workers, network.answer, due.question, due.seed)
            return
        pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

        def draw() -> None:
            try:
                for piece in network.stream(due.question, due.seed):
                    loop.call_soon_threadsafe(pieces.put_nowait, piece)
            finally:
                loop.call_soon_threadsafe(pieces.put_nowait, None)

        drawing = loop.run_in_executor(self._workers, draw)
        while (drawn := await pieces.get()) is not None:
            yield drawn
        await drawing
