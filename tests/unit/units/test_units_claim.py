"""What a unit gives and what an auditor answers: pure functions of chain data and rows."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from abci_app.data.dataset import Options, new_dataset
from abci_app.data.errors import DatasetMissing
from abci_app.data.named import LABEL, load_named
from abci_app.data.store import DatasetStore
from abci_app.units.claim import compute_answer, compute_unit, compute_unit_from
from abci_app.units.errors import DatasetUnfit
from abci_app.units.source import open_dataset
from abci_app.runtime.contract import compute_first_weights
from abci_app.wire.audit import CONFIRMATION, confirmation_of, is_answer_of, is_confirmed, unit_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round
from abci_app.wire.row import RowForm
from abci_app.wire.seed import draw_witness_step
from abci_app.x.models.types import check_spec
from abci_app.x.work.types import draw_unit_rows
from kernels import dispatch, merkle, mlp
from kernels.errors import KernelInputError
from tests.sim import claims
from tests.sim.rows import TableDataset, new_rows_for
from tests.unit.work.market import new_table, small_spec

AUDIT_SEED = bytes(range(1, 33))
WEIGHTS = mlp.init_weights((4, 5, 3), bytes(32))
TABLE = new_table()


class Rows:
    """Rows in memory."""

    def read_columns(self, indices: Sequence[int], form: RowForm) -> tuple[bytes, bytes]:
        return form.join_columns([TABLE.rows[index] for index in indices])


def new_round(**fields: object) -> Round:
    known = {"model_id": 1, "number": 4, "seed": bytes(range(32)), "learning_rate_q16": 5_000,
             "audit_seed": AUDIT_SEED}
    return Round(**(known | fields))  # type: ignore[arg-type]


def new_audit(unit: int, seed: bytes = AUDIT_SEED) -> Audit:
    return Audit(subject=unit_subject(1, 4, 0, unit), seed=seed)


def new_spec(trace_every: int | None = None) -> ModelSpec:
    spec = small_spec()
    spec.training.local_steps = 6
    spec.training.trace_every = 4 if trace_every is None else trace_every
    return spec


def test_answer_holds_both_roots_and_the_witness_of_the_drawn_step() -> None:
    seen = []
    for unit in range(8):
        every_step = compute_unit(new_spec(1), new_round(), unit, WEIGHTS, Rows())
        claim = compute_unit(new_spec(), new_round(), unit, WEIGHTS, Rows()).claim
        step = draw_witness_step(AUDIT_SEED, unit, 6)
        fields = b"gradus/witness", AUDIT_SEED, unit.to_bytes(4, "big"), every_step.trace[step - 1]
        witness = hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in fields)).digest()
        assert compute_answer(new_spec(), new_round(), unit, WEIGHTS, Rows(), new_audit(unit)) == (
            claim.payload_root + claim.trace_root + witness)
        seen.append(step)
    assert len(dict.fromkeys(seen)) > 2


def test_witness_changes_with_the_audit_seed_and_the_claim_does_not() -> None:
    one = compute_answer(new_spec(), new_round(), 0, WEIGHTS, Rows(), new_audit(0))
    other = compute_answer(new_spec(), new_round(audit_seed=bytes(32)), 0, WEIGHTS, Rows(), new_audit(0, bytes(32)))
    assert one[:64] == other[:64] and one[64:] != other[64:]


def test_answer_of_everybody_tells_the_right_answer_of_a_committee_and_keeps_its_own_witness() -> None:
    """Whoever knows the committee's answer still cannot give it without the unit."""
    claim = compute_unit(new_spec(), new_round(), 3, WEIGHTS, Rows()).claim
    committee, asked = new_audit(3), Audit(subject=confirmation_of(new_audit(3).subject), seed=b"c" * 32)
    first, answer = (compute_answer(new_spec(), new_round(), 3, WEIGHTS, Rows(), one) for one in (committee, asked))
    assert is_confirmed(answer, first) and answer[64:] not in (first[64:], answer[32:64])
    assert is_answer_of(CONFIRMATION, answer, claim.payload_root, claim.trace_root)
    for wrong in (b"x" + first[1:], first[:-1] + bytes([first[-1] ^ 1]), first[32:64] + first[:32] + first[64:]):
        assert not is_confirmed(answer, wrong)
    other = Audit(subject=asked.subject, seed=b"d" * 32)
    assert compute_answer(new_spec(), new_round(), 3, WEIGHTS, Rows(), other)[:64] == answer[:64]
    assert compute_answer(new_spec(), new_round(), 3, WEIGHTS, Rows(), other)[64:] != answer[64:]


