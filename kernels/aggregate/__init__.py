"""Robust aggregation of payloads, coordinate by coordinate, the same for every order of payloads.

Source: kernels/README.md section 9.
"""

from __future__ import annotations

from kernels import checks, dispatch
from kernels import payload as payload_codec
from kernels.errors import KernelInputError

RULES = ("mean", "trimmed_mean")
PAYLOADS_MAX = 64


def aggregate(rule: str, payloads: list[bytes], param_count: int, trim: int, codec: str) -> bytes:
    """The mean delta of 1..64 valid payloads: int64 little-endian [param_count].

    rule: `mean` ignores `trim`; `trimmed_mean` leaves out the `trim` lowest and highest of each coordinate,
    or (n - 1) // 2 where 2 * trim >= n. trim: 0..64. The mean is rounded half away from zero.
    """
    if rule not in RULES:
        raise KernelInputError(f"rule must be one of {', '.join(RULES)}")
    if not isinstance(payloads, list) or not 1 <= len(payloads) <= PAYLOADS_MAX:
        raise KernelInputError(f"payloads must be a list of 1..{PAYLOADS_MAX} payloads")
    checks.check_int("trim", trim, 0, PAYLOADS_MAX)
    import numpy as np

    from kernels.payload import ref

    parts = [ref.read_values(payload_codec.read_payload(item, param_count, codec), param_count, codec)
             for item in payloads]
    exponents = np.stack([part[1] for part in parts])
    operands = np.stack([part[0] for part in parts]).astype(np.int8)
    dropped = compute_trim(len(payloads), trim) if rule == "trimmed_mean" else 0
    return checks.write_array(dispatch.implementation("aggregate").trimmed_mean(exponents, operands, dropped))


def compute_trim(count: int, trim: int) -> int:
    """How many of `count` values are left out at each end."""
    return trim if 2 * trim < count else (count - 1) // 2
