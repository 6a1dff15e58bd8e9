"""No loop of the CPU touches memory beside its arrays, or counts in floats.

What a validator reads are strangers' payloads: a byte too far could end it, in the same block as all others.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

from kernels.jit import numba

ROOT = Path(__file__).parents[2]
LOOPS = (
    "payload.dense", "payload.sparse", "payload.encoders", "aggregate.order.ranks", "aggregate.order.sums",
    "aggregate.order.expand", "aggregate.gram.plain", "aggregate.gram.squares", "aggregate.gram.weighted",
    "aggregate.gram.mix_loops", "outer.cpu",
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mprotect")
@pytest.mark.parametrize("what", ["aggregate", "payload"])
def test_loops_touch_nothing_beside_their_arrays(what: str) -> None:
    environment = {**os.environ, "GRADUS_KERNELS_THREADS": "3"}
    command = [sys.executable, "-m", "tests.kernels.guarded", what]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    last = ran.stdout.splitlines()[-1:]
    assert ran.returncode == 0, f"{ran.returncode} at {last}\n{ran.stderr}"


@pytest.mark.parametrize("name", LOOPS)
def test_no_variable_of_a_loop_is_a_float(name: str) -> None:
    """An address or a count that met an uint64 would be a float64, exact below 2**53 alone."""
    held = vars(importlib.import_module(f"kernels.{name}")).items()
    loops = {key: loop for key, loop in held if isinstance(loop, Dispatcher) and loop.signatures}
    assert loops
    for key, loop in loops.items():
        again = numba.njit(loop.py_func, error_model="numpy")  # what comes from the cache does not tell its types
        for signature in loop.signatures:
            again.compile(signature)
            kinds = again.overloads[signature].type_annotation.typemap
            assert not [variable for variable, kind in kinds.items() if "float" in str(kind)], key
