"""The benchmark of the gpu back end: it times nothing without a device, and nothing that is wrong."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import bench, bench_gpu, decoder, device, selftest  # noqa: E402

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
    monkeypatch.setattr(selftest, "find_failures", lambda backend: ["norm/usual"])
    monkeypatch.setattr(selftest, "is_step_equal", lambda backend, policy: policy.model != SIZE.model)
    assert bench.main(["gpu"]) == 1
    assert capsys.readouterr().err == f"not timed: gpu differs from ref in norm/usual, a step of a {SIZE.model}\n"


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
