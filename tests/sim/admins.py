"""Admins of the simulation: contracts are funded, changed, paused, given other rows, handed over and closed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import compute_round_cost
from abci_app.wire.coin import base_coin, coin_pb
from abci_app.wire.pb.gradus.models.v1.models_pb2 import (
    MODEL_STATUS_OPEN, MODEL_STATUS_PAUSED, MODEL_STATUS_RETIRED, MODEL_STATUS_TRAINING, Model,
)
from abci_app.wire.pb.gradus.models.v1.tx_pb2 import (
    MsgAcceptAdmin, MsgAttachData, MsgCloseModel, MsgCreateModel, MsgFundModel, MsgInviteTrainers, MsgOfferAdmin,
    MsgPauseModel, MsgResumeModel, MsgUpdateModel,
)
from tests.chain import address_of
from tests.sim.market import Intent, Markets
from tests.sim.terms import draw_change, new_table, new_terms

CREATOR, HEIR = "creator", "heir"
MODELS_MAX = 4
ACTS = ("pause", "update", "update", "update", "attach", "attach", "invite", "offer", "close", "strange")
LIVE = (MODEL_STATUS_OPEN, MODEL_STATUS_TRAINING)


@dataclass(frozen=True)
class Admins:
    """trainers: addresses of those who may be invited."""

    markets: Markets
    trainers: list[str]

    def iter_intents(self, ctx: Ctx, dice: random.Random) -> Iterator[Intent]:
        """At most one act for each model, and new models."""
        models = self.markets.models(ctx)
        yield from self._create(ctx, models, dice)
        for model in models:
            if model.status == MODEL_STATUS_RETIRED:
                continue
            if model.offered_admin and dice.random() < 0.3:
                name = HEIR if model.offered_admin == address_of(HEIR) else CREATOR
                yield Intent(name, MsgAcceptAdmin(recipient=model.offered_admin, model_id=model.id), succeeds=True)
            elif model.status == MODEL_STATUS_PAUSED and dice.random() < 0.1:
                yield Intent(_name_of(model), MsgResumeModel(authority=model.admin, model_id=model.id), succeeds=True)
            elif dice.random() < 0.04:
                yield self._act(ctx, model, dice)
            else:
                yield from self._fund(model, dice)

    def _create(self, ctx: Ctx, models: list[Model], dice: random.Random) -> Iterator[Intent]:
        live = [model for model in models if model.status in LIVE]
        if len(live) >= MODELS_MAX or dice.random() > (0.1 if live else 0.5):
            return
        price_ugrad = self.markets.app.models.params(ctx).audit_price_ugrad_per_gma
        spec, table = new_terms(dice, f"model {len(models) + 1}", self.trainers, price_ugrad)
        self.markets.add(table)
        escrow = compute_round_cost(spec) * dice.randint(1, 6)
        yield Intent(CREATOR, MsgCreateModel(creator=address_of(CREATOR), spec=spec, escrow=coin_pb(base_coin(escrow))),
                     succeeds=True)

    def _fund(self, model: Model, dice: random.Random) -> Iterator[Intent]:
        """Coins for a model that has run dry."""
        cost = compute_round_cost(model.spec)
        if model.escrow_ugrad < cost and dice.random() < 0.2:
            amount = coin_pb(base_coin(cost * dice.randint(1, 5)))
            yield Intent(CREATOR, MsgFundModel(sender=address_of(CREATOR), model_id=model.id, amount=amount),
                         succeeds=True)

    def _act(self, ctx: Ctx, model: Model, dice: random.Random) -> Intent:
        """Something that only an admin may do; sometimes somebody else tries."""
        kind, name, admin = dice.choice(ACTS), _name_of(model), model.admin
        if kind == "pause":
            return Intent(name, MsgPauseModel(authority=admin, model_id=model.id),
                          succeeds=model.status != MODEL_STATUS_PAUSED)
        if kind == "update":
            before = self.markets.app.models.find_pending(ctx, model.id) or model.spec
            after = draw_change(dice, before)
            hosted = after.inference if after.HasField("inference") else None
            return Intent(name, MsgUpdateModel(authority=admin, model_id=model.id, training=after.training,
                                               audit=after.audit, economy=after.economy, inference=hosted))
        if kind == "attach":
            return Intent(name, self._attach(model, dice))
        if kind == "invite":
            return Intent(name, self._invite(model, dice))
        if kind == "offer":
            recipient = dice.choice((HEIR, CREATOR))
            return Intent(name, MsgOfferAdmin(admin=admin, model_id=model.id, recipient=address_of(recipient)),
                          succeeds=address_of(recipient) not in (model.offered_admin, admin))
        if kind == "close":
            return Intent(name, MsgCloseModel(admin=admin, model_id=model.id),
                          succeeds=not self.markets.app.work.has_running_round(ctx, model.id))
        return Intent("mallory", dice.choice((
            MsgPauseModel(authority=address_of("mallory"), model_id=model.id),
            MsgCloseModel(admin=address_of("mallory"), model_id=model.id),
            MsgAcceptAdmin(recipient=address_of("mallory"), model_id=model.id))), succeeds=False)

    def _attach(self, model: Model, dice: random.Random) -> MsgAttachData:
        """Other rows, more rounds, or both."""
        msg = MsgAttachData(admin=model.admin, model_id=model.id)
        if dice.random() < 0.7:
            held = model.spec.dataset
            table = new_table(dice, f"more rows for {model.id}", held.features, held.classes)
            self.markets.add(table)
            msg.dataset.CopyFrom(table.terms)
        if model.spec.training.rounds and (dice.random() < 0.7 or not msg.HasField("dataset")):
            msg.rounds_more = dice.randint(1, 5)
        return msg

    def _invite(self, model: Model, dice: random.Random) -> MsgInviteTrainers:
        """Some in, some out, or everybody in."""
        msg = MsgInviteTrainers(admin=model.admin, model_id=model.id)
        if dice.random() < 0.3:
            msg.open = True
            return msg
        invited = list(model.spec.invited_trainers)
        others = [one for one in self.trainers if one not in invited]
        msg.add.extend(dice.sample(others, min(len(others), dice.randint(0, 4))))
        msg.remove.extend(dice.sample(invited, min(len(invited), dice.randint(0, 2))))
        return msg


def _name_of(model: Model) -> str:
    return HEIR if model.admin == address_of(HEIR) else CREATOR
