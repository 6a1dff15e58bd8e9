"""Trainers that cheat: each changes a step or two of what an honest one does."""

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from google.protobuf.message import Message

from abci_app.runtime.contract import compute_burnt
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import DISPUTE_STAGE_TRACE, Dispute
from abci_app.wire.pb.gradus.disputes.v1.tx_pb2 import MsgPostTrace
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgCommitWork
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, TRAINER_STATUS_STOOD_DOWN, UNIT_STATUS_ASSIGNED, UNIT_STATUS_COMMITTED, Round, Unit,
)
from abci_app.wire.seed import reveal_hash
from kernels import mlp, payload
from tests.sim.claims import Claim, compute_claim, new_commit, new_reveal
from tests.sim.strategies.draws import guess_drawn, list_drawn
from tests.sim.strategies.sides import Sent, Trainers

if TYPE_CHECKING:
    from tests.sim.strategies.stage import Stage


def new_garbage(stage: "Stage", running: Round, unit: Unit) -> Claim:
    """A canonical payload and digests that come from nowhere."""
    dice = stage.dice(f"garbage {running.model_id} {unit.index}")
    spec = stage.chain.app.work.spec_of(stage.chain.ctx(), running)
    count, codec = mlp.param_count(tuple(spec.mlp_classifier.widths)), spec.training.codec
    delta = b"".join(dice.randint(-2**20, 2**20).to_bytes(8, "little", signed=True) for _ in range(count))
    made = payload.encode(delta, count, dice.randbytes(32), codec)
    return Claim(made, merkle_root(list_digests(stage, running, unit)), codec)


