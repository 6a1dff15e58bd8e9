"""Tensor: what the array-level ops hand to each other.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: kernels/README.md section 2.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Tensor(NamedTuple):
    """Integers q that stand for q * 2**-exponent.

    values: an array of the back end in use; its integer type is part of the op that makes it.
    exponent: an int (ref, cpu) or a one-element array on the device (gpu): a composition only hands it on.
    magnitude: the largest |value|, exactly, where the producer knows it (like exponent, an int or on the device);
        None where it does not. A consumer that needs it and gets None makes a pass of its own.
    """

    values: Any
    exponent: Any
    magnitude: Any = None
