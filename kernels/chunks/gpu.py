"""BLAKE3 of many messages at once in Triton, for bytes that lie on a device: leaves and nodes of a chunk tree.

BLAKE3 cuts a message into pieces of 1 KiB (its paper calls them chunks) and joins their hashes in a binary tree. Here
a lane hashes one piece, then a lane joins one pair, level by level; every lane does the same number of steps, so no
atomics are needed and nothing depends on the order. The byte of the prefix before each message shifts its words by
eight bits against those in memory.
Source: the BLAKE3 paper, section 2 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020); kernels/README.md section 11.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl
from numpy.typing import NDArray

from kernels import chunks, device
from kernels.device import Array, constexpr, jit, jit_changing, launch

LANES = 32  # one warp: its lanes exchange words without a barrier between warps
LANES_INTERPRETED = 2**15
WORDS = constexpr(16)
PIECE_BYTES, BLOCK_BYTES = constexpr(1024), constexpr(64)
START, END, PARENT, ROOT = constexpr(1), constexpr(2), constexpr(4), constexpr(8)
ALIGNED_BYTES = 16
HASH_WORDS = 8
NODE_BYTES = 64
HOST_NODES = 1024  # as many the host joins faster than the device's launches


@jit
def mix(
    a: tl.tensor, b: tl.tensor, c: tl.tensor, d: tl.tensor, x: tl.tensor, y: tl.tensor
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """The function G of BLAKE3: four words are turned to the right."""
    a = a + b + x
    d = d ^ a
    d = (d >> 16) | (d << 16)
    c = c + d
    b = b ^ c
    b = (b >> 12) | (b << 20)
    a = a + b + y
    d = d ^ a
    d = (d >> 8) | (d << 24)
    c = c + d
    b = b ^ c
    b = (b >> 7) | (b << 25)
    return a, b, c, d


@jit
def compress(v: tl.tensor, m: tl.tensor, counter: tl.tensor, size: tl.tensor, flags: tl.tensor) -> tl.tensor:
    """The first eight words of BLAKE3's compression of 16 message words m under the chaining value v; all uint32."""
    zero = counter ^ counter
    v0, v1, v2, v3, v4, v5, v6, v7 = v
    v8, v9, v10, v11, v12, v13, v14, v15 = (
        zero + 0x6A09E667, zero + 0xBB67AE85, zero + 0x3C6EF372, zero + 0xA54FF53A, counter, zero, size, flags,
    )
    for _ in tl.static_range(7):
        v0, v4, v8, v12 = mix(v0, v4, v8, v12, m[0], m[1])
        v1, v5, v9, v13 = mix(v1, v5, v9, v13, m[2], m[3])
        v2, v6, v10, v14 = mix(v2, v6, v10, v14, m[4], m[5])
        v3, v7, v11, v15 = mix(v3, v7, v11, v15, m[6], m[7])
        v0, v5, v10, v15 = mix(v0, v5, v10, v15, m[8], m[9])
        v1, v6, v11, v12 = mix(v1, v6, v11, v12, m[10], m[11])
        v2, v7, v8, v13 = mix(v2, v7, v8, v13, m[12], m[13])
        v3, v4, v9, v14 = mix(v3, v4, v9, v14, m[14], m[15])
        m = (m[2], m[6], m[3], m[10], m[7], m[0], m[4], m[13], m[1], m[11], m[12], m[5], m[9], m[14], m[15], m[8])
    return v0 ^ v8, v1 ^ v9, v2 ^ v10, v3 ^ v11, v4 ^ v12, v5 ^ v13, v6 ^ v14, v7 ^ v15


@jit
def new_chain(zero: tl.tensor) -> tl.tensor:
    """The chaining value that everything starts from."""
    return (
        zero + 0x6A09E667, zero + 0xBB67AE85, zero + 0x3C6EF372, zero + 0xA54FF53A,
        zero + 0x510E527F, zero + 0x9B05688C, zero + 0x1F83D9AB, zero + 0x5BE0CD19,
    )


@jit
def split_words(tile: tl.tensor, lanes: tl.constexpr) -> tl.tensor:
    """The 16 columns of a tile [lanes, 16]: loaded side by side, worked on lane by lane."""
    even, odd = tl.split(tl.reshape(tile, [lanes, 2, 2, 2, 2]))
    quads = tl.split(even) + tl.split(odd)  # the words of 0, 2, 1 and 3 modulo 4
    pairs = tl.split(quads[0]) + tl.split(quads[1]) + tl.split(quads[2]) + tl.split(quads[3])
    w0, w8 = tl.split(pairs[0])
    w4, w12 = tl.split(pairs[1])
    w2, w10 = tl.split(pairs[2])
    w6, w14 = tl.split(pairs[3])
    w1, w9 = tl.split(pairs[4])
    w5, w13 = tl.split(pairs[5])
    w3, w11 = tl.split(pairs[6])
    w7, w15 = tl.split(pairs[7])
    return w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15


