"""BLAKE3 in Triton's interpreter: equal to the library's at every length that matters, in poisoned memory."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray

pytest.importorskip("triton", reason="Triton has no wheel for this system")

from kernels import chunks, device  # noqa: E402
from kernels.array_samples import draw_numpy  # noqa: E402
from kernels.chunks import gpu  # noqa: E402

pytestmark = pytest.mark.usefixtures("poisoned")
BORDERS = [edge + more for edge in (0, 64, 128, 512, 960, 1024, 1088, 2048, 3072) for more in range(-2, 3)]


def draw_bytes(label: str, size: int) -> NDArray[np.uint8]:
    return draw_numpy(label, (size,), 20).astype(np.uint8)


@pytest.mark.parametrize("stride, prefix", [(3072, 0), (3075, 255)])
def test_messages_of_every_length_hash_as_the_library_hashes_them(stride: int, prefix: int) -> None:
    drawn = (draw_numpy("lengths", (60,), 20) % 3073).tolist()
    sizes = np.array([size for size in (*range(12), *BORDERS, *drawn) if 0 <= size <= stride], np.int32)
    rows = draw_bytes("rows", len(sizes) * stride).reshape(len(sizes), stride)
    for row, size in zip(rows, sizes):
        row[size:] = 0 if stride % gpu.ALIGNED_BYTES == 0 else 0xA5
    hashes = gpu.hash_messages(device.to_device(rows.reshape(-1)), stride, sizes, prefix)
    for row, size, found in zip(rows, sizes, device.to_host(hashes).astype("<i4")):
        assert found.tobytes() == blake3(bytes([prefix]) + row[:size].tobytes()).digest(), size


def test_root_of_bytes_on_the_device_is_that_of_the_same_bytes_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "HOST_NODES", 2)
    chunk_bytes = 65536 + 256
    data = draw_bytes("tree", 4 * chunk_bytes + 1233)
    held = device.to_device(np.pad(data, (0, -len(data) % gpu.ALIGNED_BYTES)))
    assert gpu.compute_root(held, len(data), chunk_bytes) == chunks.chunk_root(data.tobytes(), chunk_bytes)


def test_root_of_no_bytes_is_that_of_one_empty_chunk() -> None:
    assert gpu.compute_root(device.new_zeros(16, np.uint8), 0, 7) == chunks.chunk_root(b"", 7)
