"""What blocks say of a load: committed transactions, rates, block times, latencies.

A block's own time is that of the votes on the block before it; the votes on a block are in the next one's header. So a
block counts as committed at the time of the block that follows it. (The `loadtime` tool of CometBFT takes the block's
own time, which comes about one block earlier.) Source: CometBFT v0.38 spec/consensus/bft-time.md, test/loadtime.
"""

import base64
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from abci_app.client.errors import BlocksUnreadable, ClientError, NodeRefused, NodeUnreachable, TimedOut
from abci_app.client.load import EMPTY_BLOCKS, SILENCE_S, HandedIn, Load, Report
from abci_app.client.load_txs import find_memo
from abci_app.client.rpc import Rpc

POLL_S = 0.1
STALL_S = 300.0  # that a block may take, or transactions lie in a mempool while none of them gets into a block

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Seen:
    """A transaction of the run in a block. time_s: what its memo tells. code: empty text for success."""

    raw: bytes
    time_s: float
    code: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block. time_s: its own time. count: all its transactions, also those of others."""

    height: int
    time_s: float
    count: int
    seen: tuple[Seen, ...]


def parse_time(text: str) -> float:
    """Seconds since 1970 of a header's time, which has up to nine decimals."""
    whole, _, part = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00").timestamp() + float(f"0.{part or 0}")


def read_block(rpc: Rpc, height: int, run: str) -> Block:
    """A block with the transactions of a run and what they did."""
    block = rpc.block(height)["block"]
    raws = [base64.b64decode(text) for text in block["data"]["txs"] or ()]
    results = (rpc.block_results(height)["txs_results"] or ()) if raws else ()
    seen = []
    for raw, result in zip(raws, results, strict=True):
        memo = find_memo(raw)
        if memo is not None and memo[0] == run:
            code = int(result.get("code") or 0)
            seen.append(Seen(raw, memo[1], f"{result.get('codespace') or ''}/{code}" if code else ""))
    return Block(height, parse_time(block["header"]["time"]), len(raws), tuple(seen))


def read_blocks(nodes: Sequence[Rpc], first: int, run: str, expected: int, report: Report,
                sleep: Callable[[float], None] = time.sleep) -> list[Block]:
    """The first node's blocks from `first` to the one after the last that has transactions of the run.

    To be called when everything is handed in. Ends when as many are found as are expected, or when EMPTY_BLOCKS that
    were made since then hold none and no mempool of the nodes holds anything. Raises BlocksUnreadable.
    """
    blocks: list[Block] = []
    found = empty = 0
    last, moved_s = _read_height(nodes[0], sleep), time.monotonic()
    while not (blocks and not blocks[-1].seen and (found >= expected or empty >= EMPTY_BLOCKS)):
        height = first + len(blocks)
        try:
            _wait_results(nodes[0], height, sleep)
            blocks.append(_patiently(partial(read_block, nodes[0], height, run), sleep))
        except ClientError as error:
            raise BlocksUnreadable(f"block {height} cannot be read, so nothing is known of {expected - found} of the "
                                   f"{expected} transactions: {error.text}", error.hint) from None
        found += len(blocks[-1].seen)
        report("reading blocks", min(found, expected), expected)
        if blocks[-1].seen or height <= last:
            empty, moved_s = 0, time.monotonic()
            continue
        empty += 1
        if empty >= EMPTY_BLOCKS and found < expected and _is_holding(nodes, time.monotonic() - moved_s < SILENCE_S):
            empty -= 1
            if time.monotonic() - moved_s > STALL_S:
                raise BlocksUnreadable(f"{expected - found} of the {expected} transactions are in no block after "
                                       f"{STALL_S:.0f} s, while a mempool still holds some",
                                       "what becomes of them is not known yet: do the blocks have room?")
    return blocks


def _read_height(rpc: Rpc, sleep: Callable[[float], None]) -> int:
    """Height of the latest block. Raises BlocksUnreadable."""
    try:
        return _patiently(lambda: rpc.status().height, sleep)
    except ClientError as error:
        raise BlocksUnreadable(f"the blocks cannot be read, so nothing is known of the transactions: {error.text}",
                               error.hint) from None