@pytest.mark.parametrize("odd", (False, True), ids=("of the kind", "any bytes"))
@pytest.mark.parametrize("architecture", ("mlp_classifier", "mlp_regressor", "decoder"))
def test_miners_claim_and_auditors_answer_are_those_of_the_numerics_on_every_back_end(
        architecture: str, odd: bool) -> None:
    """For every network of a contract, beside a second opinion on rows, policy and unit that needs no room."""
    table = new_rows_for(architecture, "claims", 32, 8, 4, 3, odd)
    spec = small_spec(table, architecture)
    check_spec(spec)
    answers = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            weights = compute_first_weights(spec)
            claim = compute_unit(spec, new_round(), 2, weights, TableDataset(table)).claim
            answers.append(compute_answer(spec, new_round(), 2, weights, TableDataset(table), new_audit(2)))
        other = claims.compute_claim(spec, new_round(), 2, weights, table.rows)
        assert (claim.payload, claim.trace_root, claim.payload_root) == (
            other.payload, other.trace_root, other.payload_root)
        assert answers[-1] == claims.compute_answer(spec, new_round(), 2, weights, table.rows, new_audit(2))
    assert answers[0] == answers[1] and answers[0][:64] == claim.payload_root + claim.trace_root


def test_trace_stands_under_the_root_of_the_claim() -> None:
    computed = compute_unit(new_spec(2), new_round(), 3, WEIGHTS, Rows())
    leaves = [merkle.compute_leaf(merkle.sha256, digest) for digest in computed.trace]
    assert len(leaves) == 3 and computed.state_root == b""
    assert merkle.compute_root(merkle.sha256, leaves) == computed.claim.trace_root


def test_other_rows_weights_unit_or_seed_give_another_claim() -> None:
    spec, running = new_spec(), new_round()
    drawn = draw_unit_rows(spec, running, 0)
    claims = [compute_unit(spec, running, 0, WEIGHTS, Rows()),
              compute_unit_from(spec, running, 0, WEIGHTS, Rows(), [(row + 1) % 8 for row in drawn]),
              compute_unit(spec, running, 1, WEIGHTS, Rows()),
              compute_unit(spec, new_round(seed=bytes(32)), 0, WEIGHTS, Rows()),
              compute_unit(spec, running, 0, mlp.init_weights((4, 5, 3), b"\1" * 32), Rows())]
    assert len({one.claim.payload_root for one in claims}) == len({one.claim.trace_root for one in claims}) == 5
    assert compute_unit_from(spec, running, 0, WEIGHTS, Rows(), drawn) == claims[0]


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(KernelInputError):
        compute_unit(new_spec(), new_round(), 0, WEIGHTS[:-4], Rows())


def test_dataset_that_is_absent_or_not_as_the_contract_says_is_refused(tmp_path: Path) -> None:
    store = DatasetStore(tmp_path / "datasets")
    made = new_dataset(load_named("iris"), Options(label=LABEL, name="iris"))
    spec = new_spec()
    spec.dataset.rows_root = made.manifest.rows_root
    spec.dataset.train_rows, spec.dataset.test_rows = made.manifest.train_rows, made.manifest.test_rows
    with pytest.raises(DatasetMissing):
        open_dataset(store, spec)
    store.add(made)
    assert open_dataset(store, spec).manifest == made.manifest
    spec.dataset.test_rows += 1
    with pytest.raises(DatasetUnfit, match="speaks of 151 rows of 6 bytes; the dataset under its root has 150 of 6"):
        open_dataset(store, spec)
