"""Audits and auditors: the only reader and writer of this room's state.

State: store `audits` (see keys.py). Written by block ends and injected transactions, never by users', so that nothing
here costs gas; everything is bounded, see README.md, "Bounds".
Invariants: the marks 02, 03 and 04 are those of the audits' records; see invariants.py.
Source: README.md beside this file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.wire.address import decode_address, encode_address
from abci_app.wire.audit import SUBJECT_BYTES, decode_subject
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import u64_bytes
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import (
    AUDIT_STATUS_DECIDED, AUDIT_STATUS_OPEN, AUDIT_STATUS_TAKEN, MEMBER_VERDICT_DIFFERS, MEMBER_VERDICT_RIGHT,
    MEMBER_VERDICT_WRONG, Audit, Auditor, BlockLoad, Member, Params,
)
from abci_app.x.audits import events, keys
from abci_app.x.audits.errors import AuditNotFound
from abci_app.x.audits.needs import Operators, Validators
from abci_app.x.audits.types import (
    ANSWER_KINDS, ARREARS_PER_MISS, AUDIT_FIXED_WORK, COMMITTEE_MAX, DECIDED_PER_BLOCK, PATIENCE_BLOCKS, STORE,
    compute_begun_height, compute_busy_blocks, compute_debt, compute_power,
    compute_ready_height, draw_committee, is_answerable, is_final, is_quorum, is_whole, judge_member, list_matching,
)


Question = tuple[bytes, bytes, bytes]  # a subject, the account whose claim it is, the seed of committee and witness


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Asks committees, takes their digests, and judges who gave them."""

    validators: Validators
    operators: Operators

    def open_audits(self, ctx: Ctx, committee_max: int, asked: Sequence[Question]) -> list[int]:
        """Draw a committee for each subject and ask it. Returns their sizes; 0 where nobody may judge.

        committee_max: 1..64. asked: each a subject (25 bytes), the account (20 bytes) whose claim it is, and a seed (32
        bytes). A validator that earns for that account, or for nobody, is left out, and so is one that is excluded.
        Opening a subject twice is the caller's bug: InvariantBroken. Emits audits.audit_opened for each.
        """
        judges = self._list_judges(ctx)
        excluded = [auditor.consensus_address for auditor in self.iter_auditors(ctx)
                    if auditor.excluded_until_height > ctx.height]
        return [self._open(ctx, committee_max, question, judges, excluded) for question in asked]

    def ask_everybody(self, ctx: Ctx, asked: Sequence[Question]) -> list[int]:
        """As open_audits, of committees of all who may judge, or of as many as can be asked, excluded or not.

        So an answer is final (`is_final`), and no exclusion makes fewer enough for it.
        """
        judges = self._list_judges(ctx)
        return [self._open(ctx, COMMITTEE_MAX, question, judges, []) for question in asked]

    def has_room(self, ctx: Ctx, kind: int) -> bool:
        """Whether everybody has time for one more audit of a kind of answers (3 or 4), whatever its work."""
        return compute_debt(self._find_debt(ctx, kind), 1) == 0

    def ask_of_answer(self, ctx: Ctx, question: Question, work: int) -> int:
        """As ask_everybody, of one answer of so many multiply-adds, while there is room (`has_room`).

        Returns the height by which this and all answers asked before it are computed, from which its time is to be
        counted; 0 where nobody may judge. InvariantBroken without room.
        """
        kind = decode_subject(question[0]).kind
        if not self.has_room(ctx, kind):
            raise InvariantBroken(f"auditors are asked of {question[0].hex()}, and have no time for it")
        debt = self._find_debt(ctx, kind) + AUDIT_FIXED_WORK + work
        debts = [debt if one == kind else self._find_debt(ctx, one) for one in ANSWER_KINDS]
        busy_height = ctx.height + compute_busy_blocks(debts)
        if not self._open(ctx, COMMITTEE_MAX, question, self._list_judges(ctx), [], busy_height):
            return 0
        ctx.state.store(STORE).set(keys.debt(kind), u64_bytes(ctx.height) + u64_bytes(debt))
        return busy_height

    def _find_debt(self, ctx: Ctx, kind: int) -> int:
        """The multiply-adds that auditors owe of a kind of answers now."""
        raw = ctx.state.store(STORE).get(keys.debt(kind)) or bytes(16)
        return compute_debt(int.from_bytes(raw[8:], "big"), ctx.height - int.from_bytes(raw[:8], "big"))

    def _open(self, ctx: Ctx, committee_max: int, question: Question, judges: list[Member],
              excluded: list[bytes], busy_height: int = 0) -> int:
        """Open one audit. Where less than half of the power that may judge would be left, nobody is excluded: so a
        minority cannot get a majority of committees by having the others excluded in audits of its own."""
        subject, claimant, seed = question[0], encode_address(question[1]), question[2]
        if self.find_audit(ctx, subject) is not None:
            raise InvariantBroken(f"the audit of {subject.hex()} is opened twice")
        eligible = [member for member in judges if member.operator != claimant]
        left = [member for member in eligible if member.consensus_address not in excluded]
        power = compute_power(eligible)
        members = draw_committee(seed, subject, left if 2 * compute_power(left) >= power else eligible,
                                 min(committee_max, COMMITTEE_MAX))
        if members:
            audit = Audit(subject=subject, status=AUDIT_STATUS_OPEN, claimant=claimant, members=members,
                          opened_height=ctx.height, eligible_power=power, seed=seed,
                          busy_height=busy_height)
            self.put_audit(ctx, audit)
            self.put_marks(ctx, audit)
            ctx.emit(events.audit_opened(audit))
        return len(members)

    def find_audit(self, ctx: Ctx, subject: bytes) -> Audit | None:
        """The audit of a subject; None when there is none."""
        raw = ctx.state.store(STORE).get(keys.audit(subject))
        return None if raw is None else Audit.FromString(raw)

    def get_audit(self, ctx: Ctx, subject: bytes) -> Audit:
        """The audit of a subject. Raises AuditNotFound (audits/2)."""
        audit = self.find_audit(ctx, subject)
        if audit is None:
            raise AuditNotFound(subject.hex())
        return audit

    def put_audit(self, ctx: Ctx, audit: Audit) -> None:
        """Write the record; its marks are the caller's."""
        ctx.state.store(STORE).set(keys.audit(audit.subject), audit.SerializeToString(deterministic=True))

    def iter_audits(self, ctx: Ctx) -> Iterator[Audit]:
        """All audits by subject, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.AUDITS):
            yield Audit.FromString(raw)

    def list_decided(self, ctx: Ctx, *kinds: int) -> list[tuple[bytes, bytes]]:
        """(subject, answer) of audits of these kinds that are decided and not taken, at most 256 in all.

        By kind in the order given, then by rising subject. Each room names its own kinds, and sees no other's.
        """
        store, subjects = ctx.state.store(STORE), list[bytes]()
        for kind in kinds:
            marks = store.iter(keys.decided_of(kind), limit=DECIDED_PER_BLOCK - len(subjects))
            subjects += [key[len(keys.DECIDED):] for key, _ in marks]
            if len(subjects) == DECIDED_PER_BLOCK:
                break
        return [(subject, self.get_audit(ctx, subject).answer) for subject in subjects]

    def is_final(self, ctx: Ctx, subject: bytes) -> bool:
        """Whether a decided audit was decided by so many that somebody may be punished for it."""
        return is_final(self.get_audit(ctx, subject))

    def is_whole(self, ctx: Ctx, subject: bytes) -> bool:
        """Whether everybody who may judge is in the audit's committee."""
        return is_whole(self.get_audit(ctx, subject))

    def is_unanimous(self, ctx: Ctx, subject: bytes) -> bool:
        """Whether nobody in a decided audit's committee has said anything else than the answer."""
        return all(member.verdict not in (MEMBER_VERDICT_DIFFERS, MEMBER_VERDICT_WRONG)
                   for member in self.get_audit(ctx, subject).members)

    def take(self, ctx: Ctx, subject: bytes) -> None:
        """Note that whoever opened a decided audit has acted on its answer. Anything else is its bug."""
        audit = self.get_audit(ctx, subject)
        if audit.status != AUDIT_STATUS_DECIDED:
            raise InvariantBroken(f"the audit of {subject.hex()} is taken, but not decided, or taken before")
        audit.status = AUDIT_STATUS_TAKEN
        ctx.state.store(STORE).delete(keys.decided(subject))
        self.put_audit(ctx, audit)

    def uphold(self, ctx: Ctx, subject: bytes) -> None:
        """A final audit has the same answer as this taken one: who differed in it was wrong, and is excluded.

        Emits audits.auditor_excluded for each.
        """
        for member in self._get_taken(ctx, subject).members:
            if member.verdict == MEMBER_VERDICT_DIFFERS:
                self._count_wrong(ctx, member)

    def refute(self, ctx: Ctx, subject: bytes) -> None:
        """A final audit has another answer than this taken one: who gave this one is excluded, and it is forgotten.

        Emits audits.auditor_excluded for each, and audits.audit_closed.
        """
        audit = self._get_taken(ctx, subject)
        for member in list_matching(audit, audit.answer):
            self._count_wrong(ctx, member, was_right=member.verdict == MEMBER_VERDICT_RIGHT)
        ctx.state.store(STORE).delete(keys.audit(subject))
        ctx.emit(events.audit_closed(audit, "refuted"))

    def list_right(self, ctx: Ctx, subject: bytes) -> list[bytes]:
        """The accounts (20 bytes) of the members who gave the answer in time, one for each, by rising validator.

        An account that operates several validators stands there as often. Empty for an audit that is undecided or gone.
        """
        audit = self.find_audit(ctx, subject)
        return [] if audit is None else [decode_address(member.operator) for member in audit.members
                                         if member.verdict == MEMBER_VERDICT_RIGHT]

    def book_fee(self, ctx: Ctx, subject: bytes, fee_ugrad: int) -> None:
        """Note that each member who was right in time has earned fee_ugrad (0 or more); the coins are the caller's."""
        audit = self.find_audit(ctx, subject)
        for member in audit.members if audit is not None else ():
            if member.verdict == MEMBER_VERDICT_RIGHT:
                auditor = self.get_auditor(ctx, member.consensus_address)
                auditor.fees_ugrad += fee_ugrad
                self.put_auditor(ctx, auditor)

    def close_audit(self, ctx: Ctx, subject: bytes) -> None:
        """Forget an audit; nothing happens when there is none.

        Who has not answered an undecided one has missed it, where others could answer (`is_answerable`).
        Emits audits.audit_closed, and audits.auditor_excluded for who missed too many.
        """
        audit = self.find_audit(ctx, subject)
        if audit is None:
            return
        store = ctx.state.store(STORE)
        if audit.status == AUDIT_STATUS_OPEN:
            self._drop_open_marks(ctx, audit)
            for member in audit.members if is_answerable(audit) else ():
                if not member.digest:
                    self._count_late(ctx, audit, member)
        elif audit.status == AUDIT_STATUS_DECIDED:
            store.delete(keys.decided(subject))
        store.delete(keys.audit(subject))
        ctx.emit(events.audit_closed(audit))

    def record_digests(self, ctx: Ctx, subject: bytes, digests: Mapping[bytes, bytes]) -> None:
        """Take digests that an open audit waits for (`is_waiting`), by validator.

        All of a block at once, because the record is as long as its committee. Emits audits.digest_recorded for each.
        """
        audit, store = self.get_audit(ctx, subject), ctx.state.store(STORE)
        for member in audit.members:
            if member.consensus_address in digests:
                member.digest, member.digest_height = digests[member.consensus_address], ctx.height
                store.delete(keys.waiting(member.consensus_address, subject))
                ctx.emit(events.digest_recorded(subject, member.consensus_address))
        before, audit.ready_height = audit.ready_height, compute_ready_height(audit, ctx.height)
        if audit.ready_height != before:
            if before:
                store.delete(keys.ready(before, subject))
            store.set(keys.ready(audit.ready_height, subject), keys.MARK)
        self.put_audit(ctx, audit)

    def decide(self, ctx: Ctx, audit: Audit, answer: bytes) -> None:
        """Settle an open audit by its answer, of which a quorum has given digests, and judge its members.

        Emits audits.audit_decided, and audits.auditor_excluded for who was wrong or missed too many.
        """
        audit.answer, audit.status, audit.decided_height = answer, AUDIT_STATUS_DECIDED, ctx.height
        self._drop_open_marks(ctx, audit)
        self.put_marks(ctx, audit)
        for member in audit.members:
            member.verdict = judge_member(audit, member)
        self.put_audit(ctx, audit)
        ctx.emit(events.audit_decided(audit))
        for member in audit.members:
            if member.verdict == MEMBER_VERDICT_RIGHT:
                self._count_right(ctx, member)
            elif member.verdict == MEMBER_VERDICT_WRONG:
                self._count_wrong(ctx, member)
            elif member.verdict != MEMBER_VERDICT_DIFFERS:
                self._count_late(ctx, audit, member)

    def is_waiting(self, ctx: Ctx, validator: bytes, subject: bytes) -> bool:
        """Whether an open audit of the subject waits for this validator's digest."""
        return ctx.state.store(STORE).has(keys.waiting(validator, subject))

    def find_waiting_height(self, ctx: Ctx, validator: bytes, subject: bytes) -> int | None:
        """When the audit was opened that waits for this validator's digest, None when none does."""
        raw = ctx.state.store(STORE).get(keys.waiting(validator, subject))
        return None if raw is None else int.from_bytes(raw, "big")

    def put_marks(self, ctx: Ctx, audit: Audit) -> None:
        """Note what an audit waits for, as its record says: digests, an answer, or that its answer is taken."""
        store = ctx.state.store(STORE)
        if audit.status == AUDIT_STATUS_DECIDED:
            store.set(keys.decided(audit.subject), keys.MARK)
        if audit.status != AUDIT_STATUS_OPEN:
            return
        if audit.ready_height:
            store.set(keys.ready(audit.ready_height, audit.subject), keys.MARK)
        for member in audit.members:
            if not member.digest:
                store.set(keys.waiting(member.consensus_address, audit.subject), u64_bytes(audit.opened_height))

    def is_answer(self, audit: Audit, answer: bytes) -> bool:
        """Whether a quorum of the committee has given digests of this answer."""
        return is_quorum(list_matching(audit, answer), audit)

    def iter_ready(self, ctx: Ctx, limit: int) -> Iterator[Audit]:
        """Open audits whose answers may be told now, in the order in which they became so, at most `limit`."""
        for key, _ in ctx.state.store(STORE).iter(keys.READY, limit=limit):
            audit = self.get_audit(ctx, key[-SUBJECT_BYTES:])
            if audit.ready_height > ctx.height:
                return
            yield audit

    def list_marks(self, ctx: Ctx, prefix: bytes) -> list[bytes]:
        """What follows the prefix in the keys under it, rising: for invariants."""
        return [key[len(prefix):] for key, _ in ctx.state.store(STORE).iter(prefix)]

    def is_excluded(self, ctx: Ctx, validator: bytes) -> bool:
        """Whether a validator (consensus address) is kept out of new committees now."""
        auditor = self.find_auditor(ctx, validator)
        return auditor is not None and auditor.excluded_until_height > ctx.height

    def find_auditor(self, ctx: Ctx, validator: bytes) -> Auditor | None:
        """How a validator has done; None while it was never judged."""
        raw = ctx.state.store(STORE).get(keys.auditor(validator))
        return None if raw is None else Auditor.FromString(raw)

    def get_auditor(self, ctx: Ctx, validator: bytes) -> Auditor:
        """How a validator has done, an empty record while it was never judged."""
        return self.find_auditor(ctx, validator) or Auditor(consensus_address=validator)

    def put_auditor(self, ctx: Ctx, auditor: Auditor) -> None:
        """Write the record."""
        key = keys.auditor(auditor.consensus_address)
        ctx.state.store(STORE).set(key, auditor.SerializeToString(deterministic=True))

    def iter_auditors(self, ctx: Ctx) -> Iterator[Auditor]:
        """All who were judged, by address."""
        for _, raw in ctx.state.store(STORE).iter(keys.AUDITORS):
            yield Auditor.FromString(raw)

    def params(self, ctx: Ctx) -> Params:
        """When auditors are excluded and for how long; genesis has written them."""
        return Params.FromString(ctx.state.store(STORE).get(keys.PARAMS) or b"")

    def put_params(self, ctx: Ctx, params: Params) -> None:
        """Write the parameters, which are not all 0."""
        ctx.state.store(STORE).set(keys.PARAMS, params.SerializeToString(deterministic=True))

    def block_load(self, ctx: Ctx) -> BlockLoad:
        """What this block has used of its bounds so far."""
        load = BlockLoad.FromString(ctx.state.store(STORE).get(keys.LOAD) or b"")
        return load if load.height == ctx.height else BlockLoad(height=ctx.height)

    def put_block_load(self, ctx: Ctx, load: BlockLoad) -> None:
        """Write what this block has used."""
        ctx.state.store(STORE).set(keys.LOAD, load.SerializeToString(deterministic=True))

    def _list_judges(self, ctx: Ctx) -> list[Member]:
        """Validators with power whose operator is known, by rising address."""
        judges = []
        for validator in self.validators.iter_validators(ctx):
            operator = self.operators.find_operator(ctx, validator.consensus_address) if validator.power else None
            if operator is not None:
                judges.append(Member(consensus_address=validator.consensus_address, power=validator.power,
                                     operator=encode_address(operator)))
        return judges

    def _get_taken(self, ctx: Ctx, subject: bytes) -> Audit:
        """An audit that is not taken has no answer yet that could be judged: the caller's bug."""
        audit = self.get_audit(ctx, subject)
        if audit.status != AUDIT_STATUS_TAKEN:
            raise InvariantBroken(f"the audit of {subject.hex()} is judged by another, but not taken")
        return audit

    def _drop_open_marks(self, ctx: Ctx, audit: Audit) -> None:
        store = ctx.state.store(STORE)
        for member in audit.members:
            if not member.digest:
                store.delete(keys.waiting(member.consensus_address, audit.subject))
        if audit.ready_height:
            store.delete(keys.ready(audit.ready_height, audit.subject))

    def _count_right(self, ctx: Ctx, member: Member) -> None:
        auditor = self.get_auditor(ctx, member.consensus_address)
        auditor.right += 1
        auditor.arrears = max(0, auditor.arrears - 1)
        self.put_auditor(ctx, auditor)

    def _count_wrong(self, ctx: Ctx, member: Member, was_right: bool = False) -> None:
        """was_right: that was counted before the answer was refuted."""
        auditor = self.get_auditor(ctx, member.consensus_address)
        auditor.right -= 1 if was_right else 0
        auditor.wrong += 1
        self._exclude(ctx, auditor, "wrong", self.params(ctx).wrong_excluded_blocks)

    def _count_late(self, ctx: Ctx, audit: Audit, member: Member) -> None:
        """A member that gave nothing in time has missed an audit that was open long enough."""
        if ctx.height - compute_begun_height(audit) >= PATIENCE_BLOCKS:
            self._count_miss(ctx, member)

    def _count_miss(self, ctx: Ctx, member: Member) -> None:
        auditor, params = self.get_auditor(ctx, member.consensus_address), self.params(ctx)
        auditor.missed += 1
        auditor.arrears += ARREARS_PER_MISS
        if auditor.arrears < ARREARS_PER_MISS * params.missed_max:
            self.put_auditor(ctx, auditor)
            return
        auditor.arrears = 0
        self._exclude(ctx, auditor, "missed", params.missed_excluded_blocks)

    def _exclude(self, ctx: Ctx, auditor: Auditor, reason: str, blocks: int) -> None:
        """Keep an auditor out of new committees; a longer exclusion stands. Emits audits.auditor_excluded."""
        auditor.excluded_until_height = max(auditor.excluded_until_height, ctx.height + blocks)
        self.put_auditor(ctx, auditor)
        ctx.emit(events.auditor_excluded(auditor.consensus_address, reason, auditor.excluded_until_height))
