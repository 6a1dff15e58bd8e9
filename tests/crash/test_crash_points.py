"""A few points of the crash matrix; `python -m tests.crash` runs all of them."""

from pathlib import Path

import pytest

from tests.crash.base import Base
from tests.crash.points import Point, compute_points
from tests.crash.run import run_point

pytestmark = pytest.mark.net

FEW = (
    Point("call", "after init_chain", 1, is_fresh=True),
    Point("call", "before finalize_block", 2),
    Point("call", "after commit", 1),
    Point("fail", "index", 3),
    Point("fail", "index", 7),
    Point("database", "state-past", 0),
    Point("database", "engine-past", 0, may_refuse=True),
    Point("power", "heights-lost", 0),
)


@pytest.mark.parametrize("point", FEW, ids=str)
def test_hurt_node_comes_back_to_its_twins_hashes_or_refuses_with_a_fix_that_works(
        point: Point, base: Base, tmp_path: Path) -> None:
    outcome = run_point(point, base, tmp_path / "point", seed=1)
    assert outcome.is_right, outcome
    assert outcome.result == ("refused" if point.may_refuse else "recovered")


def test_matrix_has_more_than_two_hundred_points_each_once() -> None:
    points = [str(point) for point in compute_points(can_trace=False)]
    assert len(points) == len(set(points)) >= 200
    assert {str(point) for point in FEW} <= set(points)
