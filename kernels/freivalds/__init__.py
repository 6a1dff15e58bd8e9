"""Freivalds: is C the product A @ B?  Answered for the price of three matrix-vector products, by integers alone.

Reads/Writes: nothing. Source: README.md beside this file; R. Freivalds, Probabilistic machines can use less running
time, IFIP 1977.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kernels import checks, dispatch
from kernels.errors import KernelInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIZE_MAX = 65536
VECTORS = 2
_DOMAIN = b"gradus/gin1/freivalds"


def check(a: bytes, b: bytes, c: bytes, shape: tuple[int, int, int], seed: bytes) -> bool:
    """Whether c is a @ b: always True if it is, and if not, with a probability of at most 2**-64 (int64: 2**-50).

    a: int8 or int16 [rows, inner]; b: int8 or int16 [inner, columns], one of the two int8; their lengths tell which.
    c: int32 [rows, columns], or int64 where an operand is int16. Little-endian, row-major. shape: (rows, inner,
    columns), each 1..65536. seed: 32 bytes; README.md says when it must be one that the author of c could not know.

    Raises: KernelInputError for a length that fits no type, two int16 operands, or a size out of range.
    """
    checks.check_seed("seed", seed)
    if not isinstance(shape, tuple) or len(shape) != 3:
        raise KernelInputError("shape must be a tuple of 3 integers: rows, inner, columns")
    rows, inner, columns = (checks.check_int(f"shape[{index}]", size, 1, SIZE_MAX) for index, size in enumerate(shape))
    width_a, width_b = _find_width("a", a, rows * inner), _find_width("b", b, inner * columns)
    if width_a + width_b > 3:
        raise KernelInputError("a and b are both int16: at least one of them must be int8")
    width_c = 4 * (width_a + width_b - 1)
    checks.check_bytes("c", c, width_c * rows * columns)
    vectors = draw_vectors(hash_claim(a, b, c, (rows, inner, columns), seed), columns)
    left = checks.read_array(a, f"<i{width_a}").reshape(rows, inner)
    right = checks.read_array(b, f"<i{width_b}").reshape(inner, columns)
    claimed = checks.read_array(c, f"<i{width_c}").reshape(rows, columns)
    if width_c == 8 and not _is_in_range(claimed, inner):
        return False
    result: bool = dispatch.implementation("freivalds").agrees(left, right, claimed, vectors)
    return result


def hash_claim(a: bytes, b: bytes, c: bytes, shape: tuple[int, int, int], seed: bytes) -> bytes:
    """The key of the challenge: SHA-256 of everything that is claimed."""
    text = _DOMAIN + seed + b"".join(size.to_bytes(4, "little") for size in shape)
    return hashlib.sha256(text + b"".join(hashlib.sha256(part).digest() for part in (a, b, c))).digest()


def draw_vectors(key: bytes, columns: int) -> NDArray[np.int32]:
    """int32 [2, columns], uniform: SHAKE-256 of the key."""
    raw = hashlib.shake_256(key).digest(4 * VECTORS * columns)
    return checks.read_array(raw, "<i4").reshape(VECTORS, columns)


def _find_width(name: str, data: object, count: int) -> int:
    """Bytes of an element."""
    size = len(checks.check_bytes(name, data))
    if size not in (count, 2 * count):
        raise KernelInputError(f"{name} must have {count} bytes (int8) or {2 * count} (int16) and has {size}")
    return size // count


def _is_in_range(claimed: NDArray[np.int64], inner: int) -> bool:
    """Whether no element exceeds what a sum of `inner` products of int16 and int8 can be."""
    limit = inner << 22
    return -limit <= int(claimed.min()) and int(claimed.max()) <= limit
