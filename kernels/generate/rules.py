"""Constants and scalar rules of inference, in plain Python integers.  Source: README.md beside this file.

Reads/Writes: nothing. Needs neither numpy nor numba.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernels.decoder import Decoder

CACHE_EXPONENT = 8
CACHE_MAX = 32767
SCORE_SHIFT = 20
MEAN_EXPONENT = 16
LOGIT_MAX = 2**31 - 1
BELOW_MAX = 2**47

TEMPERATURE_MAX = 2**20
LN2_Q16 = 45426
LOSS_BITS = 24
_LOSS_ONE_BITS = 16 + LOSS_BITS
_LOG_STEPS = 16
BLOCK_ROWS = 128
_NORMAL_BITS = 31


def compute_log2(value: int) -> int:
    """log2 of value >= 1, at exponent 16, rounded down but for at most one: 16 squarings."""
    whole = value.bit_length() - 1
    normal = value << (_NORMAL_BITS - whole) if whole <= _NORMAL_BITS else value >> (whole - _NORMAL_BITS)
    result = whole
    for _ in range(_LOG_STEPS):
        normal = (normal * normal) >> _NORMAL_BITS
        bit = normal >> (_NORMAL_BITS + 1)
        normal >>= bit
        result = 2 * result + bit
    return result


def compute_log_sum(total: int) -> int:
    """ln(total / 2**40) in nats at exponent 16, for a sum of weights of which the largest is 2**40."""
    log2 = compute_log2(total) - (_LOSS_ONE_BITS << _LOG_STEPS)
    return (log2 * LN2_Q16 + (1 << (_LOG_STEPS - 1))) >> _LOG_STEPS


def draw_word(seed: bytes, position: int) -> int:
    """The uint64 by which the token at `position` is drawn."""
    digest = hashlib.sha256(b"gradus/gin1/sample" + seed + position.to_bytes(4, "little")).digest()
    return int.from_bytes(digest[:8], "little")


def find_threshold(word: int, total: int) -> int:
    """Where `word` falls in 0..total-1."""
    return (word * total) >> 64


def hash_step(position: int, token: int, logits: bytes) -> bytes:
    """What a host commits to for one token: where, which, and the logits it was drawn from."""
    from blake3 import blake3

    head = b"gradus/gin1/token" + position.to_bytes(4, "little") + token.to_bytes(2, "little")
    return blake3(head + logits).digest()


def compute_load_cost(model: Decoder) -> int:
    """The views of the weights, in multiply-adds.  Source: README.md, section 6."""
    from kernels import decoder

    return 32 * decoder.param_count(model)


def compute_read_cost(model: Decoder, start: int, count: int, scored: int) -> int:
    """Reading `count` tokens after `start` others, with the logits of `scored` of them, in multiply-adds."""
    width, hidden = model.width, model.hidden
    places = count * start + count * (count + 1) // 2
    blocks = (count + BLOCK_ROWS - 1) // BLOCK_ROWS
    of_layer = count * (4 * width**2 + 2 * width * hidden + 96 * width + 16 * hidden) + 4 * width * places
    return model.layers * (of_layer + 500_000 * blocks) + scored * width * model.vocab


def compute_token_cost(model: Decoder) -> int:
    """Drawing, measuring or committing to one token, in multiply-adds."""
    return 100 * model.vocab + 100_000
