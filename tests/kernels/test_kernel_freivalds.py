"""The check of a claimed product: true ones pass, any wrong element is caught, both back ends give one answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_kernel_backends import POISON

from kernels import dispatch, freivalds
from kernels.errors import KernelInputError
from kernels.samples import SEED, sample

KINDS = (("i1", "i1", "i4"), ("i2", "i1", "i8"), ("i1", "i2", "i8"))


@dataclass
class Claim:
    """A true product, as arrays."""

    shape: tuple[int, int, int]
    a: np.ndarray
    b: np.ndarray
    c: np.ndarray

    def is_accepted(self, seed: bytes = SEED) -> bool:
        return freivalds.check(self.a.tobytes(), self.b.tobytes(), self.c.tobytes(), self.shape, seed)


def new_claim(shape: tuple[int, int, int], kind: tuple[str, str, str], label: str = "", extreme: bool = False) -> Claim:
    rows, inner, columns = shape
    a, b = (
        np.frombuffer(sample(label + side, count * np.dtype(stored).itemsize), "<" + stored).reshape(size)
        for side, count, size, stored in (("a", rows * inner, (rows, inner), kind[0]),
                                          ("b", inner * columns, (inner, columns), kind[1]))
    )
    if extreme:
        a, b = (np.full_like(side, np.iinfo(side.dtype).min) for side in (a, b))
    return Claim(shape, a, b, (a.astype(np.int64) @ b.astype(np.int64)).astype("<" + kind[2]))


shapes_drawn = st.tuples(*[st.integers(1, 40)] * 3)


@POISON
@given(shape=shapes_drawn, kind=st.sampled_from(KINDS), label=st.text("ab", max_size=4), seed=st.binary(min_size=32,
       max_size=32), extreme=st.booleans())
def test_true_product_is_always_accepted(
    poisoned: None, shape: tuple[int, int, int], kind: tuple[str, str, str], label: str, seed: bytes, extreme: bool
) -> None:
    claim = new_claim(shape, kind, label, extreme)
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            assert claim.is_accepted(seed)


@POISON
@given(shape=shapes_drawn, kind=st.sampled_from(KINDS), label=st.text("ab", max_size=4), place=st.integers(0, 1599),
       power=st.integers(0, 29), sign=st.sampled_from((-1, 1)))
def test_one_wrong_element_is_caught_wherever_it_is_and_by_how_little(
    poisoned: None, shape: tuple[int, int, int], kind: tuple[str, str, str], label: str, place: int, power: int,
    sign: int,
) -> None:
    claim = new_claim(shape, kind, label)
    claim.c.reshape(-1)[place % claim.c.size] += sign << power
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            assert not claim.is_accepted()


def test_every_single_element_counts(backend: str) -> None:
    claim = new_claim((7, 9, 11), KINDS[0])
    for place in range(claim.c.size):
        for error in (1, -1):
            claim.c.reshape(-1)[place] += error
            assert not claim.is_accepted()
            claim.c.reshape(-1)[place] -= error
    assert claim.is_accepted()


@pytest.mark.parametrize("shape", [(1, 65536, 1), (1, 1, 65536), (65536, 1, 1), (3, 65536, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_extremes_at_the_largest_sizes_do_not_overflow(
    backend: str, shape: tuple[int, int, int], kind: tuple[str, str, str]
) -> None:
    claim = new_claim(shape, kind, extreme=True)
    assert claim.is_accepted()
    claim.c.reshape(-1)[-1] -= 1
    assert not claim.is_accepted()


def test_errors_that_cancel_in_a_sum_are_caught(backend: str) -> None:
    claim = new_claim((4, 5, 6), KINDS[0])
    claim.c[1, 2] += 1
    claim.c[1, 3] -= 1
    assert not claim.is_accepted()


def test_wide_element_that_is_wrong_by_a_multiple_of_2_to_the_32_is_caught(backend: str) -> None:
    """Such errors vanish modulo 2**64 for most vectors; the range check leaves few of them."""
    for power in (32, 38, 39, 40, 63):
        claim = new_claim((2, 65536, 1), KINDS[1])
        claim.c[0, 0] = np.int64((int(claim.c[0, 0]) + (1 << power) + 2**63) % 2**64 - 2**63)
        assert not claim.is_accepted()


def test_challenge_depends_on_every_part_of_the_claim() -> None:
    claim = new_claim((2, 3, 4), KINDS[0])
    parts = [claim.a.tobytes(), claim.b.tobytes(), claim.c.tobytes()]
    keys = [freivalds.hash_claim(*parts, (2, 3, 4), SEED), freivalds.hash_claim(*parts, (2, 3, 4), bytes(32)),
            freivalds.hash_claim(*parts, (4, 3, 2), SEED)]
    for index in range(3):
        changed = [bytes([part[0] ^ 1]) + part[1:] if place == index else part for place, part in enumerate(parts)]
        keys.append(freivalds.hash_claim(*changed, (2, 3, 4), SEED))
    assert len(frozenset(keys)) == len(keys)


@pytest.mark.parametrize("change, hint", [
    ({"a": bytes(5)}, "a must have 6 bytes"),
    ({"a": bytes(12), "b": bytes(24)}, "both int16"),
    ({"c": bytes(31)}, "c must have 32 bytes"),
    ({"shape": (2, 0, 4)}, "1..65536"),
    ({"shape": (2, 65537, 4)}, "1..65536"),
    ({"shape": (2, 3)}, "shape must be a tuple of 3 integers"),
    ({"shape": 24}, "shape must be a tuple of 3 integers"),
    ({"seed": bytes(31)}, "seed"),
])
def test_malformed_claim_is_refused_with_what_is_wrong(change: dict[str, object], hint: str) -> None:
    whole = {"a": bytes(6), "b": bytes(12), "c": bytes(32), "shape": (2, 3, 4), "seed": SEED}
    with pytest.raises(KernelInputError, match=hint):
        freivalds.check(**{**whole, **change})
