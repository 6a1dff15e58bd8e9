"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `disputes`: 01 model round unit -> Dispute; 02 height model round unit -> 01 while somebody is due by that height;
03 model -> number of its open disputes (u32); 04 model round unit ordinal -> EndedDispute; 05 height model round -> 01
while it is looked by that height whether the round's ended disputes can go.
Blobs: disputes/t/ model round unit -> the digests of a trace, one behind the other.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes

DISPUTES = b"\x01"
DUE = b"\x02"
COUNTS = b"\x03"
ENDED = b"\x04"
FORGETTING = b"\x05"
TRACES = b"disputes/t/"


def disputes_of(model_id: int) -> bytes:
    """Prefix of a model's Dispute records."""
    return DISPUTES + u64_bytes(model_id)


def dispute(model_id: int, number: int, unit: int) -> bytes:
    """Key of a Dispute record."""
    return DISPUTES + _place(model_id, number, unit)


def due(height: int, model_id: int, number: int, unit: int) -> bytes:
    """Key of the mark that a dispute's next move is due by the block of `height`; the earliest comes first."""
    return DUE + u64_bytes(height) + _place(model_id, number, unit)


def read_due(key: bytes) -> tuple[int, int, int, int]:
    """(height, model, round, unit) of a due mark's key."""
    parts = key[len(DUE):]
    sizes, numbers = (8, 8, 4, 4), []
    for size in sizes:
        numbers.append(int.from_bytes(parts[:size], "big"))
        parts = parts[size:]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def count(model_id: int) -> bytes:
    """Key of the number of a model's open disputes."""
    return COUNTS + u64_bytes(model_id)


def ended_of(model_id: int) -> bytes:
    """Prefix of the EndedDispute records of a model."""
    return ENDED + u64_bytes(model_id)


def ended_in(model_id: int, number: int) -> bytes:
    """Prefix of the EndedDispute records of a round."""
    return ended_of(model_id) + u32_bytes(number)


def ended_about(model_id: int, number: int, unit: int) -> bytes:
    """Prefix of the EndedDispute records of a unit."""
    return ended_in(model_id, number) + u32_bytes(unit)


def ended(model_id: int, number: int, unit: int, ordinal: int) -> bytes:
    """Key of an EndedDispute record; a unit's stand in the order in which they have ended."""
    return ended_about(model_id, number, unit) + u32_bytes(ordinal)


def forgetting(height: int, model_id: int, number: int) -> bytes:
    """Key of the mark that a round has ended disputes, which are looked at by the block of `height`."""
    return FORGETTING + u64_bytes(height) + u64_bytes(model_id) + u32_bytes(number)


def read_forgetting(key: bytes) -> tuple[int, int, int]:
    """(height, model, round) of such a mark's key."""
    parts = key[len(FORGETTING):]
    return int.from_bytes(parts[:8], "big"), int.from_bytes(parts[8:16], "big"), int.from_bytes(parts[16:], "big")


def trace(model_id: int, number: int, unit: int) -> bytes:
    """Blob key of a posted trace."""
    return TRACES + _place(model_id, number, unit)


def _place(model_id: int, number: int, unit: int) -> bytes:
    return u64_bytes(model_id) + u32_bytes(number) + u32_bytes(unit)
