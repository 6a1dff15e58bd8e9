"""Validators that cheat as auditors, alone or together, and with trainers of their own."""

from typing import TYPE_CHECKING

from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.x.audits.types import ARREARS_PER_MISS
from tests.auditors import spoil
from tests.chain import address_of
from tests.sim.strategies.cheats import Garbage
from tests.sim.strategies.sides import Side

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage

MADE_UP = b"\x17" * 32  # a witness that nobody computed


class HonestAuditor(Side):
    """Validators that do their work, counted by seats."""

    counts = "seats"


class LazyAuditor(HonestAuditor):
    """Never recomputes and never answers."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """Nothing."""
        return None


class SelectiveAuditor(HonestAuditor):
    """Answers only where one more missed audit would have it excluded."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """Only where it has to."""
        own = next(member for member in audit.members if stage.indices[member.consensus_address] == validator)
        standing = stage.chain.app.audits.get_auditor(stage.chain.ctx(), own.consensus_address)
        most = ARREARS_PER_MISS * stage.chain.app.audits.params(stage.chain.ctx()).missed_max
        return super().answer(stage, validator, audit) if standing.arrears + 2 * ARREARS_PER_MISS >= most else None


class CopyingAuditor(HonestAuditor):
    """Says what others have said as soon as the answer may be told."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """Nothing that nobody has told: honest nodes keep the answer until its height."""
        is_told = 0 < audit.ready_height <= stage.chain.height
        return stage.find_answer(audit) if is_told else None


class GuessingAuditor(HonestAuditor):
    """Believes every claim: answers with its roots and a witness that it makes up."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """No work, and never right."""
        return claimed_answer(stage, audit)


def claimed_answer(stage: "Stage", audit: Audit) -> bytes:
    """What an auditor would have to say for a claim to pass, but for the witness."""
    claim = stage.find_claim(audit)
    return claim.payload_root + claim.trace_root + MADE_UP


class OwnJudge(Garbage):
    """Claims noise; its validator, whose operator is another account of the same hand, says that it is right."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """Lies for its own units only."""
        if is_own(stage, audit, self.accounts):
            return claimed_answer(stage, audit)
        return super().answer(stage, validator, audit)


class SlashSharer(Garbage):
    """Claims noise; its validator tells the truth about it and so gets part of the slash back."""


class SameOperator(Garbage):
    """Claims noise from the very account of its validator's operator, which is in no committee about it."""

    def __init__(self, validators: tuple[int, ...] = (0,), **arguments: object) -> None:
        """The first trainer is the operator."""
        super().__init__(validators=validators, **arguments)  # type: ignore[arg-type]
        self.trainers = (f"operator{validators[0]}", *self.trainers)
        self.spares = [*self.seated, *self.spares]
        self.seated = [self.trainers[0]]


def count_allies(stage: "Stage", audit: Audit, validators: tuple[int, ...]) -> int:
    """How many members of a committee are of a hand."""
    return sum(stage.indices[member.consensus_address] in validators for member in audit.members)


def is_own(stage: "Stage", audit: Audit, accounts: tuple[str, ...]) -> bool:
    """Whether an audited unit is of one of these accounts."""
    return audit.claimant in [address_of(name) for name in accounts]


class MinorityForGarbage(Garbage):
    """Claims noise; its validators lie for it wherever they alone can keep the others from a verdict, or make one."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """The lie where there are enough of them."""
        enough = 3 * count_allies(stage, audit, self.validators) >= len(audit.members)
        if enough and is_own(stage, audit, self.accounts):
            return claimed_answer(stage, audit)
        return super().answer(stage, validator, audit)


class MinorityAgainstOthers(HonestAuditor):
    """Validators that call honest claims wrong wherever they alone decide, and share the slash."""

    def answer(self, stage: "Stage", validator: int, audit: Audit) -> bytes | None:
        """The lie where they are more than 2/3 of the committee."""
        right = super().answer(stage, validator, audit)
        assert right is not None
        alone = 3 * count_allies(stage, audit, self.validators) > 2 * len(audit.members)
        return spoil(right) if alone else right
