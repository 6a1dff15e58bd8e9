"""No loop of the CPU touches memory beside its arrays: what it reads of strangers' payloads could end a validator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mprotect")
@pytest.mark.parametrize("what", ["aggregate", "payload"])
def test_loops_touch_nothing_beside_their_arrays(what: str) -> None:
    environment = {**os.environ, "GRADUS_KERNELS_THREADS": "3"}
    command = [sys.executable, "-m", "tests.kernels.guarded", what]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    last = ran.stdout.splitlines()[-1:]
    assert ran.returncode == 0, f"{ran.returncode} at {last}\n{ran.stderr}"
