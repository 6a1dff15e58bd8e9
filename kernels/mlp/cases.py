"""Cases of the classifier: every depth, extreme and saturating weights."""

from __future__ import annotations

from collections.abc import Callable

from kernels import mlp
from kernels.samples import SEED, Case, pack, sample_features, sample_ints, sample_signs


def _infer_case(label: str, widths: tuple[int, ...], rows: int, weights: Callable[[int], bytes]) -> Case:
    def run() -> bytes:
        flat = weights(mlp.param_count(widths))
        features = sample_features(label, rows * widths[0])
        return mlp.predict(widths, flat, features, rows) + mlp.logits(widths, flat, features, rows)[0]
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
}
