"""Whole rounds of contracts for regressors and decoders: dealt, committed, revealed, audited, closed, paid."""

from pathlib import Path

import pytest

from abci_app.runtime.contract import compute_first_weights
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_MISMATCH, TRAINER_STATUS_SLASHED, UNIT_STATUS_ACCEPTED,
)
from tests.sim.claims import Claim
from tests.sim.rows import new_rows_for
from tests.unit.work.market import TRAINERS, Market

PPM = 1_000_000


def new_market(folder: Path, architecture: str) -> Market:
    table = new_rows_for(architecture, "rounds", 32, 8, 4, 3)
    return Market(folder, table=table, architecture=architecture, rate_ppm=PPM)


def audit_all(market: Market) -> None:
    """Blocks with the validators' answers until the round is closed."""
    number = market.round().number
    while market.model().rounds_closed < number:
        market.block(votes=True)


@pytest.mark.parametrize("architecture", ("mlp_regressor", "decoder"))
def test_rounds_close_with_the_outer_step_and_pay_all(tmp_path: Path, architecture: str) -> None:
    market = new_market(tmp_path, architecture)
    app = market.chain.app
    before = app.models.load_weights(market.chain.ctx(), 1, 0)
    assert before == compute_first_weights(market.model().spec)
    for number in (1, 2):
        market.commit_all()
        market.reveal_all()
        audit_all(market)
        assert [unit.status for unit in market.units(number)] == [UNIT_STATUS_ACCEPTED] * len(TRAINERS)
        after = app.models.load_weights(market.chain.ctx(), 1, number)
        assert len(after) == len(before) and after != before
        before = after
    market.chain.database.close()


@pytest.mark.parametrize("architecture", ("mlp_regressor", "decoder"))
def test_wrong_claim_is_found_by_auditors_and_slashed(tmp_path: Path, architecture: str) -> None:
    market = new_market(tmp_path, architecture)
    other = market.claim(market.unit_of("ben"))
    lie = {"ann": Claim(other.payload, other.trace_root)}
    market.commit_all(lie)
    market.reveal_all(lie)
    audit_all(market)
    assert market.trainer("ann").status == TRAINER_STATUS_SLASHED
    assert [slash.reason for slash in market.slashes()] == [SLASH_REASON_MISMATCH]
    statuses = {market.names[unit.trainer]: unit.status for unit in market.units(1)}
    assert statuses.pop("ann") != UNIT_STATUS_ACCEPTED
    assert set(statuses.values()) == {UNIT_STATUS_ACCEPTED}
    market.chain.database.close()
