"""Audits of sessions: one auditor computes what was asked under a number, and its word settles the session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.auditor.answers import AnswerFolder
from abci_app.auditor.auditor import Auditor
from abci_app.client.chain import ChainClient
from abci_app.units.events import Event
from abci_app.units.source import UnitSource
from abci_app.wire.audit import statement_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_AUDIT, SESSION_STATUS_SHOWING
from tests.local_rpc import LocalNode
from tests.unit.auditor.bench import VALIDATOR, NoDatasets
from tests.unit.sessions.desk import HOST, USER, Deal, Desk


class Watched(Desk):
    """A desk whose validators all say what one auditor has laid where the node finds it."""

    def __init__(self, folder: Path, **policy: Any) -> None:
        self.told: list[Event] = []
        self.folder = AnswerFolder(folder / "audits")
        super().__init__(folder, **policy)
        client = ChainClient(LocalNode(self.chain))
        self.auditor = Auditor(client, VALIDATOR, UnitSource(client, NoDatasets()), self.folder,
                               report=self.told.append, sleep=lambda seconds: None)

    def find_answer(self, audit: Audit) -> bytes | None:
        """The auditor's, of whatever kind."""
        return self.folder.find(audit.subject)

    def judge(self, deal: Deal, number: int) -> str:
        """The block that asks, the auditor's answer, and how the session ends."""
        assert deal.status == SESSION_STATUS_AUDIT
        self.block()
        subject = statement_subject(1, deal.id, number)
        assert self.auditor.step() and self.folder.list_subjects() == [subject]
        right = super().find_answer(self.chain.app.audits.get_audit(self.chain.ctx(), subject))
        assert self.folder.find(subject) == right
        return deal.settle().outcome


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path, audit_ppm=1_000_000)
    with made.folder:
        yield made
    made.chain.database.close()


@pytest.mark.parametrize(("lies", "outcome"), [(False, "paid"), (True, "wrong")])
def test_drawn_entry_is_computed_again(desk: Watched, lies: bool, outcome: str) -> None:
    deal = desk.open()
    deal.answer(5, lie=lies)
    desk.send(deal.close_msg(HOST), deal.close_msg(USER, 0))
    while deal.status != SESSION_STATUS_SHOWING:
        desk.block()
    number = deal.drawn
    desk.send(deal.show_msg())
    assert desk.judge(deal, number) == outcome
    assert desk.auditor.step() and desk.folder.list_subjects() == []
    event, = desk.told
    assert (event.name, event.fields["model_id"], event.fields["session_id"], event.fields["number"]) == (
        "answered", 1, deal.id, number)


def test_challenged_entry_is_computed_again(desk: Watched) -> None:
    deal = desk.open()
    deal.answer()
    deal.answer(lie=True)
    desk.send(deal.challenge_msg(2))
    assert desk.judge(deal, 2) == "wrong"


def test_entry_whose_audit_is_over_is_passed_over(desk: Watched) -> None:
    deal = desk.open()
    deal.answer(lie=True)
    desk.send(deal.challenge_msg(1))
    desk.block(votes=False)
    waiting = list(desk.auditor.chain.iter_open_audits(VALIDATOR))
    desk.wait_for(deal.record.due_height + 1, votes=False)
    desk.auditor.chain.iter_open_audits = lambda validator=b"": iter(waiting)  # type: ignore[method-assign]
    assert len(waiting) == 1 and not desk.auditor.step() and desk.told == []
