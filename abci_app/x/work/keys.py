"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `work`: 01 model address -> Trainer; 02 model address -> height since when it is ACTIVE (u64);
03 model -> number of ACTIVE (u32);
04 model round -> Round; 05 model round unit -> Unit; 06 model ordinal -> Slash; 07 model -> 01 while it waits
for a round to open; 08 -> last of those that was asked (u64); 09 height model -> round whose audits
are to be drawn since the end of that block (u32); 0a model -> round whose commits the last block has ended (u32);
0c model -> number of slashes (u64); 0d height model -> 01 while its round's phase ends with that block;
0e height model round -> 01 while the closed round is to be settled with that block.
Blobs: work/p/ model round unit part -> part of a payload.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes

TRAINERS = b"\x01"
ACTIVE = b"\x02"
ACTIVE_COUNTS = b"\x03"
ROUNDS = b"\x04"
UNITS = b"\x05"
SLASHES = b"\x06"
IDLE = b"\x07"
CURSOR = b"\x08"
UNDRAWN = b"\x09"
COMMITTED = b"\x0a"
SLASH_COUNTS = b"\x0c"
DUE = b"\x0d"
SETTLING = b"\x0e"
PAYLOADS = b"work/p/"


def trainers_of(model_id: int) -> bytes:
    """Prefix of a model's Trainer records."""
    return TRAINERS + u64_bytes(model_id)


def trainer(model_id: int, address: bytes) -> bytes:
    """Key of a Trainer record."""
    return trainers_of(model_id) + address


def active_of(model_id: int) -> bytes:
    """Prefix of the marks of a model's active trainers."""
    return ACTIVE + u64_bytes(model_id)


def active(model_id: int, address: bytes) -> bytes:
    """Key of the mark that a trainer is active."""
    return active_of(model_id) + address


def active_count(model_id: int) -> bytes:
    """Key of the number of a model's active trainers."""
    return ACTIVE_COUNTS + u64_bytes(model_id)


def rounds_of(model_id: int) -> bytes:
    """Prefix of a model's Round records."""
    return ROUNDS + u64_bytes(model_id)


def round_(model_id: int, number: int) -> bytes:
    """Key of a Round record."""
    return rounds_of(model_id) + u32_bytes(number)


def units_of(model_id: int, number: int) -> bytes:
    """Prefix of a round's Unit records."""
    return UNITS + u64_bytes(model_id) + u32_bytes(number)


def unit(model_id: int, number: int, index: int) -> bytes:
    """Key of a Unit record."""
    return units_of(model_id, number) + u32_bytes(index)


def slashes_of(model_id: int) -> bytes:
    """Prefix of a model's Slash records."""
    return SLASHES + u64_bytes(model_id)


def slash(model_id: int, ordinal: int) -> bytes:
    """Key of a Slash record; a model's are counted from 0."""
    return slashes_of(model_id) + u64_bytes(ordinal)


def slash_count(model_id: int) -> bytes:
    """Key of the number of a model's slashes."""
    return SLASH_COUNTS + u64_bytes(model_id)


def idle(model_id: int) -> bytes:
    """Key of the mark that a model waits for a round to open."""
    return IDLE + u64_bytes(model_id)


def due(height: int, model_id: int) -> bytes:
    """Key of the mark that the phase of a model's round ends with the block of `height`; the earliest comes first."""
    return DUE + u64_bytes(height) + u64_bytes(model_id)


def read_due(key: bytes) -> tuple[int, int]:
    """(height, model) of a due mark's key."""
    parts = key[len(DUE):]
    return int.from_bytes(parts[:8], "big"), int.from_bytes(parts[8:], "big")


def undrawn(height: int, model_id: int) -> bytes:
    """Key of the mark that audits wait to be drawn since the block of `height`; the earliest comes first."""
    return UNDRAWN + u64_bytes(height) + u64_bytes(model_id)


def read_undrawn(key: bytes) -> int:
    """The model of an undrawn mark's key."""
    return int.from_bytes(key[-8:], "big")


def committed(model_id: int) -> bytes:
    """Key of the mark that the last block has ended the commits of a model's round."""
    return COMMITTED + u64_bytes(model_id)


def settling(height: int, model_id: int, number: int) -> bytes:
    """Key of the mark that a closed round is to be settled with the block of `height`; the earliest comes first."""
    return SETTLING + u64_bytes(height) + u64_bytes(model_id) + u32_bytes(number)


def read_settling(key: bytes) -> tuple[int, int, int]:
    """(height, model, round) of a settling mark's key."""
    parts = key[len(SETTLING):]
    return int.from_bytes(parts[:8], "big"), int.from_bytes(parts[8:16], "big"), int.from_bytes(parts[16:], "big")


def payload_part(model_id: int, number: int, index: int, part: int) -> bytes:
    """Blob key of a part of a unit's payload."""
    return PAYLOADS + u64_bytes(model_id) + u32_bytes(number) + u32_bytes(index) + u32_bytes(part)
