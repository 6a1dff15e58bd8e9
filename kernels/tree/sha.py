"""SHA-256 of many messages at once: sixteen in the lanes of the machine's vectors.

Reads and writes one byte array. Source: FIPS 180-4; hashlib is the reference that the tests and the self-test hold
this against.
"""

from math import isqrt

import numpy as np

from kernels.jit import Scalar, inlined

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


@inlined
def _rotate(word: Scalar, bits: Scalar) -> Scalar:
    return (word >> np.uint32(bits)) | (word << np.uint32(32 - bits))


@inlined
def _compress(state: np.ndarray, words: np.ndarray, work: np.ndarray) -> None:
    """One block in every lane: state uint32 [8, LANES], words uint32 [64, LANES] with the first 16 rows filled."""
    for t in range(16, 64):
        for lane in range(LANES):
            early, late = words[t - 15, lane], words[t - 2, lane]
            small = _rotate(early, 7) ^ _rotate(early, 18) ^ (early >> np.uint32(3))
            large = _rotate(late, 17) ^ _rotate(late, 19) ^ (late >> np.uint32(10))
            words[t, lane] = words[t - 16, lane] + small + words[t - 7, lane] + large
    work[:, :] = state
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


@inlined
def _get_byte(data: np.ndarray, at: Scalar, size: Scalar, place: Scalar, blocks: Scalar) -> Scalar:
    """Byte `place` of a padded message."""
    if place < size:
        return np.uint32(data[at + place])
    if place == size:
        return np.uint32(0x80)
    left = blocks * BLOCK_BYTES - 1 - place
    return np.uint32((size * 8 >> left * 8) & 0xFF) if left < 8 else np.uint32(0)


@inlined
def hash_many(data: np.ndarray, at: np.ndarray, size: np.ndarray, out: np.ndarray, out_at: np.ndarray) -> None:
    """Put the 32-byte digest of data[at : at + size] at out[out_at], for each of the messages.

    data, out: uint8, may be the same array where no message overlaps a digest; at, size, out_at: int64 [n].
    """
    state = np.empty((8, LANES), np.uint32)
    words = np.zeros((64, LANES), np.uint32)
    work = np.empty((8, LANES), np.uint32)
    for begin in range(0, len(at), LANES):
        count = min(LANES, len(at) - begin)
        longest = np.int64(0)
        for lane in range(count):
            longest = max(longest, (size[begin + lane] + 8) // BLOCK_BYTES + 1)
        for row in range(8):
            state[row, :] = START[row]
        for block in range(longest):
            for lane in range(count):
                message = begin + lane
                blocks = (size[message] + 8) // BLOCK_BYTES + 1
                if block >= blocks:
                    continue
                whole = (block + 1) * BLOCK_BYTES <= size[message]
                for row in range(16):
                    place = block * BLOCK_BYTES + row * 4
                    word = np.uint32(0)
                    for byte in range(4):
                        value = (
                            np.uint32(data[at[message] + place + byte])
                            if whole
                            else _get_byte(data, at[message], size[message], place + byte, blocks)
                        )
                        word = word << np.uint32(8) | value
                    words[row, lane] = word
            _compress(state, words, work)
            for lane in range(count):
                message = begin + lane
                if block == (size[message] + 8) // BLOCK_BYTES:
                    for row in range(8):
                        for byte in range(4):
                            word = state[row, lane] >> np.uint32(24 - 8 * byte)
                            out[out_at[message] + 4 * row + byte] = np.uint8(word & np.uint32(0xFF))
