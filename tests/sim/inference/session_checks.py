"""What must be true of sessions in every block, told from events, records and the books of both sides.

No user pays for an answer that it does not have, no host gives more than one answer that is not paid, whatever the
other side does; verdicts are the truth; nobody honest is slashed; draws are what the seeds name; every session is over
in time.
"""

from collections import Counter
from dataclasses import dataclass, field

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import (
    SESSION_STATUS_AUDIT, SESSION_STATUS_DRAW, SESSION_STATUS_SETTLED, SESSION_STATUS_SHOWING, Session,
)
from abci_app.wire.question import draw_seed
from abci_app.wire.seed import iter_u64
from tests.sim.inference.hosts import TRUSTWORTHY
from tests.sim.inference.parties import Parties
from tests.sim.inference.talks import Talk
from tests.sim.inference.users import PPM

Fields = dict[str, str]
LATE_BLOCKS = 6  # draws, questions to auditors, and what one block does not bear


@dataclass
class SessionChecks:
    """Counts of all sessions so far.

    is_exact: whether blocks bear all that is due, so that nothing waits for the next one.
    """

    parties: Parties
    is_exact: bool = True
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def app(self) -> App:
        """The application."""
        return self.parties.hosts.answers.app

    def check_block(self, before: Ctx, after: Ctx, sessions: dict[int, Session], events: list[Event]) -> None:
        """Raises AssertionError. before: the state before the block that had these events, at its height."""
        for event in events:
            self.seen[event.type] += 1
            check = self.CHECKS.get(event.type)
            if check is not None:
                fields = dict(event.attributes)
                check(self, after, self.parties.talks[int(fields["session_id"])], fields)
        for session in sessions.values():
            if session.status == SESSION_STATUS_DRAW and self.is_exact:
                self._check_draw(before, after, session)
            self._check_time(after, session)
        for event in events:
            if event.type == "sessions.session_settled":
                del self.parties.talks[int(dict(event.attributes)["session_id"])]

    def _check_verdict(self, after: Ctx, talk: Talk, one: Fields) -> None:
        """What auditors say is the truth."""
        verdict, is_right = one["verdict"], talk.is_right[int(one["number"]) - 1]
        self.seen[f"verdict {verdict}"] += 1
        assert verdict == "undecided" or (verdict == "right") == is_right, f"the answer is right: {is_right}, but {one}"

    def _check_settled(self, after: Ctx, talk: Talk, one: Fields) -> None:
        """Nobody loses more than one answer."""
        outcome, count, paid = one["outcome"], int(one["count"]), int(one["paid_ugrad"])
        session = self.app.sessions.get_session(after, talk.session_id)
        is_honest = talk.host_kind in TRUSTWORTHY
        self.seen[f"outcome {outcome}"] += 1
        self.seen[f"{outcome}: {talk.user_kind} user, {talk.host_kind} host"] += 1
        assert count <= talk.given, f"paid for answers that were never given: {one}, {talk}"
        assert paid in (0, talk.owed(count)) and paid + session.refund_ugrad == session.deposit_ugrad, f"{one}, {talk}"
        if is_honest:
            assert outcome in ("paid", "empty") and count == talk.paid_count >= talk.given - 1, f"{one}, {talk}"
            self.seen["answers lost by honest hosts"] += talk.given - count
            self.seen["answers of honest hosts"] += talk.given
        if outcome == "paid":
            wrong = talk.is_right[:count].count(False)
            self.seen["answers paid right"] += count - wrong
            self.seen["answers paid wrong, not drawn"] += wrong
            assert talk.user_kind != "checking" or not wrong, f"who checks has paid for a wrong answer: {one}, {talk}"
        if outcome == "wrong":
            assert not all(talk.is_right), f"a right answer was slashed: {one}, {talk}"
            assert not is_honest and session.refund_ugrad == session.deposit_ugrad
        self.seen["answers given"] += talk.given
        self.seen["answers left unpaid"] += talk.given - (count if paid else 0)

    def _check_draw(self, before: Ctx, after: Ctx, session: Session) -> None:
        """Of which coin an entry is shown is what the seed names."""
        policy = self.app.models.get_spec(before, session.model_id, session.spec_version).inference
        draws = iter_u64(draw_seed(session.seed, before.last_app_hash, before.last_block_hash))
        is_drawn, coin = next(draws) % PPM < policy.audit_ppm, next(draws) << 64
        coin = 1 + (coin | next(draws)) % session.receipt.total_ugrad
        now = self.app.sessions.get_session(after, session.id)
        expected = (SESSION_STATUS_SHOWING, coin) if is_drawn else (SESSION_STATUS_SETTLED, 0)
        assert (now.status, now.drawn_ugrad) == expected, f"{expected}, but {now}"

    def _check_time(self, after: Ctx, session: Session) -> None:
        """No session is open for ever: at the end of each wait comes the next, and there are few. How long a drawn or
        challenged answer waits for auditors hangs on others; once it was asked, it is over at its due height."""
        if session.status == SESSION_STATUS_AUDIT:
            asked = bool(session.audit_seed) and session.due_height
            assert not asked or after.height <= asked + LATE_BLOCKS or not self.is_exact, f"not over: {session}"
            return
        if session.is_challenged or session.is_drawn:
            return
        params = self.app.sessions.params(after)
        policy = self.app.models.get_spec(after, session.model_id, session.spec_version).inference
        last = session.expiry_height + 2 * params.close_blocks + params.show_blocks + 2 * policy.audit_blocks
        assert after.height <= last + LATE_BLOCKS or not self.is_exact, f"still there at {after.height}: {session}"

    CHECKS = {"sessions.entry_audited": _check_verdict, "sessions.session_settled": _check_settled}
