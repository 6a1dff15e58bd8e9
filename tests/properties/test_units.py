"""Properties of units: whatever bytes stand under a dataset's root, every unit has a result that can be proved."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.runtime.contract import compute_param_count
from abci_app.units.claim import compute_unit
from abci_app.watch.replay import UnitReplay
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.wire.row import CLASSES, RowForm, split_rows
from abci_app.x.models.types import check_spec, default_spec
from abci_app.x.work.types import new_unit_terms
from kernels import dispatch
from kernels.payload import CODECS
from kernels.transcript import state_root_index
from tests.sim.rows import RowsTable, TableDataset

EDGES = st.sampled_from((b"\x80", b"\xff", b"\x7f", b"\x00"))


def draw_bytes(data: st.DataObject, count: int) -> bytes:
    """Any bytes, at the ends of their range more often than by chance."""
    return data.draw(st.one_of(st.binary(min_size=count, max_size=count), EDGES.map(lambda one: one * count)))


@settings(deadline=None, max_examples=60)
@given(data=st.data(), features=st.integers(1, 5), classes=st.integers(2, 4), count=st.integers(1, 6),
       codec=st.sampled_from(CODECS), rate_q16=st.integers(1, 2**20), momentum_q16=st.sampled_from((0, 58_982, 65_535)))
def test_every_unit_of_any_dataset_is_computed_and_its_list_ends_with_its_claim(
        data: st.DataObject, features: int, classes: int, count: int, codec: str, rate_q16: int,
        momentum_q16: int) -> None:
    form = RowForm(CLASSES, features, classes)
    rows = split_rows(draw_bytes(data, count * form.row_bytes), form.row_bytes)
    tree = MerkleTree(rows)
    terms = Dataset(rows_root=tree.root, train_rows=count, features=features, classes=classes)
    spec = default_spec("any", terms, bytes(32), trainers_min=1, hidden=(3,))
    training = spec.training
    training.local_steps, training.batch_rows, training.trace_every, training.codec = 3, 2, 2, codec
    training.momentum_q16, training.learning_rate.peak_q16 = momentum_q16, rate_q16
    training.aggregation, training.trim = "mean", 0
    check_spec(spec)
    weights = draw_bytes(data, 4 * compute_param_count(spec))
    running = Round(model_id=1, number=1, seed=draw_bytes(data, 32), learning_rate_q16=rate_q16)
    dataset = TableDataset(RowsTable(rows, terms, tree))
    with dispatch.forced("ref"):
        computed = compute_unit(spec, running, 0, weights, dataset)
        replay = UnitReplay(new_unit_terms(spec, running, Unit()), lambda: weights, dataset)
        assert (replay.payload_root, tuple(replay.trace)) == (computed.claim.payload_root, computed.trace)
        for segment, digest in enumerate(computed.trace):
            assert replay.read_output(segment, state_root_index(replay.terms.policy, segment)) == digest
        proper = [b"".join(dataset.read_columns([row], form)) for row in range(count)]
        assert compute_unit(spec, running, 0, weights, TableDataset(replace(dataset.table, rows=proper))) == computed