@jit
def shift_words(w: tl.tensor, before: tl.tensor) -> tl.tensor:
    """The words of the same bytes one byte later; before: the word that stands before them."""
    return (
        (w[0] << 8) | (before >> 24), (w[1] << 8) | (w[0] >> 24), (w[2] << 8) | (w[1] >> 24),
        (w[3] << 8) | (w[2] >> 24), (w[4] << 8) | (w[3] >> 24), (w[5] << 8) | (w[4] >> 24),
        (w[6] << 8) | (w[5] >> 24), (w[7] << 8) | (w[6] >> 24), (w[8] << 8) | (w[7] >> 24),
        (w[9] << 8) | (w[8] >> 24), (w[10] << 8) | (w[9] >> 24), (w[11] << 8) | (w[10] >> 24),
        (w[12] << 8) | (w[11] >> 24), (w[13] << 8) | (w[12] >> 24), (w[14] << 8) | (w[13] >> 24),
        (w[15] << 8) | (w[14] >> 24),
    )


@jit
def load_bytes(
    data: tl.tensor, start: tl.tensor, first: tl.tensor, size: tl.tensor, prefix: tl.tensor, lanes: tl.constexpr
) -> tl.tensor:
    """Words [lanes, 16] of prefix ‖ message from the byte `first` of it on, byte by byte; zeros behind the end."""
    index = first[:, None] + 4 * tl.arange(0, WORDS)[None, :] - 1
    tile = tl.zeros([lanes, WORDS], tl.uint32)
    for place in tl.static_range(4):
        at = index + place
        is_inside = (at >= 0) & (at < size[:, None])
        byte = tl.load(data + start[:, None] + at, mask=is_inside, other=0).to(tl.uint32)
        tile |= tl.where(at == -1, prefix.to(tl.uint32), byte) << (8 * place)
    return tile


