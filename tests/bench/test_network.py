"""The arithmetic of the network's figures, and the disk's bench over a few blocks."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from abci_app.wire.pb.gradus.work.v1.work_pb2 import AUDIT_VERDICT_EXPIRED, AUDIT_VERDICT_MATCH
from tests.bench.audits import compute_share
from tests.bench.chronicle import Block, Event, compute_block_s, find_events, iter_events, summarise
from tests.bench.disk import DiskRun
from tests.bench.network import describe, find_problems, format_report

GOOD: dict[str, Any] = {
    "heights": {"the cheat is slashed": 30}, "rounds_closed": 9, "verdicts": {"match": 8, "mismatch": 1},
    "slashes": [{"height": 29, "is_cheat": True, "round": "2", "unit": "4", "reason": "mismatch"}],
    "exclusions": [{"height": 90, "node": "node2", "reason": "missed"}],
    "auditors": [{"node": "node0", "right": 9, "wrong": 0, "missed": 0}],
    "block_s": {"validator dead": {"count": 4, "median": 0.3}}, "extension_bytes": {"median": 116.0},
    "injected_bytes_a_block": {"median": 0.0}, "blocks_to_catch_up": 12, "cpu": {"audit_percent_of_work": 50.0},
    "invariants": {"height": 200, "broken": []}, "replay": {"equal": True, "rounds": 9},
}


def block(height: int, time_s: float, *events: Event, attempt: int = 0) -> Block:
    return Block(height, time_s, attempt, (), 0, events)


def test_events_of_transactions_come_before_those_of_their_block() -> None:
    def word(kind: str) -> dict[str, Any]:
        return {"type": kind, "attributes": [{"key": "unit", "value": "3", "index": True}]}

    results = {"txs_results": [{"events": [word("a")]}, {"events": None}], "finalize_block_events": [word("b")]}
    assert list(iter_events(7, results)) == [Event(7, "a", {"unit": "3"}), Event(7, "b", {"unit": "3"})]
    assert list(iter_events(7, {"txs_results": None, "finalize_block_events": None})) == []


def test_events_are_found_by_type_and_attributes() -> None:
    right, other = Event(2, "a", {"x": "1", "y": "2"}), Event(2, "a", {"x": "2"})
    assert find_events([block(2, 0.0, other, right, Event(2, "b", {"x": "1"}))], "a", x="1") == [right]


def test_block_times_and_second_attempts_are_of_the_heights_between() -> None:
    blocks = [block(1, 0.0), block(2, 1.0, attempt=1), block(3, 3.0), block(4, 3.5, attempt=1), block(5, 99.0)]
    assert compute_block_s(blocks[:3]) == [1.0, 2.0]
    assert describe(blocks, 2, 4) == {"count": 2, "median": 1.25, "mean": 1.25, "max": 2.0, "second_attempts": 2}
    assert summarise([]) == {"count": 0, "median": 0.0, "mean": 0.0, "max": 0.0}


def test_share_of_auditing_is_by_the_processors_time_of_the_work() -> None:
    share = compute_share({"miners": [10, 30], "auditors": [5, 5, 20]})
    assert share == {"units": {"miners": 2, "auditors": 3}, "unit_cpu_ms": {"miners": 20.0, "auditors": 10.0},
                     "audit_percent_of_work": 75.0}


def test_good_story_has_no_problems_and_its_page_names_the_cheat_and_the_excluded() -> None:
    assert find_problems(GOOD) == []
    page = format_report({"story": GOOD, "machine": {"processors": 2}, "beside": ""})
    assert "| slashed at height 29 | the cheat, round 2, unit 4: mismatch |" in page
    assert "| left out at height 90 | node2: missed |" in page and "all hold" in page


@pytest.mark.parametrize(("place", "value", "problem"), [
    (("slashes",), [], "the cheat was not slashed for a wrong claim"),
    (("slashes", 0, "is_cheat"), False, "an honest miner was slashed"),
    (("exclusions",), [], "the lazy auditor was not excluded"),
    (("exclusions", 0, "node"), "node1", "an honest auditor was excluded"),
    (("auditors", 0, "wrong"), 1, "an auditor has answered wrongly"),
    (("block_s", "validator dead", "count"), 0, "no blocks came after the kill"),
    (("invariants", "broken"), ["bank/supply"], "invariants are broken"),
    (("replay", "equal"), False, "the replay is not equal"),
])
def test_story_that_lacks_something_says_what(place: tuple[Any, ...], value: Any, problem: str) -> None:
    story = deepcopy(GOOD)
    at: Any = story
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    assert problem in find_problems(story)


def test_rounds_of_the_disk_bench_are_audited(tmp_path: Path) -> None:
    run = DiskRun(tmp_path, keep_versions=50, interval=20, hidden=5)
    try:
        for _ in range(24):
            run.step(sends=1)
        closed = range(1, run.app.models.get_model(run.ctx(), 1).rounds_closed + 1)
        verdicts = [unit.verdict for number in closed for unit in run.app.work.list_units(run.ctx(), 1, number)]
        assert run.verdicts >= 4 and AUDIT_VERDICT_MATCH in verdicts and AUDIT_VERDICT_EXPIRED not in verdicts
        run.snapshots.wait()
        run.probe()
    finally:
        run.close()
