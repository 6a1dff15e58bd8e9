"""Contributions and payouts: the only reader and writer of this room's state.

State: store `rewards` (see keys.py). Coins move through the bank and the models' escrow; this room holds none.
Every record written costs WRITE_GAS.
Invariant: the earnings of a model's contributions add up to what has left its escrow.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import FEE_COLLECTOR, decode_address, encode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import Contribution, Payout
from abci_app.x.rewards import events, keys
from abci_app.x.rewards.needs import Bank, Models
from abci_app.x.rewards.types import BONDS, STORE, compute_share


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Pays, and books what was paid."""

    bank: Bank
    models: Models

    def find_contribution(self, ctx: Ctx, model_id: int, trainer: bytes) -> Contribution | None:
        """What a trainer (20 bytes) has done for a model, None when no unit of it was ever accepted."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.contribution(model_id, trainer))
        return None if raw is None else Contribution.FromString(raw)

    def put_contribution(self, ctx: Ctx, contribution: Contribution) -> None:
        """Write the record."""
        key = keys.contribution(contribution.model_id, decode_address(contribution.trainer))
        self._put(ctx, key, contribution.SerializeToString(deterministic=True))

    def iter_contributions(self, ctx: Ctx) -> Iterator[Contribution]:
        """All contributions by model and address, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.CONTRIBUTIONS):
            yield Contribution.FromString(raw)

    def find_payout(self, ctx: Ctx, consensus_address: bytes) -> Payout | None:
        """Where a proposer's fees go, None when nothing is registered."""
        if not consensus_address:
            return None
        raw = ctx.state.store(STORE).get(keys.payout(consensus_address))
        return None if raw is None else Payout.FromString(raw)

    def put_payout(self, ctx: Ctx, payout: Payout) -> None:
        """Write the record."""
        self._put(ctx, keys.payout(payout.consensus_address), payout.SerializeToString(deterministic=True))

    def iter_payouts(self, ctx: Ctx) -> Iterator[Payout]:
        """All payouts by consensus address, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.PAYOUTS):
            yield Payout.FromString(raw)

    def pay_round(self, ctx: Ctx, model: Model, trainers: list[bytes]) -> int:
        """Pay a round: one entry of `trainers` (20 bytes each) per accepted unit. Returns the ugrad of each.

        Nobody is paid beyond what the escrow holds; units are booked even when it is empty.
        Emits rewards.trainer_paid per unit that was paid, and rewards.round_paid.
        """
        if not trainers:
            return 0
        held = self.models.get_model(ctx, model.id)
        share = compute_share(held.spec.economy.round_reward_ugrad, held.escrow_ugrad, len(trainers))
        for trainer in trainers:
            self._book_unit(ctx, model.id, trainer, share)
            if share:
                self.models.draw_escrow(ctx, model.id, trainer, share)
                ctx.emit(events.trainer_paid(model.id, encode_address(trainer), share))
        ctx.emit(events.round_paid(model.id, len(trainers), share))
        return share

    def pay_slash_to_fees(self, ctx: Ctx, amount_ugrad: int) -> None:
        """Move what is not burnt of a slash (0 or more) from the bonds to the fees, which go to the proposer.

        Emits rewards.slash_collected.
        """
        if amount_ugrad:
            self.bank.send_between_modules(ctx, BONDS, FEE_COLLECTOR, (base_coin(amount_ugrad),))
            ctx.emit(events.slash_collected(amount_ugrad))

    def _book_unit(self, ctx: Ctx, model_id: int, trainer: bytes, earned_ugrad: int) -> None:
        booked = self.find_contribution(ctx, model_id, trainer)
        if booked is None:
            booked = Contribution(model_id=model_id, trainer=encode_address(trainer))
        booked.units += 1
        booked.earned_ugrad += earned_ugrad
        self.put_contribution(ctx, booked)

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a reward's record")
        ctx.state.store(STORE).set(key, value)
