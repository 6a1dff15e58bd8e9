"""What a network's blocks say: when they came, in which attempt, what votes brought, and what happened in them."""

import base64
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from abci_app.client.rpc import Rpc
from abci_app.wire.pb.gradus.audits.v1.tx_pb2 import AuditVotes
from abci_app.wire.tx import decode_injected, is_injected

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event of a block, of its transactions or of its own."""

    height: int
    type: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Block:
    """One block. time_s: of its header, since 1970. attempt: of consensus that decided the block before it, from 0.

    extension_bytes: of each signed extension that it brings. injected_bytes: of all that its proposer put at its head.
    """

    height: int
    time_s: float
    attempt: int
    extension_bytes: tuple[int, ...]
    injected_bytes: int
    events: tuple[Event, ...]


def read_block(rpc: Rpc, height: int) -> Block:
    """A block and its results, as a node has them."""
    block = rpc.block(height)["block"]
    text = re.sub(r"(\.\d{1,6})\d*Z$", r"\1Z", block["header"]["time"])
    raws = [raw for raw in map(base64.b64decode, block["data"]["txs"] or ()) if is_injected(raw)]
    sizes: list[int] = []
    for packed in map(decode_injected, raws):
        if packed.type_url.endswith(".AuditVotes"):
            sizes += [len(vote.extension) for vote in AuditVotes.FromString(packed.value).votes]
    return Block(height, datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp(),
                 int(block["last_commit"]["round"]), tuple(sizes), sum(map(len, raws)),
                 tuple(iter_events(height, rpc.block_results(height))))


def iter_events(height: int, results: Json) -> Iterator[Event]:
    """Those of the transactions, in their order, then those of the block."""
    listed = [one for result in results["txs_results"] or () for one in result["events"] or ()]
    for one in [*listed, *(results["finalize_block_events"] or ())]:
        yield Event(height, one["type"], {item["key"]: item["value"] for item in one["attributes"]})


def read_blocks(rpc: Rpc, first: int, last: int) -> list[Block]:
    """The blocks from one height to another, both included."""
    return [read_block(rpc, height) for height in range(first, last + 1)]


def compute_block_s(blocks: Sequence[Block]) -> list[float]:
    """Seconds from each of neighbouring blocks to the next."""
    return [later.time_s - sooner.time_s for sooner, later in pairwise(blocks)]


def find_events(blocks: Iterable[Block], kind: str, **attributes: str) -> list[Event]:
    """The events of a type that have these attributes, in order."""
    return [event for block in blocks for event in block.events
            if event.type == kind and attributes.items() <= event.attributes.items()]


def summarise(values: Sequence[float]) -> dict[str, float]:
    """count, median, mean and largest; all 0 of nothing."""
    found = values or [0.0]
    return {"count": len(values), "median": round(statistics.median(found), 3),
            "mean": round(statistics.fmean(found), 3), "max": round(max(found), 3)}
