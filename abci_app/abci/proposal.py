"""Proposals: what a proposer puts into a block and what the others accept are one predicate, `Admission.admit`.

A block is injected transactions first, then users'. An injected one may not stand there twice and must do what it is
for; a user's must pass admission after all before it has run; both within the block's bytes and gas. The predicate runs
each transaction, messages too, and the block that it leaves is the candidate that FinalizeBlock takes over. A user's
transaction whose message fails has its place and a result with a code: it pays for its failure.
The predicate is a function of the block and the state before it: no clock, no mempool, no data of this node.
Source: CometBFT ABCI 2.0 requirements 1 to 5 and 9 (limits, coherence, determinism, no side effects).
"""

import logging
from collections.abc import Callable, Iterable, Iterator

from abci_app.abci.answers import Answers
from abci_app.abci.candidates import Candidate
from abci_app.abci.chain import Chain
from abci_app.abci.votes import list_openings
from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import is_halting
from abci_app.runtime.module import LastVotes, ProposerSource
from abci_app.wire.errors import ChainError
from abci_app.wire.tx import encode_injected, is_injected
from abci_app.wire.varint import encode_uvarint

_log = logging.getLogger("gradus.abci")


class LocalSource:
    """What this node knows for one proposal. Implements ProposerSource."""

    def __init__(self, answers: Answers | None, last_votes: LastVotes) -> None:
        self._answers = answers
        self._votes = last_votes
        self._told = list_openings(last_votes)

    def votes(self) -> LastVotes:
        """See ProposerSource."""
        return self._votes

    def find_answers(self, subject: bytes) -> tuple[bytes, ...]:
        """See ProposerSource. What the auditor beside this node found comes first."""
        own = self._answers.find(subject) if self._answers else None
        return (() if own is None else (own,)) + self._told.get(subject, ())


class Admission:
    """Which transactions a block may hold, one after the other; those that it may are run on its candidate."""

    def __init__(self, app: App, chain: Chain, candidate: Candidate) -> None:
        self._app = app
        self._candidate = candidate
        self._gas_left = chain.block_gas_max
        self._injected_bytes_left = chain.injected_bytes_max
        self._injected: dict[bytes, None] = {}
        self._has_user_txs = False

    def admit(self, raw: bytes) -> str:
        """Take the next transaction and return ""; or return why not, and change nothing."""
        return self._admit_injected(raw) if is_injected(raw) else self._admit_user(raw)

    def _admit_injected(self, raw: bytes) -> str:
        if self._has_user_txs:
            return "an injected transaction behind a user's"
        if raw in self._injected:
            return "an injected transaction twice"
        if len(raw) > self._injected_bytes_left:
            return f"more injected bytes than a block takes; {self._injected_bytes_left} are left"
        result = self._candidate.try_run(raw)
        if not result.is_admitted:
            return f"an injected transaction that fails: {result.codespace}/{result.code} {result.log}"
        self._injected[raw] = None
        self._injected_bytes_left -= len(raw)
        return ""

    def _admit_user(self, raw: bytes) -> str:
        try:
            gas_wanted = self._app.ante.decode(raw).gas_limit
        except ChainError as error:
            return f"a transaction that is not admitted: {error.codespace}/{error.code} {error}"
        if gas_wanted > self._gas_left:
            return f"more gas than the block takes; {self._gas_left} is left"
        result = self._candidate.try_run(raw)
        if not result.is_admitted:
            return f"a transaction that is not admitted: {result.codespace}/{result.code} {result.log}"
        self._gas_left -= gas_wanted
        self._has_user_txs = True
        return ""


def prepare(app: App, chain: Chain, candidate: Candidate, txs: Iterable[bytes], max_tx_bytes: int,
            source: ProposerSource, is_late: Callable[[], bool]) -> None:
    """Fill a block that has begun: what this node can inject, then those of `txs` that are admitted and fit.

    is_late: asked before each of the users' transactions; once it says so, the block is as it is. What a proposer puts
    into a block is its own choice.
    """
    admission = Admission(app, chain, candidate)
    room = max_tx_bytes
    for raw in iter_offers(app, candidate.ctx, txs, source):
        if not is_injected(raw) and is_late():
            _log.info("the proposal of block %d ends after %d txs: its time is over", candidate.header.height,
                      len(candidate.txs))
            return
        size = proto_bytes(raw)
        if size > room:
            continue
        refusal = admission.admit(raw)
        if refusal:
            _log.debug("left out of the proposal: %s", refusal)
            continue
        room -= size


def find_refusal(app: App, chain: Chain, candidate: Candidate, txs: Iterable[bytes]) -> str:
    """Run a proposed block that has begun: why it is refused, or "" when all of it was admitted."""
    admission = Admission(app, chain, candidate)
    for index, raw in enumerate(txs):
        refusal = admission.admit(raw)
        if refusal:
            return f"tx {index}: {refusal}"
    return ""


def iter_offers(app: App, ctx: Ctx, txs: Iterable[bytes], source: ProposerSource) -> Iterator[bytes]:
    """Injected transactions that this node can make, then users'."""
    for module in app.modules:
        for route in module.injected:
            try:
                for message in route.propose(ctx.branch(), source):
                    yield encode_injected(message)
            except Exception as error:  # det: a route's bug costs this node's audits, not its proposal
                if is_halting(error):
                    raise
                _log.exception("%s cannot be proposed", route.type_url)
    for raw in txs:
        if not is_injected(raw):
            yield raw


def proto_bytes(raw: bytes) -> int:
    """Bytes that a transaction takes of max_tx_bytes: as a field of the engine's Data message."""
    return 1 + len(encode_uvarint(len(raw))) + len(raw)