def list_digests(stage: "Stage", running: Round, unit: Unit) -> list[bytes]:
    """The digests of a trace that nobody computed, as many as the contract wants; the same whenever they are asked."""
    training = stage.chain.app.work.spec_of(stage.chain.ctx(), running).training
    dice = random.Random(f"{stage.setting.seed}/{running.model_id}/{running.number}/{running.attempt}/{unit.index}")
    return [dice.randbytes(32) for _ in range(-(-training.local_steps // training.trace_every))]


class Garbage(Trainers):
    """Claims noise."""

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """No work at all."""
        return new_garbage(stage, running, unit)

    def find_defence(self, stage: "Stage", dispute: Dispute) -> Message | None:
        """Its trace, of which it knows the digests; to all further questions it has no answer."""
        if dispute.stage != DISPUTE_STAGE_TRACE:
            return None
        ctx, work = stage.chain.ctx(), stage.chain.app.work
        owner = work.get_round(ctx, dispute.model_id, dispute.round)
        unit = work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        return MsgPostTrace(claimant=dispute.claimant, model_id=dispute.model_id, round=dispute.round,
                            unit=dispute.unit, digests=list_digests(stage, owner, unit))


class CopyEarlier(Garbage):
    """Claims what somebody claimed in the round before."""

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """No work but for the first round, of which there is none before."""
        earlier = [place for place in sorted(stage.claims) if place[:2] == (running.model_id, running.number - 1)]
        return stage.claims[earlier[-1]] if earlier else super().make_claim(stage, running, unit)


class CopyCommitment(Trainers):
    """Commits to what another has committed to, and sends the other's reveal as its own, which fits no address."""

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Only once there is something to copy; in the last block of the phase at the latest."""
        return self._find_copied(stage, running, unit) is not None

    def _find_copied(self, stage: "Stage", running: Round, unit: Unit) -> Unit | None:
        return next((other for other in stage.units(running)
                     if other.status == UNIT_STATUS_COMMITTED and other.trainer != unit.trainer), None)

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """The other's, of which only the commitment is known yet."""
        copied = self._find_copied(stage, running, unit)
        assert copied is not None
        return stage.claims[running.model_id, running.number, running.attempt, copied.index]

    def commit(self, stage: "Stage", running: Round, unit: Unit, claim: Claim) -> Iterator[Sent]:
        """The same commitment."""
        copied = self._find_copied(stage, running, unit)
        assert copied is not None
        yield Sent(stage.names[unit.trainer], MsgCommitWork(
            trainer=unit.trainer, model_id=unit.model_id, round=unit.round, unit=unit.index, attempt=running.attempt,
            commitment=copied.commitment))

    def reveals(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Once: it is refused."""
        return stage.chain.height + 2 >= running.deadline_height


class WrongData(Garbage):
    """Right work on other rows than were drawn."""

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """As much work as honest work."""
        self.work += 1
        *inputs, rows = stage.inputs(running, unit.index)
        return compute_claim(*inputs, rows[1:] + rows[:1])


class FewerSteps(Garbage):
    """Half of the local steps."""

    def make_claim(self, stage: "Stage", running: Round, unit: Unit) -> Claim:
        """Half of the work."""
        self.work += 0.5
        spec, *inputs = stage.inputs(running, unit.index)
        fewer = type(spec).FromString(spec.SerializeToString())
        fewer.training.local_steps //= 2
        return compute_claim(fewer, *inputs)


class Withholder(Garbage):
    """Commits to noise and reveals nothing."""

    def reveals(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Never."""
        return False


class Foreseer(Garbage):
    """Claims noise, reveals last, when it knows the draw, and then only what loses it least."""

    def reveals(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """When all others have, or never."""
        units = [other for other in stage.units(running) if other.status == UNIT_STATUS_COMMITTED]
        own = [other.index for other in units if stage.names[other.trainer] in self.trainers]
        return len(own) == len(units) and unit.index in self.choose(stage, running, own)

    def choose(self, stage: "Stage", running: Round, own: list[int]) -> Sequence[int]:
        """Those of its units whose reveal is worth most, by what is burnt of the bonds of the others."""
        spec = stage.chain.app.work.spec_of(stage.chain.ctx(), running)
        share_ugrad = spec.economy.round_reward_ugrad // running.unit_count
        wrong_ugrad, withheld_ugrad = compute_burnt(spec.economy, spec.audit)

        def worth(chosen: Sequence[int]) -> int:
            drawn = set(list_drawn(stage, running, chosen)) if chosen else set()
            seen = len(drawn.intersection(chosen))
            lost_ugrad = seen * wrong_ugrad + (len(own) - len(chosen)) * withheld_ugrad
            return (len(chosen) - seen) * share_ugrad - lost_ugrad

        return max((chosen for count in range(len(own), -1, -1) for chosen in combinations(own, count)), key=worth)


class PatientForeseer(Foreseer):
    """The same, but reveals in the last block of the phase what it would have withheld."""

    def reveals(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Whatever comes, at the end."""
        return stage.chain.height + 1 >= running.deadline_height or super().reveals(stage, running, unit)


class Chooser(Trainers):
    """Computes only units that it likes, those of even numbers, and lets the others pass."""

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Whether it likes it."""
        return unit.index % 2 == 0

    def is_spent(self, stage: "Stage", name: str, status: int) -> bool:
        """Comes back with the same bond when it was stood down."""
        return status != TRAINER_STATUS_STOOD_DOWN


class Absent(Chooser):
    """Enrols, never commits, is stood down, comes back."""

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """Never."""
        return False


class Slow(Trainers):
    """Commits and reveals in the last block of each phase."""

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """As late as it can."""
        return stage.chain.height + 1 >= running.deadline_height

    reveals = commits


class Equivocator(Trainers):
    """Commits to two claims, and tries to reveal another than it committed to before it reveals what it did."""

    def commit(self, stage: "Stage", running: Round, unit: Unit, claim: Claim) -> Iterator[Sent]:
        """The right one, then another."""
        yield from super().commit(stage, running, unit, claim)
        yield Sent(stage.names[unit.trainer], new_commit(unit, new_garbage(stage, running, unit), running.attempt))

    def reveal(self, stage: "Stage", running: Round, unit: Unit, claim: Claim) -> Iterator[Sent]:
        """The other, then the right one, then the other again."""
        other = Sent(stage.names[unit.trainer], new_reveal(unit, new_garbage(stage, running, unit), running.attempt))
        yield other
        yield from super().reveal(stage, running, unit, claim)
        yield Sent(other.name, other.message, memo="again")


class GrindingProposer(Foreseer):
    """Claims noise, commits and reveals last in blocks of its own validator, and tries out blocks until it goes free.

    It knows the hash of the block that ends the commits, and no salts but its own; so it tries by the draw that these
    alone would give. When it reveals it knows all, and can change nothing but whether it reveals.
    """

    TRIES = 16

    def commits(self, stage: "Stage", running: Round, unit: Unit) -> bool:
        """In its own turn, when all others have; at the end in any case."""
        turn = (stage.chain.height + 1) % stage.setting.validators in self.validators
        waiting = [other for other in stage.units(running)
                   if other.status == UNIT_STATUS_ASSIGNED and stage.names[other.trainer] not in self.trainers]
        return turn and not waiting or stage.chain.height + 1 >= running.deadline_height

    def arrange(self, stage: "Stage", head: list[bytes], sent: list[Sent]) -> list[Sent]:
        """The first of some blocks, which differ in the memo of its commitment, whose hash suits it."""
        running = stage.running(self.model_id)
        own = [one for one in sent if one.name in self.trainers]
        if running is None or running.phase != ROUND_PHASE_COMMIT or not own:
            return sent
        others = [one for one in sent if one.name not in self.trainers]
        units = stage.units(running)
        mine = {unit.index for unit in units if stage.names[unit.trainer] in self.trainers}
        for attempt in range(self.TRIES):
            tried = others + [Sent(one.name, one.message, memo=str(attempt)) for one in own]
            running.reveal_hash = reveal_hash(*stage.chain.preview(head + stage.sign(tried)))
            if not mine.intersection(guess_drawn(stage, running, [unit.index for unit in units], mine)):
                return tried
        return sent


class CensoringProposer(Trainers):
    """Leaves the commitments and reveals of the others out of the blocks of its validator."""

    def arrange(self, stage: "Stage", head: list[bytes], sent: list[Sent]) -> list[Sent]:
        """Only its own."""
        return [one for one in sent if one.name in self.accounts]
