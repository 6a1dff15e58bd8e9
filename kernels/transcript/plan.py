"""The list of a segment's operations by shape alone: what is where in it, and what each operation reads.

Reads/Writes: nothing. Needs neither numpy nor numba. Source: README.md beside this file, sections 22.1 to 22.4.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, cast

from kernels import checks, payload
from kernels.errors import KernelInputError
from kernels.mlp.types import Mlp
from kernels.optimiser import has_variance
from kernels.transcript import stages as kinds
from kernels.transcript.sheets import (
    CHUNK_BYTES, FAN, ITEM_BYTES, Area, Sheet, divide_up, read_flat, read_part,
)
from kernels.transcript.stages import Held, Phase, Source, Stage
from kernels.transcript.steps import StepStages, count_example_bytes, new_state_sheets
from kernels.transcript.tree import HASH_BYTES, LEAVES_MAX
from kernels.unit import UnitPolicy, check_policy, param_count

WEIGHT_BYTES, MOMENT_BYTES = 4, 8
_BYTE_MAX = 255
_PLANS_KEPT = 8


class Ref(NamedTuple):
    """One input of an operation: `size` bytes.

    source: "list": the output of operation `place` of this segment, an earlier one. "state": chunk `place` of the
    state before the segment. "start": chunk `place` of the weights that the unit began with. "rows", "targets":
    features and target of the unit's drawn example `place`.
    """

    source: str
    place: int
    size: int


@dataclass(frozen=True)
class Operation:
    """One entry of the list. step: the unit's step, counted from 0; of opening and closing the first and the last."""

    kind: str
    step: int
    inputs: tuple[Ref, ...]
    output_bytes: int


@dataclass(frozen=True)
class Shape:
    """operations: how many each segment has, whose number is that of its digest in the unit's trace."""

    operations: tuple[int, ...]

    @property
    def segments(self) -> int:
        """How many segments a unit has."""
        return len(self.operations)


class Place(NamedTuple):
    """An operation: the turn-th for a part of a stage, in the step-th step of a segment; at: its index in the list."""

    stage: Stage
    step: int
    part: int
    turn: int
    at: int