def _wait_results(rpc: Rpc, height: int, sleep: Callable[[float], None]) -> None:
    """Wait until the results of a block are there: before the next block is. Raises TimedOut, NodeUnreachable."""
    deadline_s = time.monotonic() + STALL_S
    while _patiently(lambda: rpc.status().height, sleep) <= height:
        if time.monotonic() > deadline_s:
            raise TimedOut(f"block {height + 1} did not come in {STALL_S:.0f} s", "read the node's log")
        sleep(POLL_S)


def _patiently(ask: Callable[[], _Result], sleep: Callable[[float], None]) -> _Result:
    """An answer of a node that is asked again for SILENCE_S. Raises NodeUnreachable, NodeRefused."""
    deadline_s = time.monotonic() + SILENCE_S
    while True:
        try:
            return ask()
        except NodeUnreachable:
            if time.monotonic() > deadline_s:
                raise
            sleep(POLL_S)


def _is_holding(nodes: Sequence[Rpc], unknown: bool) -> bool:
    """Whether a node's mempool holds anything. unknown: what counts for a node that does not answer."""
    for node in nodes:
        try:
            if node.count_waiting():
                return True
        except NodeUnreachable:
            if unknown:
                return True
        except NodeRefused:
            continue
    return False


def compute_result(blocks: Sequence[Block], load: Load, handed: HandedIn, is_from_memo: bool) -> dict[str, Any]:
    """The figures of a run. blocks: of read_blocks. is_from_memo: latency counts from the memos' times, else from when
    this tool handed a transaction in."""
    index_of = {raw: index for index, raw in enumerate(load.txs)}
    done_s = {block.height: following.time_s for block, following in zip(blocks, blocks[1:])}
    own = [block for block in blocks if block.seen]
    seen = [(one, block) for block in own for one in block.seen]
    failed = Counter(one.code for one, _ in seen if one.code)
    latencies = [done_s[block.height] - (one.time_s if is_from_memo else handed.first_s[index_of[one.raw]])
                 for one, block in seen if is_from_memo or index_of[one.raw] in handed.first_s]
    expected = len(handed.first_s) - len(handed.refused)
    figures: dict[str, Any] = {
        "txs": len(load.txs), "handed_in": len(handed.first_s), "committed": len(seen) - failed.total(),
        "failed": dict(failed), "refused": dict(Counter(handed.refused.values()).most_common(10)),
        "vanished": expected - len(seen), "blocks": len(own), "lost_connections": dict(handed.lost),
        "tx_bytes": round(sum(map(len, load.txs)) / len(load.txs)),
    }
    if not own:
        return figures
    span = blocks[own[0].height - blocks[0].height:own[-1].height - blocks[0].height + 2]
    gaps = [after.time_s - before.time_s for before, after in zip(span, span[1:])]
    good = [sum(not one.code for one in block.seen) for block in own]
    between_s, since_s = done_s[own[-1].height] - done_s[own[0].height], done_s[own[-1].height] - handed.begin_s
    return figures | {
        "committed_per_s": round(sum(good[1:]) / between_s, 1) if between_s > 0 else None,
        "committed_per_s_from_hand_in": round(sum(good) / since_s, 1),
        "handed_in_per_s": round(len(handed.first_s) / max(handed.end_s - handed.begin_s, 0.001), 1),
        "seconds": round(since_s, 2), "block_txs": describe([float(len(block.seen)) for block in own], 1),
        "block_s": describe(gaps), "latency_s": describe(latencies), "latency_from": "memo" if is_from_memo
        else "hand-in", "mempool_full": handed.pauses,
        "tool_cpu_s": round(handed.cpu_s, 2), "tool_cpu_share": round(handed.cpu_s / max(handed.wall_s, 0.001), 3),
        "tool_cpu_us_per_tx": round(handed.cpu_s * 1e6 / max(len(handed.first_s), 1)),
        **({"late_s": describe(handed.late_s)} if handed.late_s else {}),
    }


def describe(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Mean, largest and the values that 50, 95 and 99 of 100 do not pass."""
    ordered = sorted(values)
    found = {f"p{part}": ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 95, 99)}
    figures = {"mean": sum(ordered) / len(ordered)} | found | {"max": ordered[-1]}
    return {name: round(value, digits) for name, value in figures.items()}
