"""What a unit gives, as a pure function of contract, round, unit, weights and dataset; and an auditor's answer from it.

Miners compute it to commit, everybody else to compare: equal arguments give equal bytes on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from abci_app.runtime.contract import compute_unit_policy, new_row_form
from abci_app.wire.audit import CONFIRMATION, decode_subject, new_answer, new_confirmation
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.row import RowForm
from abci_app.wire.seed import compute_witness, draw_witness_step, unit_seed
from abci_app.x.work.types import compute_payload_root, draw_unit_rows
from kernels.unit import run_unit


class Rows(Protocol):
    """A dataset's rows; data.store.StoredDataset is one, which checks each row against the root."""

    def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
        """(features, targets) of the rows at `indices`, in that order, with repetition, as wire/row.py gives them to
        the numerics of a contract that reads its rows so."""


@dataclass(frozen=True, slots=True)
class Claim:
    """payload: the encoded delta; payload_root: its chunk root; trace_root: Merkle root of the local states' hashes."""

    payload: bytes
    payload_root: bytes
    trace_root: bytes


@dataclass(frozen=True, slots=True)
class Computed:
    """A unit that was computed. trace: the digests under the claim's trace_root. state_root: the chunk root of the
    local state after the step that was asked for, empty where none was."""

    claim: Claim
    trace: tuple[bytes, ...]
    state_root: bytes = b""


def new_claim(payload: bytes, trace_root: bytes, codec: str) -> Claim:
    """A claim of a payload in a contract's codec."""
    return Claim(payload, compute_payload_root(payload, codec), trace_root)


def compute_unit(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: Rows,
                 witness_step: int = 0) -> Computed:
    """The one right result of unit `unit` (from 0) of a round.

    spec: the contract's terms in the version of the round. weights: those after running.number - 1 rounds, under
    running.weights_root. rows: of the contract's dataset. witness_step: 0, or a local step (from 1) for state_root.
    Raises KernelInputError for arguments that do not belong together, and what `rows` raises.
    """
    return compute_unit_from(spec, running, unit, weights, rows, draw_unit_rows(spec, running, unit), witness_step)


def compute_unit_from(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: Rows, drawn: Sequence[int],
                      witness_step: int = 0) -> Computed:
    """The result from given rows: right only for those that the round's seed draws."""
    features, targets = rows.read_columns(drawn, new_row_form(spec))
    policy = compute_unit_policy(spec, running.learning_rate_q16)
    result = run_unit(policy, weights, features, targets, unit_seed(running.seed, unit), witness_step=witness_step)
    return Computed(new_claim(result.payload, result.trace_root, policy.codec), result.trace, result.witness)


def compute_answer(spec: ModelSpec, running: Round, unit: int, weights: bytes, rows: Rows, audit: Audit) -> bytes:
    """The one right answer to an audit of a unit, 96 bytes, by the kind of its subject.

    running: a round whose audits are drawn; its audit seed names the state that is witnessed. A committee's audit has
    that seed. Everybody's witness is of the same state by a seed of its own: the committee's does not tell it. Other
    arguments and errors as compute_unit.
    """
    step = draw_witness_step(running.audit_seed, unit, spec.training.local_steps)
    computed = compute_unit(spec, running, unit, weights, rows, step)
    roots, witness = computed.claim, compute_witness(audit.seed, unit, computed.state_root)
    if decode_subject(audit.subject).kind != CONFIRMATION:
        return new_answer(roots.payload_root, roots.trace_root, witness)
    committee_witness = compute_witness(running.audit_seed, unit, computed.state_root)
    return new_confirmation(roots.payload_root, roots.trace_root, committee_witness, witness)
