"""What an honest trainer computes from the chain's own data, and how a claim is put into messages.

Written over the kernels and wire/ alone, not over the room that judges claims: a second opinion on what is right.
"""

import hashlib
from dataclasses import dataclass

from abci_app.wire.address import decode_address
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork, MsgRevealPart, MsgRevealWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.wire.row import CLASSES, TOKENS, VALUES, RowForm
from abci_app.wire.seed import claim_commitment, draw_rows, hash_fields, iter_u64, unit_seed
from kernels import payload
from kernels.decoder.types import Decoder
from kernels.chunks import chunk_root
from kernels.unit import Mlp, Schedule, Sgd, UnitPolicy, UnitResult, run_unit


@dataclass(frozen=True)
class Claim:
    """The result of a unit, in a contract's codec."""

    payload: bytes
    trace_root: bytes
    codec: str = payload.CODECS[0]

    @property
    def payload_root(self) -> bytes:
        """By what the chain knows the payload."""
        return chunk_root(self.payload, payload.region_bytes(self.codec))


def compute_claim(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: list[bytes]) -> Claim:
    """The one right claim of a unit, from the terms of its round, the weights before it and all rows of the dataset."""
    result = _run(spec, running, unit, weights, rows, 0)
    return Claim(result.payload, result.trace_root, spec.training.codec)


def compute_answer(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: list[bytes],
                   audit: Audit) -> bytes:
    """The one right answer to an audit of a unit: its roots, and a state that only the round's audit seed names."""
    number = unit.to_bytes(4, "big")
    draw = hash_fields("gradus/witness-step", running.audit_seed, number)
    step = 1 + next(iter_u64(draw)) % spec.training.local_steps
    result = _run(spec, running, unit, weights, rows, step)
    claim = Claim(result.payload, result.trace_root, spec.training.codec)
    return seal(audit, claim, *(hash_fields("gradus/witness", seed, number, result.witness)
                                for seed in (running.audit_seed, audit.seed)))


def seal(audit: Audit, claim: Claim, committee_witness: bytes, witness: bytes) -> bytes:
    """An answer to an audit that says of a unit what a claim says; a committee's has one witness."""
    if audit.subject[0] == 2:
        return hash_fields("gradus/roots", claim.payload_root, claim.trace_root) + committee_witness + witness
    return claim.payload_root + claim.trace_root + witness


def _run(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: list[bytes],
         witness_step: int) -> UnitResult:
    training, dataset = spec.training, spec.dataset
    seed = unit_seed(running.seed, unit)
    drawn = draw_rows(seed, training.local_steps * training.batch_rows, dataset.train_rows)
    network, kind = new_network(spec)
    features, targets = RowForm(kind, dataset.features, dataset.classes).join_columns([rows[index] for index in drawn])
    policy = UnitPolicy(
        network, Sgd(running.learning_rate_q16, training.momentum_q16), Schedule(),
        training.local_steps, training.batch_rows, training.trace_every, training.codec)
    return run_unit(policy, weights, features, targets, seed, witness_step=witness_step)


def new_salt(unit: Unit) -> bytes:
    """A salt that only this trainer's unit has; a test needs no secret."""
    return hashlib.sha256(f"{unit.trainer}/{unit.model_id}/{unit.round}/{unit.index}".encode()).digest()


def new_commit(unit: Unit, claim: Claim, attempt: int = 0) -> MsgCommitWork:
    """The commitment to a claim, by the trainer whom the unit was dealt to in this attempt of the round."""
    commitment = claim_commitment(decode_address(unit.trainer), unit.model_id, unit.round, attempt, unit.index,
                                  claim.payload_root, claim.trace_root, new_salt(unit))
    return MsgCommitWork(trainer=unit.trainer, model_id=unit.model_id, round=unit.round, unit=unit.index,
                         attempt=attempt, commitment=commitment)


def new_reveal(unit: Unit, claim: Claim, attempt: int = 0) -> MsgRevealWork:
    """The reveal of a claim whose payload is one part."""
    return MsgRevealWork(trainer=unit.trainer, model_id=unit.model_id, round=unit.round, unit=unit.index,
                         attempt=attempt, payload=claim.payload, payload_root=claim.payload_root,
                         trace_root=claim.trace_root, salt=new_salt(unit))


def new_reveals(unit: Unit, claim: Claim, part_bytes: int, attempt: int = 0) -> list[MsgRevealWork | MsgRevealPart]:
    """The reveal of a claim in parts of so many bytes."""
    first = new_reveal(unit, claim, attempt)
    first.payload = claim.payload[:part_bytes]
    return [first, *(MsgRevealPart(trainer=unit.trainer, model_id=unit.model_id, round=unit.round, attempt=attempt,
                                   unit=unit.index, part=at // part_bytes, data=claim.payload[at:at + part_bytes])
                     for at in range(part_bytes, len(claim.payload), part_bytes))]


def new_network(spec: ModelSpec) -> tuple[Mlp | Decoder, str]:
    """A contract's network, and of which kind its rows are."""
    if spec.HasField("mlp_classifier"):
        return Mlp(tuple(spec.mlp_classifier.widths)), CLASSES
    if spec.HasField("mlp_regressor"):
        return Mlp(tuple(spec.mlp_regressor.widths), "regressor"), VALUES
    shape = spec.decoder
    return Decoder(shape.vocab, shape.context, shape.width, shape.heads, shape.hidden, shape.layers, shape.positions,
                   shape.tied), TOKENS
