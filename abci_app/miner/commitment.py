"""What a miner commits to."""

from abci_app.units.claim import Claim
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.seed import claim_commitment


def compute_commitment(address: bytes, running: Round, unit: int, claim: Claim, salt: bytes) -> bytes:
    """What a miner commits to: 32 bytes bound to its address (20 bytes) and its salt (32 bytes)."""
    return claim_commitment(address, running.model_id, running.number, running.attempt, unit, claim.payload_root,
                            claim.trace_root, salt)
