"""Sparse updates as templar takes them in: unpacked, clipped to the median length, scattered, in torch.

The algorithm is that of one-covenant/templar (top 64 of 4096, 12-bit indices, 2-bit values). Its scale is a tensor's,
ours a chunk's, which makes no difference to its speed. Needs torch.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from kernels import payload

CHUNK_VALUES, CHUNK_ENTRIES = 4096, 64
INDEX_BYTES, CODE_BYTES = CHUNK_ENTRIES * 12 // 8, CHUNK_ENTRIES * 2 // 8


class Sent(NamedTuple):
    """What a worker sends: indices uint8 [chunks, 96], codes uint8 [chunks, 16], scales float32 [chunks]."""

    indices: Any
    codes: Any
    scales: Any


def split_payload(sent: bytes, count: int) -> Sent:
    """A payload in top64/4096 as torch tensors; only its whole chunks."""
    parts: list[tuple[np.ndarray, ...]] = []
    begin = 0
    for first in range(0, count, payload.REGION_VALUES):
        values = min(payload.REGION_VALUES, count - first)
        whole, shared = values // CHUNK_VALUES, -(-values // CHUNK_VALUES)
        size = payload.payload_bytes(values, "top64/4096")
        region = np.frombuffer(sent, np.uint8, size, begin)
        body = region[shared:shared + whole * (INDEX_BYTES + CODE_BYTES)].reshape(whole, -1)
        scales = np.ldexp(np.float32(1), region[:whole].astype(int))
        parts.append((body[:, :INDEX_BYTES], body[:, INDEX_BYTES:], scales))
        begin += size
    joined = [torch.from_numpy(np.ascontiguousarray(np.concatenate(part))) for part in zip(*parts)]
    return Sent(joined[0], joined[1], joined[2].float())


def unpack_indices(packed: Any) -> Any:
    """int64 [chunks, 64] of 12-bit indices, two in three bytes."""
    low, middle, high = (packed[:, place::3].long() for place in range(3))
    return torch.stack([low | (middle & 15) << 8, middle >> 4 | high << 4], dim=2).reshape(len(packed), -1)


def unpack_values(sent: Sent) -> Any:
    """float32 [chunks, 64]: the values of the codes by a table."""
    table = torch.tensor([-3.0, -1.0, 1.0, 3.0])
    codes = torch.stack([sent.codes >> shift & 3 for shift in (0, 2, 4, 6)], dim=2).reshape(len(sent.codes), -1)
    return table[codes.long()] * sent.scales[:, None]


def accumulate(workers: list[Sent]) -> Any:
    """float32 [chunks, 4096]: the mean over those who sent a coordinate, each clipped to the median length."""
    indices = [unpack_indices(sent.indices) for sent in workers]
    values = [unpack_values(sent) for sent in workers]
    lengths = torch.stack([part.norm() for part in values])
    factors = torch.clamp(lengths.median() / (lengths + 1e-8), max=1.0)
    clipped = [part * factor for part, factor in zip(values, factors)]
    dense = torch.zeros(len(indices[0]), CHUNK_VALUES)
    dense.scatter_reduce_(1, torch.cat(indices, 1), torch.cat(clipped, 1), reduce="mean", include_self=False)
    if not bool(torch.isfinite(dense).all()):
        raise ValueError("not finite")
    return dense


def scatter(indices: Any, values: Any) -> Any:
    """float32 [chunks, 4096]: the sum of what is unpacked already."""
    return torch.zeros(len(indices), CHUNK_VALUES).scatter_add_(1, indices, values)
