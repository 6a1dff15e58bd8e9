"""The comparison of speeds times nothing that is wrong; its own arithmetic. None of this needs torch, byzfl or flwr."""

import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kernels.aggregate import ref
from kernels.payload import ref as payload_ref
from tests.bench.aggregation import cells, inputs, libraries, ours, reference, speed, tables
from tests.bench.aggregation.timing import Call, read_twice, run_rounds
from tests.bench.training.records import Json


class Broken:
    """The reference, but for one function that is wrong in its last coordinate."""

    def __init__(self, module: Any, wrong: str) -> None:
        self.module, self.wrong = module, wrong

    def __getattr__(self, name: str) -> Any:
        function = getattr(self.module, name)
        return self.change(function) if name == self.wrong else function

    def change(self, function: Any) -> Any:
        """The same function with one more in the last place."""

        def call(*arguments: Any) -> Any:
            result = function(*arguments)
            if isinstance(result, list) and isinstance(result[-1], list):
                result[-1][-1] += 1
            else:
                result[-1] += 1
            return result

        return call


def measure(ops: Any, payload_ops: Any, *rules: str) -> cells.Cell:
    """A small cell, the last block of which is cut short."""
    settings = cells.Settings(rules or ours.GROUPS, 1, 1.0, None, ops, payload_ops)
    return cells.measure_cell(5, 700, settings, set(), lambda what: None)


def test_the_command_measures_every_group_without_the_other_libraries() -> None:
    done = CliRunner().invoke(speed.main, ["--ours", "--workers", "3", "--sizes", "70001", "--rounds", "1",
                                           "--output", "json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [run["settings"]["group"] for run in found["runs"]] == list(ours.GROUPS) == list(tables.GOALS)
    assert found["refused"] == [] and all(run["figures"]["ours_ms"] > 0 for run in found["runs"])
    assert {"processor", "gradus", "packages"} <= set(found["runs"][0]["machine"])


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "find_missing", lambda: ["byzfl", "flwr"])
    done = CliRunner().invoke(speed.main, ["--workers", "3", "--sizes", "700"])
    assert done.exit_code == 1
    assert "byzfl, flwr" in done.output and "pip install '.[bench,flower]'" in done.output and "--ours" in done.output


def test_a_group_that_is_not_there_is_refused_with_the_names_of_those_that_are() -> None:
    done = CliRunner().invoke(speed.main, ["--rules", "median,bulyan"])
    assert done.exit_code == 2 and "no 'bulyan'" in done.output and "krum" in done.output


@pytest.mark.parametrize(("wrong", "hit"), [
    ("sum_ranks", {"median", "trimmed_mean", "nnm+trimmed_mean"}),
    ("gram", {"krum", "multi_krum", "geometric_median", "centered_clip", "nnm+trimmed_mean"}),
    ("squares", {"clipped_mean"}),
    ("sum_weighted", {"geometric_median", "centered_clip", "clipped_mean"}),
    ("sum_signs", {"sign_vote"}),
    ("expand", {"expand"}),
])
def test_a_kernel_that_is_wrong_in_one_coordinate_is_not_timed(wrong: str, hit: set[str]) -> None:
    cell = measure(Broken(ref, wrong), payload_ref)
    assert set(cell.figures) == set(ours.GROUPS) - hit and len(cell.refused) == len(hit)
    assert all("from the reference" in problem for problem in cell.refused)


def test_a_wrong_sparse_sum_is_not_timed() -> None:
    cell = measure(ref, Broken(payload_ref, "accumulate"), ours.SPARSE_GROUP)
    assert cell.figures == {} and cell.refused == ["sparse accumulate differs from the reference"]


def new_entry(result: Any) -> tuple[cells.Timed, inputs.Inputs]:
    """The mean of a cell beside a library that gives `result`."""
    drawn = inputs.draw_inputs(4, 700)
    entry = ours.list_ours(drawn, inputs.draw_others(4, 700), reference.Reference(drawn), ref, payload_ref)[0]
    other = Call("other", lambda: result(inputs.unpack_stack(drawn.stack).floats), is_same=True)
    return cells.Timed(entry, Call("mean", entry.run), None, None, [(libraries.LIBRARY, other)]), drawn


def test_a_rule_is_not_timed_beside_a_library_with_the_same_definition_and_another_result() -> None:
    entry, drawn = new_entry(lambda floats: floats.mean(axis=0))
    assert cells.find_far(entry, drawn, lambda what: None) == ""
    entry, drawn = new_entry(lambda floats: [floats.mean(axis=0) * 1.001])
    assert cells.find_far(entry, drawn, lambda what: None) == "mean is far from other"


def test_of_a_large_stack_as_many_blocks_are_compared_with_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "COMPARED_VALUES", 64 * 256 * 4)
    places = reference.choose_places(500, 4)
    assert len(set(places.tolist())) == 64 and (np.diff(places) > 0).all()
    assert places[:16].tolist() == list(range(16)) and places[-16:].tolist() == list(range(484, 500))
    assert reference.choose_places(64, 4).tolist() == list(range(64))


