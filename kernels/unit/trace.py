"""When the local weights are hashed, and how.  Source: kernels/README.md section 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernels import checks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_traced(done: int, steps: int, every: int) -> bool:
    """Whether the weights after `done` of `steps` steps are in the trace."""
    return done == steps or done % every == 0


def hash_weights(weights: NDArray[np.int32]) -> bytes:
    """BLAKE3 of the weights' canonical bytes."""
    from blake3 import blake3

    return blake3(checks.write_array(weights)).digest()
