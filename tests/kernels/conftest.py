"""Fixtures for kernel tests: a chosen back end, and result memory full of garbage."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton

import numpy as np  # noqa: E402
import pytest  # noqa: E402

from kernels import arrays, dispatch  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))  # curves.py is both a command and imported here


@pytest.fixture(params=("ref", "cpu"))
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on each back end of the host; tests of the third are test_kernel_gpu*.py."""
    with dispatch.forced(request.param):
        yield request.param


@pytest.fixture(autouse=True, scope="module")
def patched_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Triton's interpreter replaces Triton's language at every call of a function; once a module halves the time."""
    if "test_kernel_gpu" not in request.module.__name__:
        yield
        return
    interpreter = pytest.importorskip("triton.runtime.interpreter", reason="Triton has no wheel for this system")
    patch, scopes = interpreter._patch_lang, {}

    class Kept:
        def restore(self) -> None:
            """At the end of the module."""

    def patch_once(function: Any) -> Kept:
        module = function.__globals__["__name__"]
        if module not in scopes:
            scopes[module] = patch(function)
        return Kept()

    interpreter._patch_lang = patch_once
    yield
    interpreter._patch_lang = patch
    for scope in reversed(scopes.values()):
        scope.restore()


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out memory for results that is full of bytes nobody wrote on purpose."""
    fresh = arrays.new_array

    def new_poisoned(shape: int | tuple[int, ...], dtype: Any) -> Any:
        array = fresh(shape, dtype)
        array.reshape(-1).view(np.uint8)[:] = 0xA5
        return array

    monkeypatch.setattr(arrays, "new_array", new_poisoned)
