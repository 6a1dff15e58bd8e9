"""Large products for the self-test: sizes, layouts and threads that training uses, checked against int64.

Reads/Writes: nothing. A product C = A @ B is compared by C @ v for a vector v of 24-bit integers, all in int64: `ref`
computes A @ (B @ v), a fast back end its own product first. This costs thousands of times less than an int64 product,
and a row of C with any wrong value passes for at most one v in 2**24 (Freivalds, 1977).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels import dispatch, gin1
from kernels.samples import Case
from kernels.tensor import Tensor

LAYOUTS = ("a@w", "aT@e", "e@wT")
FILLS = ("random", "signs", "largest")
_VECTOR_BITS = 24
_OPERANDS_MAX = 513 * 2500


class Product(NamedTuple):
    """A product of [rows, inner] and [inner, columns] operands.

    layout: which operand is a transposed view, as in a forward pass, a weight gradient, or a slope.
    fill: random values in -127..127, 127 of either sign, or 127 but for one 126.
    """

    layout: str
    fill: str
    rows: int
    inner: int
    columns: int

    @property
    def name(self) -> str:
        """The name of its case."""
        return f"product/{self.layout} {self.fill} {self.rows}x{self.inner}x{self.columns}"


def list_products() -> list[Product]:
    """Every layout and fill, at, beside and above one chunk of inner elements; and thin ones.

    BLAS computes thin ones by other routines. In the order of fills, so that operands are drawn once for each.
    """
    wide = ((509, 1023, 517), (512, 1024, 512), (517, 1025, 509), (511, 2500, 513))
    thin = ((1, 2500, 513), (511, 2500, 1), (16, 2500, 128))
    return [
        Product(layout, fill, *shape)
        for fill in FILLS for layout in LAYOUTS for shape in (wide + thin if fill == "random" else wide)
    ]


def compute_sums(product: Product) -> bytes:
    """The product times its vector, int64 [rows], with the product as the back end in use computes it."""
    left, right = draw_operands(product)
    vector = draw_vector(product)
    if dispatch.backend() == "ref":
        wide = left.astype(np.int64), right.astype(np.int64)
        return (wide[0] @ (wide[1] @ vector)).tobytes()
    if dispatch.backend() == "gpu":
        return (multiply_on_device(product).astype(np.int64) @ vector).tobytes()
    from kernels.gemm.cpu import multiply_stack

    return (multiply_stack(left, right, "nn").astype(np.int64) @ vector).tobytes()


def multiply_on_device(product: Product) -> NDArray[np.int32]:
    """The product by the op gemm of the gpu back end, as a host array."""
    memory, gemm = dispatch.implementation("memory"), dispatch.implementation("gemm")
    left, right = draw_operands(product)
    layout = {"a@w": "nn", "aT@e": "tn", "e@wT": "nt"}[product.layout]
    a, b = left.T if layout == "tn" else left, right.T if layout == "nt" else right
    made = gemm.multiply(Tensor(memory.put(a), 0), Tensor(memory.put(b), 0), layout)
    sums: NDArray[np.int32] = memory.take(made.values)
    return sums


def draw_operands(product: Product) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Both sides as training has them in memory, transposed or not; the same for equal products."""
    _, fill, rows, inner, columns = product
    first, second = _draw_values(fill, "left")[:rows * inner], _draw_values(fill, "right")[:inner * columns]
    left = first.reshape(inner, rows).T if product.layout == "aT@e" else first.reshape(rows, inner)
    right = second.reshape(columns, inner).T if product.layout == "e@wT" else second.reshape(inner, columns)
    return left, right


def draw_vector(product: Product) -> NDArray[np.int64]:
    """int64 [columns] in -2**23..2**23: with sums below 2**26 and at most 2**10 columns nothing reaches 2**63."""
    return _draw_ints("vector", product.columns).astype(np.int64) >> (32 - _VECTOR_BITS)


def draw_weights(count: int) -> bytes:
    """int32 [count], uniform in -1/4..1/4 at exponent 24, which leaves the softmax of usual widths some slope."""
    return (_draw_ints("weights", count) >> 9).astype("<i4").tobytes()


def _draw_ints(label: str, count: int) -> NDArray[np.int32]:
    return np.frombuffer(_draw_bytes(label, 4 * count), "<i4")


@lru_cache(maxsize=2)
def _draw_values(fill: str, label: str) -> NDArray[np.int8]:
    largest = np.int8(gin1.OPERAND_MAX)
    if fill == "largest":
        full = np.full(_OPERANDS_MAX, largest)
        full[0] = largest - 1  # makes sums odd, whether the inner dimension is or not: float32 drops that bit first
        return full
    values = np.frombuffer(_draw_bytes(label, _OPERANDS_MAX), np.int8)
    return np.where(values < 0, -largest, largest) if fill == "signs" else np.maximum(values, -largest)


def _draw_bytes(label: str, count: int) -> bytes:
    return hashlib.shake_128(b"gradus/kernels/products/" + label.encode("ascii")).digest(count)


CASES: dict[str, Case] = {product.name: partial(compute_sums, product) for product in list_products()}
