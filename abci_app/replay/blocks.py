"""Blocks of one node, each following from the one before by its hash, with what they did.

A header's hash covers the block before it, its `data_hash` the block's transactions, and its `last_results_hash`
the codes of those of the block before: whoever knows one header to be the chain's knows all of it of the blocks before,
which is how the light client is asked once for a whole walk. Events are the node's word: what comes of them is compared
with a root in the end.
Source: CometBFT v0.38 rpc/core/blocks.go, types/tx.go (Txs.Hash), types/results.go (ABCIResults.Hash).
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from abci_app.client.errors import NodeRefused, ProofInvalid
from abci_app.client.light.blocks import Header
from abci_app.client.light.blocks_json import read_header
from abci_app.client.light.errors import ELSEWHERE, Malformed
from abci_app.replay.errors import BlockPruned
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.tendermint.abci.types_pb2 import ExecTxResult

GONE = ("is not available", "could not find results")
OTHER_NODE = "ask a node that keeps all blocks (--node URL); a node keeps them unless its configuration prunes them"
EMPTY_ROOT = hashlib.sha256().digest()
Json = dict[str, Any]


class BlockRpc(Protocol):
    """The part of rpc.Rpc that blocks are read with. Calls raise NodeUnreachable, NodeRefused."""

    @property
    def url(self) -> str:
        """Where the node is, for messages."""

    def block(self, height: int) -> Json:
        """A block, as the node words it."""

    def block_results(self, height: int) -> Json:
        """What a block did, as the node words it."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of a block itself, not of one of its transactions."""

    type: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """A block. codes: of its transactions, in their order; 0 is success. happenings: in the order of emission.

    results_hash: what the header of the next block has of the codes, and of all else that transactions gave.
    """

    header: Header
    txs: tuple[bytes, ...]
    codes: tuple[int, ...]
    happenings: tuple[Happening, ...]
    results_hash: bytes = EMPTY_ROOT


class BlockReader:
    """Reads blocks of one node of a chain."""

    def __init__(self, rpc: BlockRpc, chain_id: str) -> None:
        self.rpc, self.chain_id = rpc, chain_id

    def walk(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of heights first..last, each checked to follow from the one before, whose codes it confirms.

        Those of the last block are confirmed by none. Raises BlockPruned, ProofInvalid for blocks that do not fit each
        other, NodeUnreachable, NodeRefused.
        """
        before: Block | None = None
        for height in range(first, last + 1):
            block = self.read(height)
            if before is not None:
                self._check_follows(before, block)
            before = block
            yield block

    def _check_follows(self, before: Block, block: Block) -> None:
        height = block.header.height
        if block.header.last_block_id.hash != before.header.hash:
            raise ProofInvalid(f"block {height} of {self.rpc.url} does not follow from its block {height - 1}",
                               ELSEWHERE)
        if block.header.last_results_hash != before.results_hash:
            raise ProofInvalid(f"what the transactions of block {height - 1} of {self.rpc.url} are said to have done "
                               f"is not what its block {height} has of them", ELSEWHERE)

    def read(self, height: int) -> Block:
        """The block at a height; its transactions are those that its header is of."""
        with self._reading(height):
            shown = self.rpc.block(height)["block"]
            header = read_header(shown["header"])
            txs = tuple(base64.b64decode(text, validate=True) for text in shown["data"]["txs"] or ())
        if header.chain_id != self.chain_id or header.height != height:
            raise ProofInvalid(f"{self.rpc.url} was asked for block {height} of {self.chain_id} and answered with "
                               f"block {header.height} of {header.chain_id}", ELSEWHERE)
        if _hash_txs(txs) != header.data_hash:
            raise ProofInvalid(f"the transactions of block {height} of {self.rpc.url} are not those of its header",
                               ELSEWHERE)
        with self._reading(height):
            done = self.rpc.block_results(height)
            results = [_read_result(result) for result in done.get("txs_results") or ()]
            happenings = tuple(_read_event(event) for event in done.get("finalize_block_events") or ())
            if len(results) != len(txs):
                raise ValueError("one result for each transaction")
        return Block(header, txs, tuple(result.code for result in results), happenings, _hash_results(results))

    @contextmanager
    def _reading(self, height: int) -> Iterator[None]:
        try:
            yield
        except NodeRefused as error:
            if any(text in error.text for text in GONE):
                raise BlockPruned(f"{self.rpc.url} no longer has block {height}, or what it did: {error.text}",
                                  OTHER_NODE) from None
            raise
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise Malformed(f"{self.rpc.url}, block {height}: the answer is malformed ({type(error).__name__})"
                            ) from None


def _hash_txs(txs: tuple[bytes, ...]) -> bytes:
    """A header's data_hash: the root over the transactions' own hashes."""
    return merkle_root([hashlib.sha256(tx).digest() for tx in txs]) if txs else EMPTY_ROOT


def _hash_results(results: Sequence[ExecTxResult]) -> bytes:
    """The last_results_hash of the next header: the root over what each transaction gave."""
    if not results:
        return EMPTY_ROOT
    return merkle_root([result.SerializeToString(deterministic=True) for result in results])


def _read_result(result: Json) -> ExecTxResult:
    """What the engine hashes of a result: not its events and texts. Raises TypeError, ValueError."""
    data = base64.b64decode(result.get("data") or "", validate=True)
    return ExecTxResult(code=int(result.get("code") or 0), data=data,
                        gas_wanted=int(result.get("gas_wanted") or 0), gas_used=int(result.get("gas_used") or 0))


def _read_event(event: Json) -> Happening:
    """Raises KeyError, TypeError."""
    return Happening(str(event["type"]), {str(one["key"]): str(one["value"]) for one in event.get("attributes") or ()})
