"""Names and limits of the room, and the address of a key."""

import hashlib

from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import (
    MISBEHAVIOUR_KIND_DUPLICATE_VOTE, MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK,
)

STORE = "validators"
KEY_TYPE = "ed25519"
KEY_BYTES = 32
ADDRESS_BYTES = 20
KINDS = (MISBEHAVIOUR_KIND_DUPLICATE_VOTE, MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK)
VALIDATORS_MAX = 10_000  # as many as the engine takes votes of (types.MaxVotesCount)
RECORDS_PER_VALIDATOR_MAX = 16
FORGOTTEN_PER_BLOCK_MAX = 64


def compute_address(pub_key: bytes) -> bytes:
    """The consensus address of an ed25519 key."""
    return hashlib.sha256(pub_key).digest()[:ADDRESS_BYTES]
