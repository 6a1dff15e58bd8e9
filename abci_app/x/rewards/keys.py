"""Every key of the room. Store `rewards`: 01 model trainer -> Contribution; 02 consensus address -> Payout."""

from abci_app.wire.ints import u64_bytes

CONTRIBUTIONS = b"\x01"
PAYOUTS = b"\x02"


def contribution(model_id: int, trainer: bytes) -> bytes:
    """Key of a trainer's Contribution to a model."""
    return contributions_of(model_id) + trainer


def contributions_of(model_id: int) -> bytes:
    """Prefix of a model's Contributions."""
    return CONTRIBUTIONS + u64_bytes(model_id)


def payout(consensus_address: bytes) -> bytes:
    """Key of a proposer's Payout."""
    return PAYOUTS + consensus_address
