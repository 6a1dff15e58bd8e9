"""The blocks of a Chain as a node's RPC words them: headers with the engine's own hashes, transactions, results.

    with recorded(monkeypatch) as tape: chain = Chain(...)      # every block of every chain made from now on
    TapeNode(node, tape).block(5)                               # node: a LocalNode, which answers all other calls
"""

import base64
import copy
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from abci_app.client.errors import NodeRefused
from abci_app.client.light.blocks import BLOCK_PROTOCOL, BlockId, Commit, Header, LightBlock, ValidatorSet
from abci_app.client.light.blocks_json import write_light_block
from abci_app.client.rpc import Answer, Status
from abci_app.replay.blocks import EMPTY_ROOT
from abci_app.runtime.context import Ctx
from abci_app.runtime.deliver import TxResult
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.tendermint.abci.types_pb2 import ExecTxResult
from tests.chain import Chain
from tests.local_rpc import LocalNode

Json = dict[str, Any]
HASH = bytes(32)


class Tape:
    """Headers, transactions and results by height."""

    def __init__(self) -> None:
        self.headers: dict[int, Header] = {}
        self.blocks: dict[int, Json] = {}
        self.results: dict[int, Json] = {}

    def hash_block(self, ctx: Ctx, txs: Sequence[bytes]) -> bytes:
        """In place of tests.chain.block_hash: the hash of the header that the engine would make."""
        data_hash = merkle_root([hashlib.sha256(tx).digest() for tx in txs]) if txs else EMPTY_ROOT
        before = BlockId(ctx.last_block_hash, 1, HASH) if ctx.last_block_hash else BlockId(b"", 0, b"")
        header = Header(
            version_block=BLOCK_PROTOCOL, version_app=0, chain_id=ctx.chain_id, height=ctx.height, time_ns=ctx.time_ns,
            last_block_id=before, last_commit_hash=HASH, data_hash=data_hash, validators_hash=HASH,
            next_validators_hash=HASH, consensus_hash=HASH, app_hash=ctx.last_app_hash,
            last_results_hash=hash_results(self.results.get(ctx.height - 1, {}).get("txs_results") or ()),
            evidence_hash=HASH, proposer_address=ctx.proposer_address)
        self.headers[ctx.height] = header
        self.blocks[ctx.height] = write_block(header, txs)
        return header.hash

    def note_results(self, chain: Chain, results: Sequence[TxResult]) -> None:
        """What the last block did."""
        events = [{"type": event.type, "attributes": [{"key": key, "value": value, "index": True}
                                                      for key, value in event.attributes]} for event in chain.events]
        self.results[chain.height] = {
            "height": str(chain.height), "finalize_block_events": events or None,
            "txs_results": [{"code": result.code, "codespace": result.codespace, "log": result.log,
                             "data": base64.b64encode(result.data).decode(), "gas_wanted": str(result.gas_wanted),
                             "gas_used": str(result.gas_used)} for result in results] or None}


def record(monkeypatch: pytest.MonkeyPatch) -> Tape:
    """Put the blocks of the chains that are made from now on, until the patch is undone, on one tape."""
    tape, make = Tape(), Chain.block

    def block(chain: Chain, *arguments: Any, **options: Any) -> list[TxResult]:
        results = make(chain, *arguments, **options)
        tape.note_results(chain, results)
        return results

    monkeypatch.setattr("tests.chain.block_hash", tape.hash_block)
    monkeypatch.setattr(Chain, "block", block)
    return tape


def hash_results(results: Sequence[Json]) -> bytes:
    """What a header has of the results of the block before: code, data and gas alone."""
    leaves = [ExecTxResult(code=one["code"], data=base64.b64decode(one["data"]), gas_wanted=int(one["gas_wanted"]),
                           gas_used=int(one["gas_used"])).SerializeToString() for one in results]
    return merkle_root(leaves) if leaves else EMPTY_ROOT


def write_block(header: Header, txs: Sequence[bytes]) -> Json:
    """A block in the words of the RPC."""
    light = LightBlock(header, Commit(header.height, 0, BlockId(header.hash, 1, HASH), ()), ValidatorSet(()))
    return {"block": {"header": write_light_block(light)["signed_header"]["header"],
                      "data": {"txs": [base64.b64encode(tx).decode() for tx in txs]}}}


class TapeNode:
    """A LocalNode that has its blocks, too: what rpc.Rpc is for replays. lowest: what is below it is pruned."""

    def __init__(self, node: LocalNode, tape: Tape, lowest: int = 1) -> None:
        self.node, self.tape, self.lowest = node, tape, lowest
        self.url = node.url

    def __enter__(self) -> "TapeNode":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def status(self) -> Status:
        """Chain and height."""
        return self.node.status()

    def abci_query(self, path: str, data: bytes = b"", height: int = 0, prove: bool = False) -> Answer:
        """One query to the application."""
        return self.node.abci_query(path, data, height, prove)

    def block(self, height: int) -> Json:
        """A block."""
        self._check(height)
        return copy.deepcopy(self.tape.blocks[height])

    def block_results(self, height: int) -> Json:
        """What a block did."""
        self._check(height)
        return copy.deepcopy(self.tape.results[height])

    def _check(self, height: int) -> None:
        if height < self.lowest:
            raise NodeRefused(f"block: height {height} is not available, lowest height is {self.lowest}")
        if height not in self.tape.results:
            raise NodeRefused(f"block: height {height} must be less than or equal to the current blockchain height")
