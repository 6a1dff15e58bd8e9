"""The payload codecs on the cpu back end.  Same functions as ref.py."""

from __future__ import annotations

from kernels.payload.ref import (
    accumulate,
    add_residual,
    decode,
    encode,
    fill_row,
    find_fault,
    read_exponents,
    squares,
)

__all__ = ["accumulate", "add_residual", "decode", "encode", "fill_row", "find_fault", "read_exponents", "squares"]