@dataclass(frozen=True, eq=False)
class Plan:
    """The list of every segment of a policy. Phases hold their stages in order.

    openings: of the first segment, and of all others. closing: of all but the last; ending: of the last.
    state_root, payload_root: stages with one operation.
    """

    policy: UnitPolicy
    openings: tuple[Phase, Phase]
    step: Phase
    closing: Phase
    ending: Phase
    state_root: Stage
    payload_root: Stage

    @property
    def state_bytes(self) -> int:
        """Bytes of a state."""
        return sum(ITEM_BYTES[stage.sheet.item] * stage.sheet.columns for stage in self.openings[0].stages)

    @property
    def segments(self) -> int:
        """How many segments there are."""
        return divide_up(self.policy.local_steps, self.policy.trace_every)

    def first_step(self, segment: int) -> int:
        """The unit's step with which a segment begins."""
        return segment * self.policy.trace_every

    def steps(self, segment: int) -> int:
        """Steps of a segment."""
        return min(self.policy.trace_every, self.policy.local_steps - self.first_step(segment))

    def opening(self, segment: int) -> Phase:
        """The first phase of a segment."""
        return self.openings[min(segment, 1)]

    def last(self, segment: int) -> Phase:
        """The last phase of a segment."""
        return self.ending if segment == self.segments - 1 else self.closing

    def count(self, segment: int) -> int:
        """Operations of a segment."""
        return self.opening(segment).count + self.steps(segment) * self.step.count + self.last(segment).count

    def find_start(self, segment: int, stage: Stage, step: int) -> int:
        """The place in the list of the first operation of a stage."""
        before = self.opening(segment).count if stage.phase != kinds.OPENING else 0
        done = {kinds.OPENING: 0, kinds.STEP: step, kinds.CLOSING: self.steps(segment)}[stage.phase]
        return before + done * self.step.count + stage.offset

    def find_place(self, segment: int, index: int) -> Place:
        """The operation at a place of the list."""
        checks.check_int("index", index, 0, self.count(segment) - 1)
        phase, step, at = self.opening(segment), 0, index
        if at >= phase.count:
            step, at = divmod(at - phase.count, self.step.count)
            phase = self.step
        if step >= self.steps(segment):
            at += (step - self.steps(segment)) * self.step.count
            phase, step = self.last(segment), self.steps(segment) - 1
        stage = phase.stages[bisect_right(phase.stages, at, key=lambda found: found.offset) - 1]
        part, turn = divmod(at - stage.offset, stage.turns)
        return Place(stage, step, part, turn, index)

    def list_areas(self, place: Place) -> list[Area]:
        """What an operation reads; of all turns but a part's first, the turn before is last."""
        areas = place.stage.reads(place.part, place.turn)
        return [*areas, read_part(place.stage, place.part)] if place.turn else areas

    def find_origin(self, segment: int, place: Place, origin: Any) -> Stage | Source:
        """The stage, of this step or the one before, or the source that an area's origin is."""
        if not isinstance(origin, Held):
            found: Stage | Source = origin
            return found
        if place.stage.phase == kinds.STEP and place.step == 0:
            return self.opening(segment).stages[origin.number]
        return self.step.stages[len(self.step.stages) - len(self.openings[0].stages) + origin.number]

    def list_area_refs(self, segment: int, place: Place, area: Area) -> list[Ref]:
        """The parts that an area touches, as inputs, rising."""
        origin = self.find_origin(segment, place, area.origin)
        sheet = origin.sheet
        if isinstance(origin, Source):
            first = (self.first_step(segment) + place.step) * origin.step_parts
            return [Ref(origin.name, first + part, sheet.part_bytes(part)) for part in sheet.cover(area.box)]
        if area.origin is place.stage:
            return [Ref(kinds.LIST, place.at - 1, sheet.part_bytes(place.part))]
        is_before = isinstance(area.origin, Held) and place.stage.phase == kinds.STEP
        start = self.find_start(segment, origin, place.step - 1 if is_before else place.step)
        return [Ref(kinds.LIST, start + (part + 1) * origin.turns - 1, sheet.part_bytes(part))
                for part in sheet.cover(area.box)]

    def list_refs(self, segment: int, place: Place) -> tuple[Ref, ...]:
        """The inputs of an operation: each part once, in the order of the areas."""
        refs: dict[Ref, None] = {}
        for area in self.list_areas(place):
            refs.update(dict.fromkeys(self.list_area_refs(segment, place, area)))
        return tuple(refs)

    def count_input_bytes(self, segment: int, place: Place) -> int:
        """Bytes of an operation's inputs, where an example counts whole."""
        size = count_example_bytes(cast(Mlp, self.policy.model))
        return sum(size if ref.source in (kinds.ROWS, kinds.TARGETS) else ref.size
                   for ref in self.list_refs(segment, place))


class Run(NamedTuple):
    """Values first..last-1 of a part of the state; of their bytes `size` are meant, after the first `skipped`."""

    number: int
    first: int
    last: int
    skipped: int
    size: int


