"""Stages: families of operations of one kind, and where their inputs come from.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: README.md beside this file, sections 22.2 and 22.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kernels.transcript.sheets import Area, Sheet

# kinds, as README.md has them
TAKE: Final = "take"
PEAK: Final = "peak"
SCALE: Final = "scale"
WEIGHTS: Final = "weights"
MOVE: Final = "move"
LOAD: Final = "load"
FORWARD: Final = "forward"
BIASES: Final = "biases"
ACTIVATION: Final = "activation"
ROW_PEAK: Final = "row peak"
ROW_SUM: Final = "row sum"
ENTROPY: Final = "cross-entropy"
SQUARE: Final = "squared error"
ERROR: Final = "error"
GRADIENT: Final = "gradient"
BIAS_GRADIENT: Final = "bias gradient"
BACKWARD: Final = "backward"
MASK: Final = "mask"
STEP_W: Final = "step w"
STEP_M: Final = "step m"
STEP_V: Final = "step v"
CHUNK: Final = "chunk"
NODE: Final = "node"
REGION: Final = "region"
PRODUCTS = {FORWARD: "nn", GRADIENT: "tn", BACKWARD: "nt"}

# sources of inputs
LIST, STATE, START, ROWS, TARGETS = "list", "state", "start", "rows", "targets"

OPENING, STEP, CLOSING = range(3)
Reads = Callable[[int, int], list[Area]]


@dataclass(frozen=True, eq=False)
class Source:
    """What the list does not make: its parts are inputs as they are.

    step_parts: how many of the unit's parts each step uses; those of step h begin at h * step_parts.
    """

    name: str
    sheet: Sheet
    step_parts: int = 0


@dataclass(frozen=True, eq=False)
class Held:
    """A part of the state (w, m or v) before the step, or at the end of the segment for its closing."""

    number: int
    sheet: Sheet


@dataclass(eq=False)
class Stage:
    """The operations that make one sheet: `turns` for each part, of which all but the first read the one before.

    reads(part, turn): the areas that an operation reads, without the turn before it, which comes last.
    layer, settings: what the kind's rule needs of the shape (rules.py). phase: OPENING, STEP or CLOSING; offset: the
    first operation's place in it.
    """

    kind: str
    sheet: Sheet
    reads: Reads
    turns: int = 1
    layer: int = 0
    settings: tuple[int, ...] = ()
    phase: int = STEP
    offset: int = 0

    @property
    def count(self) -> int:
        """How many operations there are."""
        return self.sheet.parts * self.turns


@dataclass
class Phase:
    """Stages one after the other."""

    number: int
    stages: list[Stage] = field(default_factory=list)
    count: int = 0

    def add(
        self, kind: str, sheet: Sheet, reads: Reads, turns: int = 1, layer: int = 0, settings: tuple[int, ...] = ()
    ) -> Stage:
        """A new last stage."""
        stage = Stage(kind, sheet, reads, turns, layer, settings, self.number, self.count)
        self.stages.append(stage)
        self.count += stage.count
        return stage
