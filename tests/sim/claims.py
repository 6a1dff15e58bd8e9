"""What an honest trainer computes from the chain's own data, and how a claim is put into messages.

Written over the kernels and wire/ alone, not over the room that judges claims: a second opinion on what is right.
"""

import hashlib
from dataclasses import dataclass

from abci_app.wire.address import decode_address
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgRevealWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.wire.row import join_columns
from abci_app.wire.seed import claim_commitment, draw_rows, unit_seed
from kernels import payload
from kernels.chunks import chunk_root
from kernels.unit import Mlp, Schedule, Sgd, UnitPolicy, run_unit


@dataclass(frozen=True)
class Claim:
    """The result of a unit, in a contract's codec."""

    payload: bytes
    trace_root: bytes
    codec: str = payload.CODECS[0]


def compute_claim(model: Model, running: Round, unit: int, weights: bytes, rows: list[bytes]) -> Claim:
    """The one right claim of a unit, from the weights before the round and all rows of the dataset."""
    training, dataset = model.spec.training, model.spec.dataset
    seed = unit_seed(running.seed, unit)
    drawn = draw_rows(seed, training.local_steps * training.batch_rows, dataset.train_rows)
    features, labels = join_columns([rows[index] for index in drawn], dataset.features)
    policy = UnitPolicy(
        Mlp(tuple(model.spec.mlp_classifier.widths)), Sgd(running.learning_rate_q16, training.momentum_q16), Schedule(),
        training.local_steps, training.batch_rows, training.trace_every, training.codec)
    result = run_unit(policy, weights, features, labels, seed)
    return Claim(result.payload, result.trace_root, training.codec)


def new_salt(unit: Unit) -> bytes:
    """A salt that only this trainer's unit has; a test needs no secret."""
    return hashlib.sha256(f"{unit.trainer}/{unit.model_id}/{unit.round}/{unit.index}".encode()).digest()


def new_commit(unit: Unit, claim: Claim, attempt: int = 0) -> MsgCommitWork:
    """The commitment to a claim, by the trainer whom the unit was dealt to in this attempt of the round."""
    payload_root = chunk_root(claim.payload, payload.region_bytes(claim.codec))
    commitment = claim_commitment(decode_address(unit.trainer), unit.model_id, unit.round, attempt, unit.index,
                                  payload_root, claim.trace_root, new_salt(unit))
    return MsgCommitWork(trainer=unit.trainer, model_id=unit.model_id, round=unit.round, unit=unit.index,
                         attempt=attempt, commitment=commitment)


def new_reveal(unit: Unit, claim: Claim, attempt: int = 0) -> MsgRevealWork:
    """The reveal of a claim."""
    return MsgRevealWork(trainer=unit.trainer, model_id=unit.model_id, round=unit.round, unit=unit.index,
                         attempt=attempt, payload=claim.payload, trace_root=claim.trace_root, salt=new_salt(unit))
