"""Loads: order, refusals and bounds at a node's door; signing; the figures that blocks give."""

import asyncio
import base64
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection, serve

from abci_app.client import load_result, load_txs
from abci_app.client.errors import BlocksUnreadable, LoadTooLate, NodeRefused, NodeUnreachable
from abci_app.client.load import HandedIn, Load, Pace, hand_in
from abci_app.client.load_result import Block, Seen, compute_result, describe, parse_time, read_blocks
from abci_app.client.load_txs import Account, Offer, derive_load_key, find_memo, new_memo, sign_load
from abci_app.wire.tx import decode_tx
from tests.chain import CHAIN_ID, Chain, new_test_key


@dataclass
class DoorNode:
    """What a load meets of a node: transactions `lane:sequence`, of which each must be the next one of its lane.

    room: of the mempool. Every `block_txs` admitted ones, and in between when nothing comes, a block takes them all.
    """

    room: int = 1000
    block_txs: int = 20
    refuses: bytes = b""
    dies_after: int = 1_000_000
    answers: int = 0
    highest: int = 0
    mempool: list[bytes] = field(default_factory=list)
    blocks: list[list[bytes]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    next_of: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    watchers: list[ServerConnection] = field(default_factory=list)

    async def speak(self, connection: ServerConnection) -> None:
        async for text in connection:
            request = json.loads(text)
            if request["method"] == "subscribe":
                self.watchers.append(connection)
                answer: dict[str, Any] = {"result": {}}
            else:
                raw = base64.b64decode(request["params"]["tx"])
                self.received.append(raw)
                answer = self.admit(raw, request["method"])
            self.answers += 1
            if self.answers > self.dies_after:
                connection.transport.abort()
                return
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}, indent=2))
            if len(self.mempool) >= self.block_txs:
                await self.block()

    def admit(self, raw: bytes, method: str) -> dict[str, Any]:
        lane, _, sequence = raw.partition(b":")
        if len(self.mempool) >= self.room:
            return {"error": {"code": -32603, "message": "Internal error",
                              "data": f"mempool is full: number of txs {self.room} (max: {self.room})"}}
        code = 5 if raw == self.refuses else 32 if int(sequence) != self.next_of[lane] else 0
        if not code:
            self.next_of[lane] += 1
            self.mempool.append(raw)
            self.highest = max(self.highest, len(self.mempool))
        shown = code if method == "broadcast_tx_sync" else 0
        return {"result": {"code": shown, "codespace": "sdk" if shown else "", "log": "no" if shown else "",
                           "data": "", "hash": "00"}}

    async def block(self) -> None:
        taken, self.mempool = self.mempool, []
        self.blocks.append(taken)
        event = {"jsonrpc": "2.0", "id": 0, "result": {"query": "", "data": {
            "type": "tendermint/event/NewBlockEvents", "value": {"num_txs": str(len(taken))}}}}
        for watcher in self.watchers:
            await watcher.send(json.dumps(event))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async def beat() -> None:
            while True:
                await asyncio.sleep(0.02)
                await self.block()

        async with serve(self.speak, "127.0.0.1", 0) as server:
            beating = asyncio.create_task(beat())
            try:
                yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            finally:
                beating.cancel()

    def order_of(self, lane: int) -> list[int]:
        return [int(raw.partition(b":")[2]) for block in self.blocks for raw in block
                if raw.startswith(b"%d:" % lane)]


def new_load(lanes: int, each: int) -> Load:
    return Load([b"%d:%d" % (lane, turn) for turn in range(each) for lane in range(lanes)],
                [lane for _ in range(each) for lane in range(lanes)])


def run(node: DoorNode, load: Load, pace: Pace) -> HandedIn:
    async def both() -> HandedIn:
        async with node.running() as url:
            return await hand_in([url], load, pace)
    return asyncio.run(both())


@pytest.mark.parametrize("method", ["async", "sync"])
def test_every_transaction_gets_into_a_block_once_in_the_order_of_its_lane(method: Any) -> None:
    node = DoorNode()
    handed = run(node, new_load(7, 60), Pace(connections=3, method=method))
    assert [node.order_of(lane) for lane in range(7)] == [list(range(60))] * 7
    assert len(node.received) == len(handed.first_s) == 420 and handed.refused == {}


@pytest.mark.parametrize("method", ["async", "sync"])
def test_what_a_full_mempool_refuses_is_handed_in_again_with_all_that_follows_it_in_its_lane(method: Any) -> None:
    node = DoorNode(room=10, block_txs=11)
    handed = run(node, new_load(5, 40), Pace(connections=2, method=method))
    assert [node.order_of(lane) for lane in range(5)] == [list(range(40))] * 5
    assert handed.pauses > 0 and handed.refused == {} and len(handed.first_s) == 200


def test_no_more_wait_for_a_block_than_may() -> None:
    node = DoorNode(block_txs=1000)
    run(node, new_load(4, 30), Pace(connections=2, waiting_max=9))
    assert 0 < node.highest <= 9 and sum(map(len, node.blocks)) == 120


