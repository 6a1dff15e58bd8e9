"""Datasets that no importer makes: their units are computed, audited and paid as all others, and garbage is not."""

from collections.abc import Callable

import pytest

from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Dataset
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AUDIT_VERDICT_MATCH, AUDIT_VERDICT_MISMATCH, UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED,
)
from abci_app.wire.row import new_row
from tests.sim.rows import RowsTable
from tests.unit.work.market import Market

NewMarket = Callable[..., Market]


def new_table(features: bytes, label: int) -> RowsTable:
    """Forty times the same row, of a contract with 3 classes."""
    rows = [new_row(features, label)] * 40
    tree = MerkleTree(rows)
    return RowsTable(rows, Dataset(rows_root=tree.root, train_rows=32, test_rows=8, features=4, classes=3), tree)


@pytest.mark.parametrize(("features", "label"), ((b"\x80\x01\x02\x03", 0), (b"\x00\x01\x02\x03", 3),
                                                 (b"\x80\x80\x80\x80", 65_535)))
def test_garbage_about_rows_that_no_importer_makes_is_found_by_audits_and_the_truth_stands(
        new_market: NewMarket, features: bytes, label: int) -> None:
    market = new_market(table=new_table(features, label), rate_ppm=1_000_000)
    ann = market.unit_of("ann").index
    market.run_round({"ann": market.wrong_claim("ann")})
    for unit in market.units(1):
        is_right = unit.index != ann
        assert unit.verdict == (AUDIT_VERDICT_MATCH if is_right else AUDIT_VERDICT_MISMATCH)
        assert unit.status == (UNIT_STATUS_ACCEPTED if is_right else UNIT_STATUS_REJECTED)
    assert [(slash.trainer, slash.unit) for slash in market.slashes()] == [(market.units(1)[ann].trainer, ann)]
