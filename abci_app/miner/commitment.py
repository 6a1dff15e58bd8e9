"""What a miner commits to, and the messages that show it afterwards."""

from google.protobuf.message import Message

from abci_app.miner.journal import Entry
from abci_app.units.claim import Claim
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgRevealPart, MsgRevealWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.seed import claim_commitment
from abci_app.x.work.types import compute_part_bytes


def compute_commitment(address: bytes, running: Round, unit: int, claim: Claim, salt: bytes) -> bytes:
    """What a miner commits to: 32 bytes bound to its address (20 bytes) and its salt (32 bytes)."""
    return claim_commitment(address, running.model_id, running.number, running.attempt, unit, claim.payload_root,
                            claim.trace_root, salt)


def split_payload(payload: bytes, codec: str) -> list[bytes]:
    """The parts in which a payload is revealed, one in each transaction."""
    size = compute_part_bytes(codec)
    return [payload[at:at + size] for at in range(0, len(payload), size)]


def new_reveal(trainer: str, running: Round, unit: int, entry: Entry, parts: list[bytes], part: int) -> Message:
    """The message that reveals a part (from 0) of the payload of `entry`; the first one also opens the commitment."""
    if part:
        return MsgRevealPart(trainer=trainer, model_id=running.model_id, round=running.number, attempt=running.attempt,
                             unit=unit, part=part, data=parts[part])
    return MsgRevealWork(trainer=trainer, model_id=running.model_id, round=running.number, attempt=running.attempt,
                         unit=unit, payload=parts[0], payload_root=entry.claim.payload_root,
                         trace_root=entry.claim.trace_root, salt=entry.salt)
