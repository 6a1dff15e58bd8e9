"""Trainers of the simulation: what each does in a block, from what the last state shows.

honest: does its work at once. lazy: honest, nearly at the last moment, and sometimes misses a commitment. absent:
mostly does not commit. withhold: often does not reveal. garbage, copy, wrong-data, fewer-steps: claim something else
than what was asked for, most of the time. liar: claims what it could defend in a dispute almost to the end. collude:
as wrong-data, with validators that vouch for it (tests/sim/validators.py). equivocate: commits and reveals twice, once
wrong. grind: leaves and comes back whenever it may, and reveals late, or not at all where it dislikes its unit. Only
those in TRUSTWORTHY must never be slashed.
"""

import hashlib
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.watch.replay import UnitReplay
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, Round, Trainer, Unit,
)
from abci_app.x.work.types import compute_part_bytes
from kernels import mlp, payload, transcript
from tests.chain import address_of, new_test_key
from tests.sim.claims import Claim, new_commit, new_reveal, new_reveals
from tests.sim.market import Intent, Lie, Markets
from tests.unit.disputes import liars

BEHAVIOURS = ("honest", "honest", "honest", "lazy", "garbage", "copy", "wrong-data", "fewer-steps", "liar", "collude",
              "equivocate", "grind", "withhold", "absent")
TRUSTWORTHY = ("honest", "lazy")
CHEATS = ("garbage", "copy", "wrong-data", "fewer-steps", "liar", "collude")
LIVE = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)


