"""Computes operations: one of a list from its inputs, or a whole segment in order.

On a `gpu` back end the operations run on `cpu`: they are small, and a dispute has one list.
Reads/Writes: nothing. Source: README.md beside this file, section 22.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice

import numpy as np

from kernels import checks, chunks, dispatch, freivalds, merkle
from kernels.errors import KernelInputError
from kernels.optimiser.schedule import STEP_MAX
from kernels.transcript import stages as kinds
from kernels.transcript.gather import read_inputs
from kernels.transcript.plan import WEIGHT_BYTES, Place, Plan, Ref, new_plan
from kernels.transcript.rules import Job, compute, list_factors, write_part
from kernels.transcript.steps import STATE_KINDS
from kernels.unit import UnitPolicy, iter_states, param_count
from kernels.unit.models import find_training

KEPT_BYTES_MAX = 2**28
Window = dict[int, bytes]
Progress = Callable[[int, int], None]


def host_backend() -> AbstractContextManager[None]:
    """Inside, the array-level ops are those of the host: `ref` if that is in use, else `cpu`."""
    return dispatch.forced("ref" if dispatch.backend() == "ref" else "cpu")


def execute(plan: Plan, segment: int, place: Place, inputs: Sequence[bytes], seed: bytes, first_step: int) -> bytes:
    """The output of one operation."""
    job = _new_job(plan, segment, place, seed, first_step)
    held = _check_inputs(plan, segment, place, inputs)
    with host_backend():
        return write_part(place, compute(job, place, read_inputs(plan, segment, place, held.__getitem__)))


def agrees(
    plan: Plan, segment: int, place: Place, inputs: Sequence[bytes], claimed: bytes, challenge: bytes
) -> bool:
    """Whether `claimed` is the output of a product of int8 operands, by Freivalds' check."""
    stage = place.stage
    held = _check_inputs(plan, segment, place, inputs)
    values = read_inputs(plan, segment, place, held.__getitem__)
    box = stage.sheet.bounds(place.part)
    sums = checks.read_array(claimed, "<i4").astype(np.int64).reshape(box.height, box.width)
    if place.turn:
        sums = sums - values[2]
    if int(sums.min()) < -stage.sheet.high or int(sums.max()) > stage.sheet.high:
        return False
    layout = kinds.PRODUCTS[stage.kind]
    left = values[0].T if layout == "tn" else values[0]
    right = values[1].T if layout == "nt" else values[1]
    shape = (left.shape[0], left.shape[1], right.shape[1])
    with host_backend():
        return freivalds.check(checks.write_array(left), checks.write_array(right),
                               checks.write_array(sums.astype(np.int32)), shape, challenge)


