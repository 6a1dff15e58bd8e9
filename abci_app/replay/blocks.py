"""Blocks of one node, each following from the one before by its hash, with what they did.

A header's hash covers the block before it, and its `data_hash` the block's transactions: whoever knows one header to be
the chain's knows it of all blocks before, which is how the light client is asked once for a whole walk. Codes and
events are the node's word: what comes of them is compared with a root in the end.
Source: CometBFT v0.38 rpc/core/blocks.go, types/tx.go (Txs.Hash).
"""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from abci_app.client.errors import NodeRefused, ProofInvalid
from abci_app.client.light.blocks import Header
from abci_app.client.light.blocks_json import read_header
from abci_app.client.light.errors import ELSEWHERE, Malformed
from abci_app.replay.errors import BlockPruned
from abci_app.wire.merkle import merkle_root

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
    """A block. codes: of its transactions, in their order; 0 is success. happenings: in the order of emission."""

    header: Header
    txs: tuple[bytes, ...]
    codes: tuple[int, ...]
    happenings: tuple[Happening, ...]


class BlockReader:
    """Reads blocks of one node of a chain."""

    def __init__(self, rpc: BlockRpc, chain_id: str) -> None:
        self.rpc, self.chain_id = rpc, chain_id

    def walk(self, first: int, last: int) -> Iterator[Block]:
        """The blocks of heights first..last, each checked to follow from the one before.

        Raises BlockPruned, ProofInvalid for blocks that do not fit each other, NodeUnreachable, NodeRefused.
        """
        before: Header | None = None
        for height in range(first, last + 1):
            block = self.read(height)
            if before is not None and block.header.last_block_id.hash != before.hash:
                raise ProofInvalid(f"block {height} of {self.rpc.url} does not follow from its block {height - 1}",
                                   ELSEWHERE)
            before = block.header
            yield block

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
            codes = tuple(int(result.get("code") or 0) for result in done.get("txs_results") or ())
            happenings = tuple(_read_event(event) for event in done.get("finalize_block_events") or ())
            if len(codes) != len(txs):
                raise ValueError("one result for each transaction")
        return Block(header, txs, codes, happenings)

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


def _read_event(event: Json) -> Happening:
    """Raises KeyError, TypeError."""
    return Happening(str(event["type"]), {str(one["key"]): str(one["value"]) for one in event.get("attributes") or ()})
