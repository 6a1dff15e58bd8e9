"""One method per ABCI call: what the engine asks, and which state answers.

Consensus calls are one at a time. CheckTx has the last committed state and what waits has used up of it, made anew at
Commit. Info and Query read committed versions and wait for nobody. FinalizeBlock writes nothing to disk; Commit writes
state, height and hash in one batch, and Info reads them from there, so a node that was stopped anywhere is replayed
by the engine from its last Commit. Before the first Commit the genesis exists in memory only, and InitChain may come
again.
Source: CometBFT v0.38 spec/abci; the I-numbers in tests/abci.
"""

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

from google.protobuf.message import Message

from abci_app.abci import proposal, votes
from abci_app.abci.answers import Answers
from abci_app.abci.candidates import Candidate, Candidates, Header, read_header
from abci_app.abci.chain import (Chain, find_block, find_chain, find_evidence_height, new_chain, put_block, put_chain,
                                 timestamp_ns)
from abci_app.abci.errors import CallOutOfPlace, ConfigProblem
from abci_app.abci.query import Queries
from abci_app.abci.retention import compute_retain_height
from abci_app.abci.results import events_pb, fill_result
from abci_app.abci.snapshots import Snapshots
from abci_app.abci.statesync import StateSync
from abci_app.abci.trace import Trace
from abci_app.abci.validators import read_founding, updates_pb
from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import check_tx
from abci_app.runtime.genesis import GenesisInvalid
from abci_app.runtime.mempool import Mempool
from abci_app.store.branch import Branch
from abci_app.store.disk import Database, Staged
from abci_app.wire.errors import InvalidRequest
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

APP_VERSION = 1

_log = logging.getLogger("gradus.abci")


@dataclass(frozen=True)
class Genesis:
    """A chain that has no block yet: its state, in memory, and the hash of it that InitChain answered."""

    chain: Chain
    state: Branch
    app_hash: bytes
    time_ns: int


@dataclass(frozen=True)
class Decided:
    """A block that FinalizeBlock ran and Commit will write."""

    staged: Staged
    tx_count: int
    started_s: float


