"""A unit of work as a fixed list of small operations, so that a dispute about it ends at one that a block executes.

Between two traced states lies a segment: a list of operations that the policy's shape alone fixes. Each makes one part,
65792 bytes at most, from earlier parts, chunks of the state before, and drawn examples; its leaf is the chunk tree's
leaf of its output. The tree over the leaves has 16 children a node (tree.py).
Reads/Writes: nothing. Source: README.md beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kernels import checks, chunks, merkle
from kernels.transcript.plan import Operation, Place, Plan, Ref, Shape, new_plan
from kernels.transcript.sheets import CHUNK_BYTES
from kernels.transcript.stages import PRODUCTS, REGION, STEP_M, STEP_V, STEP_W
from kernels.transcript.tree import (
    ARITY, LEAVES_MAX, child_count, children, find_depth, find_leaf, find_path, hash_children, open_leaves, root,
    verify_children, verify_leaves,
)
from kernels.unit import UnitPolicy

if TYPE_CHECKING:
    from kernels.transcript.runner import Transcript

__all__ = [
    "ARITY", "CHUNK_BYTES", "INPUTS_MAX", "INPUT_BYTES_MAX", "LEAVES_MAX", "OUTPUT_BYTES_MAX", "Operation", "Ref",
    "Shape", "check_policy", "child_count", "children", "cost", "count", "describe", "execute", "execute_claimed",
    "find_depth", "find_leaf", "find_path", "hash_children", "input_bytes_max", "is_large", "leaf", "open_leaves",
    "payload_root_index", "root", "run_segment", "run_to", "shape", "state_root_index", "verify_children",
    "verify_leaves",
]

INPUT_BYTES_MAX = 640 * 1024  # of any operation of any policy, as are the next two: README.md, section 22.6
INPUTS_MAX = 192
OUTPUT_BYTES_MAX = 65792  # a region of int8/256; all else is 65536 at most
LARGE_COST = 2**24  # multiply-adds above which a product's claimed output is checked, not computed; of int8 alone
CALL_COST = 2**19  # multiply-adds in the time of a call: some tenths of a millisecond
BYTE_COST = 4  # of reading, hashing or writing a byte
VALUE_COSTS = {STEP_W: 512, STEP_M: 512, STEP_V: 512, REGION: 256}  # of a parameter


def check_policy(policy: UnitPolicy) -> None:
    """Refuse a policy whose units have no list.

    Raises: KernelInputError for what unit.check_policy refuses, a model that is no Mlp, feedback, and a segment of more
    than 2**20 operations.
    """
    new_plan(policy)


def shape(policy: UnitPolicy) -> Shape:
    """The operations of every segment."""
    plan = new_plan(policy)
    return Shape(tuple(plan.count(segment) for segment in range(plan.segments)))


def count(policy: UnitPolicy, segment: int) -> int:
    """The operations of a segment."""
    return _find_plan(policy, segment).count(segment)


def state_root_index(policy: UnitPolicy, segment: int) -> int:
    """Where a segment's list has the root of the state after it: 32 bytes, the trace's digest of that number."""
    plan = _find_plan(policy, segment)
    return plan.find_start(segment, plan.state_root, 0)


def payload_root_index(policy: UnitPolicy) -> int:
    """Where the last segment's list has the root of the payload, 32 bytes."""
    plan = new_plan(policy)
    return plan.find_start(plan.segments - 1, plan.payload_root, 0)


def describe(policy: UnitPolicy, segment: int, index: int) -> Operation:
    """What operation `index` of a segment is, and which inputs it takes."""
    plan = _find_plan(policy, segment)
    place = plan.find_place(segment, index)
    return Operation(place.stage.kind, plan.first_step(segment) + place.step, plan.list_refs(segment, place),
                     place.stage.sheet.part_bytes(place.part))


def leaf(output: bytes) -> bytes:
    """The leaf of an output: BLAKE3(0x00 + output), as the chunk tree has it."""
    return merkle.compute_leaf(chunks.hash_bytes, checks.check_bytes("output", output))


def cost(policy: UnitPolicy, segment: int, index: int) -> int:
    """Multiply-adds in the time that executing an operation and hashing its inputs takes, by shape alone."""
    plan = _find_plan(policy, segment)
    place = plan.find_place(segment, index)
    moved = plan.count_input_bytes(segment, place) + place.stage.sheet.part_bytes(place.part)
    found = CALL_COST + BYTE_COST * moved + _count_multiply_adds(plan, place)
    if place.stage.kind in VALUE_COSTS:
        found += VALUE_COSTS[place.stage.kind] * plan.list_areas(place)[0].box.values
    return found