@jit_changing("stride", "pieces", "blocks", "count", "prefix")
def hash_pieces(
    data: tl.tensor, sizes: tl.tensor, hashes: tl.tensor, stride: tl.tensor, pieces: tl.tensor, blocks: tl.tensor,
    count: tl.tensor, prefix: tl.tensor, is_aligned: tl.constexpr, lanes: tl.constexpr,
) -> None:
    """The chaining value int32 [8] of every piece of every message; lane = message * pieces + piece.

    stride: of bytes from one message to the next, or of 16 bytes and data int32 if is_aligned; blocks: the largest
    number of blocks in a piece; a piece that a message does not have is left out.
    """
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    message, piece = lane // pieces, lane % pieces
    size = tl.load(sizes + message, mask=lane < count, other=-1)
    left = tl.minimum(size + 1 - piece * PIECE_BYTES, PIECE_BYTES)  # bytes of this piece
    last = (left + (BLOCK_BYTES - 1)) // BLOCK_BYTES - 1
    is_root = size < PIECE_BYTES
    zero = (lane ^ lane).to(tl.uint32)
    v = new_chain(zero)
    counter = piece.to(tl.uint32)
    column = tl.arange(0, WORDS)
    before = zero
    if is_aligned:
        start = message.to(tl.int64) * stride * 4
        held = (size + 3) // 4 - piece * (PIECE_BYTES // 4)  # words from the piece's first on
        words = data + start + piece * (PIECE_BYTES // 4)
        before = tl.load(words - 1, mask=(piece > 0) & (held >= 0) & (lane < count), other=0).to(tl.uint32)
        before = tl.where(piece == 0, prefix.to(tl.uint32) << 24, before)
    else:
        start = message.to(tl.int64) * stride
    for block in range(blocks):
        if is_aligned:
            at = (column + block * WORDS)[None, :]
            w = split_words(tl.load(words[:, None] + at, mask=at < held[:, None], other=0).to(tl.uint32), lanes)
            m = shift_words(w, before)
            before = w[15]
        else:
            m = split_words(load_bytes(data, start, piece * PIECE_BYTES + block * BLOCK_BYTES, size, prefix, lanes),
                            lanes)
        is_last = last == block
        flags = tl.where(piece * 0 + block == 0, START, 0) | tl.where(is_last, tl.where(is_root, END | ROOT, END), 0)
        taken = tl.minimum(left - block * BLOCK_BYTES, BLOCK_BYTES)
        after = compress(v, m, counter, taken.to(tl.uint32), flags.to(tl.uint32))
        is_held = last >= block
        v = (
            tl.where(is_held, after[0], v[0]), tl.where(is_held, after[1], v[1]), tl.where(is_held, after[2], v[2]),
            tl.where(is_held, after[3], v[3]), tl.where(is_held, after[4], v[4]), tl.where(is_held, after[5], v[5]),
            tl.where(is_held, after[6], v[6]), tl.where(is_held, after[7], v[7]),
        )
    for index in tl.static_range(8):
        tl.store(hashes + lane * 8 + index, v[index].to(tl.int32), mask=(lane < count) & (left > 0))


@jit_changing("width", "level", "count")
def join_pairs(
    hashes: tl.tensor, sizes: tl.tensor, joined: tl.tensor, width: tl.tensor, level: tl.tensor, count: tl.tensor,
    lanes: tl.constexpr,
) -> None:
    """One level up: lane = message * ((width + 1) // 2) + pair; width: hashes of a message below, the most of any.

    A hash without a partner goes up as it is; the last join of a message is its root.
    """
    lane = tl.program_id(0) * lanes + tl.arange(0, lanes)
    above = (width + 1) // 2
    message, pair = lane // above, lane % above
    size = tl.load(sizes + message, mask=lane < count, other=-1)
    held = tl.maximum((size + PIECE_BYTES) // PIECE_BYTES, 1)
    held = (held + (1 << level) - 1) >> level  # hashes of this message below
    column = tl.arange(0, WORDS)
    place = (message * width + 2 * pair) * 8
    mask = (2 * pair[:, None] + (column // 8)[None, :] < held[:, None]) & (lane < count)[:, None]
    m = split_words(tl.load(hashes + place[:, None] + column[None, :], mask=mask, other=0).to(tl.uint32), lanes)
    zero = (lane ^ lane).to(tl.uint32)
    flags = tl.where(held == 2, PARENT | ROOT, PARENT).to(tl.uint32)
    after = compress(new_chain(zero), m, zero, zero + BLOCK_BYTES, flags)
    is_pair = 2 * pair + 1 < held
    for index in tl.static_range(8):
        tl.store(joined + lane * 8 + index, tl.where(is_pair, after[index], m[index]).to(tl.int32), mask=lane < count)


def hash_messages(data: Array, stride: int, sizes: NDArray[np.int32], prefix: int) -> Array:
    """BLAKE3(prefix ‖ message i) for every i, as int32 [messages, 8]; little-endian they are the 32 bytes.

    data: uint8, flat; message i is its bytes i * stride .. i * stride + sizes[i] - 1, sizes[i] <= stride. Where stride
    is a multiple of 16, as of payloads' regions and nodes, data is too, what follows a message up to the next
    multiple of 4 is zeros, and words are loaded in place of bytes.
    """
    largest = int(sizes.max())
    pieces = (largest + PIECE_BYTES.value) // PIECE_BYTES.value
    blocks = (min(largest + 1, PIECE_BYTES.value) + BLOCK_BYTES.value - 1) // BLOCK_BYTES.value
    held, lanes = device.to_device(sizes), _find_lanes(len(sizes) * pieces)
    is_aligned = stride % ALIGNED_BYTES == 0
    hashes = device.new_array((len(sizes) * pieces, HASH_WORDS), np.int32)
    launch(
        hash_pieces, (device.count_programs(len(sizes) * pieces, lanes),), device.view(data, np.int32) if is_aligned
        else data, held, hashes, stride // ALIGNED_BYTES if is_aligned else stride, pieces, blocks,
        len(sizes) * pieces, prefix, is_aligned=is_aligned, lanes=lanes, num_warps=1,
    )
    level = 0
    while pieces > 1:
        above = (pieces + 1) // 2
        count, lanes = len(sizes) * above, _find_lanes(len(sizes) * above)
        joined = device.new_array((count, HASH_WORDS), np.int32)
        launch(join_pairs, (device.count_programs(count, lanes),), hashes, held, joined, pieces, level, count,
               lanes=lanes, num_warps=1)
        hashes, pieces, level = joined, above, level + 1
    return hashes


def hash_leaves(data: Array, length: int, chunk_bytes: int) -> Array:
    """The leaves of a chunk tree over the first `length` of the bytes `data`, int32 [chunks, 8].

    data: uint8 on the device, of any size >= length where chunk_bytes is no multiple of 16; else as `pad` makes it.
    """
    count = chunks.chunk_count(length, chunk_bytes)
    sizes = np.full(count, chunk_bytes, np.int32)
    sizes[-1] = length - (count - 1) * chunk_bytes
    return hash_messages(data, chunk_bytes, sizes, 0)


def compute_root(data: Array, length: int, chunk_bytes: int) -> bytes:
    """chunks.chunk_root of bytes that lie on the device, as hash_leaves takes them."""
    nodes = hash_leaves(data, length, chunk_bytes)
    while len(nodes) > HOST_NODES:
        pairs = len(nodes) // 2
        above = device.new_array((len(nodes) - pairs, HASH_WORDS), np.int32)
        above[:pairs] = hash_messages(
            device.view(nodes[:2 * pairs].reshape(-1), np.uint8), NODE_BYTES, np.full(pairs, NODE_BYTES, np.int32), 1
        )
        if len(nodes) % 2:
            above[pairs:] = nodes[2 * pairs:]
        nodes = above
    tops = device.to_host(nodes).astype("<u4")
    return chunks.seal_leaves([row.tobytes() for row in tops], length, chunk_bytes)


def _find_lanes(count: int) -> int:
    return min(LANES_INTERPRETED, device.find_power(count)) if device.IS_INTERPRETED else LANES
