"""Blocks that were run before they were decided, so that a node runs every block once.

A `Candidate` is one block on a layer of its own over the last state: begun, and its transactions run. `Candidates`
keeps the last few that were accepted, until Commit. One is taken again for the very same content only: header and
every byte of every transaction. Its context is made from that header alone, so nothing that running reads can be left
out of the comparison; the block's hash, which the engine has only from ProcessProposal on, decides nothing here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.abci.chain import timestamp_ns
from abci_app.abci.validators import read_misbehaviour
from abci_app.abci.votes import read_last_commit
from abci_app.app import App
from abci_app.runtime.block import BlockResult, begin_block, compute_validator_updates, end_block
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult, run_tx
from abci_app.runtime.validators import LastCommit, Misbehaviour
from abci_app.wire.pb.tendermint.abci import types_pb2 as abci

CANDIDATES_MAX = 4  # own proposals and those of some rounds; each holds the writes and results of one block


class BlockRequest(Protocol):
    """What the requests about one block have in common."""

    height: int
    time: Timestamp
    proposer_address: bytes

    @property
    def misbehavior(self) -> Iterable[abci.Misbehavior]:
        """What its evidence proves."""


@dataclass(frozen=True, slots=True)
class Header:
    """All that running a block reads of it besides its transactions."""

    height: int
    time_ns: int
    proposer_address: bytes
    misbehaviour: tuple[Misbehaviour, ...]
    last_commit: LastCommit


def read_header(request: BlockRequest, commit: abci.CommitInfo | abci.ExtendedCommitInfo) -> Header:
    """The header of the block that a request is about, which carries `commit` under a name of its own."""
    return Header(request.height, timestamp_ns(request.time), request.proposer_address,
                  read_misbehaviour(request.misbehavior), read_last_commit(commit))


class Candidate:
    """A block on `ctx`'s layer, which is its own: begun, and extended by `run`. `results` has one for each of `txs`."""

    def __init__(self, app: App, header: Header, ctx: Ctx) -> None:
        self.header = header
        self.ctx = ctx
        self.txs: list[bytes] = []
        self.results: list[TxResult] = []
        self._app = app
        begin_block(app.modules, ctx)

    def run(self, raw: bytes) -> None:
        """Run the next transaction of a decided block, whatever it is."""
        self._add(raw, run_tx(self._app.ante, self.ctx, raw))

    def try_run(self, raw: bytes) -> TxResult:
        """Run a transaction and take it if it is admitted; one that is not leaves nothing behind."""
        result = run_tx(self._app.ante, self.ctx, raw)
        if result.is_admitted:
            self._add(raw, result)
        return result

    def end(self) -> tuple[Ctx, BlockResult]:
        """End the block on a layer above its transactions' and return that; may be called again."""
        ctx, modules = self.ctx.branch(), self._app.modules
        end_block(modules, ctx)
        events = (*self.ctx.events, *ctx.events)
        return ctx, BlockResult(tuple(self.results), events, compute_validator_updates(modules, ctx))

    def _add(self, raw: bytes, result: TxResult) -> None:
        self.txs.append(raw)
        self.results.append(result)


class Candidates:
    """The candidates kept last, at most CANDIDATES_MAX."""

    def __init__(self) -> None:
        self._kept: list[Candidate] = []

    def find(self, header: Header, txs: Sequence[bytes]) -> Candidate | None:
        """The candidate of exactly this content."""
        return next((one for one in self._kept if one.header == header and one.txs == txs), None)

    def keep(self, candidate: Candidate) -> None:
        """Remember a candidate, and forget the oldest when there are too many."""
        self._kept = [*self._kept[1 - CANDIDATES_MAX:], candidate]

    def drop_all(self) -> None:
        """Forget all: the state below them is no longer the last one."""
        self._kept = []
