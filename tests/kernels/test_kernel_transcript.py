"""The list of a unit's operations: it is the unit, each operation gives its leaf again, and nothing else does."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transcripts import ADAM, FIRST_STEP, LION, SGD, Worked, draw_policies, new_policy

from kernels import chunks, decoder, dispatch, payload, transcript, unit
from kernels.errors import KernelInputError
from kernels.samples import SEED, sample
from kernels.transcript import runner
from kernels.transcript.plan import new_plan

CHALLENGE = bytes(range(32))
SMALL = {
    "sgd": new_policy((9, 7, 3), 3, 5, 2),
    "adam": new_policy((5, 3, 2), 2, 2, 1, ADAM, "int4/256", "classifier", (0, 1)),
    "lion": new_policy((4, 3, 3, 2), 3, 4, 3, LION, "top64/4096", "regressor", (1,)),
    "one": new_policy((1, 1), 1, 1, 1, SGD, "int2/256"),
}
LARGE = {
    "columns": new_policy((300, 1030, 140, 7), 2, 150, 1, ADAM, "int4/256", "classifier", (1,)),
    "strips": new_policy((3, 9000, 2), 2, 3, 2, LION, "int2/256", "classifier", (0, 1)),
    "turns": new_policy((2100, 5, 1100), 1, 3, 1, SGD, "top64/4096"),
    "rows": new_policy((5, 4, 3), 1, 2100, 1, ADAM, "int8/256", "classifier", (1,)),
    "targets": new_policy((6, 1500), 2, 140, 2, SGD, "int8/256", "regressor"),
}
ALL = {**SMALL, **LARGE}
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_list(worked: Worked) -> None:
    """Every segment leads to the trace's digest, the last one to the payload."""
    policy, result = worked.policy, worked.result
    shape = transcript.shape(policy)
    assert shape.segments == len(result.trace)
    for segment, digest in enumerate(result.trace):
        made = worked.run(segment)
        root = transcript.state_root_index(policy, segment)
        assert len(made.leaves) == shape.operations[segment] == transcript.count(policy, segment)
        assert made.read(root) == digest and made.leaves[root] == transcript.leaf(digest)
        assert chunks.chunk_root(read_kind(worked, segment, made, "chunk")) == digest
    assert read_kind(worked, segment, made, "region") == result.payload
    committed = chunks.chunk_root(result.payload, payload.region_bytes(policy.codec))
    assert transcript.payload_root_index(policy) == len(made.leaves) - 1
    assert made.read(len(made.leaves) - 1) == committed


def read_kind(worked: Worked, segment: int, made: runner.Transcript, kind: str) -> bytes:
    """The outputs of all operations of a kind, joined."""
    return b"".join(made.read(index) for index in range(len(made.leaves))
                    if transcript.describe(worked.policy, segment, index).kind == kind)


