"""Trainers of the simulation: what each does in a block, from what the last state shows.

honest: does its work at once. lazy: honest, nearly at the last moment, and sometimes misses a commitment. absent:
mostly does not commit. withhold: often does not reveal. garbage, copy, wrong-data: claims something else than what
was asked for, most of the time. Only honest and lazy ones must never be slashed.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING, Model
from abci_app.wire.pb.gradus.work.v1.tx_pb2 import MsgEnroll, MsgLeave
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    ROUND_PHASE_COMMIT, ROUND_PHASE_REVEAL, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED, UNIT_STATUS_ASSIGNED,
    UNIT_STATUS_COMMITTED, Round, Trainer, Unit,
)
from kernels import mlp, payload
from tests.chain import address_of, new_test_key
from tests.sim.claims import Claim, new_commit, new_reveal
from tests.sim.market import Intent, Markets

BEHAVIOURS = ("honest", "honest", "honest", "lazy", "garbage", "copy", "wrong-data", "withhold", "absent")
TRUSTWORTHY = ("honest", "lazy")


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
            trainer = markets.work.find_trainer(ctx, model.id, new_test_key(self.name).address)
            if trainer is not None and dice.random() < 0.02:
                yield self._leave(ctx, trainer)
                if not trainer.open_units:
                    continue
            if trainer is None or trainer.status != TRAINER_STATUS_ACTIVE:
                yield from self._join(ctx, model, trainer, dice)
            elif trainer.open_units:
                yield from self._work(ctx, markets, model, dice)

    def _leave(self, ctx: Ctx, trainer: Trainer) -> Intent:
        """Take the bond and go, which must fail while a unit may still cost it, or a withheld reveal keeps it."""
        return Intent(self.name, MsgLeave(trainer=self.address, model_id=trainer.model_id),
                      succeeds=trainer.open_units == 0 and trainer.return_height <= ctx.height + 1)

    def _join(self, ctx: Ctx, model: Model, trainer: Trainer | None, dice: random.Random) -> Iterator[Intent]:
        """Enrol, come back, or go."""
        may_enroll = model.status in (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING) and (
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
        running = markets.work.find_round(ctx, model.id, model.rounds_closed + 1)
        if running is None:
            return
        for unit in markets.work.list_units(ctx, model.id, running.number):
            if unit.trainer != self.address:
                continue
            is_last = ctx.height + 2 >= running.deadline_height  # one block is left if this one leaves it out
            if running.phase == ROUND_PHASE_COMMIT and unit.status == UNIT_STATUS_ASSIGNED:
                if self._commits(is_last, dice):
                    claim = markets.keep_claim(running, unit, self._claim(ctx, markets, running, unit, dice))
                    yield Intent(self.name, new_commit(unit, claim, running.attempt), succeeds=True)
            elif running.phase == ROUND_PHASE_REVEAL and unit.status == UNIT_STATUS_COMMITTED:
                if self._reveals(is_last, dice):
                    claim = markets.kept_claim(running, unit)
                    yield Intent(self.name, new_reveal(unit, claim, running.attempt), succeeds=True)

    def _commits(self, is_last: bool, dice: random.Random) -> bool:
        if self.behaviour == "lazy":
            return is_last and dice.random() < 0.8
        return dice.random() < 0.2 if self.behaviour == "absent" else True

    def _reveals(self, is_last: bool, dice: random.Random) -> bool:
        if self.behaviour == "withhold":
            return dice.random() < 0.2
        return is_last or self.behaviour != "lazy"

    def _claim(self, ctx: Ctx, markets: Markets, running: Round, unit: Unit, dice: random.Random) -> Claim:
        """The right claim, or what this behaviour has instead."""
        if self.behaviour not in ("garbage", "copy", "wrong-data") or dice.random() < 0.3:
            return markets.right_claim(ctx, running, unit.index)
        if self.behaviour == "wrong-data":
            return markets.claim_on_other_rows(ctx, running, unit.index)
        copied = markets.find_earlier_claim(running, dice) if self.behaviour == "copy" else None
        if copied is not None:
            return copied
        spec = markets.work.spec_of(ctx, running)
        count = mlp.param_count(tuple(spec.mlp_classifier.widths))
        delta = b"".join(dice.randint(-2**20, 2**20).to_bytes(8, "little", signed=True) for _ in range(count))
        codec = spec.training.codec
        return Claim(payload.encode(delta, count, dice.randbytes(32), codec), dice.randbytes(32), codec)
