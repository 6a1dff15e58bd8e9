"""The multilayer perceptron with ReLU, in integers: a classifier, or a regressor whose logits are its answers.

Weights are int32 little-endian at exponent 24; layer by layer, first [fan_in, fan_out] row-major, then the
fan_out biases. Any bytes of the right length are weights.  Source: kernels/README.md sections 5 and 6.
"""

from __future__ import annotations

from kernels import checks, dispatch, gin1
from kernels.mlp.types import Mlp, check_model

__all__ = ["Mlp", "check_model", "infer", "init_weights", "logits", "logits_cost", "param_count", "predict"]

WEIGHT_BYTES = 4
ROWS_MAX = 2**20
LOAD_COST = 32
LAYER_COST = 20_000


def param_count(widths: tuple[int, ...]) -> int:
    """Number of weights and biases of (inputs, hidden..., classes).

    widths: 2..8 entries of 1..65536, at most 2**26 parameters.
    """
    return checks.compute_param_count(checks.check_widths(widths))


def init_weights(widths: tuple[int, ...], seed: bytes) -> bytes:
    """Weights of a new model: He-scaled Irwin-Hall variables of `seed` (32 bytes), biases zero."""
    checks.check_widths(widths)
    checks.check_seed("seed", seed)
    return checks.write_array(dispatch.implementation("mlp").init_weights(widths, seed))


def predict(widths: tuple[int, ...], weights: bytes, features: bytes, rows: int) -> bytes:
    """The most likely class of each row, uint16 little-endian; the lowest index wins a tie.

    features: int8 [rows, inputs], value = q / 64, -128 refused. rows: 0..2**20. A row's answer does not
    depend on the other rows.
    """
    labels, _ = infer(widths, weights, features, rows)
    return labels


def logits(widths: tuple[int, ...], weights: bytes, features: bytes, rows: int) -> tuple[bytes, int]:
    """(int32 little-endian [rows, classes], exponent); value = q * 2**-exponent, saturated.

    The same arguments as `predict`. The exponent is always 16.
    """
    _, scores = infer(widths, weights, features, rows)
    return scores, gin1.LOGIT_EXPONENT


def logits_cost(widths: tuple[int, ...], rows: int) -> int:
    """What `logits` or `predict` of so many rows costs, in multiply-adds: views of the weights, products, calls.

    rows: 0..2**20.
    """
    checks.check_int("rows", rows, 0, ROWS_MAX)
    products = sum(fan_in * fan_out for fan_in, fan_out in zip(widths, widths[1:]))
    return LOAD_COST * param_count(widths) + rows * products + LAYER_COST * (len(widths) - 1)


def infer(widths: tuple[int, ...], weights: bytes, features: bytes, rows: int) -> tuple[bytes, bytes]:
    """(labels, logits) of `predict` and `logits`, by one pass."""
    checks.check_widths(widths)
    checks.check_bytes("weights", weights, checks.compute_param_count(widths) * WEIGHT_BYTES)
    checks.check_int("rows", rows, 0, ROWS_MAX)
    checks.check_features("features", features, rows, widths[0])
    if rows == 0:
        return b"", b""
    inputs = checks.read_array(features, "<i1").reshape(rows, widths[0])
    labels, scores = dispatch.implementation("mlp").infer(widths, checks.read_array(weights, "<i4"), inputs)
    return checks.write_array(labels), checks.write_array(scores)
