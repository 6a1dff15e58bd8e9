"""Whatever users and failing hosts do, every coin is accounted for."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import dispatch
from tests.unit.inference.crowd import Crowd


@given(seed=st.integers(0, 2**32), asked=st.lists(st.integers(0, 5), min_size=1, max_size=20))
@settings(max_examples=6, deadline=None)
def test_every_coin_of_a_crowd_with_failing_hosts_is_accounted_for(seed: int, asked: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, dispatch.forced("ref"):
        crowd = Crowd(Path(folder) / "crowd", seed)
        for count in asked:
            crowd.step(count)
        crowd.finish()
        assert sum(crowd.counts[name] for name in ("answered", "missed", "withheld", "undecided", "wrong", "no hosts")
                   ) == crowd.desk.chain.app.inference.next_id(crowd.desk.chain.ctx()) - 1
        crowd.desk.chain.database.close()


def test_a_crowd_meets_every_end_that_there_is(tmp_path: Path) -> None:
    """Else the test above would show less than it says."""
    crowd = Crowd(tmp_path / "crowd", 7)
    for _ in range(60):
        crowd.step(3)
    crowd.finish()
    for name in ("answered", "missed", "withheld", "wrong", "seat paid", "seat wrong", "seat withheld",
                 "seat missed", "seat unpaid"):
        assert crowd.counts[name], (name, crowd.counts)
    crowd.desk.chain.database.close()
