"""The payload codecs: a weight delta as small integers with powers of two for scales, in exactly one way.

`int8/256`, `int4/256` and `int2/256` hold a value of 8, 4 or 2 bits for every coordinate and one exponent for each
block of 256. `top64/4096` holds of each chunk of 4096 the 64 largest coordinates, as index and code. A payload is valid
in exactly one way: what no encoder writes is refused.  Source: kernels/README.md section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kernels import checks, dispatch, gin1
from kernels.errors import KernelInputError
from kernels.payload import types

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODECS = tuple(types.FORMATS)
BLOCK_VALUES = types.BLOCK_VALUES
REGION_VALUES = types.REGION_VALUES


class Fed(NamedTuple):
    """payload: the encoded input; residual: what the payload does not say of it, int64 [param_count]."""

    payload: bytes
    residual: bytes


def payload_bytes(param_count: int, codec: str) -> int:
    """The exact size of every valid payload of `param_count` parameters."""
    form = find_format(codec)
    return types.compute_bytes(checks.check_param_count(param_count), form)


def region_bytes(codec: str) -> int:
    """Bytes of a region of 65536 coordinates: the chunk_bytes of a chunk tree of which each chunk is one region."""
    return types.compute_bytes(REGION_VALUES, find_format(codec))


def encode(delta: bytes, param_count: int, key: bytes, codec: str) -> bytes:
    """The payload of `delta`, stochastically rounded with words drawn from `key` (32 bytes).

    delta: int64 little-endian [param_count], |value| <= 2**32 - 1.
    """
    find_format(codec)
    values = _view_values("delta", delta, checks.check_param_count(param_count))
    return checks.write_array(_encode(values, key, codec))


def encode_with_feedback(
    delta: bytes, residual: bytes, param_count: int, key: bytes, codec: str, decay_q16: int
) -> Fed:
    """The payload of delta + residual * decay_q16 / 65536, and what it leaves over for the next call.

    delta: as in `encode`. residual: int64 [param_count], |value| <= 2**33, of the call before, or zeros.
    decay_q16: 0..65536. The sum is rounded half up and bounded to +-(2**32 - 1).
    """
    find_format(codec)
    count = checks.check_param_count(param_count)
    before = _view_values("residual", residual, count)
    decay = checks.check_int("decay_q16", decay_q16, 0, gin1.RATE_ONE)
    ops = dispatch.implementation("payload")
    values = ops.add_residual(_view_values("delta", delta, count), before, decay)
    data = _encode(values, key, codec)
    return Fed(checks.write_array(data), checks.write_array(values - ops.decode(data, count, codec)))


def check(payload: bytes, param_count: int, codec: str) -> None:
    """Refuse a payload that no encoder writes.

    Raises: KernelInputError for a wrong length, an exponent above the codec's highest, a value that is not used (-128,
    -8), a block whose exponent is higher than its values need, indices that do not rise or lie outside their chunk,
    and bits behind the last value that are not zero. The text says which one and where.
    """
    read_payload(payload, param_count, codec)


def decode(payload: bytes, param_count: int, codec: str) -> bytes:
    """The delta that a valid payload stands for: int64 little-endian [param_count]."""
    data = read_payload(payload, param_count, codec)
    return checks.write_array(dispatch.implementation("payload").decode(data, param_count, codec))


def check_codec(codec: object) -> None:
    """Refuse a codec that is not in CODECS."""
    find_format(codec)


def find_format(codec: object) -> types.Format:
    """The codec in numbers.

    Raises: KernelInputError for a codec that is not in CODECS.
    """
    form = types.FORMATS.get(codec) if isinstance(codec, str) else None
    if form is None:
        raise KernelInputError(f"codec must be one of {', '.join(CODECS)}")
    return form


def view_payload(payload: object, param_count: int, codec: str, name: str = "payload") -> NDArray[np.uint8]:
    """The bytes of a payload of the right type and length, not copied; nothing else of it is checked."""
    import numpy as np

    return np.frombuffer(checks.check_bytes(name, payload, payload_bytes(param_count, codec)), np.uint8)


def read_payload(payload: object, param_count: int, codec: str) -> NDArray[np.uint8]:
    """The bytes of a payload after all of `check`, not copied."""
    data = view_payload(payload, param_count, codec)
    refuse_fault(dispatch.implementation("payload").find_fault(data, param_count, codec), codec)
    return data


def refuse_fault(fault: int, codec: str, name: str = "payload") -> None:
    """Raise KernelInputError for the number of a fault, as find_fault and fill_row return it; 0 is none."""
    if fault:
        raise KernelInputError(f"{name} {_describe_fault(fault, find_format(codec))}")


def _describe_fault(fault: int, form: types.Format) -> str:
    place, kind = divmod(fault, types.FAULT_KINDS)
    block, chunk, entry = place // BLOCK_VALUES, place // types.CHUNK_VALUES, place % types.CHUNK_VALUES
    part = f"chunk {chunk}" if form.is_sparse else f"block {block}"
    return {
        types.EXPONENT_HIGH: f"has an exponent above {form.exponent_max} in {part}: {form.name} has "
                             f"0..{form.exponent_max}",
        types.SCALE_IDLE: f"has a scaled block without a value of magnitude {form.leading_min}..{form.value_max}, "
                          f"{part}: give it the lowest exponent that holds its values",
        types.VALUE_LOWEST: f"holds {-form.value_max - 1} at coordinate {place}: values are "
                            f"{-form.value_max}..{form.value_max}",
        types.PADDING_USED: f"has bits that are not zero behind the last value of {part}: fill up with zeros",
        types.INDEX_ORDER: f"has an index that is not above the one before it, entry {entry} of {part}: put the "
                           "entries in the order of their indices, each once",
        types.INDEX_HIGH: f"has an index outside its chunk, entry {entry} of {part}: indices are below the number of "
                          "coordinates in the chunk",
    }[kind]


def _encode(values: NDArray[np.int64], key: bytes, codec: str) -> NDArray[np.uint8]:
    keys = gin1.derive_keys("payload", checks.check_seed("key", key), 0, 0)
    data: NDArray[np.uint8] = dispatch.implementation("payload").encode(values, keys, codec)
    return data


def _view_values(name: str, data: bytes, count: int) -> NDArray[np.int64]:
    """int64 values, not copied where the machine is little-endian."""
    import numpy as np

    stored = np.frombuffer(checks.check_bytes(name, data, 8 * count), np.dtype("<i8"))
    return stored.astype(np.int64, copy=False)
