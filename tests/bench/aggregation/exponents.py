"""Attacks on the wire format: lies whose exponents are chosen to spoil the grid that all payloads are brought to.

The exponent of rank n - 1 - liars of a block is the grid's. Liars with high exponents can raise it to the largest
honest one: finer values of others are rounded off. Liars with low ones can lower it to the honest one of rank
n - 1 - 2 * liars: larger values of others are clipped. A crafted vector encodes to the very exponents it was made for.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kernels.payload.types import BLOCK_VALUES, FORMATS, Format
from tests.bench.aggregation.attacks import Attack, View, repeat
from tests.bench.aggregation.learners import Vector
from tests.bench.aggregation.rules import ONE

Exponents = NDArray[np.int64]
Choose = Callable[[Exponents, Format], Exponents]


def read_exponents(payloads: list[bytes], params: int, codec: str) -> Exponents:
    """[payloads, exponents] of payloads of at most one region."""
    count = -(-params // FORMATS[codec].exponent_values)
    return np.stack([np.frombuffer(data, np.uint8, count) for data in payloads]).astype(np.int64)


def craft(vector: Vector, exponents: Exponents, codec: str) -> Vector:
    """A vector like this one that the codec gives these exponents.

    int8, int4: values that are too large are clipped, and where all are too small the largest becomes as large as it
    must be. int2, top64: every value has the magnitude of the exponent, since they take it from the mean.
    """
    form = FORMATS[codec]
    parts = []
    for exponent, start in zip(exponents, range(0, vector.size, form.exponent_values)):
        block, unit = vector[start:start + form.exponent_values] * ONE, 2.0 ** int(exponent)
        if form.is_coded:
            values = np.where(block < 0, -1.0, 1.0)
            if form.is_sparse:
                values[np.argsort(-np.abs(block), kind="stable")[64:]] = 0
        else:
            values = np.clip(np.rint(block / unit), -form.value_max, form.value_max)
            if exponent and np.abs(values).max() < form.leading_min:
                place = np.abs(block).argmax()
                values[place] = -form.leading_min if block[place] < 0 else form.leading_min
        parts.append(values * unit / ONE)
    return np.concatenate(parts).astype(np.float32)


def choose_top(honest: Exponents, form: Format) -> Exponents:
    """The largest exponent there is."""
    return np.full(honest.shape[1], form.exponent_max)


def choose_highest(honest: Exponents, form: Format) -> Exponents:
    """The largest honest one of each block: to the grid the same as any larger, but of a length like others'."""
    return honest.max(axis=0)


def choose_low(honest: Exponents, form: Format) -> Exponents:
    """One below the smallest honest one: the largest values that still lower the grid."""
    return np.maximum(honest.min(axis=0) - 1, 0)


def choose_mixed(honest: Exponents, form: Format) -> Exponents:
    """High and low in turns, block by block."""
    return np.where(np.arange(honest.shape[1]) % 2, choose_low(honest, form), choose_highest(honest, form))


def reverse_with(choose: Choose) -> Attack:
    """Minus the honest mean at chosen exponents."""

    def attack(view: View) -> Vector:
        honest = read_exponents(view.round.payloads, view.honest.shape[1], view.codec)
        return repeat(craft(-view.honest.mean(axis=0), choose(honest, FORMATS[view.codec]), view.codec), view)

    return attack


def spoil_blocks(view: View) -> Vector:
    """Of several lies and exponents, for each block what moves this very rule farthest from the honest mean there.

    Where the blocks together do less than one lie alone, as they may under rules that look at whole vectors, that lie.
    """
    mean, spread = view.honest.mean(axis=0), view.honest.std(axis=0, ddof=1)
    honest = read_exponents(view.round.payloads, mean.size, view.codec)
    high, low = (choose(honest, FORMATS[view.codec]) for choose in (choose_highest, choose_low))
    lies = [-mean, mean * np.float32(-5), mean + np.float32(1.5) * spread, np.zeros_like(mean)]
    lies += [craft(lie, exponents, view.codec) for lie in lies[:2] for exponents in (high, low)]
    starts = np.arange(0, mean.size, BLOCK_VALUES)
    harm = [np.add.reduceat((view.round.respond(repeat(lie, view)) - mean) ** 2, starts) for lie in lies]
    worst = np.repeat(np.argmax(harm, axis=0), BLOCK_VALUES)[:mean.size]
    mixed = np.choose(worst, lies)
    whole = int(np.argmax([part.sum() for part in harm]))
    does_more = ((view.round.respond(repeat(mixed, view)) - mean) ** 2).sum() > harm[whole].sum()
    return repeat(mixed if does_more else lies[whole], view)


def list_exponent_attacks() -> dict[str, Attack]:
    """By name; none needs byzfl."""
    return {"exp top": reverse_with(choose_top), "exp high": reverse_with(choose_highest),
            "exp low": reverse_with(choose_low), "exp mixed": reverse_with(choose_mixed), "exp worst": spoil_blocks}
