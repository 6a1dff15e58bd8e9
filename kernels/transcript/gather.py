"""Reads areas of sheets out of the bytes of their parts.

Reads/Writes: nothing. Source: README.md beside this file, section 22.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.errors import KernelInputError
from kernels.transcript.plan import Place, Plan, Ref
from kernels.transcript.sheets import Box, Sheet

Fetch = Callable[[Ref], bytes]


def read_inputs(plan: Plan, segment: int, place: Place, fetch: Fetch) -> list[NDArray[Any]]:
    """The values of an operation's areas, each [rows, columns]; fetch gives a part's bytes, which have its length.

    Raises: KernelInputError for a value outside of the range of its sheet.
    """
    found = []
    for area in plan.list_areas(place):
        sheet = plan.find_origin(segment, place, area.origin).sheet
        refs = plan.list_area_refs(segment, place, area)
        values = _join(sheet, area.box, [fetch(ref) for ref in refs])
        _check_range(sheet, values)
        found.append(values)
    return found


def _join(sheet: Sheet, box: Box, parts: list[bytes]) -> NDArray[Any]:
    if len(parts) == 1:
        (part,) = sheet.cover(box)
        held = sheet.bounds(part)
        return _cut(_read(parts[0], sheet.item), held, box)
    joined = np.empty((box.height, box.width), dtype=sheet.item)
    for part, data in zip(sheet.cover(box), parts):
        held = sheet.bounds(part)
        inside = Box(max(held.top, box.top), min(held.bottom, box.bottom), max(held.left, box.left),
                     min(held.right, box.right))
        joined[inside.top - box.top:inside.bottom - box.top, inside.left - box.left:inside.right - box.left] = _cut(
            _read(data, sheet.item), held, inside)
    return joined


def _read(data: bytes, item: str) -> NDArray[Any]:
    """Values in the machine's order of bytes; a view where that is the stored one."""
    stored: NDArray[Any] = np.frombuffer(data, dtype="<" + item)
    return stored.astype(item, copy=False)


def _cut(values: NDArray[Any], held: Box, box: Box) -> NDArray[Any]:
    matrix = values.reshape(held.height, held.width)
    return matrix[box.top - held.top:box.bottom - held.top, box.left - held.left:box.right - held.left]


def _check_range(sheet: Sheet, values: NDArray[Any]) -> None:
    limits = np.iinfo(values.dtype)
    if sheet.low <= limits.min and sheet.high >= limits.max:
        return
    if int(values.min()) < sheet.low or int(values.max()) > sheet.high:
        raise KernelInputError(f"an input holds a value outside {sheet.low}..{sheet.high}")
