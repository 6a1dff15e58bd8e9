"""Triton in its interpreter on numpy arrays: launches, memory, and the elementary rules against exact.py."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("triton", reason="Triton has no wheel for this system")

import triton.language as tl  # noqa: E402

from kernels import device, dispatch, exact, gin1, selftest  # noqa: E402
from kernels import device_rules as rules  # noqa: E402
from kernels.device import jit  # noqa: E402

ROOT = Path(__file__).parents[2]
SHIFTS = (-50, -41, -40, -3, 0, 1, 20, 24, 52, 62, 63, 70)
EDGES = [0, 1, -1, 2, -2, 127, -128, 2**31 - 1, -2**31, 2**60, -2**60, 2**61 - 1, 1 - 2**61]
SQUARES = [root * root + beside for root in (3, 1000, 2**26, 2**30, 94906267, 2**30 + 2**29) for beside in (-1, 0, 1)]


@jit
def apply_rules(
    x: tl.tensor, shift: tl.tensor, out: tl.tensor, count: tl.tensor, block: tl.constexpr
) -> None:
    """Each rule's result in a row of out [5, count]."""
    index = tl.program_id(0) * block + tl.arange(0, block)
    mask = index < count
    value = tl.load(x + index, mask=mask, other=0)
    by = tl.load(shift).to(tl.int64)
    tl.store(out + index, rules.scale(value, by), mask=mask)
    tl.store(out + count + index, rules.isqrt(tl.abs(value)), mask=mask)
    tl.store(out + 2 * count + index, rules.count_bits(tl.abs(value)), mask=mask)
    tl.store(out + 3 * count + index, rules.divide_nearest(value, 6), mask=mask)
    tl.store(out + 4 * count + index, rules.clip(value, 1000), mask=mask)


@jit
def draw_words(
    out: tl.tensor, magnitude: tl.tensor, key0: tl.tensor, key1: tl.tensor, count: tl.tensor, block: tl.constexpr
) -> None:
    """The words 0..count-1, and the largest of them."""
    index = tl.program_id(0) * block + tl.arange(0, block)
    word = rules.random_word(index, key0, key1)
    tl.store(out + index, word, mask=index < count)
    rules.raise_magnitude(magnitude, tl.where(index < count, word, 0))


@jit
def find_shifts(
    magnitude: tl.tensor, exponent: tl.tensor, out: tl.tensor, bits: tl.constexpr, lowest: tl.constexpr
) -> None:
    """The operand shift of a magnitude at an exponent, both on the device."""
    tl.store(out, rules.compute_shift(tl.load(magnitude), tl.load(exponent).to(tl.int64), bits, lowest))


def draw_values(count: int) -> list[int]:
    drawn = np.random.default_rng(7)
    return EDGES + SQUARES + [int(value) >> int(by) for value, by in
                              zip(drawn.integers(1 - 2**61, 2**61, count), drawn.integers(0, 60, count))]


@pytest.mark.parametrize("shift", SHIFTS)
def test_elementary_rules_are_those_of_the_reference(shift: int, poisoned: None) -> None:
    values = draw_values(300)
    x, count = np.array(values, dtype=np.int64), len(values)
    out = device.new_array((5, count), np.int64)
    by = device.to_device(np.array([shift], dtype=np.int32))
    device.launch(apply_rules, (device.count_programs(count, 128),), device.to_device(x), by, out, count, block=128)
    scaled, roots, lengths, rounded, clipped = device.to_host(out)
    assert (scaled == exact.scale(x, min(shift, 62))).all()
    assert roots.tolist() == [math.isqrt(abs(value)) for value in values]
    assert lengths.tolist() == [abs(value).bit_length() for value in values]
    signs = [1 if value >= 0 else -1 for value in values]
    assert rounded.tolist() == [sign * ((2 * abs(value) + 6) // 12) for sign, value in zip(signs, values)]
    assert (clipped == exact.clip(x, 1000)).all()


@pytest.mark.parametrize("keys", [(0, 0), (2**32 - 1, 2**31), (123456789, 2**31 - 1)])
def test_random_words_are_those_of_the_reference_for_keys_of_any_size(keys: tuple[int, int], poisoned: None) -> None:
    count = 1000
    out, magnitude = device.new_array(count, np.int64), device.new_magnitude()
    signed = device.to_signed(keys)
    device.launch(draw_words, (device.count_programs(count, 256),), out, magnitude, *signed, count, block=256)
    expected = exact.random_words(count, keys)
    assert (device.to_host(out) == expected).all()
    assert device.to_host(magnitude).tolist() == [expected.max()]


@pytest.mark.parametrize("bits, lowest", [(7, None), (15, None), (7, -24)])
def test_operand_shift_of_device_held_numbers_is_that_of_the_host(bits: int, lowest: int | None) -> None:
    for magnitude in (0, 1, 127, 128, 2**15, 2**31 - 1, 2**38):
        for exponent in (-24, 0, 5, 24, 25, 48):
            out, held = device.new_scalar(np.int64), device.to_device(np.array([magnitude], dtype=np.int64))
            device.launch(find_shifts, (1,), held, device.constant(exponent), out, bits=bits, lowest=lowest)
            assert out[0] == gin1.compute_operand_shift(magnitude, exponent, bits, lowest)


def test_array_that_is_not_contiguous_is_refused() -> None:
    turned = np.zeros((3, 4), np.int64).T
    with pytest.raises(ValueError, match="contiguous"):
        device.launch(draw_words, (1,), turned, device.new_magnitude(), 0, 0, 4, block=4)
    assert device.copy(turned).flags.c_contiguous


def test_constant_is_made_once_and_kept() -> None:
    assert device.constant(24) is device.constant(24) and device.to_host(device.constant(24)).tolist() == [24]


def test_constants_of_a_recording_are_not_those_of_a_launch() -> None:
    before = device.constant(24)
    with device.recorded(lambda *launched: None):
        inside = device.constant(24)
    assert device.constant(24) is not before and device.constant(24) is not inside


def test_neither_triton_nor_torch_is_imported_until_a_kernel_is_needed() -> None:
    program = ("import sys; from kernels import bench, cubins, dispatch, mlp, payload, selftest, unit; "
               "print([m for m in ('triton', 'torch') if m in sys.modules])")
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_interpreter_needs_no_torch() -> None:
    program = ("import sys; from kernels import device, dispatch, selftest; device.wait(); "
               "dispatch._forced.set('gpu'); selftest.CASES['unit/fast'](); "
               "print(device.find_problem(), [m for m in ('torch',) if m in sys.modules])")
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == " []\n"


def test_tensors_of_torch_hold_the_same_as_arrays_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a device does, but in the host's memory, which Triton's interpreter reads as well."""
    pytest.importorskip("torch", reason="the extra `gpu` is not installed")
    case = selftest.CASES["unit/fast"]
    with dispatch.forced("cpu"):
        expected = case()
    monkeypatch.setattr(device, "IS_INTERPRETED", False)
    monkeypatch.setattr(device, "DEVICE", "cpu")
    monkeypatch.setattr(device, "_magnitudes", [])
    device.forget_constants()
    with dispatch.forced("gpu"):
        assert case() == expected
    device.forget_constants()


def test_without_device_and_interpreter_the_problem_names_the_extra() -> None:
    program = "from kernels import device; print(device.find_problem())"
    environment = {"PATH": "", "TRITON_INTERPRET": "0", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert ".[gpu]" in result.stdout and "TRITON_INTERPRET=1" in result.stdout