def test_inner_products_of_slices_make_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "SLICE_VALUES", 3 * 256 * 2)
    drawn = inputs.draw_inputs(3, 5 * 256 + 7)
    assert reference.Reference(drawn).gram == ref.gram(drawn.stack)


def test_others_get_the_very_values_of_the_stack() -> None:
    drawn = inputs.draw_inputs(3, 600)
    matrices = inputs.unpack_stack(drawn.stack)
    values = drawn.stack.values.astype(np.int64) << drawn.stack.exponents.astype(np.int64)[:, None, None]
    expected = values.transpose(1, 0, 2).reshape(3, -1)[:, :600]
    assert matrices.floats.shape == (3, 600) and (matrices.floats == expected).all()
    assert (np.abs(matrices.bytes).max(axis=1) > 64).all()


def test_the_read_ceiling_reads_every_byte() -> None:
    from concurrent.futures import ThreadPoolExecutor

    data = np.random.default_rng(1).integers(-127, 127, 8 * 1001, dtype=np.int8)
    with ThreadPoolExecutor(1) as pool:
        assert read_twice(data, pool) % 2**64 == int(data.view(np.uint64).sum(dtype=np.uint64))


def test_a_call_has_no_rounds_after_its_seconds_none_without_memory_and_none_after_a_failure() -> None:
    slow, large = Call("slow", lambda: 1, seconds_max=0.0), Call("large", lambda: 1, memory=2**62)
    broken, quick = Call("broken", lambda: 1 // 0), Call("quick", lambda: 1)
    slow.seconds.append(1.0)
    run_rounds([slow, large, broken, quick], 3, lambda what: None)
    assert [len(call.seconds) for call in (slow, large, broken, quick)] == [1, 0, 0, 3]
    assert "GiB" in large.note and "ZeroDivisionError" in broken.note


def new_figures(ours_ms: float, library_ms: float | None, primitive_ms: float, ceiling_ms: float) -> Json:
    library: Json = {"name": "byzfl numpy", "kind": "library", "note": "left out"}
    if library_ms is not None:
        library = {"name": "byzfl numpy", "kind": "library", "ms": library_ms, "rounds": 2}
    slower = {"name": "flwr", "kind": "library", "ms": 10_000.0, "rounds": 1}
    primitive = {"name": "torch", "kind": "primitive", "ms": primitive_ms, "rounds": 7}
    return {"ours_ms": ours_ms, "ceiling_ms": ceiling_ms, "rounds": 7,
            "peers": [library, primitive, *([slower] if library_ms else [])]}


def test_a_goal_is_met_only_if_every_ratio_and_the_share_are() -> None:
    assert tables.judge("median", new_figures(1.0, 100.0, 5.0, 0.6)) == "yes"
    assert tables.judge("median", new_figures(1.0, 99.9, 5.0, 0.5)) == "no: library, ceiling"
    assert tables.judge("krum", new_figures(1.0, 30.0, 3.9, 0.1)) == "no: Gram"
    assert tables.judge("krum", new_figures(1.0, None, 4.0, 0.1)) == "library not timed"
    assert tables.judge("sign_vote", new_figures(1.0, None, 4.0, 0.1)) == "-"


def test_ratios_are_to_the_fastest_library_and_rounds_are_told() -> None:
    run = {"settings": {"workers": 8, "values": 1000, "group": "median"},
           "figures": {**new_figures(2.0, 250.0, 9.0, 1.4), "whole_ms": 2.5, "bytes_ms": 10.0},
           "machine": {"gradus": "abc", "date": "d", "processors": 2, "processor": "p", "python": "3", "packages": {}}}
    text = tables.format_all([run])
    row = "| median | 8 | 1,000 | 2.00 | byzfl numpy 250.0 | 125 | 100 | torch 9.0 | 4.5 | 0.70 |"
    assert row in text and "Gradus abc" in text and "| flwr | 10000.00 | 1 |" in text
    assert speed.find_left_out([run], 8, 2000) == {("median", "flwr")}
    assert speed.find_left_out([run], 8, 1000) == speed.find_left_out([run], 16, 2000) == set()
    assert tables.format_all([]) == "nothing was timed"
