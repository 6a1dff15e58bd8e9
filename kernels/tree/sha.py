"""SHA-256 of many messages at once: sixteen in the lanes of the machine's vectors.

Reads and writes one byte array. Source: FIPS 180-4; hashlib is the reference that the tests and the self-test hold
this against.
"""

from math import isqrt

import numpy as np

from kernels.jit import Scalar, entry, typed, types

LANES = 16
BLOCK_BYTES = 64
_PRIMES = [n for n in range(2, 312) if all(n % d for d in range(2, n))]


def _cube_root_bits(prime: int) -> int:
    """The first 32 bits of the fraction of a cube root."""
    low, high = 0, 1 << 36
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= prime << 96 else (low, middle)
    return low & 0xFFFFFFFF


ROUND = np.array([_cube_root_bits(prime) for prime in _PRIMES], np.uint32)
START = np.array([isqrt(prime << 64) & 0xFFFFFFFF for prime in _PRIMES[:8]], np.uint32)

INT, WORD, NOTHING = types.int64, types.uint32, types.void
INTS, BYTE_ARRAY, LANE_ROWS = types.int64[::1], types.uint8[::1], types.uint32[:, ::1]


@typed(WORD, WORD, INT)
def _rotate(word: Scalar, bits: Scalar) -> Scalar:
    return (word >> np.uint32(bits)) | (word << np.uint32(32 - bits))


@typed(NOTHING, LANE_ROWS, LANE_ROWS, LANE_ROWS)
def _compress(state: np.ndarray, words: np.ndarray, work: np.ndarray) -> None:
    """One block in every lane: state uint32 [8, LANES], words uint32 [64, LANES] with the first 16 rows filled."""
    for t in range(16, 64):
        for lane in range(LANES):
            early, late = words[t - 15, lane], words[t - 2, lane]
            small = _rotate(early, 7) ^ _rotate(early, 18) ^ (early >> np.uint32(3))
            large = _rotate(late, 17) ^ _rotate(late, 19) ^ (late >> np.uint32(10))
            words[t, lane] = words[t - 16, lane] + small + words[t - 7, lane] + large
    for row in range(8):
        for lane in range(LANES):
            work[row, lane] = state[row, lane]
    for t in range(64):
        at = 64 - t
        a, b, c, d = work[at & 7], work[(at + 1) & 7], work[(at + 2) & 7], work[(at + 3) & 7]
        e, f, g, h = work[(at + 4) & 7], work[(at + 5) & 7], work[(at + 6) & 7], work[(at + 7) & 7]
        for lane in range(LANES):
            turn = _rotate(e[lane], 6) ^ _rotate(e[lane], 11) ^ _rotate(e[lane], 25)
            first = h[lane] + turn + ((e[lane] & f[lane]) ^ (~e[lane] & g[lane])) + ROUND[t] + words[t, lane]
            turn = _rotate(a[lane], 2) ^ _rotate(a[lane], 13) ^ _rotate(a[lane], 22)
            second = turn + ((a[lane] & b[lane]) ^ (a[lane] & c[lane]) ^ (b[lane] & c[lane]))
            d[lane] += first
            h[lane] = first + second
    for row in range(8):
        for lane in range(LANES):
            state[row, lane] += work[row, lane]


@typed(WORD, BYTE_ARRAY, INT, INT, INT)
def _get_word(data: np.ndarray, at: Scalar, size: Scalar, place: Scalar) -> Scalar:
    """The four bytes from `place` on of a padded message."""
    word = np.uint32(0)
    if place + 4 <= size:
        for byte in range(4):
            word = word << np.uint32(8) | np.uint32(data[at + place + byte])
        return word
    for byte in range(4):
        here = place + byte
        value = np.uint32(0)
        if here < size:
            value = np.uint32(data[at + here])
        elif here == size:
            value = np.uint32(0x80)
        word = word << np.uint32(8) | value
    blocks = (size + 8) // BLOCK_BYTES + 1
    if place == blocks * BLOCK_BYTES - 4:  # the length in bits, of which the upper word is 0
        word = np.uint32(size << 3)
    return word


@entry(NOTHING, BYTE_ARRAY, INTS, INTS, BYTE_ARRAY, INTS, LANE_ROWS, LANE_ROWS, LANE_ROWS)
def _hash_many(
    data: np.ndarray,
    at: np.ndarray,
    size: np.ndarray,
    out: np.ndarray,
    out_at: np.ndarray,
    state: np.ndarray,
    words: np.ndarray,
    work: np.ndarray,
) -> None:
    for begin in range(0, len(at), LANES):
        count = len(at) - begin
        if count > LANES:
            count = LANES
        longest = np.int64(0)
        for lane in range(count):
            blocks = (size[begin + lane] + 8) // BLOCK_BYTES + 1
            longest = blocks if blocks > longest else longest
        for row in range(8):
            for lane in range(LANES):
                state[row, lane] = START[row]
        for block in range(longest):
            for lane in range(count):
                message = begin + lane
                if block * BLOCK_BYTES < size[message] + 9:
                    for row in range(16):
                        place = block * BLOCK_BYTES + row * 4
                        words[row, lane] = _get_word(data, at[message], size[message], place)
            _compress(state, words, work)
            for lane in range(count):
                if block != (size[begin + lane] + 8) // BLOCK_BYTES:
                    continue
                for place in range(32):
                    word = state[place >> 2, lane] >> np.uint32(24 - 8 * (place & 3))
                    out[out_at[begin + lane] + place] = np.uint8(word & np.uint32(0xFF))


def hash_many(data: np.ndarray, at: np.ndarray, size: np.ndarray, out: np.ndarray, out_at: np.ndarray) -> None:
    """Put the 32-byte digest of data[at : at + size] at out[out_at], for each of the messages.

    data, out: uint8, may be the same array where no message overlaps a digest; at, size, out_at: int64 [n]; sizes are
    below 2**29.
    """
    words = np.zeros((64, LANES), np.uint32)
    _hash_many(data, at, size, out, out_at, np.empty((8, LANES), np.uint32), words, np.empty((8, LANES), np.uint32))
