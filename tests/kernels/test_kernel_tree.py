"""Compiled SHA-256, and who takes over when compiled trees are not to be had. Equality: tests/properties/test_tree."""

import fcntl
import hashlib
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.tree import find_batch, get_ready, warm
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


@pytest.fixture
def is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process that has not used compiled trees yet."""
    assert find_batch() is not None
    find_batch.cache_clear()
    monkeypatch.setattr("kernels.tree._ready", None)
    yield
    find_batch.cache_clear()


def wait_until(is_so: Callable[[], object]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it never happens")


def test_compiled_trees_are_ready_once_another_process_has_compiled_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_not_loaded: None
) -> None:
    monkeypatch.setattr(warm, "_find_folder", lambda: tmp_path)
    assert get_ready() is None
    with (tmp_path / "tree-lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with warm.Warmer():
            pass  # ends at once, although the other one holds the lock
        assert get_ready() is None
        with warm.Warmer():
            (tmp_path / "tree-done").touch()
            lock.close()
            wait_until(get_ready)


def test_compilation_that_is_not_awaited_leaves_no_process_and_no_claim_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_not_loaded: None
) -> None:
    monkeypatch.setattr(warm, "_find_folder", lambda: tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    children = []
    popen = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> Any:
        children.append(popen(*arguments, **options))
        return children[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    with warm.Warmer():
        wait_until(lambda: children)
    assert children[0].returncode == -signal.SIGKILL
    assert not (tmp_path / "tree-done").exists() and get_ready() is None


def test_nothing_is_compiled_where_the_reference_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, is_not_loaded: None
) -> None:
    monkeypatch.setenv("GRADUS_KERNELS_BACKEND", "ref")
    with warm.Warmer():
        pass
    assert get_ready() is None
