"""Drawn bytes and the same for all: inputs of the self-test's cases, of tests and of benchmarks.

Reads/Writes: nothing. Everything follows from a label by SHAKE-256, so cases can be hashed. numpy is imported by the
functions that need it: drawing must not take longer than what is tested.
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
    import numpy as np

    raw = np.frombuffer(sample(label, 2 * count), "<u2")
    return (raw.astype(np.int64) % classes).astype("<u2").tobytes()


def pack(values: list[int], width: int) -> bytes:
    """Signed little-endian integers of `width` bytes."""
    return b"".join(value.to_bytes(width, "little", signed=True) for value in values)


def sample_ints(label: str, count: int, width: int, bits: int) -> bytes:
    """Signed integers of `width` bytes and of every magnitude below 2**bits; bits at most 63 and 8 * width - 1."""
    import numpy as np

    raw = np.frombuffer(sample(label, 9 * count), np.uint8).reshape(count, 9)
    words = raw[:, :8].copy().view("<i8").reshape(count)
    return (words >> (63 - bits + raw[:, 8].astype(np.int64) % bits)).astype(f"<i{width}").tobytes()


def sample_signs(label: str, count: int) -> bytes:
    """Parameters of either sign and the largest magnitude."""
    import numpy as np

    odd = np.frombuffer(sample(label, count), np.uint8) & 1
    return np.where(odd, 2**31 - 1, -2**31).astype("<i4").tobytes()
