"""Adversarial inputs for every op and large products, with which a back end is compared to `ref` before it is used.

Reads/Writes: nothing. Each case is a name of the form `op/what` and a function that returns bytes. The
cases also feed the golden vectors in tests/kernels/golden.json (`python -m kernels golden` prints them).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kernels import aggregate, dispatch, mlp, outer, payload, products, unit

Case = Callable[[], bytes]
CODEC = "int8/256"
SEED = bytes(range(32))
STEP_COST_MAX = 2**26


def sample(label: str, length: int) -> bytes:
    """Pseudo-random bytes that depend on `label` alone."""
    return hashlib.shake_256(b"gradus/kernels/sample/" + label.encode("ascii")).digest(length)


def sample_features(label: str, count: int) -> bytes:
    """int8 values in -127..127."""
    return sample(label, count).replace(b"\x80", b"\x7f")


def sample_labels(label: str, count: int, classes: int) -> bytes:
    """uint16 labels below `classes`."""
    raw = sample(label, 2 * count)
    values = (int.from_bytes(raw[2 * row:2 * row + 2], "little") % classes for row in range(count))
    return b"".join(value.to_bytes(2, "little") for value in values)


def pack(values: list[int], width: int) -> bytes:
    """Signed little-endian integers of `width` bytes."""
    return b"".join(value.to_bytes(width, "little", signed=True) for value in values)


def sample_ints(label: str, count: int, width: int, bits: int) -> bytes:
    """Signed integers of `width` bytes and of every magnitude below 2**bits."""
    raw = sample(label, 9 * count)
    values = []
    for index in range(count):
        word = int.from_bytes(raw[9 * index:9 * index + 8], "little", signed=True)
        values.append(word >> (64 - 1 - bits + raw[9 * index + 8] % bits))
    return pack(values, width)


def _policy(
    widths: tuple[int, ...], steps: int, rows: int, rate: int = 6554, decay: int = 58982
) -> unit.UnitPolicy:
    return unit.UnitPolicy(widths, steps, rows, rate, decay, min(2, steps), CODEC)


def _run(policy: unit.UnitPolicy, label: str, weights: bytes, features: bytes | None = None) -> bytes:
    rows = policy.local_steps * policy.batch_rows
    rows_in = sample_features(label, rows * policy.widths[0]) if features is None else features
    labels = sample_labels(label, rows, policy.widths[-1])
    result = unit.run_unit(policy, weights, rows_in, labels, SEED)
    return result.payload + b"".join(result.trace) + result.trace_root


def _unit_case(
    label: str, widths: tuple[int, ...], steps: int, rows: int, rate: int = 6554, decay: int = 58982
) -> Case:
    policy = _policy(widths, steps, rows, rate, decay)
    return lambda: _run(policy, label, mlp.init_weights(widths, SEED))


def _extreme_case(label: str, widths: tuple[int, ...], rows: int, weight: bytes, value: int) -> Case:
    policy = _policy(widths, 3, rows, 2**20, 65535)
    features = pack([value], 1) * (3 * rows * widths[0])
    return lambda: _run(policy, label, weight * mlp.param_count(widths), features)


def _wild_case(label: str, widths: tuple[int, ...], rows: int, bits: int) -> Case:
    policy = _policy(widths, 3, rows, 2**20, 65535)
    return lambda: _run(policy, label, sample_ints(label, mlp.param_count(widths), 4, bits))


def _infer_case(label: str, widths: tuple[int, ...], rows: int, weights: Callable[[int], bytes]) -> Case:
    def run() -> bytes:
        flat = weights(mlp.param_count(widths))
        features = sample_features(label, rows * widths[0])
        return mlp.predict(widths, flat, features, rows) + mlp.logits(widths, flat, features, rows)[0]
    return run


def sample_signs(label: str, count: int) -> bytes:
    """Parameters of either sign and the largest magnitude."""
    return pack([2**31 - 1 if byte & 1 else -2**31 for byte in sample(label, count)], 4)


def _saturated_case(label: str, widths: tuple[int, ...], rows: int) -> Case:
    """Deep and heavy enough for activations and slopes to reach the lowest exponent and saturate there."""
    policy = _policy(widths, 2, rows)
    return lambda: _run(policy, label, sample_signs(label, mlp.param_count(widths)))


def _payload_case(label: str, count: int, bits: int) -> Case:
    def run() -> bytes:
        encoded = payload.encode(sample_ints(label, count, 8, bits), count, SEED, CODEC)
        return encoded + payload.decode(encoded, count, CODEC)
    return run


def _payload_ends() -> bytes:
    ends = [0, 1, -1, 127, -127, 128, -128, 2**32 - 1, 1 - 2**32]
    return b"".join(payload.encode(pack([value], 8), 1, SEED, CODEC) for value in ends)


def _aggregate_case(rule: str, workers: int, count: int, trim: int) -> Case:
    def run() -> bytes:
        sent = []
        for worker in range(workers):
            delta = sample_ints(f"aggregate {worker}", count, 8, 32 if worker % 2 else 12)
            sent.append(payload.encode(delta, count, SEED, CODEC))
        return aggregate.aggregate(rule, sent, count, trim, CODEC)
    return run


def _outer_case(label: str, rate: int, decay: int) -> Case:
    def run() -> bytes:
        count = 300
        weights = pack([2**31 - 1, -2**31, 0], 4) + sample_ints(label + " w", count, 4, 31)
        momentum = pack([2**40, -2**40, 1], 8) + sample_ints(label + " m", count, 8, 40)
        delta = pack([2**32 - 1, 1 - 2**32, -1], 8) + sample_ints(label, count, 8, 32)
        return b"".join(outer.outer_step(weights, momentum, delta, rate, decay))
    return run


def _drawn(label: str, bits: int) -> Callable[[int], bytes]:
    return lambda count: sample_ints(label, count, 4, bits)


CASES: dict[str, Case] = {
    "mlp/init": lambda: mlp.init_weights((5, 3, 2), SEED),
    "mlp/infer": _infer_case("infer", (64, 32, 10), 9, _drawn("infer w", 24)),
    "mlp/infer_wild": _infer_case("wild", (3, 5, 7, 4), 33, _drawn("wild w", 31)),
    "mlp/infer_largest": _infer_case("largest", (1030, 3, 2), 2, lambda count: pack([2**31 - 1], 4) * count),
    "mlp/infer_saturated": _infer_case(
        "heavy", (9, 12, 12, 12, 12, 12, 12, 3), 3, lambda count: sample_signs("heavy", count)
    ),
    "mlp/infer_zero": _infer_case("zero", (2, 2), 3, lambda count: bytes(4 * count)),
    "mlp/infer_deep": _infer_case("deep", (4, 3, 3, 3, 3, 3, 3, 2), 4, _drawn("deep w", 9)),
    "unit/usual": _unit_case("usual", (64, 24, 10), 4, 16),
    "unit/odd": _unit_case("odd", (13, 7, 5, 3), 5, 7),
    "unit/linear": _unit_case("linear", (9, 4), 3, 1),
    "unit/one_class": _unit_case("one", (3, 1), 2, 5),
    "unit/fast": _unit_case("fast", (17, 9, 4), 6, 3, 2**20, 65535),
    "unit/still": _unit_case("still", (17, 9, 4), 2, 3, 0, 0),
    "unit/long_batch": _unit_case("long", (3, 2), 2, 1030),
    "unit/wide_inside": _unit_case("wide", (2, 3, 1030, 2), 2, 3),
    "unit/largest": _extreme_case("largest", (1030, 5, 3), 4, pack([2**31 - 1], 4), 127),
    "unit/lowest": _extreme_case("lowest", (7, 5, 3), 4, pack([-2**31], 4), -127),
    "unit/zero": _extreme_case("zero", (7, 5, 3), 4, bytes(4), 0),
    "unit/wild": _wild_case("wild", (11, 6, 5, 4), 5, 31),
    "unit/saturated": _saturated_case("saturated", (9, 12, 12, 12, 12, 12, 12, 3), 3),
    "unit/tiny": _wild_case("tiny", (11, 6, 5, 4), 5, 3),
    "payload/every_size": _payload_case("every", 1000, 32),
    "payload/small": _payload_case("small", 257, 8),
    "payload/ends": _payload_ends,
    "aggregate/mean": _aggregate_case("mean", 5, 600, 0),
    "aggregate/trimmed": _aggregate_case("trimmed_mean", 7, 257, 2),
    "aggregate/all_trimmed": _aggregate_case("trimmed_mean", 4, 256, 9),
    "aggregate/most_workers": _aggregate_case("trimmed_mean", 64, 40, 20),
    "aggregate/alone": _aggregate_case("mean", 1, 3, 0),
    "outer/usual": _outer_case("usual", 45875, 32768),
    "outer/largest": _outer_case("largest", 2**20, 65535),
    "outer/plain": _outer_case("plain", 65536, 0),
    **{product.name: partial(products.compute_sums, product) for product in products.list_products()},
}


def find_failures(backend: str, progress: dispatch.Progress | None = None) -> list[str]:
    """Names of the cases in which `backend` and `ref` differ."""
    failed = []
    for done, (name, case) in enumerate(CASES.items()):
        if progress is not None:
            progress(name, done, len(CASES))
        with dispatch.forced("ref"):
            expected = case()
        with dispatch.forced(backend):
            if case() != expected:
                failed.append(name)
    if progress is not None:
        progress("done", len(CASES), len(CASES))
    return failed


def is_step_equal(backend: str, policy: unit.UnitPolicy) -> bool:
    """Whether `backend` and `ref` agree on one local step of a policy's own shape, on drawn rows and weights.

    Where the reference would take longer than about a second, the step has fewer rows; every layer keeps its width.
    Raises: KernelInputError for a policy outside the ranges.
    """
    unit.check_policy(policy)
    one_row = replace(policy, local_steps=1, batch_rows=1, trace_every=1)
    two_rows = replace(one_row, batch_rows=2) if policy.batch_rows > 1 else one_row
    row_cost = max(1, unit.unit_cost(two_rows) - unit.unit_cost(one_row))
    rows = max(1, min(policy.batch_rows, STEP_COST_MAX // row_cost))
    step = replace(one_row, batch_rows=rows)
    weights = products.draw_weights(mlp.param_count(policy.widths))
    with dispatch.forced("ref"):
        expected = _run(step, "step", weights)
    with dispatch.forced(backend):
        return _run(step, "step", weights) == expected


def compute_digests() -> dict[str, str]:
    """SHA-256 of every case's bytes, on the back end in use."""
    return {name: hashlib.sha256(case()).hexdigest() for name, case in CASES.items()}
