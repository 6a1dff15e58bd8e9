"""Section 22 is complete: the list that plain_transcript.py makes from its text alone is the kernels' list."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from plain import fold
from plain_transcript import PlainUnit
from transcripts import ADAM, FIRST_STEP, LION, SGD, Worked, draw_policies, new_policy

from kernels import checks, transcript, unit
from kernels.samples import SEED

WIDER = {
    "columns": new_policy((130, 300, 5), 2, 3, 1, ADAM, "int4/256", "classifier", (1,)),
    "strips": new_policy((3, 1100, 2), 2, 3, 2, LION, "int2/256", "classifier", (0, 1)),
    "inner": new_policy((2100, 2), 1, 3, 1, SGD, "top64/4096"),
    "classes": new_policy((2, 2100), 1, 2, 1, SGD, "top64/4096"),
    "rows": new_policy((2, 2, 2), 1, 1100, 1, ADAM, "int8/256", "classifier", (0, 1)),
    "outputs": new_policy((3, 1030), 1, 3, 1, SGD, "int8/256", "regressor"),
    "parts": new_policy((300, 290, 3), 1, 2, 1, LION, "int8/256"),
}


def check_lists(worked: Worked) -> None:
    policy = worked.policy
    rows, targets = worked.examples
    features, outputs = policy.model.widths[0], policy.model.widths[-1]
    kind, columns = ("<u2", 1) if policy.model.task == "classifier" else ("<i4", outputs)
    made = PlainUnit(
        policy, checks.read_array(worked.weights, "<i4").tolist(),
        fold(checks.read_array(rows, "<i1").tolist(), features),
        fold(checks.read_array(targets, kind).tolist(), columns), SEED, FIRST_STEP)
    assert transcript.shape(policy).operations == tuple(map(len, made.outputs))
    for segment, (outputs_told, inputs_told) in enumerate(zip(made.outputs, made.inputs)):
        found = worked.run(segment)
        for index, (output, inputs) in enumerate(zip(outputs_told, inputs_told)):
            described = transcript.describe(policy, segment, index)
            at = (segment, index, described.kind)
            assert (at, found.read(index)) == (at, output)
            assert (at, [(ref.source, ref.place) for ref in described.inputs]) == (at, inputs)
        assert found.leaves == [transcript.leaf(output) for output in outputs_told]


@settings(max_examples=8, deadline=None)
@given(policy=draw_policies())
def test_any_list_is_the_one_of_the_text(policy: unit.UnitPolicy) -> None:
    model = replace(policy.model, widths=tuple(min(width, 20) for width in policy.model.widths))
    check_lists(Worked(replace(policy, model=model, batch_rows=min(policy.batch_rows, 6))))


@pytest.mark.parametrize("name", WIDER)
def test_list_of_more_than_one_part_or_turn_is_the_one_of_the_text(name: str) -> None:
    check_lists(Worked(WIDER[name]))
