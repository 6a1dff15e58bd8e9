"""Payload codecs and the outer step in Triton's interpreter: equal to the reference to the bit, in poisoned memory."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import device, outer, payload  # noqa: E402
from kernels.array_samples import draw_numpy  # noqa: E402
from kernels.outer import gpu as outer_gpu  # noqa: E402
from kernels.outer import ref as outer_ref  # noqa: E402
from kernels.payload import gpu, ref, types  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
COUNTS = (1, 3, 257, 4096, 4096 + 77, 65536 + 5000)
KEYS = (5, 2**32 - 7)
DENSE = tuple(codec for codec in payload.CODECS if not types.FORMATS[codec].is_sparse)


def draw_delta(label: str, count: int) -> NDArray[np.int64]:
    """Blocks of every magnitude, with zeros, equal magnitudes and the ends of the range."""
    shifts = np.repeat(draw_numpy(f"{label} shifts", (count // 256 + 1,), 20) & 31, 256)[:count]
    values = 2 * draw_numpy(label, (count,), 31).astype(np.int64) >> shifts
    values[draw_numpy(f"{label} zeros", (count,), 20) % 5 == 0] = 0
    values[:: 1000] = (2**32 - 1) * (-1) ** np.arange(len(values[:: 1000]))
    return values


def draw_grid(data: NDArray[np.uint8], count: int, codec: str, spread: int) -> NDArray[np.uint8]:
    """A grid up to `spread` away from the payload's exponents, on either side."""
    exponents = ref.read_exponents(data, count, codec).astype(np.int64)
    away = draw_numpy(f"grid {count}", exponents.shape, 20) % (2 * spread + 1) - spread
    return np.clip(exponents + away, 0, 30).astype(np.uint8)


@pytest.mark.parametrize("codec", payload.CODECS)
def test_encoding_and_decoding_are_the_references(codec: str) -> None:
    for count in COUNTS:
        delta = draw_delta(f"encode {count}", count)
        if count == 4096:
            delta[:] = np.where(delta < 0, -7, 7)  # all alike: the first are chosen
        data = ref.encode(delta, KEYS, codec)
        assert np.array_equal(gpu.encode(delta, KEYS, codec), data), count
        assert np.array_equal(gpu.decode(data, count, codec), ref.decode(data, count, codec)), count


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("count, spread", [(1, 0), (255, 2), (4096 + 77, 11), (65536, 0), (65536 + 5000, 11)])
def test_a_row_is_unpacked_and_aligned_as_the_reference_does_it(codec: str, count: int, spread: int) -> None:
    data = ref.encode(draw_delta(f"row {count}", count), KEYS, codec)
    grid = draw_grid(data, count, codec, spread)
    rows = np.full((2, grid.size, 3, 256), 77, np.int8)
    assert ref.fill_row(data, count, codec, grid, rows[0], 1) == 0
    held = device.to_device(rows[1])
    assert gpu.fill_row(data, count, codec, grid, held, 1) == 0
    assert np.array_equal(device.to_host(held), rows[0])


@pytest.mark.parametrize("codec", payload.CODECS)
@pytest.mark.parametrize("count", [77, 257, 8192 + 30, 65536 + 301])
def test_every_fault_has_the_references_number(codec: str, count: int) -> None:
    data = ref.encode(draw_delta(f"fault {count}", count), KEYS, codec)
    assert gpu.find_fault(data, count, codec) == 0
    places = draw_numpy(f"places {count}", (10, 2), 20) % data.size
    flips = draw_numpy(f"flips {count}", (10, 2), 20) % 255 + 1
    found = []
    for places_of_one, flips_of_one in [*zip(places, flips), (np.array([data.size - 1]), np.array([0x80]))]:
        changed = data.copy()
        changed[places_of_one] ^= flips_of_one.astype(np.uint8)
        found.append(ref.find_fault(changed, count, codec))
        assert gpu.find_fault(changed, count, codec) == found[-1]
    assert any(found) or codec == "int2/256"


@pytest.mark.parametrize("codec", DENSE)
def test_every_value_is_aligned_alike_at_every_distance_from_the_grid(codec: str) -> None:
    form, distances = types.FORMATS[codec], np.arange(-12, 13)
    blocks = 2 * distances.size
    fields = np.resize(np.arange(2**form.bits), (blocks, 256))
    if not form.is_coded:
        fields[fields == 2 ** (form.bits - 1)] = 1
    exponents = np.full(blocks, 12, np.uint8)
    data = np.concatenate([exponents, ref._pack(fields.reshape(-1), form.bits)])
    grid = (12 + np.tile(distances, 2)).astype(np.uint8)
    for count in (256 * blocks, 256 * blocks - 9):
        cut = np.concatenate([exponents, ref._pack(fields.reshape(-1)[:count], form.bits)]) if count % 256 else data
        rows = np.zeros((2, blocks, 1, 256), np.int8)
        assert ref.fill_row(cut, count, codec, grid, rows[0], 0) == gpu.fill_row(cut, count, codec, grid, rows[1], 0)
        assert np.array_equal(rows[0], rows[1])


def test_sparse_sums_and_norms_are_the_references() -> None:
    for count in (3, 4096 + 77, 65536 + 5000):
        datas = [ref.encode(draw_delta(f"sum {index} {count}", count), KEYS, "top64/4096") for index in range(4)]
        grid, weights = draw_grid(datas[0], count, "top64/4096", 6), [1, -5, 2**14, 0]
        assert np.array_equal(device.to_host(gpu.accumulate(datas, count, grid, weights)),
                              ref.accumulate(datas, count, grid, weights))
        assert gpu.squares(datas[1], count, grid) == ref.squares(datas[1], count, grid)


@pytest.mark.parametrize("rate, decay", [(45875, 32768), (2**20, 65535), (65536, 0), (0, 1)])
def test_outer_step_is_the_references(rate: int, decay: int) -> None:
    weights = np.concatenate([[2**31 - 1, -2**31, 0], draw_numpy("weights", (700,), 31)]).astype(np.int32)
    velocity = np.concatenate([[2**40, -2**40, 1], draw_numpy("velocity", (700,), 31).astype(np.int64) << 9])
    delta = np.concatenate([[2**32 - 1, 1 - 2**32, -1], draw_numpy("delta", (700,), 31).astype(np.int64) * 2])
    for ours, right in zip(outer_gpu.step(weights, velocity, delta, rate, decay),
                           outer_ref.step(weights, velocity, delta, rate, decay)):
        assert ours.dtype == right.dtype and np.array_equal(ours, right)
    assert outer.WEIGHT_BYTES == weights.itemsize
