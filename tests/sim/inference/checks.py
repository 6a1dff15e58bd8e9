"""What must be true of requests in every block: told from events, records and what the models answer in truth.

Verdicts are the truth; a right answer that auditors judged, or all agree on, is paid; a wrong one that they judged
never is; nobody honest is slashed, misses or withholds; every request is over in time; audited is what the seeds name.
"""

from collections import Counter
from dataclasses import dataclass, field

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.runtime.events import Event
from abci_app.wire.address import decode_address
from abci_app.wire.archive import compute_archive_root
from abci_app.wire.merkle import MerkleAppender, MerkleTree, verify_leaves
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    HOST_STATUS_ACTIVE, REQUEST_STATUS_ANSWERED, REQUEST_STATUS_ASK, REQUEST_STATUS_AUDIT, REQUEST_STATUS_DRAW,
    REQUEST_STATUS_FAILED, SEAT_STATUS_PAID, SEAT_STATUS_REVEALED, SEAT_STATUS_UNPAID, SEAT_STATUS_WRONG, Request, Seat,
)
from abci_app.wire.question import answer_hash, draw_seed, request_hash
from abci_app.wire.seed import iter_u64
from tests.sim.inference.answers import Answers
from tests.sim.inference.users import PPM, compute_ask, compute_fee, compute_judging, compute_stake

Fields = dict[str, str]
CLOSED = (REQUEST_STATUS_ANSWERED, REQUEST_STATUS_FAILED)
LATE_BLOCKS = 6  # from a deadline on: the draw, and what one block does not bear


