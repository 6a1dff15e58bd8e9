"""When the state of a unit is hashed, and how.  Source: kernels/README.md section 7.5."""

from __future__ import annotations

from kernels import chunks


def is_traced(done: int, steps: int, every: int) -> bool:
    """Whether the state after `done` of `steps` steps is in the trace."""
    return done == steps or done % every == 0


def hash_state(dumped: bytes) -> bytes:
    """The chunk root of the whole state of a step, so that any part of it can be proved."""
    return chunks.chunk_root(dumped)
