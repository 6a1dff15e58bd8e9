"""Golden vectors: hashes that no change of library, thread count or instruction set may move.

golden/<op>.json is written by hand from `python -m kernels golden <op>` when the specification changes; no test
writes it. test_kernel_paths.py computes them in processes with other threads, instructions and libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from kernels import selftest

ROOT = Path(__file__).parents[2]
FILES = sorted(Path(__file__).with_name("golden").glob("*.json"))
BY_OP: dict[str, dict[str, str]] = {file.stem: json.loads(file.read_text()) for file in FILES}
GOLDEN = {name: digest for digests in BY_OP.values() for name, digest in digests.items()}


def test_every_op_with_cases_has_a_golden_file_of_its_own() -> None:
    assert sorted(BY_OP) == selftest.list_ops()
    for op, digests in BY_OP.items():
        assert sorted(digests) == sorted(name for name in selftest.CASES if name.split("/")[0] == op)


def test_every_case_has_its_golden_hash_on_every_backend(backend: str) -> None:
    assert selftest.compute_digests() == GOLDEN


def test_golden_command_prints_one_op_and_refuses_an_unknown_one() -> None:
    call = [sys.executable, "-m", "kernels", "golden"]
    printed = subprocess.run([*call, "outer"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == BY_OP["outer"]
    refused = subprocess.run([*call, "cake"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 2 and "'cake' has cases: use one of " in refused.stderr


def test_product_large_enough_for_two_threads_is_the_same_on_one() -> None:
    program = (
        "import hashlib; from kernels import mlp, samples as s; w = (700, 600, 10); n = 400\n"
        "x = mlp.logits(w, mlp.init_weights(w, s.SEED), s.sample_features('threads', n * w[0]), n)[0]\n"
        "print(hashlib.sha256(x).hexdigest())"
    )
    printed = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "GRADUS_KERNELS_BACKEND": "cpu"}
        result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment,
                                capture_output=True, text=True, check=True)
        printed.add(result.stdout)
    assert printed == {"72a5d08ab85e8e2fc9a36cfb7aa12e3ebc21633a3fad2be40990bcd28192a8b7\n"}
