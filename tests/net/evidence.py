"""Evidence of a double vote, made of a validator's key, for `broadcast_evidence`.

Source: CometBFT types/canonical.go, types/evidence.go, rpc/openapi; the JSON is the engine's own.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abci_app.wire.varint import encode_uvarint

PRECOMMIT = 2


def new_double_vote(key_file: Path, chain_id: str, height: int, block_time: str, index: int, power: int,
                    total_power: int) -> dict[str, Any]:
    """Two precommits of one validator for different blocks of a height.

    block_time: as the header of that height has it (RFC 3339, UTC). index: the validator's place in the set.
    """
    key = json.loads(key_file.read_text())
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key["priv_key"]["value"])[:32])
    votes = []
    for block_hash in sorted(hashlib.sha256(b"block %d" % number).digest() for number in (1, 2)):
        signed = vote_sign_bytes(chain_id, height, block_hash)
        votes.append({
            "type": PRECOMMIT, "height": str(height), "round": 0,
            "block_id": {"hash": block_hash.hex().upper(), "parts": {"total": 1, "hash": block_hash.hex().upper()}},
            "timestamp": "1970-01-01T00:00:01Z", "validator_address": key["address"], "validator_index": index,
            "signature": base64.b64encode(private.sign(signed)).decode(), "extension": None,
            "extension_signature": None})
    return {"type": "tendermint/DuplicateVoteEvidence", "value": {
        "vote_a": votes[0], "vote_b": votes[1], "TotalVotingPower": str(total_power), "ValidatorPower": str(power),
        "Timestamp": block_time}}


def vote_sign_bytes(chain_id: str, height: int, block_hash: bytes) -> bytes:
    """What a validator signs for a precommit of round 0 at second 1: a CanonicalVote, after its length."""
    parts = b"\x08\x01" + _field(2, block_hash)
    block_id = _field(1, block_hash) + _field(2, parts)
    canonical = b"\x08" + bytes([PRECOMMIT]) + b"\x11" + height.to_bytes(8, "little") + _field(4, block_id) \
        + _field(5, b"\x08\x01") + _field(6, chain_id.encode())
    return encode_uvarint(len(canonical)) + canonical


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + encode_uvarint(len(data)) + data
