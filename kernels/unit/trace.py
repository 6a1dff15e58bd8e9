"""When the state of a unit is hashed, and how.  Source: kernels/README.md section 7.5."""

from __future__ import annotations

from collections.abc import Sequence

from kernels import chunks


def is_traced(done: int, steps: int, every: int) -> bool:
    """Whether the state after `done` of `steps` steps is in the trace."""
    return done == steps or done % every == 0


def hash_state(dumped: Sequence[memoryview]) -> bytes:
    """The chunk root of the whole state of a step, given in parts, so that any part of it can be proved.

    The weights alone would not do: a dispute replays one segment between two traced steps, and it begins with the
    optimiser's state as much as with the weights.
    """
    return chunks.join_root(dumped)
