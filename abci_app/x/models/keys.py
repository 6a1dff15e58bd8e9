"""Every key of the room. Numbers are big-endian and of fixed width, so key order is number order.

Store `models`: 01 model -> Model; 02 model round -> Weights; 03 -> next id (u64);
04 model version -> SpecVersion; 05 model -> PendingSpec; 06 -> Params; 07 model round -> Hold.
Blobs: models/w/ model round chunk -> chunk bytes; models/m/ model -> outer momentum.
"""

from abci_app.wire.ints import u32_bytes, u64_bytes

MODELS = b"\x01"
WEIGHTS = b"\x02"
NEXT_ID = b"\x03"
VERSIONS = b"\x04"
PENDING = b"\x05"
PARAMS = b"\x06"
HOLDS = b"\x07"
CHUNK_BLOBS = b"models/w/"
MOMENTUM_BLOBS = b"models/m/"


def model(model_id: int) -> bytes:
    """Key of a Model record."""
    return MODELS + u64_bytes(model_id)


def weights(model_id: int, round_number: int) -> bytes:
    """Key of the Weights record after `round_number` rounds."""
    return weights_of(model_id) + u32_bytes(round_number)


def weights_of(model_id: int) -> bytes:
    """Prefix of a model's Weights records."""
    return WEIGHTS + u64_bytes(model_id)


def version(model_id: int, number: int) -> bytes:
    """Key of the terms that had this number."""
    return versions_of(model_id) + u32_bytes(number)


def versions_of(model_id: int) -> bytes:
    """Prefix of a model's replaced terms."""
    return VERSIONS + u64_bytes(model_id)


def pending(model_id: int) -> bytes:
    """Key of the terms that wait for a round to end."""
    return PENDING + u64_bytes(model_id)


def hold(model_id: int, round_number: int) -> bytes:
    """Key of the Hold of the weights after `round_number` rounds."""
    return holds_of(model_id) + u32_bytes(round_number)


def holds_of(model_id: int) -> bytes:
    """Prefix of a model's Holds."""
    return HOLDS + u64_bytes(model_id)


def chunk_blob(model_id: int, round_number: int, index: int) -> bytes:
    """Blob key of one chunk of the weights."""
    return CHUNK_BLOBS + u64_bytes(model_id) + u32_bytes(round_number) + u32_bytes(index)


def momentum_blob(model_id: int) -> bytes:
    """Blob key of a model's outer momentum."""
    return MOMENTUM_BLOBS + u64_bytes(model_id)
