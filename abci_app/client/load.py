"""Handing in many transactions over several WebSockets of several nodes, at a rate or as fast as the chain takes them.

Transactions of one lane (an account) go over one connection, in order. A node that refuses one because its mempool is
full has not got those behind it of the same lane either, whatever it says of them: all are handed in again, in order,
after a pause. What waits for a block is counted by what was handed in and by what the nodes say of their blocks, and is
bounded. Source: CometBFT v0.38 mempool/errors.go (ErrMempoolIsFull, ErrTxInCache), types/events.go (NewBlockEvents).
"""

import asyncio
import base64
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from abci_app.client.errors import NodeUnreachable
from abci_app.client.rpc import IN_MEMPOOL
from abci_app.client.websocket import WebSocket, new_frame

PIPELINE = 64  # requests of a connection without an answer yet
TICK_S = 0.01
REPORT_TICKS = 20
PAUSE_S = 0.2  # after a full mempool
EMPTY_BLOCKS = 8  # in a row, after which nothing more is expected
SILENCE_S = 60.0  # of a node that does not answer
BLOCK_S = 300.0  # that a block may take
MEMPOOL_FULL = "mempool is full"
NEW_BLOCK = "tm.event='NewBlockEvents'"

Method = Literal["async", "sync"]
Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Load:
    """Transactions ready to be handed in.

    lanes: of each, which others it must not overtake. due_s: of each, seconds of the clock (time.time) when it is to be
    handed in; empty for as soon as possible.
    """

    txs: Sequence[bytes]
    lanes: Sequence[int]
    due_s: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """How a load is handed in. connections: to each node. waiting_max: the most that wait for a block.

    method: what the node answers after: async at once, sync with the application's word on it. seconds: stop handing in
    after so many, None when all are.
    """

    connections: int = 4
    method: Method = "async"
    waiting_max: int = 4000
    seconds: float | None = None


@dataclass(slots=True)
class HandedIn:
    """What became of a load at the nodes' doors.

    first_s: of each transaction that was handed in, when that was first; refused: of each that a node would not have,
    why. begin_s, end_s: when the first and the last was handed in. pauses: how often a mempool was full. lost: nodes
    whose connection broke. late_s: how much later than due. cpu_s, wall_s: of this process, from the first that was
    handed in to the last that is in a block.
    """

    first_s: dict[int, float] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    pauses: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    late_s: list[float] = field(default_factory=list)
    begin_s: float = 0.0
    end_s: float = 0.0
    cpu_s: float = 0.0
    wall_s: float = 0.0


async def hand_in(urls: Sequence[str], load: Load, pace: Pace, report: Report = lambda what, done, total: None
                  ) -> HandedIn:
    """Hand in a load and wait until blocks have it, or take no more of it. Raises NodeUnreachable before the start.

    report: is told how many are in blocks, of those that were handed in.
    """
    gate = Gate(pace.waiting_max, len(load.txs))
    handed = HandedIn()
    count = len(urls) * pace.connections
    shares: list[list[int]] = [[] for _ in range(count)]
    for index, lane in enumerate(load.lanes):
        shares[lane % count].append(index)
    frames = [new_frame({"jsonrpc": "2.0", "id": index, "method": f"broadcast_tx_{pace.method}",
                         "params": {"tx": base64.b64encode(raw).decode()}}) for index, raw in enumerate(load.txs)]
    doors = [Door(urls[place % len(urls)], load, frames, share, gate, handed) for place, share in enumerate(shares)
             if share]
    watch = WebSocket(urls[0], gate.take_block, gate.lose)
    sockets = [watch, *[door.socket for door in doors]]
    try:
        await asyncio.gather(*[socket.connect() for socket in sockets])
        watch.send([new_frame({"jsonrpc": "2.0", "id": 0, "method": "subscribe", "params": {"query": NEW_BLOCK}})])
        await gate.subscribed.wait()
        handed.begin_s = load.due_s[0] if load.due_s else time.time()
        while time.time() < handed.begin_s:
            await asyncio.sleep(TICK_S)
        cpu_s, wall_s = time.process_time(), time.monotonic()
        await _run(doors, gate, handed, pace, report)
        handed.cpu_s, handed.wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
    finally:
        for socket in sockets:
            socket.close()
    return handed


async def _run(doors: Sequence["Door"], gate: "Gate", handed: HandedIn, pace: Pace, report: Report) -> None:
    """Hand in at every tick what may be, then wait for the blocks."""
    turn = 0
    while any(door.is_busy() for door in doors):
        now_s = time.time()
        if pace.seconds is not None and now_s >= handed.begin_s + pace.seconds:
            for door in doors:
                door.stop()
        turn += 1
        for place in range(len(doors)):
            doors[(turn + place) % len(doors)].pump(now_s)
        await _tick(turn, gate, report)
    handed.end_s = max(handed.first_s.values(), default=handed.begin_s)
    gate.empty = 0
    while gate.waiting > 0 and gate.empty < EMPTY_BLOCKS and not gate.is_lost:
        turn += 1
        await _tick(turn, gate, report)