@dataclass(frozen=True)
class Person:
    """A name with a behaviour."""

    name: str
    behaviour: str

    @property
    def address(self) -> str:
        """Its bech32 address."""
        return address_of(self.name)

    def act(self, ctx: Ctx, markets: Markets, dice: random.Random) -> Iterator[Intent]:
        """What it sends into the next block."""
        for model in markets.models(ctx):
            trainer = markets.app.work.find_trainer(ctx, model.id, new_test_key(self.name).address)
            if trainer is not None and dice.random() < (0.3 if self.behaviour == "grind" else 0.02):
                yield self._leave(ctx, trainer)
                if not trainer.open_units:
                    continue
            if trainer is None or trainer.status != TRAINER_STATUS_ACTIVE or _is_short(model, trainer):
                yield from self._join(ctx, model, trainer, dice)
            if trainer is not None and trainer.open_units:
                yield from self._work(ctx, markets, model, dice)

    def _leave(self, ctx: Ctx, trainer: Trainer) -> Intent:
        """Take the bond and go, which must fail while a unit may still cost it, or a withheld reveal keeps it."""
        return Intent(self.name, MsgLeave(trainer=self.address, model_id=trainer.model_id),
                      succeeds=trainer.open_units == 0 and trainer.return_height <= ctx.height + 1)

    def _join(self, ctx: Ctx, model: Model, trainer: Trainer | None, dice: random.Random) -> Iterator[Intent]:
        """Enrol, come back, add to a bond that newer terms find too small, or go."""
        may_enroll = model.status in LIVE and (
            not model.spec.invited_trainers or self.address in model.spec.invited_trainers)
        slashed = trainer is not None and trainer.status == TRAINER_STATUS_SLASHED
        if slashed or not may_enroll:
            if trainer is not None and dice.random() < 0.2:
                yield self._leave(ctx, trainer)
        elif dice.random() < 0.25:
            held = 0 if trainer is None else trainer.bond_ugrad
            missing = max(0, model.spec.economy.bond_ugrad - held)
            enough = dice.random() < 0.9 or missing == 0
            cool = trainer is None or trainer.return_height <= ctx.height + 1
            bond = coin_pb(base_coin(missing if enough else missing - 1))
            yield Intent(self.name, MsgEnroll(trainer=self.address, model_id=model.id, bond=bond),
                         succeeds=enough and cool)

    def _work(self, ctx: Ctx, markets: Markets, model: Model, dice: random.Random) -> Iterator[Intent]:
        """Commit or reveal the unit of the running round."""
        work = markets.app.work
        running = work.find_round(ctx, model.id, model.rounds_closed + 1)
        if running is None or running.phase not in (ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL):
            return
        for unit in work.list_units(ctx, model.id, running.number):
            if unit.trainer != self.address:
                continue
            is_last = ctx.height + 2 >= running.deadline_height  # one block is left if this one leaves it out
            if running.phase == ROUND_PHASE_COMMIT and unit.status == UNIT_STATUS_ASSIGNED:
                if self._commits(is_last, dice):
                    yield from self._commit(ctx, markets, running, unit, dice)
            elif running.phase == ROUND_PHASE_REVEAL and unit.status == UNIT_STATUS_COMMITTED:
                if self._reveals(is_last, unit, dice):
                    yield from self._reveal(ctx, markets, running, unit)

    def _commit(self, ctx: Ctx, markets: Markets, running: Round, unit: Unit, dice: random.Random) -> Iterator[Intent]:
        """A commitment; of an equivocator two of different claims, of which only the first is taken."""
        claim = markets.keep_claim(running, unit, self._claim(ctx, markets, running, unit, dice))
        yield Intent(self.name, new_commit(unit, claim, running.attempt), succeeds=True)
        if self.behaviour == "equivocate":
            other = self._garbage(ctx, markets, running, dice)
            yield Intent(self.name, new_commit(unit, other, running.attempt), succeeds=False)

    def _reveal(self, ctx: Ctx, markets: Markets, running: Round, unit: Unit) -> Iterator[Intent]:
        """All parts of the payload, in turn; an equivocator shows another claim before it and its own twice."""
        claim = markets.kept_claim(running, unit)
        size = compute_part_bytes(claim.codec)
        own = [Intent(self.name, message, succeeds=True)
               for message in new_reveals(unit, claim, size, running.attempt)]
        if self.behaviour == "equivocate":
            other = Claim(claim.payload, hashlib.sha256(claim.trace_root).digest(), claim.codec)
            yield Intent(self.name, new_reveal(unit, other, running.attempt), succeeds=False)
            yield from own
            yield Intent(self.name, own[0].message, succeeds=False)
        else:
            yield from own

    def _commits(self, is_last: bool, dice: random.Random) -> bool:
        if self.behaviour == "lazy":
            return is_last and dice.random() < 0.8
        return dice.random() < 0.2 if self.behaviour == "absent" else True

    def _reveals(self, is_last: bool, unit: Unit, dice: random.Random) -> bool:
        if self.behaviour == "withhold":
            return dice.random() < 0.2
        if self.behaviour == "grind" and unit.index % 4 == 3:
            return False
        return is_last or self.behaviour not in ("lazy", "grind")

    def _claim(self, ctx: Ctx, markets: Markets, running: Round, unit: Unit, dice: random.Random) -> Claim:
        """The right claim, or what this behaviour has instead."""
        cheats = self.behaviour in CHEATS or self.behaviour == "equivocate" and dice.random() < 0.5
        if not cheats or dice.random() < 0.3:
            return markets.right_claim(ctx, running, unit.index)
        if self.behaviour in ("wrong-data", "collude"):
            return markets.claim_on_other_rows(ctx, running, unit.index)
        if self.behaviour == "fewer-steps":
            return markets.claim_of_fewer_steps(ctx, running, unit.index)
        if self.behaviour == "liar":
            return markets.claim_of_lie(ctx, running, unit, _draw_lie(dice))
        codec = markets.app.work.spec_of(ctx, running).training.codec
        copied = markets.find_earlier_claim(running, codec, dice) if self.behaviour == "copy" else None
        return copied or self._garbage(ctx, markets, running, dice)

    def _garbage(self, ctx: Ctx, markets: Markets, running: Round, dice: random.Random) -> Claim:
        """A canonical payload of random numbers, and a trace that nobody has."""
        spec = markets.app.work.spec_of(ctx, running)
        count = mlp.param_count(tuple(spec.mlp_classifier.widths))
        words = array("i", dice.randbytes(4 * count))
        delta = array("q", (word >> 11 for word in words)).tobytes()
        codec = spec.training.codec
        return Claim(payload.encode(delta, count, dice.randbytes(32), codec), dice.randbytes(32), codec)


def _is_short(model: Model, trainer: Trainer) -> bool:
    """Whether newer terms ask for a larger bond."""
    return trainer.bond_ugrad < model.spec.economy.bond_ugrad


def _draw_lie(dice: random.Random) -> Lie:
    """One of the lies of tests/unit/disputes/liars.py, the same whenever it is told."""
    kind, place = dice.choice(("trace", "payload", "tree", "operation")), dice.random()

    def lie(truth: UnitReplay) -> liars.Liar:
        segment = int(place * len(truth.trace))
        if kind == "trace":
            return liars.lie_about_trace(truth, segment)
        if kind == "payload":
            return liars.lie_about_payload(truth)
        if kind == "tree":
            return liars.lie_about_tree(truth, segment)
        operation = int(place * 7919) % transcript.count(truth.terms.policy, segment)
        try:
            return liars.lie_about_operation(truth, segment, operation)
        except ValueError:
            return liars.lie_about_trace(truth, segment)

    return lie
