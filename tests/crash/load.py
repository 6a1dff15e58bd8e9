"""Load and its witness: signed transfers to one node, and a record of all that the node has acknowledged.

What the node said over its RPC is the promise that must hold after any crash: a block with these transactions and these
results stands at this height.
"""

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.client.chain import ChainClient
from abci_app.client.errors import ClientError
from abci_app.client.rpc import Rpc
from abci_app.client.txs import TxTerms, compute_fee_ugrad, sign_tx
from abci_app.genesis import GAS_PRICE_PPM
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
from tests.chain import address_of, new_test_key

SENDERS = ("load0", "load1", "load2")
SENDER_UGRAD = 10**12
RECIPIENT = "crash-recipient"
GAS_LIMIT = 100_000
CREATE_GAS = 50_000_000
PER_STEP = 2

Json = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """A committed block as a node told it. results: code, data, gas wanted and gas used of each transaction."""

    height: int
    hash: str
    app_hash: str
    txs: tuple[bytes, ...]
    results: tuple[tuple[int, str, str, str], ...]
    block: Json


def read_block(rpc: Rpc, height: int) -> Seen:
    """A block and its results from a node."""
    block, results = rpc.block(height), rpc.block_results(height)
    return Seen(height, block["block_id"]["hash"], block["block"]["header"]["app_hash"],
                tuple(base64.b64decode(raw) for raw in block["block"]["data"]["txs"] or ()),
                tuple((int(one.get("code") or 0), one.get("data") or "", one["gas_wanted"], one["gas_used"])
                      for one in results["txs_results"] or ()), block)


def read_blocks(rpc: Rpc, height: int) -> list[Seen]:
    """Every block up to a height."""
    return [read_block(rpc, at) for at in range(1, height + 1)]


@dataclass
class Load:
    """Signs, hands in and remembers. numbers: account numbers of SENDERS. sent: by sender, how many were made."""

    chain_id: str
    numbers: dict[str, int]
    seen: dict[int, Seen] = field(default_factory=dict)
    admitted: int = 0
    next_sequence: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, genesis: Path) -> "Load":
        """For the chain of a genesis document."""
        document = json.loads(genesis.read_text())
        order = [one["address"] for one in document["app_state"]["auth"]["accounts"]]
        return cls(document["chain_id"], {name: order.index(address_of(name)) for name in SENDERS})

    def sign(self, name: str, sequence: int, messages: Sequence[Message], gas_limit: int = GAS_LIMIT) -> bytes:
        """A transaction, the same bytes whenever it is signed."""
        return sign_tx(new_test_key(name), messages, TxTerms(
            self.chain_id, self.numbers[name], sequence, gas_limit, compute_fee_ugrad(gas_limit, GAS_PRICE_PPM)))

    def transfer(self, name: str, sequence: int) -> bytes:
        """The transfer of a sender's sequence: its amount is a function of that alone."""
        return self.sign(name, sequence, [MsgSend(
            from_address=address_of(name), to_address=address_of(RECIPIENT),
            amount=[coin_pb(base_coin(amount_of(name, sequence)))])])

    def step(self, rpc: Rpc) -> int:
        """Record what is new at a node and hand in a few transfers; returns the height up to which it told results.

        0 when it does not answer. The results of the newest block may not be there yet.
        """
        height = 0
        with suppress(ClientError):
            newest = rpc.status().height
            first = max(self.seen, default=0) + 1
            height = first - 1 if newest >= first - 1 else newest
            for at in range(first, newest + 1):
                self.seen[at] = read_block(rpc, at)
                height = at
        if height:
            with suppress(ClientError):
                self.hand_in(rpc)
        return height

    def hand_in(self, rpc: Rpc) -> None:
        """A few transfers of each sender, from the sequence that the node's mempool expects."""
        for name in SENDERS:
            for _ in range(PER_STEP):
                sequence = self.next_sequence.setdefault(name, self.find_sequence(rpc, name))
                outcome = rpc.broadcast_tx(self.transfer(name, sequence))
                if outcome.code:  # another sequence is expected: after a restart the mempool is empty
                    del self.next_sequence[name]
                    break
                self.next_sequence[name] = sequence + 1
                self.admitted += 1

    def find_sequence(self, rpc: Rpc, name: str) -> int:
        """The sequence of a sender in the last committed state."""
        account = ChainClient(rpc).find_account(address_of(name))
        return int(account.sequence) if account else 0


def amount_of(name: str, sequence: int) -> int:
    """ugrad of a transfer, 1 to 255."""
    return hashlib.sha256(f"{name} {sequence}".encode()).digest()[0] + 1


def wait_height(load: Load, rpc: Rpc, height: int, seconds: float = 60.0) -> None:
    """Go on with the load until a height; TimeoutError."""
    deadline_s = time.monotonic() + seconds
    while load.step(rpc) < height:
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"height {height}")
        time.sleep(0.02)
