"""Drawn bytes and the same for all: inputs of the self-test's cases, of tests and of benchmarks.

Reads/Writes: nothing. Everything follows from a label by SHAKE-256, so cases can be hashed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

Case = Callable[[], bytes]
SEED = bytes(range(32))
CODEC = "int8/256"


def sample(label: str, length: int) -> bytes:
    """Pseudo-random bytes that depend on `label` alone."""
    return hashlib.shake_256(b"gradus/kernels/sample/" + label.encode("ascii")).digest(length)


def sample_features(label: str, count: int) -> bytes:
    """int8 values in -127..127."""
    return sample(label, count).replace(b"\x80", b"\x7f")


def sample_labels(label: str, count: int, classes: int) -> bytes:
    """uint16 labels below `classes`."""
    raw = sample(label, 2 * count)
    values = (int.from_bytes(raw[2 * row:2 * row + 2], "little") % classes for row in range(count))
    return b"".join(value.to_bytes(2, "little") for value in values)


def pack(values: list[int], width: int) -> bytes:
    """Signed little-endian integers of `width` bytes."""
    return b"".join(value.to_bytes(width, "little", signed=True) for value in values)


def sample_ints(label: str, count: int, width: int, bits: int) -> bytes:
    """Signed integers of `width` bytes and of every magnitude below 2**bits."""
    raw = sample(label, 9 * count)
    values = []
    for index in range(count):
        word = int.from_bytes(raw[9 * index:9 * index + 8], "little", signed=True)
        values.append(word >> (64 - 1 - bits + raw[9 * index + 8] % bits))
    return pack(values, width)


def sample_signs(label: str, count: int) -> bytes:
    """Parameters of either sign and the largest magnitude."""
    return pack([2**31 - 1 if byte & 1 else -2**31 for byte in sample(label, count)], 4)