class Transcript:
    """The list of a segment, computed. leaves: one for each operation, in order.

    Outputs are kept while they take 256 MiB at most; `read` computes others again, from the segment's beginning.
    """

    def __init__(self, plan: Plan, segment: int, sources: Mapping[str, Sequence[bytes]], seed: bytes, first_step: int,
                 progress: Progress | None) -> None:
        self._plan, self._segment, self._sources, self._seed = plan, segment, sources, seed
        self._first_step = first_step
        self.leaves: list[bytes] = []
        self._held: Window = {}
        size, total = 0, plan.count(segment)
        for window in self._iter_windows():
            fresh = {index: output for index, output in window.items() if index >= len(self.leaves)}
            self.leaves += [merkle.compute_leaf(chunks.hash_bytes, output) for output in fresh.values()]
            size += sum(map(len, fresh.values()))
            if size > KEPT_BYTES_MAX:
                self._held.clear()
            self._held.update(fresh)
            if progress is not None:
                progress(len(self.leaves), total)

    def read(self, index: int) -> bytes:
        """The output of operation `index`."""
        checks.check_int("index", index, 0, len(self.leaves) - 1)
        if index not in self._held:
            self._held = next(window for window in self._iter_windows() if index in window)
        return self._held[index]

    @property
    def held_bytes(self) -> int:
        """What the leaves, the sources and the outputs that are kept take; `read` of another may keep more or fewer."""
        sources = sum(len(part) for parts in self._sources.values() for part in parts)
        return sum(map(len, self.leaves)) + sum(map(len, self._held.values())) + sources

    def _iter_windows(self) -> Iterator[Window]:
        """Of the opening, of each step and of the last phase: its outputs, after those of the state before it."""
        plan, segment = self._plan, self._segment
        first, steps = plan.first_step(segment), plan.steps(segment)
        factors = list_factors(plan.policy, self._first_step, first + steps)[first:]
        stages = [plan.opening(segment).stages, *[plan.step.stages] * steps, plan.last(segment).stages]
        window = Window()
        for number, phase in enumerate(stages):
            step = min(max(number - 1, 0), steps - 1)
            job = Job(plan.policy, self._seed, first + step, factors[step])
            window = {index: output for index, output in window.items() if index >= self._find_state(number - 1)}
            with host_backend():
                for stage in phase:
                    self._run_stage(job, stage, step, window)
            yield window

    def _run_stage(self, job: Job, stage: kinds.Stage, step: int, window: Window) -> None:
        plan, segment = self._plan, self._segment
        index = plan.find_start(segment, stage, step)

        def fetch(ref: Ref) -> bytes:
            return window[ref.place] if ref.source == kinds.LIST else self._sources[ref.source][ref.place]

        for part in range(stage.sheet.parts):
            for turn in range(stage.turns):
                place = Place(stage, step, part, turn, index)
                window[index] = write_part(place, compute(job, place, read_inputs(plan, segment, place, fetch)))
                index += 1

    def _find_state(self, phase: int) -> int:
        """Where the state at the end of a phase begins in the list: the opening is 0, its first step 1."""
        if phase < 1:
            return 0
        plan = self._plan
        stage = plan.step.stages[-len(plan.openings[0].stages)]
        return plan.find_start(self._segment, stage, phase - 1)


def run_segment(
    policy: UnitPolicy, segment: int, state: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int,
    start_weights: bytes, progress: Progress | None = None,
) -> Transcript:
    """The list of a segment with all its outputs; arguments as the package has them."""
    plan = new_plan(policy)
    checks.check_int("segment", segment, 0, plan.segments - 1)
    _check_unit(seed, first_step)
    checks.check_bytes("start_weights", start_weights, WEIGHT_BYTES * param_count(policy.model))
    checks.check_bytes("state", state, plan.state_bytes)
    find_training(policy.model).read_batches(policy.model, policy.local_steps, policy.batch_rows, rows, targets)
    count = policy.local_steps * policy.batch_rows
    sources = {kinds.STATE: chunks.split(state), kinds.START: chunks.split(start_weights),
               kinds.ROWS: _cut_rows(rows, count), kinds.TARGETS: _cut_rows(targets, count)}
    return Transcript(plan, segment, sources, seed, first_step, progress)


def run_to(
    policy: UnitPolicy, segment: int, weights: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int
) -> bytes:
    """The state before a segment, as bytes; computed on the back end in use."""
    plan = new_plan(policy)
    checks.check_int("segment", segment, 0, plan.segments - 1)
    states = iter_states(policy, weights, rows, targets, seed, first_step)
    state = next(islice(states, plan.first_step(segment), None))
    return b"".join(dispatch.implementation("optimiser").dump(state))


def _cut_rows(data: bytes, count: int) -> list[bytes]:
    size = len(data) // count
    return [data[at * size:(at + 1) * size] for at in range(count)]


def _check_unit(seed: bytes, first_step: int) -> None:
    checks.check_seed("seed", seed)
    checks.check_int("first_step", first_step, 0, STEP_MAX)


def _new_job(plan: Plan, segment: int, place: Place, seed: bytes, first_step: int) -> Job:
    _check_unit(seed, first_step)
    step = plan.first_step(segment) + place.step
    if place.stage.kind not in STATE_KINDS:
        return Job(plan.policy, seed, step, ())
    return Job(plan.policy, seed, step, list_factors(plan.policy, first_step, step + 1)[step])


def _check_inputs(plan: Plan, segment: int, place: Place, inputs: Sequence[bytes]) -> dict[Ref, bytes]:
    refs = plan.list_refs(segment, place)
    if len(inputs) != len(refs):
        raise KernelInputError(f"the operation takes {len(refs)} inputs and is given {len(inputs)}")
    for number, (ref, data) in enumerate(zip(refs, inputs)):
        checks.check_bytes(f"input {number}", data, ref.size)
    return dict(zip(refs, inputs))
