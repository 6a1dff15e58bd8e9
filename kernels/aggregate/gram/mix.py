"""Means of each worker's nearest neighbours on the CPU.  Same function as ref.py.

Source: README.md of the folder above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kernels import arrays, threads
from kernels.aggregate.gram import mix_loops as loops

if TYPE_CHECKING:
    from kernels.aggregate.types import Stack

_OFFSET = 128  # makes means positive


def mix(stack: Stack, neighbours: NDArray[np.uint8]) -> Stack:
    """The stack whose row i is the mean of rows j with neighbours[i, j] = 1, rounded half away from zero.

    neighbours: [n, n], 0 and 1, the same number of ones in each row, at least one.
    """
    values = stack.values
    out = arrays.new_array(values.shape, np.int8)
    rows, chosen = values.shape[1], int(neighbours[0].sum())
    if chosen == 1:
        np.take(values, neighbours.argmax(axis=1), axis=1, out=out, mode="clip")
        return stack._replace(values=out)
    is_rest = 2 * chosen > rows
    order, picks, ends = list_picks(neighbours == 0 if is_rest else neighbours == 1)
    constants = np.array([-is_rest, *find_constants(chosen)], np.int64)

    def work(begin: int, end: int) -> None:
        held = loops.new_work(rows)
        loops.run(values[begin:end], order, picks, ends, constants, held, out[begin:end])

    threads.run_spans(len(values), 1, 2 * values.size * (1 + rows // 16), work)
    return stack._replace(values=out)


def find_constants(chosen: int) -> tuple[int, int, int, int]:
    """(start, half, factor, shift) such that t / chosen, rounded half away from zero, comes of a sum u = start + t by

        ((u - (1 if u < half else 0)) * factor >> 16 >> shift) - 128    for |t| <= 127 * chosen, 2 <= chosen <= 64.

    That is the floor of (t + chosen // 2) / chosen, but a negative half goes down; start makes it positive. With
    2**shift < chosen <= 2**(shift + 1), factor is below 2**16, and factor * chosen is above 2**(16 + shift) by e <
    chosen. The floor is exact as u * e < 255.5 * chosen * chosen <= 2**(16 + shift), u at most 255.5 * chosen.
    """
    shift = (chosen - 1).bit_length() - 1
    start = _OFFSET * chosen + chosen // 2
    return start, 0 if chosen % 2 else start, ((1 << (16 + shift)) + chosen - 1) // chosen, shift


def list_picks(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(an order of the rows, offsets in a table of the sums of a row's chosen rows, where each row's offsets end).

    The ends count PICKS_STEPs. Rows of as many follow each other, so that a processor foresees the ends of loops.
    """
    rows = len(chosen)
    groups = (rows + loops.GROUP_ROWS - 1) // loops.GROUP_ROWS
    padded = np.zeros((rows, groups * loops.GROUP_ROWS), np.int64)
    padded[:, :rows] = chosen
    bits = padded.reshape(rows, groups, loops.GROUP_ROWS) @ (1 << np.arange(loops.GROUP_ROWS))
    steps = ((bits > 0).sum(axis=1) + loops.PICKS_STEP - 1) // loops.PICKS_STEP
    order = np.argsort(steps, kind="stable")
    offsets = np.where(bits > 0, np.arange(groups) * loops.GROUP_BYTES + bits * loops.ENTRY_BYTES, 0)
    filled = np.zeros((rows, groups + loops.PICKS_STEP), np.int64)
    filled[:, :groups] = -np.sort(-offsets, axis=1)
    picks = [filled[row, :loops.PICKS_STEP * steps[row]] for row in order]
    return order, np.concatenate(picks), np.cumsum(steps[order])