def list_runs(places: Sequence[int], begin: int, end: int) -> list[Run]:
    """What bytes begin..end-1 of a state are; places: where w, m and v begin, and where the state ends."""
    runs = []
    for number, (first, last) in enumerate(zip(places, places[1:])):
        low, high = max(begin, first) - first, min(end, last) - first
        size = MOMENT_BYTES if number else WEIGHT_BYTES
        if low < high:
            runs.append(Run(number, low // size, divide_up(high, size), low % size, high - low))
    return runs


@lru_cache(maxsize=_PLANS_KEPT)
def new_plan(policy: UnitPolicy) -> Plan:
    """The plan of a policy.

    Raises: KernelInputError for what check_policy refuses, a model that is no Mlp, feedback, and a segment of more than
    2**20 operations.
    """
    check_policy(policy)
    if not isinstance(policy.model, Mlp):
        raise KernelInputError("transcripts are of perceptrons: model must be an Mlp")
    if policy.feedback_q16:
        raise KernelInputError("transcripts are of units without feedback: feedback_q16 must be 0")
    count = param_count(policy.model)
    sheets = new_state_sheets(count, has_variance(policy.optimiser))
    state = [Held(number, sheet) for number, sheet in enumerate(sheets)]
    start = Source(kinds.START, _new_stream(WEIGHT_BYTES * count, CHUNK_BYTES))
    openings = (_new_first_opening(sheets, start), _new_opening(sheets))
    step = StepStages(policy.model, policy.batch_rows, state).phase
    closing, ending = Phase(kinds.CLOSING), Phase(kinds.CLOSING)
    _add_state_root(closing, state)
    state_root = _add_state_root(ending, state)
    plan = Plan(policy, openings, step, closing, ending, state_root,
                _add_payload_root(ending, policy.codec, state[0], start))
    largest = max(plan.count(segment) for segment in (0, plan.segments - 1))
    if largest > LEAVES_MAX:
        raise KernelInputError(
            f"a segment has {largest} operations, more than {LEAVES_MAX}: lower trace_every, or narrow the layers")
    return plan


def _new_stream(size: int, chunk_bytes: int) -> Sheet:
    return Sheet(1, size, "u1", 1, chunk_bytes, 0, _BYTE_MAX)


def _new_first_opening(sheets: list[Sheet], start: Source) -> Phase:
    """w from the weights that the unit began with; m and v are zeros."""
    phase = Phase(kinds.OPENING)

    def read(part: int, turn: int) -> list[Area]:
        box = sheets[0].bounds(part)
        return [read_flat(start, WEIGHT_BYTES * box.left, WEIGHT_BYTES * box.right)]

    phase.add(kinds.TAKE, sheets[0], read)
    for sheet in sheets[1:]:
        phase.add(kinds.TAKE, sheet, lambda part, turn: [])
    return phase


def _new_opening(sheets: list[Sheet]) -> Phase:
    """w, m and v from the chunks of the state."""
    phase, places = Phase(kinds.OPENING), _list_places(sheets)
    source = Source(kinds.STATE, _new_stream(places[-1], CHUNK_BYTES))
    for sheet, first in zip(sheets, places):
        phase.add(kinds.TAKE, sheet, _read_bytes(source, sheet, first))
    return phase


def _read_bytes(source: Source, sheet: Sheet, first: int) -> kinds.Reads:
    size = ITEM_BYTES[sheet.item]

    def read(part: int, turn: int) -> list[Area]:
        box = sheet.bounds(part)
        return [read_flat(source, first + size * box.left, first + size * box.right)]

    return read


def _list_places(sheets: list[Sheet]) -> list[int]:
    """Where w, m and v begin in the bytes of the state, and where it ends."""
    places = [0]
    for sheet in sheets:
        places.append(places[-1] + ITEM_BYTES[sheet.item] * sheet.columns)
    return places


def _add_state_root(phase: Phase, state: list[Held]) -> Stage:
    """Chunks of the state after the segment, and their root."""
    sheets = [held.sheet for held in state]
    places = _list_places(sheets)
    stream = _new_stream(places[-1], CHUNK_BYTES)

    def read(part: int, turn: int) -> list[Area]:
        box = stream.bounds(part)
        return [read_flat(state[run.number], run.first, run.last) for run in list_runs(places, box.left, box.right)]

    return _add_root(phase, phase.add(kinds.CHUNK, stream, read, settings=tuple(places)))


def _add_payload_root(phase: Phase, codec: str, weights: Held, start: Source) -> Stage:
    """Regions of the payload, and their root."""
    count = weights.sheet.columns
    stream = _new_stream(payload.payload_bytes(count, codec), payload.region_bytes(codec))

    def read(part: int, turn: int) -> list[Area]:
        first, last = part * payload.REGION_VALUES, min((part + 1) * payload.REGION_VALUES, count)
        return [read_flat(weights, first, last), read_flat(start, WEIGHT_BYTES * first, WEIGHT_BYTES * last)]

    return _add_root(phase, phase.add(kinds.REGION, stream, read))


def _add_root(phase: Phase, chunks: Stage) -> Stage:
    """The chunk tree over a stage's parts, eight nodes at a time."""
    stage, length, size = chunks, chunks.sheet.columns, chunks.sheet.column_step
    while stage is chunks or stage.sheet.parts > 1:
        stage = _add_nodes(phase, stage, (int(stage is chunks), length, size))
    return stage


def _add_nodes(phase: Phase, below: Stage, settings: tuple[int, ...]) -> Stage:
    sheet = Sheet(divide_up(below.sheet.parts, FAN), HASH_BYTES, "u1", 1, HASH_BYTES, 0, _BYTE_MAX)

    def read(part: int, turn: int) -> list[Area]:
        return [read_part(below, at) for at in range(part * FAN, min((part + 1) * FAN, below.sheet.parts))]

    return phase.add(kinds.NODE, sheet, read, settings=(*settings, int(sheet.parts == 1)))