def test_a_refusal_of_the_application_is_kept_with_its_code_and_its_lane_ends_there() -> None:
    node = DoorNode(refuses=b"1:3")
    handed = run(node, new_load(2, 6), Pace(connections=1, method="sync"))
    assert {index: text for index, text in sorted(handed.refused.items())} == {
        7: "sdk/5 no", 9: "sdk/32 no", 11: "sdk/32 no"}
    assert node.order_of(0) == list(range(6)) and node.order_of(1) == [0, 1, 2]


def test_a_node_that_goes_away_is_named() -> None:
    with pytest.raises(NodeUnreachable):
        asyncio.run(hand_in(["http://127.0.0.1:1"], new_load(1, 1), Pace()))
    node = DoorNode(dies_after=30)
    handed = run(node, new_load(1, 200), Pace(connections=1))
    assert sum(handed.lost.values()) == 1 and "http://127.0.0.1" in next(iter(handed.lost))


def test_a_load_that_is_stopped_leaves_the_rest_outside() -> None:
    node = DoorNode()
    handed = run(node, new_load(1, 300), Pace(connections=1, waiting_max=1, seconds=0.2))
    assert 0 < len(handed.first_s) < 300 and node.order_of(0) == list(range(len(handed.first_s)))


def test_transactions_with_a_rate_are_due_one_after_the_other_and_handed_in_then() -> None:
    node, load = DoorNode(), new_load(2, 10)
    begin_s = time.time() + 0.2
    due_s = [begin_s + 0.01 * index for index in range(20)]
    handed = run(node, Load(load.txs, load.lanes, due_s), Pace(connections=2))
    assert all(handed.first_s[index] >= due_s[index] for index in range(20)) and len(handed.late_s) == 20
    assert handed.begin_s == begin_s


def test_signed_transfers_are_admitted_in_turn_and_tell_their_run_and_time(tmp_path: Any) -> None:
    payer = new_test_key("payer")
    keys = [derive_load_key(payer, index) for index in range(3)]
    assert len({key.private for key in [*keys, payer]}) == 4
    with Chain(tmp_path, {"payer": 10**9}) as chain:
        for key in keys:
            chain.block([chain.sign("payer", _transfer(payer.bech32, key.bech32))])
        found = [chain.app.auth.find_account(chain.ctx(), key.address) for key in keys]
        accounts = [Account(key, one.account_number if one else 0, 0) for key, one in zip(keys, found, strict=True)]
        signed = sign_load(accounts, Offer(CHAIN_ID, 100_000, 100), 9, None)
        assert [result.code for result in chain.block(signed.load.txs)] == [0] * 9
    assert signed.load.lanes == [0, 1, 2] * 3 and signed.load.due_s == []
    memos = [find_memo(raw) for raw in signed.load.txs]
    assert all(memo is not None and memo[0] == signed.run for memo in memos)


def test_the_memo_of_a_transaction_with_a_rate_is_the_time_when_it_is_due() -> None:
    accounts = [Account(new_test_key("a"), 1, 5)]
    signed = sign_load(accounts, Offer(CHAIN_ID, 100_000, 100), 4, 10.0)
    assert [round(1000 * (due_s - signed.load.due_s[0])) for due_s in signed.load.due_s] == [0, 100, 200, 300]
    for raw, due_s in zip(signed.load.txs, signed.load.due_s, strict=True):
        assert decode_tx(raw).body.memo == new_memo(signed.run, due_s) and find_memo(raw) == (
            signed.run, int(due_s * 1000) / 1000)
    assert [decode_tx(raw).auth_info.signer_infos[0].sequence for raw in signed.load.txs] == [5, 6, 7, 8]


def test_signing_that_takes_longer_than_expected_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_txs, "PREPARE_S", -10.0)
    with pytest.raises(LoadTooLate):
        sign_load([Account(new_test_key("a"), 1, 0)], Offer(CHAIN_ID, 100_000, 100), 5, 10.0)


