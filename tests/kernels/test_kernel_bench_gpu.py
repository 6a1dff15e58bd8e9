"""The benchmark of the gpu back end: it times nothing without a device, and nothing that is wrong."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import bench, bench_gpu, chunks, decoder, device, dispatch, samples, selftest, unit  # noqa: E402
from kernels.decoder.types import Decoder  # noqa: E402
from kernels.optimiser import gpu as optimiser_gpu  # noqa: E402

SIZE = bench_gpu.SIZES[0]


def test_without_a_device_one_line_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "IS_INTERPRETED", False)
    monkeypatch.setattr(device, "has_device", lambda: False)
    assert bench.main(["gpu"]) == 2
    assert capsys.readouterr().err == f"not timed: {device.NO_DEVICE}\n"


def test_the_interpreter_is_not_timed(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["gpu"]) == 2 and "TRITON_INTERPRET" in capsys.readouterr().err


def test_a_wrong_result_is_not_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(device, "IS_INTERPRETED", False)
    monkeypatch.setattr(device, "has_device", lambda: True)
    monkeypatch.setattr(selftest, "find_failures", lambda backend: ["norm/usual"] if backend == "gpu" else [])
    monkeypatch.setattr(bench_gpu, "is_step_equal", lambda size: size != SIZE)
    assert bench.main(["gpu"]) == 1
    assert capsys.readouterr().err == f"not timed: wrong results in norm/usual (gpu), a step of a {SIZE.model}\n"


def test_a_step_is_compared_with_the_slower_back_ends_in_as_many_rows_as_they_manage(
    monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, int]] = []
    monkeypatch.setattr(bench_gpu, "run", lambda policy, label, weights: (
        ran.append((dispatch.backend(), policy.batch_rows)), dispatch.backend() == "cpu")[1])
    small, large = bench_gpu.Size(Decoder(9, 4, 8, 1, 8, 1), 3), bench_gpu.Size(Decoder(9, 512, 1024, 16, 4096, 9), 400)
    monkeypatch.setattr(decoder, "init_weights", lambda model, seed: b"")
    assert bench_gpu.is_step_equal(small) and not bench_gpu.is_step_equal(large)
    assert ran[:2] == [("ref", 3), ("gpu", 3)] and [name for name, _ in ran[2:]] == ["cpu", "gpu"]
    assert 1 < ran[2][1] == ran[3][1] < 400


def test_steps_in_integers_are_those_of_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    size = bench_gpu.Size(Decoder(9, 4, 8, 1, 8, 1), 2)
    states = []
    new_state = optimiser_gpu.new_state
    monkeypatch.setattr(optimiser_gpu, "new_state", lambda *rest: states.append(new_state(*rest)) or states[-1])
    bench_gpu.new_steps(size)(1)
    policy = unit.UnitPolicy(size.model, bench_gpu.OPTIMISER, bench_gpu.SCHEDULE, 1, 2, 1, samples.CODEC)
    rows, targets = bench_gpu.find_training(size.model).draw_examples(size.model, "bench", 2)
    with dispatch.forced("ref"):
        weights = decoder.init_weights(size.model, samples.SEED)
        expected = unit.run_unit(policy, weights, rows, targets, samples.SEED)
    assert chunks.chunk_root(b"".join(optimiser_gpu.dump(states[0]))) == expected.trace[0]


def test_table_compares_with_the_twin_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "IS_INTERPRETED", False)
    monkeypatch.setattr(device, "has_device", lambda: True)
    monkeypatch.setattr(bench_gpu, "SIZES", (SIZE,))
    monkeypatch.setattr(bench_gpu, "find_failures", lambda sizes: [])
    monkeypatch.setattr(bench_gpu, "new_steps", lambda size: "ours")
    monkeypatch.setattr(bench_gpu, "new_twin_steps", lambda twin, size, device: "twin")
    monkeypatch.setattr(bench_gpu, "time_steps", lambda run: 2.0 if run == "ours" else 5.0)
    monkeypatch.setitem(sys.modules, bench_gpu.TWIN, SimpleNamespace())
    count = str(decoder.param_count(SIZE.model))
    for has_twin, shown in ((True, ["1024", count, "2.00", "5.00", "2.50"]), (False, ["2.00", "-", "-"])):
        monkeypatch.setattr(bench_gpu, "has_twin", lambda: has_twin)
        assert bench.main(["gpu"]) == 0
        row = capsys.readouterr().out.splitlines()[-1].split()
        assert [word for word in row if word in shown] == shown
