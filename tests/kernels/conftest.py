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


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out memory for results that is full of bytes nobody wrote on purpose."""
    fresh = arrays.new_array

    def new_poisoned(shape: int | tuple[int, ...], dtype: Any) -> Any:
        array = fresh(shape, dtype)
        array.reshape(-1).view(np.uint8)[:] = 0xA5
        return array

    monkeypatch.setattr(arrays, "new_array", new_poisoned)
