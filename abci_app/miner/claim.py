"""A claim: what a unit gives, as a pure function of contract, round, unit, weights and dataset.

Miners compute it to commit, auditors to compare: equal arguments give an equal claim on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from abci_app.runtime.contract import compute_unit_policy
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.seed import claim_commitment, unit_seed
from abci_app.x.work.types import compute_payload_root, draw_unit_rows
from kernels.unit import run_unit


class Rows(Protocol):
    """A dataset's rows; data.store.StoredDataset is one, which checks each row against the root."""

    def read_columns(self, indices: Sequence[int]) -> tuple[bytes, bytes]:
        """(int8 features, u16 labels) of the rows at `indices`, in that order, with repetition."""


@dataclass(frozen=True, slots=True)
class Claim:
    """payload: the encoded delta; payload_root: its chunk root; trace_root: Merkle root of the local states' hashes."""

    payload: bytes
    payload_root: bytes
    trace_root: bytes


def new_claim(payload: bytes, trace_root: bytes, codec: str) -> Claim:
    """A claim of a payload in a contract's codec."""
    return Claim(payload, compute_payload_root(payload, codec), trace_root)


def compute_claim(model: Model, running: Round, unit: int, weights: bytes, rows: Rows) -> Claim:
    """The one right claim of unit `unit` (from 0) of a round.

    weights: those after running.number - 1 rounds, under running.weights_root. rows: of the contract's dataset.
    Raises KernelInputError for arguments that do not belong together.
    """
    return compute_claim_from(model, running, unit, weights, rows, draw_unit_rows(model, running, unit))


def compute_claim_from(model: Model, running: Round, unit: int, weights: bytes, rows: Rows,
                       drawn: Sequence[int]) -> Claim:
    """The claim from given rows: right only for those that the round's seed draws."""
    features, labels = rows.read_columns(drawn)
    policy = compute_unit_policy(model.spec, running.learning_rate_q16)
    result = run_unit(policy, weights, features, labels, unit_seed(running.seed, unit))
    return new_claim(result.payload, result.trace_root, policy.codec)


def compute_commitment(address: bytes, running: Round, unit: int, claim: Claim, salt: bytes) -> bytes:
    """What a miner commits to: 32 bytes bound to its address (20 bytes) and its salt (32 bytes)."""
    return claim_commitment(address, running.model_id, running.number, running.attempt, unit, claim.payload_root,
                            claim.trace_root, salt)
