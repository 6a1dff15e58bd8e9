"""The payload codec `int8/256`: a weight delta as int8 values with one power-of-two exponent per 256.

A payload is ceil(P/256) exponent bytes, then P int8 values; value i decodes to q[i] << exponent[i // 256].
A delta has exactly one valid payload per rounding, and a payload is valid in exactly one way.
Source: kernels/README.md section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernels import checks, dispatch, gin1
from kernels.errors import KernelInputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODECS = ("int8/256",)
BLOCK_VALUES = 256
EXPONENT_MAX = 25
LEADING_MIN = 64


def payload_bytes(param_count: int, codec: str) -> int:
    """The exact size of every valid payload of `param_count` parameters."""
    check_codec(codec)
    count = checks.check_param_count(param_count)
    return count + _block_count(count)


def encode(delta: bytes, param_count: int, key: bytes, codec: str) -> bytes:
    """The payload of `delta`, stochastically rounded with words drawn from `key` (32 bytes).

    delta: int64 little-endian [param_count], |value| <= 2**32 - 1.
    """
    check_codec(codec)
    count = checks.check_param_count(param_count)
    values = checks.read_array(checks.check_bytes("delta", delta, 8 * count), "<i8")
    checks.check_bound("delta", values, gin1.DELTA_MAX)
    checks.check_seed("key", key)
    keys = gin1.derive_keys("payload", key, 0, 0)
    exponents, operands = dispatch.implementation("payload").encode(values, keys)
    return checks.write_array(exponents) + checks.write_array(operands)


def check(payload: bytes, param_count: int, codec: str) -> None:
    """Refuse a payload that no encoder writes.

    Raises: KernelInputError for a wrong length, an exponent above 25, a value -128, or a block with a
    non-zero exponent and no value of magnitude 64 or more (a smaller exponent would have served).
    """
    read_payload(payload, param_count, codec)


def decode(payload: bytes, param_count: int, codec: str) -> bytes:
    """The delta that a valid payload stands for: int64 little-endian [param_count]."""
    exponents, operands = read_payload(payload, param_count, codec)
    return checks.write_array(dispatch.implementation("payload").decode(exponents, operands))


def check_codec(codec: object) -> None:
    """Refuse a codec that is not in CODECS."""
    if codec not in CODECS:
        raise KernelInputError(f"codec must be one of {', '.join(CODECS)}")


def read_payload(payload: bytes, param_count: int, codec: str) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """(exponents [blocks], values [param_count]) of a payload, after all of `check`."""
    import numpy as np

    data = checks.check_bytes("payload", payload, payload_bytes(param_count, codec))
    blocks = _block_count(param_count)
    if b"\x80" in data[blocks:]:
        raise KernelInputError("payload holds -128: values are -127..127")
    exponents = checks.read_array(data[:blocks], "<u1")
    operands = checks.read_array(data[blocks:], "<i1")
    if int(exponents.max()) > EXPONENT_MAX:
        raise KernelInputError(f"payload holds an exponent above {EXPONENT_MAX}")
    leading = np.maximum.reduceat(np.abs(operands), np.arange(blocks) * BLOCK_VALUES)
    if bool(((exponents > 0) & (leading < LEADING_MIN)).any()):
        raise KernelInputError(f"payload has a scaled block without a value of magnitude {LEADING_MIN}..127")
    return exponents, operands


def _block_count(param_count: int) -> int:
    return (param_count + BLOCK_VALUES - 1) // BLOCK_VALUES