def choose_indices(policy: unit.UnitPolicy, segment: int, most: int = 150) -> list[int]:
    """Operations of every stage: some of them all, of long lists about `most`."""
    count = transcript.count(policy, segment)
    return sorted({*range(0, count, max(1, count // most)), count - 1})


@FEW
@given(policy=draw_policies(), bits=st.sampled_from((3, 20, 24, 31)))
def test_list_of_any_unit_leads_to_its_trace_and_payload(backend: str, policy: unit.UnitPolicy, bits: int) -> None:
    check_list(Worked(policy, "any", bits))


@pytest.mark.parametrize("name", LARGE)
def test_list_of_layers_and_batches_beyond_a_part_leads_to_trace_and_payload(name: str) -> None:
    check_list(Worked(LARGE[name]))


@pytest.mark.parametrize("name", ALL)
def test_each_operation_gives_its_leaf_again_on_both_back_ends(name: str) -> None:
    worked = Worked(ALL[name])
    segment = transcript.shape(worked.policy).segments - 1
    made = worked.run(segment)
    for index in choose_indices(worked.policy, segment):
        inputs = worked.read_inputs(segment, index, made)
        found = transcript.describe(worked.policy, segment, index)
        for backend in ("ref", "cpu"):
            with dispatch.forced(backend):
                output = worked.execute(segment, index, inputs)
            assert output == made.read(index) and transcript.leaf(output) == made.leaves[index]
            assert len(output) == found.output_bytes


def test_first_segment_begins_with_the_weights_alone_and_others_with_the_state() -> None:
    policy = SMALL["adam"]
    for segment, allowed in ((0, {"list", "rows", "targets", "start"}), (1, {"list", "rows", "targets", "state"})):
        root = transcript.state_root_index(policy, segment)
        found = {ref.source for index in range(root) for ref in transcript.describe(policy, segment, index).inputs}
        assert found == allowed


def test_operations_use_the_rows_of_their_step() -> None:
    policy = SMALL["sgd"]
    for segment in range(transcript.shape(policy).segments):
        for index in range(transcript.count(policy, segment)):
            found = transcript.describe(policy, segment, index)
            used = [ref.place for ref in found.inputs if ref.source in ("rows", "targets")]
            assert all(found.step * 5 <= place < found.step * 5 + 5 for place in used)


def test_state_before_a_segment_is_the_one_of_the_trace() -> None:
    worked = Worked(new_policy((9, 7, 3), 5, 4, 2, ADAM))
    for segment, digest in enumerate(worked.result.trace[:-1]):
        assert chunks.chunk_root(worked.state(segment + 1)) == digest
    count = unit.param_count(worked.policy.model)
    assert worked.state(0) == worked.weights + bytes(16 * count)


@pytest.mark.parametrize("name", SMALL)
def test_flipped_bit_of_an_output_is_never_accepted(name: str) -> None:
    worked = Worked(SMALL[name])
    made = worked.run(0)
    for index in range(len(made.leaves)):
        inputs, output = worked.read_inputs(0, index, made), made.read(index)
        place = int.from_bytes(hashlib.sha256(b"%d" % index).digest()[:4], "big") % (8 * len(output))
        for claimed in (flip(output, 0), flip(output, place), flip(output, 8 * len(output) - 1), output + b"\0", b""):
            assert transcript.leaf(claimed) != made.leaves[index]
            assert not transcript.execute_claimed(
                worked.policy, 0, index, inputs, claimed, SEED, FIRST_STEP, CHALLENGE)
        assert transcript.execute_claimed(worked.policy, 0, index, inputs, output, SEED, FIRST_STEP, CHALLENGE)


@pytest.mark.parametrize("name", SMALL)
def test_flipped_bit_of_an_input_changes_its_leaf_and_the_operation_still_ends(name: str) -> None:
    """What the chain checks is the leaf of each input; whatever passes there, executing it must have an end."""
    worked = Worked(SMALL[name])
    made = worked.run(0)
    for index in range(len(made.leaves)):
        inputs = worked.read_inputs(0, index, made)
        size = transcript.describe(worked.policy, 0, index).output_bytes
        for number, data in enumerate(inputs):
            for bit in sorted({0, 7, 4 * len(data), 8 * len(data) - 1}):
                changed = [*inputs[:number], flip(data, bit), *inputs[number + 1:]]
                assert transcript.leaf(changed[number]) != transcript.leaf(data)
                assert_ends(worked, index, changed, size)


@pytest.mark.parametrize("name", [*SMALL, "strips", "targets"])
def test_operation_on_any_bytes_has_a_result_or_is_refused(name: str) -> None:
    worked = Worked(ALL[name])
    for index in choose_indices(worked.policy, 0, 60):
        found = transcript.describe(worked.policy, 0, index)
        for filler in (b"\x00", b"\xff", b"\x80", b"\x7f", b"\x01\x00\x00\x00", b"\xff\xff\xff\x7f", None):
            inputs = [sample(f"{index} {ref.place}", ref.size) if filler is None
                      else (filler * ref.size)[:ref.size] for ref in found.inputs]
            assert_ends(worked, index, inputs, found.output_bytes)


def assert_ends(worked: Worked, index: int, inputs: list[bytes], size: int) -> None:
    """Both back ends give the same bytes, or refuse for the same reason."""
    ends = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            try:
                ends.append(worked.execute(0, index, inputs))
                assert len(ends[-1]) == size
            except KernelInputError as error:
                ends.append(str(error).encode())
    assert ends[0] == ends[1]


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("index", (0, 1, 40, 98))
def test_search_from_the_root_ends_at_the_first_lie_which_executing_refutes(index: int) -> None:
    """A liar may go on consistently or not: from its first false leaf on all others may differ."""
    worked = Worked(new_policy((9, 7, 3), 3, 5, 3))
    made = worked.run(0)
    count = len(made.leaves)
    lie = flip(made.read(index), 3)
    behind = [transcript.leaf(b"%d" % at) for at in range(index + 1, count)]
    leaves = [*made.leaves[:index], transcript.leaf(lie), *behind]
    path: tuple[int, ...] = ()
    for _ in range(transcript.find_depth(count)):
        told, own = transcript.children(leaves, path), transcript.children(made.leaves, path)
        path = (*path, next(at for at, (one, other) in enumerate(zip(told, own)) if one != other))
    assert transcript.find_leaf(count, path) == index
    inputs = worked.read_inputs(0, index, made)
    assert transcript.leaf(worked.execute(0, index, inputs)) != leaves[index]


def test_large_product_is_checked_by_freivalds_and_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = Worked(new_policy((4096, 128, 2), 1, 128, 1))
    made, policy = worked.run(0), worked.policy
    large = [index for index in range(len(made.leaves)) if transcript.is_large(policy, 0, index)]
    assert [transcript.describe(policy, 0, index).kind for index in large] == ["forward"] * 2
    monkeypatch.setattr(runner, "execute", None)
    for index in large:
        inputs, output = worked.read_inputs(0, index, made), made.read(index)
        assert transcript.execute_claimed(policy, 0, index, inputs, output, SEED, FIRST_STEP, CHALLENGE)
        for bit in (0, 12345, 31, 8 * len(output) - 1):
            assert not transcript.execute_claimed(
                policy, 0, index, inputs, flip(output, bit), SEED, FIRST_STEP, CHALLENGE)
        with pytest.raises(KernelInputError, match="inputs"):
            transcript.execute_claimed(policy, 0, index, inputs[1:], output, SEED, FIRST_STEP, CHALLENGE)


def test_outputs_that_were_not_kept_are_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = Worked(new_policy((9, 7, 3), 4, 5, 4))
    kept = worked.run(0)
    monkeypatch.setattr(runner, "KEPT_BYTES_MAX", 0)
    made = worked.run(0)
    assert made.leaves == kept.leaves
    for index in (len(made.leaves) - 1, 0, 70, 71, 120, 5):
        assert made.read(index) == kept.read(index)


def test_progress_counts_operations_to_the_end() -> None:
    worked, told = Worked(SMALL["sgd"]), []
    transcript.run_segment(worked.policy, 0, worked.state(0), *worked.examples, SEED, FIRST_STEP, worked.weights,
                           lambda done, total: told.append((done, total)))
    count = transcript.count(worked.policy, 0)
    assert told == sorted(told) and told[-1] == (count, count) and len(told) == 2 + 2


WIDEST = {
    "inputs": new_policy((65536, 1000, 2), 4, 256, 4, ADAM, wide=(0, 1)),
    "classes": new_policy((1000, 65535), 2, 256, 2, ADAM, "top64/4096", wide=(0,)),
    "outputs": new_policy((10, 65536), 2, 256, 2, LION, "int4/256", "regressor"),
    "odd": new_policy((8193, 8189), 1, 2000, 1, ADAM, "int2/256", wide=(0,)),
    "batch": new_policy((4095, 129, 127, 3), 1, 4096, 1, ADAM, wide=(0, 1, 2)),
    "layers": new_policy((129, 65, 1025, 2049, 1023, 63, 8, 2), 2, 4096, 2, ADAM, wide=(2, 3)),
    "flat": new_policy((1, 65536, 1), 1, 256, 1, SGD, wide=(0, 1)),
    "examples": new_policy((65536, 1, 65536), 1, 130, 1, LION, task="regressor"),
    "narrow": new_policy((1, 1, 1), 1, 4096, 1, ADAM, wide=(0,)),
}


@pytest.mark.parametrize("name", WIDEST)
def test_no_operation_of_the_widest_units_exceeds_the_bounds(name: str) -> None:
    """Of each stage the parts at the edges and in the middle: they are cut alike."""
    policy = WIDEST[name]
    plan = new_plan(policy)
    for phase in (*plan.openings, plan.step, plan.ending):
        segment = int(phase is not plan.openings[0])
        for stage in phase.stages:
            places = {0, 1, stage.count // 3, stage.count // 2, stage.count - 2, stage.count - 1}
            for place in sorted(places & {*range(stage.count)}):
                segment = min(segment, plan.segments - 1)
                index = plan.find_start(segment, stage, plan.steps(segment) - 1) + place
                found = transcript.describe(policy, segment, index)
                assert found.kind == stage.kind
                assert sum(ref.size for ref in found.inputs) <= transcript.INPUT_BYTES_MAX
                assert plan.count_input_bytes(segment, plan.find_place(segment, index)) <= transcript.INPUT_BYTES_MAX
                assert len(found.inputs) <= transcript.INPUTS_MAX
                assert 0 < found.output_bytes <= transcript.OUTPUT_BYTES_MAX
                assert 0 < transcript.cost(policy, segment, index) <= 2**26


def test_largest_inputs_are_told_exactly() -> None:
    policy = SMALL["adam"]
    sizes = [sum(7 if ref.source in ("rows", "targets") else ref.size
                 for ref in transcript.describe(policy, segment, index).inputs)
             for segment in (0, 1) for index in range(transcript.count(policy, segment))]
    assert transcript.input_bytes_max(policy) == max(sizes) <= transcript.INPUT_BYTES_MAX


@pytest.mark.parametrize("policy, hint", [
    (new_policy((60000, 1000, 2), 64, 1, 64), "more than 1048576: lower trace_every"),
    (replace(SMALL["sgd"], feedback_q16=1), "feedback_q16 must be 0"),
    (replace(SMALL["sgd"], model=decoder.Decoder(9, 4, 8, 1, 8, 1)), "must be an Mlp"),
    (replace(SMALL["sgd"], batch_rows=0), "batch_rows"),
])
def test_policy_without_a_list_is_refused_with_what_to_do(policy: unit.UnitPolicy, hint: str) -> None:
    with pytest.raises(KernelInputError, match=hint):
        transcript.check_policy(policy)


def test_malformed_calls_are_refused_with_what_is_wrong() -> None:
    worked = Worked(SMALL["sgd"])
    policy, made = worked.policy, worked.run(0)
    index = 4
    inputs = worked.read_inputs(0, index, made)
    for call, hint in (
        (lambda: transcript.describe(policy, 2, 0), "segment must be in 0..1"),
        (lambda: transcript.describe(policy, 0, len(made.leaves)), "index must be in"),
        (lambda: transcript.describe(policy, 0, True), "index must be an integer"),
        (lambda: worked.execute(0, index, inputs[1:]), "inputs and is given"),
        (lambda: worked.execute(0, index, [inputs[0] + b"\0", *inputs[1:]]), "input 0 must have"),
        (lambda: transcript.execute(policy, 0, index, inputs, bytes(31), 0), "seed"),
        (lambda: transcript.execute(policy, 0, index, inputs, SEED, -1), "first_step"),
        (lambda: transcript.execute_claimed(policy, 0, index, inputs, b"", SEED, 0, b""), "challenge"),
        (lambda: transcript.run_segment(policy, 0, b"", *worked.examples, SEED, 0, worked.weights), "state must have"),
        (lambda: transcript.run_segment(policy, 0, worked.state(0), *worked.examples, SEED, 0, b""), "start_weights"),
        (lambda: made.read(-1), "index must be in"),
    ):
        with pytest.raises(KernelInputError, match=hint):
            call()


@pytest.mark.parametrize("name, operations, root", [
    ("sgd", (68, 38), "de8083c6d315d4329aab08577f0f3a24ff83657182b433cf85cabcc647c522c2"),
    ("adam", (38, 40), "bc4b6f24a62eac56256b7d81805d011c9aed3b307efc41dbd50666abde1e81f2"),
    ("lion", (141,), "88b49d55d803b0cea6e17badcf88153bbbdb99b29e0fe033c3555d4c7d0f2efd"),
    ("one", (23,), "4319f7f52a34df80aef19d1ebed1b37ddd37e6d4e3d5f9123bcd82d4c02630a3"),
    ("columns", (1004, 1012), "bae7d69217d355c192b24ecfe9b397de91b4518d6b5b77ac03364e6766ddbf1e"),
])
def test_roots_of_lists_are_the_committed_ones(name: str, operations: tuple[int, ...], root: str) -> None:
    worked = Worked(ALL[name])
    assert transcript.shape(worked.policy).operations == operations
    assert transcript.root(worked.run(len(operations) - 1).leaves).hex() == root