class Application:
    """The state machine behind the socket.

    retain_blocks: how many blocks the engine should keep at least, 0 for all. snapshots: those that this node takes and
    hands out; none without it. proposal_s: seconds after which a proposal of this node takes no more transactions.
    answers: to audits, of the auditor beside this node, and validator: its consensus address (20 bytes); without both
    it says nothing with its votes.
    """

    def __init__(self, app: App, database: Database, retain_blocks: int = 0,
                 trace: Trace | None = None, snapshots: Snapshots | None = None, proposal_s: float = math.inf,
                 answers: Answers | None = None, validator: bytes | None = None) -> None:
        self._app = app
        self._database = database
        self._retain_blocks = retain_blocks
        self._trace = trace
        self._snapshots = snapshots
        self._proposal_s = proposal_s
        self._answers = answers
        self._validator = validator
        self._sync = StateSync(database)
        self._software = software_version()
        self._queries = Queries(app, database, self._software, snapshots)
        self._consensus = threading.Lock()
        self._mempool = threading.Lock()
        self._chain = find_chain(database.latest())
        if database.height and self._chain is None:
            raise ConfigProblem(f"the state is at height {database.height}, but of no chain that is known here",
                                "move the state folder away; the engine will replay its blocks")
        self._genesis: Genesis | None = None
        self._candidates = Candidates()
        self._decided: Decided | None = None
        self._waiting = self._new_mempool() if self._chain else None

    def call(self, name: str, request: Message) -> Message:
        """Answer one request by the method of its name."""
        if self._trace is not None:
            self._trace.mark(name)
        answer: Message = getattr(self, name)(request)
        return answer

    def info(self, _request: abci.RequestInfo) -> abci.ResponseInfo:
        """What the last Commit left (I7, I8)."""
        latest = self._database.latest()
        return abci.ResponseInfo(data="gradus", version=self._software, app_version=APP_VERSION,
                                 last_block_height=latest.height,
                                 last_block_app_hash=latest.app_hash if latest.height else b"")

    def init_chain(self, request: abci.RequestInitChain) -> abci.ResponseInitChain:
        """Make the genesis state, in memory; repeatable until the first Commit (I9). Raises ConfigProblem."""
        with self._consensus:
            if self._database.height:
                raise CallOutOfPlace(f"InitChain, but the state is at height {self._database.height}")
            self._decided = None
            self._sync.drop()
            self._candidates.drop_all()
            chain, time_ns = new_chain(request), timestamp_ns(request.time)
            state = Branch(self._database.latest())
            put_chain(state, request)
            self._init_rooms(Ctx(chain.chain_id, chain.initial_height - 1, time_ns, b"", b"", b"", state), request)
            app_hash = self._database.stage(state, chain.initial_height).app_hash
            self._genesis, self._chain = Genesis(chain, state, app_hash, time_ns), chain
            with self._mempool:
                self._waiting = self._new_mempool()
        return abci.ResponseInitChain(validators=request.validators, app_hash=app_hash)

    def check_tx(self, request: abci.RequestCheckTx) -> abci.ResponseCheckTx:
        """Admission for the mempool, new or again; its writes live until the next Commit (I38, I40).

        Refused where there is no state. A transaction that is checked again was admitted by this process before, so
        only the state is asked.
        """
        is_known = request.type == abci.RECHECK
        with self._mempool:
            waiting, chain = self._waiting, self._chain
            if waiting is None or chain is None:  # anyone can ask that of a node which is restoring its state
                error = InvalidRequest("the node has no state yet: send the transaction to another node, or wait")
                return abci.ResponseCheckTx(code=error.code, codespace=error.codespace, log=str(error))
            result = check_tx(self._app.ante, waiting, request.tx, chain.block_gas_max, is_known)
        return abci.ResponseCheckTx(code=result.code, codespace=result.codespace, log=result.log,
                                    gas_wanted=result.gas_wanted, gas_used=result.gas_used)

    def prepare_proposal(self, request: abci.RequestPrepareProposal) -> abci.ResponsePrepareProposal:
        """A block of what is admitted and fits, run as it is built (requirements 2 and 3; I12 to I14)."""
        last_votes = votes.read_last_votes(request.height, request.local_last_commit)
        source = proposal.LocalSource(self._answers, last_votes)
        with self._consensus:
            candidate, chain = self._begin(read_header(request, request.local_last_commit))
            proposal.prepare(self._app, chain, candidate, request.txs, request.max_tx_bytes, source,
                             new_timer(self._proposal_s))
            self._candidates.keep(candidate)
        return abci.ResponsePrepareProposal(txs=candidate.txs)

    def process_proposal(self, request: abci.RequestProcessProposal) -> abci.ResponseProcessProposal:
        """Accept what the same predicate admits, and keep the block that it ran (requirements 3 to 5; I15 to I17)."""
        with self._consensus:
            refusal = self._find_refusal(read_header(request, request.proposed_last_commit), list(request.txs))
        if not refusal:
            return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.ACCEPT)
        _log.warning("block %d by %s is refused: %s", request.height, request.proposer_address.hex(), refusal)
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.REJECT)

    def extend_vote(self, request: abci.RequestExtendVote) -> abci.ResponseExtendVote:
        """What this node has to say with its precommit; nothing where anything goes wrong (requirements 6 and 7)."""
        with self._consensus:
            return abci.ResponseExtendVote(vote_extension=self._extend(request))

    def verify_vote_extension(self, request: abci.RequestVerifyVoteExtension) -> abci.ResponseVerifyVoteExtension:
        """Accept what is in canonical form: a function of the bytes (requirements 6 to 8)."""
        is_accepted = votes.is_acceptable(request.vote_extension)
        return abci.ResponseVerifyVoteExtension(
            status=abci.ResponseVerifyVoteExtension.ACCEPT if is_accepted else abci.ResponseVerifyVoteExtension.REJECT)

    def finalize_block(self, request: abci.RequestFinalizeBlock) -> abci.ResponseFinalizeBlock:
        """Run a decided block, whatever is in it; again when asked again (I20 to I24)."""
        started_s = time.monotonic()
        with self._consensus:
            self._decided = None
            candidate = self._run(read_header(request, request.decided_last_commit), list(request.txs))
            ctx, result = candidate.end()
            put_block(ctx.state, request)
            staged = self._database.stage(ctx.state, request.height)
            self._decided = Decided(staged, len(request.txs), started_s)
        answer = abci.ResponseFinalizeBlock(events=events_pb(result.events), app_hash=staged.app_hash,
                                            validator_updates=updates_pb(result.validator_updates))
        for one in result.tx_results:
            fill_result(answer.tx_results.add(), one)
        return answer

    def commit(self, _request: abci.RequestCommit) -> abci.ResponseCommit:
        """Write the decided block in one batch, and begin a new state for CheckTx (I26)."""
        with self._consensus:
            decided, chain = self._decided, self._chain
            if decided is None or chain is None:
                raise CallOutOfPlace("Commit without FinalizeBlock")
            self._database.commit(decided.staged)  # CheckTx goes on meanwhile, over the version before
            self._decided = self._genesis = None
            self._candidates.drop_all()
            waiting = self._new_mempool()
            with self._mempool:
                self._waiting = waiting
            if self._snapshots is not None:
                self._snapshots.take(self._database)
        _log.info("block %d: %d txs, %d ms, app hash %s", decided.staged.height, decided.tx_count,
                  1000 * (time.monotonic() - decided.started_s), decided.staged.app_hash.hex()[:16])
        return abci.ResponseCommit(retain_height=self._retain_height(chain, decided.staged.height))

    def query(self, request: abci.RequestQuery) -> abci.ResponseQuery:
        """An answer from a committed state (I48 to I50)."""
        return self._queries.answer(request)

    def list_snapshots(self, _request: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """The newest snapshots that are whole (I43)."""
        found = self._snapshots.list_newest(self._database.height) if self._snapshots else []
        return abci.ResponseListSnapshots(snapshots=found)

    def load_snapshot_chunk(self, request: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        """A chunk of a snapshot; empty when there is none."""
        if self._snapshots is None:
            return abci.ResponseLoadSnapshotChunk()
        chunk = self._snapshots.load_chunk(request.height, request.format, request.chunk)
        return abci.ResponseLoadSnapshotChunk(chunk=chunk)

    def offer_snapshot(self, request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Begin to restore a snapshot that the trusted app hash confirms (I45)."""
        with self._consensus:
            before = self._database.height
            answer = self._sync.offer(request)
            if before != self._database.height:
                self._take_up_state()
        return answer

    def apply_snapshot_chunk(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        """Take a chunk of it; after the last, the state is that of the snapshot (I46, I47)."""
        with self._consensus:
            before = self._database.height
            answer = self._sync.apply(request)
            if before != self._database.height:
                self._take_up_state()
        return answer

    def _take_up_state(self) -> None:
        """Go on from a state that was restored, as if its blocks had been run here; or from none again."""
        with self._mempool:
            self._chain = find_chain(self._database.latest())
            self._genesis = self._decided = None
            self._candidates.drop_all()
            self._waiting = self._new_mempool() if self._chain else None

    def _init_rooms(self, ctx: Ctx, request: abci.RequestInitChain) -> None:
        """The rooms' genesis. Raises ConfigProblem for one that cannot start a chain."""
        try:
            app_state = json.loads(request.app_state_bytes)
        except (ValueError, RecursionError) as error:
            raise ConfigProblem(f"the genesis' app_state is no JSON: {error}", "mend config/genesis.json") from error
        try:
            self._app.init_chain(ctx, app_state, read_founding(request))
        except GenesisInvalid as error:
            raise ConfigProblem(f"the genesis cannot start a chain: {error.path}: {error.problem}",
                                error.hint) from error

    def _extend(self, request: abci.RequestExtendVote) -> bytes:
        """The extension, over the state that the block leaves where it was run here, else over the last one."""
        if self._answers is None or self._validator is None:
            return b""
        try:
            header = read_header(request, request.proposed_last_commit)
            candidate = self._candidates.find(header, list(request.txs))
            ctx = candidate.ctx.branch() if candidate else self._new_check_ctx()
            return votes.extend(self._app, ctx, self._validator, self._answers)
        except Exception:  # det: a precommit without an extension serves the chain, one that never comes does not
            _log.exception("the vote for block %d says nothing", request.height)
            return b""

    def _find_refusal(self, header: Header, txs: list[bytes]) -> str:
        """Why a proposed block is refused; "" for one that was proposed or accepted here before, too."""
        if self._candidates.find(header, txs) is not None:
            return ""
        candidate, chain = self._begin(header)
        refusal = proposal.find_refusal(self._app, chain, candidate, txs)
        if not refusal:
            self._candidates.keep(candidate)
        return refusal

    def _run(self, header: Header, txs: list[bytes]) -> Candidate:
        """A decided block up to its end: as it was run for a proposal, else run now."""
        candidate = self._candidates.find(header, txs)
        if candidate is None:
            candidate, _ = self._begin(header)
            for raw in txs:
                candidate.run(raw)
        return candidate

    def _begin(self, header: Header) -> tuple[Candidate, Chain]:
        """A fresh layer over the last state for the block that follows it. Raises CallOutOfPlace for another height."""
        latest, chain, genesis = self._database.latest(), self._chain, self._genesis
        if chain is None or not (latest.height or genesis):
            raise CallOutOfPlace("a block before InitChain")
        height = latest.height + 1 if latest.height else chain.initial_height
        if header.height != height:
            raise CallOutOfPlace(f"a block of height {header.height}, but {height} is next")
        state, app_hash = (genesis.state.branch(), genesis.app_hash) if genesis else (Branch(latest), latest.app_hash)
        block = find_block(latest)
        ctx = Ctx(chain.chain_id, height, header.time_ns, header.proposer_address, app_hash,
                  block.hash if block else b"", state, misbehaviour=header.misbehaviour,
                  last_commit=header.last_commit)
        return Candidate(self._app, header, ctx), chain

    def _new_mempool(self) -> Mempool:
        """An empty mempool over the last state."""
        return self._app.ante.new_mempool(self._new_check_ctx())

    def _new_check_ctx(self) -> Ctx:
        """What CheckTx sees: the last state, as the block after it would; with layers that no other thread uses."""
        latest, chain, genesis = self._database.latest(), self._chain, self._genesis
        if chain is None:
            raise CallOutOfPlace("CheckTx before InitChain")
        state = Branch(latest)
        if genesis is not None:
            for name, key, value in genesis.state.changes():
                if value is not None:
                    state.store(name).set(key, value)
        block = find_block(latest)
        time_ns = block.time_ns if block else genesis.time_ns if genesis else 0
        height = latest.height + 1 if latest.height else chain.initial_height
        app_hash = genesis.app_hash if genesis else latest.app_hash
        return Ctx(chain.chain_id, height, time_ns, b"", app_hash, block.hash if block else b"", state)

    def _retain_height(self, chain: Chain, height: int) -> int:
        """The lowest block that the engine must keep; 0 for all (I33)."""
        if not self._retain_blocks:
            return 0
        evidence_height = find_evidence_height(self._database.latest(), chain)
        oldest_snapshot = self._snapshots.find_oldest() if self._snapshots else None
        return compute_retain_height(height, self._database.durable_height, self._retain_blocks, evidence_height,
                                     oldest_snapshot)


def new_timer(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since it was asked first."""
    begun_s: list[float] = []

    def is_over() -> bool:
        now_s = time.monotonic()
        if not begun_s:
            begun_s.append(now_s)
        return now_s - begun_s[0] >= seconds

    return is_over


def software_version() -> str:
    """The installed version, or a word saying that it runs from sources."""
    try:
        return metadata.version("gradus")
    except metadata.PackageNotFoundError:
        return "source"
