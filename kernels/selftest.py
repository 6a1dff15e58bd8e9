"""Adversarial inputs for every op and large products, with which a back end is compared to `ref` before it is used.

Reads: the modules kernels/<op>/cases.py. Each has CASES: a name of the form `op/what` and a function that returns
bytes. The cases also feed the golden vectors in tests/kernels/golden (`python -m kernels golden` prints them).
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from dataclasses import replace
from pathlib import Path

from kernels import dispatch, products, unit
from kernels.errors import KernelInputError
from kernels.samples import SEED, Case
from kernels.unit.models import find_training

STEP_COST_MAX = 2**26
COMPOSED = ("decoder", "unit")
INTERPRETED_CASES = ("mlp/infer_wild", "unit/fast")


def _join_cases() -> dict[str, Case]:
    """The cases of every folder that has a cases.py, in the order of the folders' names."""
    folder = Path(__file__).parent
    joined: dict[str, Case] = {}
    for op in sorted(module.name for module in pkgutil.iter_modules([str(folder)]) if module.ispkg):
        if (folder / op / "cases.py").is_file():
            joined.update(importlib.import_module(f"kernels.{op}.cases").CASES)
    return {**joined, **products.CASES}


CASES: dict[str, Case] = _join_cases()


def list_ops() -> list[str]:
    """The ops that have cases: the parts of the cases' names before the slash."""
    return sorted(frozenset(name.split("/")[0] for name in CASES))


def select_cases(backend: str) -> dict[str, Case]:
    """The cases that test `backend`.

    `gpu`: those of the ops that it computes and of what is composed of them, and large products; in Triton's
    interpreter, which takes thousands of times as long as a device, the first of each op and INTERPRETED_CASES.
    """
    if backend != "gpu":
        return CASES
    from kernels import device

    chosen = {name: case for name, case in CASES.items() if name.split("/")[0] in (*dispatch.GPU_OPS, *COMPOSED)}
    if not device.IS_INTERPRETED:
        return {**chosen, **products.CASES}
    firsts = {name.split("/")[0]: name for name in reversed(chosen) if name.split("/")[0] not in COMPOSED}
    return {name: chosen[name] for name in (*sorted(firsts.values()), *INTERPRETED_CASES)}


def find_failures(backend: str, progress: dispatch.Progress | None = None) -> list[str]:
    """Names of the cases of `select_cases` in which `backend` and `ref` differ."""
    failed = []
    cases = select_cases(backend)
    for done, (name, case) in enumerate(cases.items()):
        if progress is not None:
            progress(name, done, len(cases))
        with dispatch.forced("ref"):
            expected = case()
        with dispatch.forced(backend):
            if case() != expected:
                failed.append(name)
    if progress is not None:
        progress("done", len(cases), len(cases))
    return failed


def is_step_equal(backend: str, policy: unit.UnitPolicy) -> bool:
    """Whether `backend` and `ref` agree on one local step of a policy's own shape, on drawn rows and weights.

    Where the reference would take longer than about a second, the step has fewer rows, and a decoder's one layer and
    shorter rows; every layer keeps its width.
    Raises: KernelInputError for a policy outside the ranges.
    """
    unit.check_policy(policy)
    model = find_training(policy.model).reduce_model(policy.model, STEP_COST_MAX)
    one_row = replace(policy, model=model, local_steps=1, batch_rows=1, trace_every=1)
    two_rows = replace(one_row, batch_rows=2) if policy.batch_rows > 1 else one_row
    row_cost = max(1, unit.unit_cost(two_rows) - unit.unit_cost(one_row))
    rows = max(1, min(policy.batch_rows, STEP_COST_MAX // row_cost))
    step = replace(one_row, batch_rows=rows)
    weights = products.draw_weights(unit.param_count(model))
    with dispatch.forced("ref"):
        expected = _run_step(step, weights)
    with dispatch.forced(backend):
        return _run_step(step, weights) == expected


def _run_step(policy: unit.UnitPolicy, weights: bytes) -> bytes:
    examples = find_training(policy.model).draw_examples(policy.model, "step", policy.batch_rows)
    result = unit.run_unit(policy, weights, *examples, SEED)
    return result.payload + result.trace_root


def compute_digests(op: str = "") -> dict[str, str]:
    """SHA-256 of every case's bytes, on the back end in use; of one op where it is named.

    Raises: KernelInputError if no case belongs to `op`.
    """
    if op and op not in list_ops():
        raise KernelInputError(f"no op {op!r} has cases: use one of {', '.join(list_ops())}")
    return {name: hashlib.sha256(case()).hexdigest() for name, case in CASES.items() if _is_of(name, op)}


def _is_of(name: str, op: str) -> bool:
    return not op or name.split("/")[0] == op
