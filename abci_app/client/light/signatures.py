"""What validators sign of a block: a precommit over tendermint.types.CanonicalVote with its length in front. Pure.

A vote extension has a signature of its own (wire/audit.py) and does not matter here.
Source: CometBFT v0.38 types/{canonical,vote}.go.
"""

from abci_app.client.light.blocks import COMMIT, Commit, encode_time
from abci_app.wire.fields import encode_bytes, encode_fixed64, encode_uint
from abci_app.wire.varint import encode_uvarint

PRECOMMIT = 2


def vote_bytes(chain_id: str, commit: Commit, index: int) -> bytes:
    """What the validator at an index of a commit signed, for the block or, by its flag, for none."""
    vote = commit.signatures[index]
    block_id = encode_bytes(4, commit.block_id.encode()) if vote.flag == COMMIT else b""
    body = (encode_uint(1, PRECOMMIT) + encode_fixed64(2, commit.height) + encode_fixed64(3, commit.round) + block_id
            + encode_bytes(5, encode_time(vote.time_ns)) + (encode_bytes(6, chain_id.encode()) if chain_id else b""))
    return encode_uvarint(len(body)) + body
