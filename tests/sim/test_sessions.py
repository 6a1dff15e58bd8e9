"""Sessions for one seed: both sides lie and vanish, and nobody honest loses more than one answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.runtime.context import Ctx
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from abci_app.x.sessions import block, msgs
from abci_app.x.sessions.keeper import Keeper
from kernels import dispatch
from tests.sim.inference.town import TownFailed
from tests.sim.sessions import simulate


@pytest.fixture(autouse=True)
def reference_kernels() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


def test_nobody_honest_loses_more_than_one_answer(tmp_path: Path) -> None:
    report = simulate(tmp_path / "chain", seed=7, sessions=250, kept_blocks=5, per_block=15)
    assert (report.honest_slashed, report.paid + report.empty + report.wrong + report.withheld) == (0, 250)
    assert 0 < report.answers_lost_by_honest_hosts < report.answers_of_honest_hosts // 5
    for kind in ("outcome paid", "outcome empty", "outcome wrong", "outcome withheld", "verdict right", "verdict wrong",
                 "sessions.answer_challenged", "sessions.session_topped_up", "withhold slashed", "wrong slashed",
                 "absent slashed", "answers paid wrong, not drawn", "rewards.answer_auditor_paid"):
        assert report.seen.get(kind, 0) > 0, f"{kind} never happened: the simulation is too tame"
    assert report.state_bytes_left - report.state_bytes_before < report.state_bytes_before // 3, "what is over stays"


def test_receipt_that_nobody_has_stated_is_noticed_when_it_counts(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgs, "_check_statement", lambda *arguments: None)
    with pytest.raises(TownFailed, match="MsgCloseSession(.|\n)*again: python -m tests.sim.sessions --seed 7"):
        simulate(tmp_path / "chain", seed=7, sessions=100, kept_blocks=5, per_block=15)


def test_draw_that_never_audits_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pay(ctx: Ctx, keeper: Keeper, session: Session) -> None:
        keeper.settle_paid(ctx, session)

    monkeypatch.setattr(block, "draw", pay)
    with pytest.raises(TownFailed, match="AssertionError"):
        simulate(tmp_path / "chain", seed=7, sessions=100, kept_blocks=5, per_block=15)