async def _tick(turn: int, gate: "Gate", report: Report) -> None:
    """Let the connections work for a moment."""
    if turn % REPORT_TICKS == 0:
        report("in blocks", min(gate.committed, gate.taken), gate.total)
    gate.check()
    await asyncio.sleep(TICK_S)


class Gate:
    """Counts what was handed in and what blocks have, and lets no more wait than may."""

    def __init__(self, waiting_max: int, total: int) -> None:
        self.waiting_max, self.total = waiting_max, total
        self.taken = self.committed = self.empty = 0
        self.subscribed = asyncio.Event()
        self._heard_s = time.monotonic()
        self._lost = ""

    @property
    def waiting(self) -> int:
        """How many were handed in and are in no block yet, as far as is known: others' transactions count as ours."""
        return max(0, self.taken - self.committed)

    @property
    def room(self) -> int:
        """How many more may be handed in."""
        return self.waiting_max - self.waiting

    @property
    def is_lost(self) -> bool:
        """Whether the connection that tells of blocks broke: then the blocks themselves must be read."""
        return bool(self._lost)

    def take_block(self, answer: dict[str, Any]) -> None:
        """Count what a node says of a block, or its word that it will."""
        self._heard_s = time.monotonic()
        if "error" in answer:
            self.lose(str(answer["error"]))
        self.subscribed.set()
        data = (answer.get("result") or {}).get("data")
        if data:
            count = int(data["value"]["num_txs"])
            self.committed += count
            self.empty = 0 if count else self.empty + 1

    def lose(self, why: str) -> None:
        """The connection that tells of blocks broke."""
        self._lost = why
        self.subscribed.set()

    def check(self) -> None:
        """Raises NodeUnreachable when nobody tells of blocks any longer."""
        if self._lost or time.monotonic() - self._heard_s > BLOCK_S:
            raise NodeUnreachable(f"the node tells of no blocks any longer ({self._lost or 'it is silent'})",
                                  "read its log: gradus localnet logs")


class Door:
    """One connection through which a share of the load goes."""

    def __init__(self, url: str, load: Load, frames: Sequence[bytes], share: Sequence[int], gate: Gate,
                 handed: HandedIn) -> None:
        self.socket = WebSocket(url, self.take_answer, self.lose)
        self._load, self._frames, self._gate, self._handed = load, frames, gate, handed
        self._queue: deque[int] = deque(share)
        self._open: set[int] = set()
        self._again: list[int] = []
        self._held: set[int] = set()  # lanes of which one was refused for want of room
        self._pause_until_s = 0.0

    def is_busy(self) -> bool:
        """Whether something is still to be handed in, or answered."""
        return bool(self._queue or self._open or self._again)

    def stop(self) -> None:
        """Hand in nothing more; what was refused for want of room stays outside."""
        for index in self._again:
            self._handed.first_s.pop(index, None)
        self._queue.clear()
        self._again.clear()

    def pump(self, now_s: float) -> None:
        """Hand in what is due and may be."""
        if self._held:
            if self._open:
                return
            self._queue.extendleft(sorted(self._again, reverse=True))
            self._again, self._held = [], set()
            self._pause_until_s = now_s + PAUSE_S
            self._handed.pauses += 1
        if now_s < self._pause_until_s:
            return
        chosen, due_s, queue = [], self._load.due_s, self._queue
        for _ in range(min(PIPELINE - len(self._open), self._gate.room, len(queue))):
            if due_s and due_s[queue[0]] > now_s:
                break
            chosen.append(queue.popleft())
        if not chosen:
            return
        self._gate.taken += len(chosen)
        self._open.update(chosen)
        for index in chosen:
            if index not in self._handed.first_s:
                self._handed.first_s[index] = now_s
                if due_s:
                    self._handed.late_s.append(now_s - due_s[index])
        self.socket.send([self._frames[index] for index in chosen])

    def take_answer(self, answer: dict[str, Any]) -> None:
        """Learn what the node says of one transaction, and send on."""
        index = answer["id"]
        self._open.discard(index)
        refusal = find_refusal(answer)
        lane = self._load.lanes[index]
        if lane in self._held or (refusal and MEMPOOL_FULL in refusal):
            self._held.add(lane)
            self._again.append(index)
            self._gate.taken -= 1
        elif refusal:
            self._handed.refused[index] = refusal
            self._gate.taken -= 1
        if len(self._open) <= PIPELINE // 2:
            self.pump(time.time())

    def lose(self, why: str) -> None:
        """The connection broke: what it has not carried stays outside."""
        self._handed.lost[f"{self.socket.url}: {why}"] += 1
        self._gate.taken -= len(self._open)
        self._open.clear()
        self._held.clear()
        self.stop()


def find_refusal(answer: dict[str, Any]) -> str | None:
    """Why a node would not have a transaction; None when its mempool has it."""
    fault = answer.get("error")
    if fault is not None:
        text = f"{fault.get('message', '')} {fault.get('data', '')}".strip()
        return None if IN_MEMPOOL in text else text
    result = answer["result"]
    return f"{result['codespace']}/{result['code']} {result['log']}" if result["code"] else None