def input_bytes_max(policy: UnitPolicy) -> int:
    """The most bytes that one operation of the policy's lists takes; looks at a whole step's, which may take a second.

    An example counts whole, features and target, since a proof has both. It is never above INPUT_BYTES_MAX, whatever
    the policy.
    """
    plan = new_plan(policy)
    ends = [range(plan.opening(segment).count + plan.step.count) for segment in (0, plan.segments - 1)]
    ends.append(range(plan.count(plan.segments - 1) - plan.ending.count, plan.count(plan.segments - 1)))
    segments = (0, plan.segments - 1, plan.segments - 1)
    return max(plan.count_input_bytes(segment, plan.find_place(segment, index))
               for segment, indices in zip(segments, ends) for index in indices)


def is_large(policy: UnitPolicy, segment: int, index: int) -> bool:
    """Whether execute_claimed checks the operation's claimed output without computing it."""
    plan = _find_plan(policy, segment)
    return _count_multiply_adds(plan, plan.find_place(segment, index)) > LARGE_COST


def execute(
    policy: UnitPolicy, segment: int, index: int, inputs: Sequence[bytes], seed: bytes, first_step: int
) -> bytes:
    """The output of an operation from its inputs, in the order of its description; seed, first_step: the unit's.

    Raises: KernelInputError for another number of inputs, a wrong length, and values that no honest list holds where
    they would have no result.
    """
    from kernels.transcript import runner

    plan = _find_plan(policy, segment)
    return runner.execute(plan, segment, plan.find_place(segment, index), inputs, seed, first_step)


def execute_claimed(
    policy: UnitPolicy, segment: int, index: int, inputs: Sequence[bytes], claimed: bytes, seed: bytes,
    first_step: int, challenge: bytes,
) -> bool:
    """Whether `claimed` is the output of an operation: of a large product by Freivalds' check, else by computing it.

    challenge: 32 bytes that nobody could know when the output was claimed. A wrong output of a large product passes
    with a probability of at most 2**-64 (kernels/freivalds/README.md); none of any other.
    Raises: KernelInputError as `execute` does; also for a challenge that is not 32 bytes.
    """
    from kernels.transcript import runner

    plan = _find_plan(policy, segment)
    place = plan.find_place(segment, index)
    checks.check_seed("challenge", challenge)
    if len(checks.check_bytes("claimed", claimed)) != place.stage.sheet.part_bytes(place.part):
        return False
    if is_large(policy, segment, index):
        return runner.agrees(plan, segment, place, inputs, claimed, challenge)
    return runner.execute(plan, segment, place, inputs, seed, first_step) == claimed


def run_segment(
    policy: UnitPolicy, segment: int, state: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int,
    start_weights: bytes, progress: Callable[[int, int], None] | None = None,
) -> Transcript:
    """The list of a segment, computed: its leaves, and any output.

    state: the bytes before it, as run_to gives them. rows, targets, seed, first_step: those of the whole unit, as
    run_unit takes them. start_weights: int32 [P], with which the unit began. progress(done, total) counts operations,
    step by step.
    """
    from kernels.transcript import runner

    return runner.run_segment(policy, segment, state, rows, targets, seed, first_step, start_weights, progress)


def run_to(
    policy: UnitPolicy, segment: int, weights: bytes, rows: bytes, targets: bytes, seed: bytes, first_step: int
) -> bytes:
    """The state before a segment: w as int32, m as int64 and with Adam v as int64, each over all parameters.

    Arguments as run_unit has them.
    """
    from kernels.transcript import runner

    return runner.run_to(policy, segment, weights, rows, targets, seed, first_step)


def _find_plan(policy: UnitPolicy, segment: int) -> Plan:
    plan = new_plan(policy)
    checks.check_int("segment", segment, 0, plan.segments - 1)
    return plan


def _count_multiply_adds(plan: Plan, place: Place) -> int:
    """Of a product, of which one of int16 counts twice; 0 of all other operations."""
    layout = PRODUCTS.get(place.stage.kind)
    if layout is None:
        return 0
    left = plan.list_areas(place)[0]
    inner = left.box.height if layout == "tn" else left.box.width
    is_wide = place.stage.sheet.item == "i8"
    return place.stage.sheet.bounds(place.part).values * inner * (1 + is_wide)