def test_figures_of_three_blocks() -> None:
    raws = [b"%d" % index for index in range(6)]
    blocks = [
        Block(10, 100.0, 1, ()), Block(11, 101.0, 2, tuple(Seen(raw, 100.25, "") for raw in raws[:2])),
        Block(12, 103.0, 3, (Seen(raws[2], 101.0, ""), Seen(raws[3], 101.0, ""), Seen(raws[4], 101.0, "sdk/5"))),
        Block(13, 104.0, 0, ()),
    ]
    handed = HandedIn({index: 100.5 for index in range(6)}, begin_s=100.5, end_s=101.5)
    figures = compute_result(blocks, Load(raws, [0] * 6), handed, is_from_memo=False)
    expected = {
        "txs": 6, "handed_in": 6, "committed": 4, "failed": {"sdk/5": 1}, "vanished": 1, "blocks": 2, "tx_bytes": 1,
        "committed_per_s": 2.0, "committed_per_s_from_hand_in": round(4 / 3.5, 1), "handed_in_per_s": 6.0,
        "seconds": 3.5, "block_s": {"mean": 1.5, "p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0},
        "latency_s": {"mean": 3.1, "p50": 3.5, "p95": 3.5, "p99": 3.5, "max": 3.5}, "latency_from": "hand-in"}
    assert {name: figures[name] for name in expected} == expected
    memo = compute_result(blocks, Load(raws, [0] * 6), handed, is_from_memo=True)
    assert memo["latency_s"]["max"] == 3.0 and memo["latency_from"] == "memo"


def test_a_run_of_which_no_block_has_anything_has_no_rates() -> None:
    figures = compute_result([Block(1, 1.0, 0, ())], Load([b"a"], [0]), HandedIn({0: 1.0}), is_from_memo=False)
    assert (figures["committed"], figures["vanished"]) == (0, 1) and "committed_per_s" not in figures


class BlockNode:
    """What the reader of blocks asks of a node. txs: of each block from height 1; one block comes at each pause."""

    def __init__(self, txs: list[list[bytes]], height: int, waiting: int = 0, is_silent: bool = False,
                 kept_from: int = 1) -> None:
        self.txs, self.height, self.waiting, self.is_silent, self.kept_from = txs, height, waiting, is_silent, kept_from

    def status(self) -> Any:
        if self.is_silent:
            raise NodeUnreachable("no node answers")
        self.height += 1
        return SimpleNamespace(height=self.height - 1)

    def block(self, height: int) -> Any:
        if height < self.kept_from:
            raise NodeRefused(f"block: height {height} is not available")
        txs = self.txs[height - 1] if height <= len(self.txs) else []
        if txs:
            self.waiting = 0
        return {"block": {"header": {"time": f"2026-01-01T00:00:{height % 60:02d}Z"},
                          "data": {"txs": [base64.b64encode(raw).decode() for raw in txs]}}}

    def block_results(self, height: int) -> Any:
        return {"txs_results": [{"code": 0} for _ in self.txs[height - 1]]}

    def count_waiting(self) -> int:
        return self.waiting


def read(nodes: list[BlockNode], expected: int) -> int:
    """How many transactions of the run are found, from height 1 on."""
    blocks = read_blocks(cast(Any, nodes), 1, RUN, expected, lambda what, done, total: None, sleep=lambda seconds: None)
    return sum(len(block.seen) for block in blocks)


RUN = "0123abcd"
RAWS = [new_memo(RUN, 1.0 + index).encode() for index in range(3)]


def test_blocks_that_were_empty_while_the_load_was_made_ready_do_not_end_the_search() -> None:
    assert read([BlockNode([[]] * 20 + [RAWS], height=21)], 3) == 3


def test_transactions_that_a_mempool_still_holds_are_waited_for_through_any_number_of_empty_blocks() -> None:
    assert read([BlockNode([[]] * 40 + [RAWS], height=5, waiting=3)], 3) == 3
    source = BlockNode([RAWS[:1]] + [[]] * 30 + [RAWS[1:]], height=5)
    other = BlockNode([], height=0, waiting=2)
    source.block = lambda height, block=source.block: (  # type: ignore[method-assign, misc]
        setattr(other, "waiting", 0) if height >= 32 else None, block(height))[1]
    assert read([source, other], 3) == 3


def test_what_no_block_and_no_mempool_has_is_missing_after_a_few_blocks() -> None:
    node = BlockNode([RAWS[:2]], height=4)
    assert read([node], 3) == 2 and node.height < 30


def test_blocks_that_cannot_be_read_are_no_figures_and_end_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_result, "SILENCE_S", 0.0)
    for node in (BlockNode([], 9, is_silent=True), BlockNode([], 9, kept_from=5)):
        with pytest.raises(BlocksUnreadable, match="cannot be read, so nothing is known") as caught:
            read([node], 3)
        assert caught.value.exit_status == 3
    monkeypatch.setattr(load_result, "STALL_S", -1.0)
    with pytest.raises(BlocksUnreadable, match="3 of the 3 transactions are in no block"):
        read([BlockNode([], 9, waiting=3)], 3)


def test_a_header_s_time_has_nine_decimals_or_none() -> None:
    assert parse_time("1970-01-01T00:00:02.500000001Z") == 2.500000001
    assert parse_time("1970-01-01T00:01:00Z") == 60.0


def test_parts_of_a_hundred() -> None:
    assert describe([float(value) for value in range(100)]) == {
        "mean": 49.5, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 99.0}


def _transfer(sender: str, recipient: str) -> Any:
    from abci_app.wire.coin import base_coin, coin_pb
    from abci_app.wire.pb.cosmos.bank.v1beta1.tx_pb2 import MsgSend
    return MsgSend(from_address=sender, to_address=recipient, amount=[coin_pb(base_coin(1_000_000))])
