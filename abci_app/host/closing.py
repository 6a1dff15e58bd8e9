"""What a host does about its sessions on the chain: it ends them, and shows what was drawn.

| the chain says | the host |
| --- | --- |
| open, and the user wants it closed, or it expires soon, or the host ends | closes it with the latest receipt |
| closing, by the user | closes it too |
| closing, with an older receipt than the host's | shows the later one |
| a coin is drawn | shows the entry it is of, its question and its place under the receipt's root |
| settled | forgets it, 20 blocks later |
"""

from collections.abc import Callable, Sequence

from abci_app.client.errors import ClientError, TxRefused
from abci_app.client.send import Sender
from abci_app.host.behaviour import Behaviour
from abci_app.host.journal import Journal
from abci_app.units.events import Event, Report
from abci_app.wire.merkle import MerkleTree
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_CLOSING, SESSION_STATUS_DRAW, SESSION_STATUS_OPEN, SESSION_STATUS_SETTLED, SESSION_STATUS_SHOWING,
    Session,
)
from abci_app.wire.pb.gradus.sessions.v1.tx_pb2 import MsgCloseSession, MsgShowEntry
from abci_app.wire.question import entry_leaf, has_coin

MARGIN_PART = 5  # of a session's blocks: so long before its expiry it is closed
MARGIN_BLOCKS_MAX = 100
SETTLED_BLOCKS = 20  # after its end a session is kept here so long
CLOSES_MAX = 8  # in one step: other things are due too, and each waits for its block
ORDER = {SESSION_STATUS_SHOWING: 0, SESSION_STATUS_CLOSING: 1, SESSION_STATUS_OPEN: 2}
WAITING = (SESSION_STATUS_OPEN, SESSION_STATUS_DRAW, SESSION_STATUS_SHOWING)


class Closer:
    """One host's sessions on the chain. For the host's loop."""

    def __init__(self, sender: Sender, address: str, journal: Journal, forget: Callable[[int], None], *,
                 behaviour: Behaviour = Behaviour.HONEST, report: Report = lambda event: None) -> None:
        """forget: is told of every session that is over."""
        self.sender, self.address, self.journal, self.forget = sender, address, journal, forget
        self.behaviour, self.report = behaviour, report
        self.waits = False
        self._tries: dict[int, int] = {}
        self._told: dict[int, str] = {}
        self._ended: dict[int, None] = {}

    def step(self, records: Sequence[Session], height: int, ends: bool) -> bool:
        """Do what is due about the sessions of this host, as the chain has them all. True when anything was done.

        ends: the host takes no more questions, and closes what is open. `waits` tells afterwards whether anything of
        them is still to be sent, as far as is known now: an entry may yet be drawn of one that its user has not closed.
        Raises the first problem when all was tried.
        """
        self.waits = any(one.status in WAITING or (one.status == SESSION_STATUS_CLOSING and not one.host_closed)
                         for one in records)
        self._tries = {one.id: self._tries.get(one.id, 0) for one in records}
        did, problems = self._send_due(records, height, ends)
        known = {one.id: one for one in records if one.status == SESSION_STATUS_SETTLED}
        for session_id in self.journal.list_sessions():
            if session_id in known:
                self._end(known[session_id], height)
        if problems:
            raise problems[0]
        return did

    def _send_due(self, records: Sequence[Session], height: int, ends: bool) -> tuple[bool, list[ClientError]]:
        """Send what is due: what was drawn first, as its stake is lost otherwise, then at most CLOSES_MAX closes, those
        first that were tried least. Whether anything was done, and the problems."""
        did, closes, problems = False, 0, list[ClientError]()
        for record in sorted(records, key=lambda one: (ORDER.get(one.status, len(ORDER)), self._tries[one.id], one.id)):
            message = self._find_message(record, height, ends) if closes < CLOSES_MAX else None
            if message is None:
                continue
            closes += isinstance(message, MsgCloseSession)
            self._tries[record.id] += 1
            try:
                did = self._send(record, message) or did
            except ClientError as error:
                problems.append(error)
        return did, problems

    def _find_message(self, record: Session, height: int, ends: bool) -> MsgCloseSession | MsgShowEntry | None:
        if self.behaviour is Behaviour.VANISH:
            return None
        if record.status == SESSION_STATUS_SHOWING:
            return self._show(record) if self.behaviour.reveals else None
        latest = self.journal.find_receipt(record.id)
        later = latest if latest is not None and latest.count > record.receipt.count else None
        is_due = record.status == SESSION_STATUS_OPEN and (
            ends or height >= compute_closing_height(record) or self.journal.is_closing(record.id))
        if is_due or (record.status == SESSION_STATUS_CLOSING and (later is not None or not record.host_closed)):
            return MsgCloseSession(sender=self.address, session_id=record.id, receipt=later)
        return None

    def _show(self, record: Session) -> MsgShowEntry | None:
        """The entry of the drawn coin; None where the journal has lost it, which costs what a wrong answer does."""
        entries = self.journal.list_entries(record.id, record.receipt.count)
        number = next((entry.number for entry in entries if has_coin(entry, record.drawn_ugrad)), 0)
        given = self.journal.find_given(record.id, number)
        if given is None or len(entries) < record.receipt.count:
            self._tell(record.id, f"the answer of coin {record.drawn_ugrad} is to be shown, and is in no journal here")
            return None
        proof = MerkleTree(entry_leaf(entry) for entry in entries).prove([number - 1])
        return MsgShowEntry(sender=self.address, session_id=record.id, entry=given.entry, proof=proof,
                            question=given.question)

    def _send(self, record: Session, message: MsgCloseSession | MsgShowEntry) -> bool:
        try:
            self.sender.send([message], is_usual=False)
        except TxRefused as error:
            self._tell(record.id, error.text)  # the next record says what is still due
            return False
        if isinstance(message, MsgCloseSession):
            self.report(Event("closed", {"session": record.id, "answers": message.receipt.count,
                                         "total_ugrad": message.receipt.total_ugrad}))
        else:
            self.report(Event("shown", {"session": record.id, "answer": message.entry.number}))
        return True

    def _end(self, record: Session, height: int) -> None:
        """Tell once that a session is over; forget it when that has stood for a while, whatever one node says."""
        if record.id not in self._ended:
            self._ended[record.id] = None
            self._told.pop(record.id, None)
            self.forget(record.id)
            self.report(Event("settled", {"session": record.id, "outcome": record.outcome,
                                          "paid_ugrad": record.paid_ugrad}))
        if height >= record.closed_height + SETTLED_BLOCKS:
            self.journal.drop_session(record.id)
            del self._ended[record.id]

    def _tell(self, session_id: int, problem: str) -> None:
        """Report a session's problem, if it is not the one that was last reported of it."""
        if self._told.get(session_id) != problem:
            self._told[session_id] = problem
            self.report(Event("waiting", {"session": session_id, "problem": problem}))


def compute_closing_height(record: Session) -> int:
    """From which height on a host closes an open session, so that its receipt is in before it expires."""
    blocks = record.expiry_height - record.opened_height
    return record.expiry_height - min(max(blocks // MARGIN_PART, 2), MARGIN_BLOCKS_MAX)