@dataclass
class RequestChecks:
    """Counts of all requests so far. behaviours: of hosts, by address. leaves: of the archive, in its order.

    is_exact: whether blocks bear all that is due, so that nothing waits for the next one.
    """

    answers: Answers
    behaviours: dict[str, str]
    trustworthy: frozenset[str]
    is_exact: bool = True
    seen: Counter[str] = field(default_factory=Counter)
    leaves: list[bytes] = field(default_factory=list)
    appender: MerkleAppender = field(default_factory=MerkleAppender)

    @property
    def app(self) -> App:
        """The application."""
        return self.answers.app

    def look(self, ctx: Ctx) -> list[Request]:
        """The requests that are open before a block; the right answers are computed while their weights are held."""
        requests = [one for one in self.app.inference.iter_requests(ctx) if one.status not in CLOSED]
        for request in requests:
            self.answers.answer_request(ctx, request)
        return requests

    def check_block(self, before: Ctx, after: Ctx, requests: list[Request], events: list[Event]) -> None:
        """Raises AssertionError. before: the state before the block that had these events, at its height."""
        opened = {request.id: request for request in requests}
        for event in events:
            self.seen[event.type] += 1
            check = self.CHECKS.get(event.type)
            if check is not None:
                check(self, before, after, opened, dict(event.attributes))
        self._check_draws(before, after, requests)
        for request in requests:
            self._check_time(after, request)

    def _check_dealt(self, before: Ctx, after: Ctx, opened: dict[int, Request], one: Fields) -> None:
        """A seat is a host's that was active in time, at its price; never the user's own, never the same twice."""
        request = opened[int(one["request_id"])]
        host = self.app.inference.get_host(before, request.model_id, decode_address(one["host"]))
        spec = self.app.models.get_spec(before, request.model_id, request.spec_version)
        question = self.app.inference.get_question(before, request)
        ask = compute_ask(spec, question, host.price_ugrad_per_gma)
        assert host.status == HOST_STATUS_ACTIVE and host.ready_height <= before.height, f"dealt too early: {one}"
        assert host.open_count < host.capacity, f"dealt beyond the capacity: {one}"
        stake = compute_stake(spec.inference, ask, compute_judging(self.answers, before, request.work))
        assert (int(one["ask_ugrad"]), int(one["stake_ugrad"])) == (ask, stake), one
        assert one["host"] != request.user, f"a user answers itself: {one}"
        dealt = self.app.inference.find_request(after, request.id)
        assert dealt is None or len({seat.host for seat in dealt.seats}) == request.replicas == len(dealt.seats), one

    def _check_settled(self, before: Ctx, after: Ctx, opened: dict[int, Request], one: Fields) -> None:
        """What came of a seat is what its host deserves."""
        request_id, host, status = int(one["request_id"]), one["host"], one["status"]
        record = self.app.inference.get_request(after, request_id)
        seat = next(seat for seat in record.seats if seat.host == host)
        is_right, is_honest = self._is_right(record, seat), host in self.trustworthy
        self.seen[f"seat {status} of {self.behaviours.get(host, 'nobody')}"] += 1
        if status == "wrong":
            assert record.audited and not is_right and not is_honest, f"a right answer was slashed: {one}"
        elif status in ("withheld", "missed"):
            assert not is_honest, f"an honest host was too late: {one}"
        elif status == "paid":
            assert is_right or not record.audited, f"a wrong answer was audited and paid: {one}"
            self.seen["seats paid right" if is_right else "seats paid wrong, not audited"] += 1
        else:
            assert status == "unpaid" and not record.audited, f"who was judged is not paid: {one}"
            self.seen["seats unpaid, right" if is_right else "seats unpaid, wrong"] += 1

    def _check_ended(self, before: Ctx, after: Ctx, opened: dict[int, Request], one: Fields) -> None:
        """Coins and answer of a request that is over; the right answer is paid wherever auditors judged."""
        request_id = int(one["request_id"])
        record = self.app.inference.get_request(after, request_id)
        policy = self.app.models.get_spec(after, record.model_id, record.spec_version).inference
        paid = [seat for seat in record.seats if seat.status == SEAT_STATUS_PAID]
        assert record.fee_ugrad == sum(compute_fee(policy, seat.ask_ugrad) for seat in paid)
        assert record.fee_ugrad + record.refund_ugrad == record.escrow_ugrad
        assert bool(paid) == (record.status == REQUEST_STATUS_ANSWERED)
        revealed = [seat for seat in record.seats
                    if seat.status in (SEAT_STATUS_PAID, SEAT_STATUS_WRONG, SEAT_STATUS_UNPAID)]
        hashes = {seat.answer_hash for seat in revealed}
        self.seen[f"requests of {record.replicas}"] += 1
        if paid:
            assert {seat.answer_hash for seat in paid} == {record.answer_hash}
            assert not record.answer or answer_hash(record.answer) == record.answer_hash
            self.seen["answered right" if self._is_right(record, paid[0]) else "answered wrong"] += 1
            self.seen["answered after an audit"] += record.audited
        else:
            self.seen[f"failed: {record.reason}"] += 1
        for seat in revealed:
            if record.audited or len(hashes) == 1:
                is_right = self._is_right(record, seat)
                assert not is_right or seat.status == SEAT_STATUS_PAID, f"a right answer is not paid: {record}"
        self.answers.forget_request(request_id)

    def _check_slashed(self, before: Ctx, after: Ctx, opened: dict[int, Request], one: Fields) -> None:
        """Only who was wrong or fell silent loses anything."""
        behaviour = self.behaviours.get(one["host"], "nobody")
        self.seen[f"{behaviour} slashed for {one['reason']}"] += 1
        assert one["host"] not in self.trustworthy, f"an honest host was slashed: {one}"

    def _check_archived(self, before: Ctx, after: Ctx, opened: dict[int, Request], one: Fields) -> None:
        """The hash of the record as it was is the next leaf."""
        record = self.app.inference.get_request(before, int(one["request_id"]))
        leaf = request_hash(record.SerializeToString(deterministic=True))
        assert (int(one["leaf"]), one["request_hash"]) == (len(self.leaves), leaf.hex()), one
        self.leaves.append(leaf)
        self.appender.append(leaf)

    def _check_draws(self, before: Ctx, after: Ctx, requests: list[Request]) -> None:
        """Answers are audited where hosts differ, and where the seed says so."""
        for request in requests if self.is_exact else ():
            if request.status != REQUEST_STATUS_DRAW:
                continue
            policy = self.app.models.get_spec(before, request.model_id, request.spec_version).inference
            seed = draw_seed(request.seed, before.last_app_hash, before.last_block_hash)
            is_drawn = next(iter_u64(seed)) % PPM < policy.audit_ppm
            hashes = {seat.answer_hash for seat in request.seats if seat.status == SEAT_STATUS_REVEALED}
            now = self.app.inference.get_request(after, request.id)
            assert (now.status in CLOSED and not now.audited) == (len(hashes) == 1 and not is_drawn), \
                f"drawn: {is_drawn}, answers: {len(hashes)}, but: {now}"
            self.seen["audited by lot" if len(hashes) == 1 and is_drawn else "audited for differing answers"
                      if len(hashes) > 1 else "not audited"] += 1

    def _check_time(self, after: Ctx, request: Request) -> None:
        """No request is open for ever. How long a drawn one waits for auditors hangs on others."""
        if request.status == REQUEST_STATUS_ASK:
            return
        last = (request.due_height if request.status == REQUEST_STATUS_AUDIT else request.deadline_height) + LATE_BLOCKS
        assert after.height <= last or not self.is_exact, f"still open at {after.height}: {request}"

    def check_archive(self, ctx: Ctx) -> None:
        """The archive is over all leaves; one of them is proved as the room's README says."""
        archive = self.app.inference.archive(ctx)
        assert archive.count == len(self.leaves)
        if self.leaves:
            assert compute_archive_root(archive) == self.appender.root
            index, tree = len(self.leaves) // 2, MerkleTree(self.leaves)
            assert verify_leaves(compute_archive_root(archive), archive.count, [index], [self.leaves[index]],
                                 tree.prove([index]))

    def _is_right(self, request: Request, seat: Seat) -> bool:
        return seat.answer_hash == answer_hash(self.answers.right[request.id])

    CHECKS = {
        "inference.seat_dealt": _check_dealt, "inference.seat_settled": _check_settled,
        "inference.request_answered": _check_ended, "inference.request_failed": _check_ended,
        "inference.host_slashed": _check_slashed, "inference.request_archived": _check_archived,
    }
