"""Compiled SHA-256, and who takes over when compiled trees are not to be had. Equality: tests/properties/test_tree."""

import hashlib
import random

import numpy as np
import pytest

from kernels.tree import find_batch
from kernels.tree.sha import hash_many


@pytest.mark.parametrize("sizes", [[0], [55], [56], [63], [64], [119], [120], list(range(200)), [5000, 1, 1, 64] * 9])
def test_many_hashes_are_those_of_hashlib(sizes: list[int]) -> None:
    rng = random.Random(sizes[0])
    messages = [rng.randbytes(size) for size in sizes]
    data = np.frombuffer(bytearray(b"?" + b"".join(messages)), np.uint8)
    size = np.array(sizes, np.int64)
    out = np.zeros(32 * len(sizes), np.uint8)
    hash_many(data, 1 + np.cumsum(size) - size, size, out, 32 * np.arange(len(sizes))[::-1].copy())
    expected = b"".join(hashlib.sha256(message).digest() for message in reversed(messages))
    assert out.tobytes() == expected


def test_reference_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADUS_KERNELS_BACKEND", "ref")
    assert find_batch.__wrapped__() is None


def test_compiled_trees_that_hash_wrongly_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert find_batch.__wrapped__() is not None

    def hash_wrongly(data: np.ndarray, at: np.ndarray, size: np.ndarray, out: np.ndarray, out_at: np.ndarray) -> None:
        for place in out_at:
            out[place : place + 32] = 7

    monkeypatch.setattr("kernels.tree.batch.hash_many", hash_wrongly)
    assert find_batch.__wrapped__() is None
    assert "another root" in caplog.text
