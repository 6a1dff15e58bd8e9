"""Emission, backing, vesting pay, royalties, contributions and payouts: the only reader and writer of them.

State: store `rewards` (see keys.py). The module account `rewards` holds the pay that vests, the coins behind models,
those on their way back, and what answers have brought to trainers and auditors. Every record written or taken away
costs WRITE_GAS.
Invariants: the module account is the sum of what it owes; what the trainers and auditors of a model have earned is what
has left its escrow; no more is minted than the schedule allows.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.fee import FeeParts, split_fee
from abci_app.runtime.gas import WRITE_GAS
from abci_app.wire.address import decode_address, encode_address, module_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX, U64_MAX
from abci_app.wire.pb.gradus.models.v1.models_pb2 import MODEL_STATUS_RETIRED, InferencePolicy, ModelSpec
from abci_app.wire.pb.gradus.rewards.v1.rewards_pb2 import (
    Backing, Contribution, Emission, Ledger, Params, Payout, Royalties, Unbacking, Vesting, VestingUnit,
)
from abci_app.x.rewards import events, keys
from abci_app.x.rewards.errors import (
    BackingTooLarge, BackingTooSmall, ModelRetired, NothingToCollect, UnbackingTooLarge,
)
from abci_app.x.rewards.needs import Bank, Models
from abci_app.x.rewards.types import (
    BONDS, Q64_BYTES, STORE, compute_accrued, compute_collectable, compute_fee_sum, compute_minted_share, compute_parts,
    compute_per_unit_q64, compute_share, default_params, limit_parts,
)

Record = Backing | Contribution | Emission | Ledger | Params | Payout | Royalties | Unbacking | Vesting
MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Pays, and books what was paid."""

    bank: Bank
    models: Models

    def find_contribution(self, ctx: Ctx, model_id: int, trainer: bytes) -> Contribution | None:
        """What a trainer (20 bytes) has done for a model, None when it has no accepted unit and nothing to collect."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.contribution(model_id, trainer))
        return None if raw is None else Contribution.FromString(raw)

    def put_contribution(self, ctx: Ctx, contribution: Contribution) -> None:
        """Write the record, or take it away when it has no unit and nothing to collect."""
        key = keys.contribution(contribution.model_id, decode_address(contribution.trainer))
        if contribution.units or contribution.royalties_ugrad:
            self._put(ctx, key, contribution)
        else:
            self._drop(ctx, key)

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

    def find_operator(self, ctx: Ctx, consensus_address: bytes) -> bytes | None:
        """The account (20 bytes) of who runs a validator, None when none is registered."""
        payout = self.find_payout(ctx, consensus_address)
        return None if payout is None else decode_address(payout.account)

    def put_payout(self, ctx: Ctx, payout: Payout) -> None:
        """Write the record."""
        self._put(ctx, keys.payout(payout.consensus_address), payout)

    def iter_payouts(self, ctx: Ctx) -> Iterator[Payout]:
        """All payouts by consensus address, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.PAYOUTS):
            yield Payout.FromString(raw)

    def params(self, ctx: Ctx) -> Params:
        """The schedule of the emission, its parts, and what work is worth."""
        raw = ctx.state.store(STORE).get(keys.PARAMS)
        return default_params() if raw is None else Params.FromString(raw)

    def put_params(self, ctx: Ctx, params: Params) -> None:
        """Write parameters that have been checked."""
        self._put(ctx, keys.PARAMS, params)

    def emission(self, ctx: Ctx) -> Emission:
        """What has been emitted so far."""
        raw = ctx.state.store(STORE).get(keys.EMISSION)
        return Emission(accrued_q64=bytes(Q64_BYTES)) if raw is None else Emission.FromString(raw)

    def put_emission(self, ctx: Ctx, emission: Emission) -> None:
        """Write the record."""
        self._put(ctx, keys.EMISSION, emission)

    def ledger(self, ctx: Ctx, model_id: int) -> Ledger:
        """What is kept of a model (1..2^64-1); an empty record before anything was."""
        raw = ctx.state.store(STORE).get(keys.ledger(model_id))
        return Ledger(model_id=model_id, settled_q64=bytes(Q64_BYTES)) if raw is None else Ledger.FromString(raw)

    def has_ledger(self, ctx: Ctx, model_id: int) -> bool:
        """Whether anything is kept of a model."""
        return ctx.state.store(STORE).has(keys.ledger(model_id))

    def put_ledger(self, ctx: Ctx, ledger: Ledger) -> None:
        """Write the record."""
        self._put(ctx, keys.ledger(ledger.model_id), ledger)

    def iter_ledgers(self, ctx: Ctx) -> Iterator[Ledger]:
        """All ledgers by model, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.LEDGERS):
            yield Ledger.FromString(raw)

    def find_backing(self, ctx: Ctx, model_id: int, owner: bytes) -> Backing | None:
        """What an account (20 bytes) has put behind a model, None for nothing."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.backing(model_id, owner))
        return None if raw is None else Backing.FromString(raw)

    def put_backing(self, ctx: Ctx, backing: Backing) -> None:
        """Write the record, or take it away when nothing is left."""
        key = keys.backing(backing.model_id, decode_address(backing.owner))
        if backing.amount_ugrad:
            self._put(ctx, key, backing)
        else:
            self._drop(ctx, key)

    def iter_backings(self, ctx: Ctx) -> Iterator[Backing]:
        """All backings by model and owner, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.BACKINGS):
            yield Backing.FromString(raw)

    def find_unbacking(self, ctx: Ctx, due_height: int, owner: bytes, model_id: int) -> Unbacking | None:
        """Coins of an account on their way back from a model, None when there are none due at that height."""
        raw = ctx.state.store(STORE).get(keys.unbacking(due_height, owner, model_id))
        return None if raw is None else Unbacking.FromString(raw)

    def put_unbacking(self, ctx: Ctx, unbacking: Unbacking) -> None:
        """Write the record and the mark by which its owner finds it."""
        owner = decode_address(unbacking.owner)
        self._put(ctx, keys.unbacking(unbacking.due_height, owner, unbacking.model_id), unbacking)
        self._put(ctx, keys.unbacking_mark(owner, unbacking.due_height, unbacking.model_id), MARK)

    def iter_unbackings(self, ctx: Ctx, count: int | None = None) -> Iterator[Unbacking]:
        """At most `count` unbackings (None: all), the earliest due first."""
        for _, raw in ctx.state.store(STORE).iter(keys.UNBACKINGS, limit=count):
            yield Unbacking.FromString(raw)

    def find_vesting(self, ctx: Ctx, model_id: int, number: int) -> Vesting | None:
        """The pay of a closed round that is neither released nor revoked, None when there is none."""
        if not 0 < model_id <= U64_MAX or not 0 < number <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.vesting(model_id, number))
        return None if raw is None else Vesting.FromString(raw)

    def put_vesting(self, ctx: Ctx, vesting: Vesting) -> None:
        """Write the record, or take it away when it has no unit."""
        key = keys.vesting(vesting.model_id, vesting.round)
        if vesting.units:
            self._put(ctx, key, vesting)
        else:
            self._drop(ctx, key)

    def iter_vestings(self, ctx: Ctx) -> Iterator[Vesting]:
        """All pay that vests, by model and round, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.VESTINGS):
            yield Vesting.FromString(raw)

    def royalties(self, ctx: Ctx, model_id: int) -> Royalties:
        """What a model's (1..2^64-1) fees have brought to trainers and auditors; an empty record before the first."""
        raw = ctx.state.store(STORE).get(keys.royalties(model_id))
        return Royalties(model_id=model_id, per_unit_q64=bytes(Q64_BYTES)) if raw is None else Royalties.FromString(raw)

    def has_royalties(self, ctx: Ctx, model_id: int) -> bool:
        """Whether any answer of a model was paid."""
        return ctx.state.store(STORE).has(keys.royalties(model_id))

    def put_royalties(self, ctx: Ctx, royalties: Royalties) -> None:
        """Write the record."""
        self._put(ctx, keys.royalties(royalties.model_id), royalties)

    def iter_royalties(self, ctx: Ctx) -> Iterator[Royalties]:
        """All royalties by model, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.ROYALTIES):
            yield Royalties.FromString(raw)

    def back(self, ctx: Ctx, owner: bytes, model_id: int, amount_ugrad: int) -> None:
        """Put coins (1..2^64-1) of an account (20 bytes) behind a model. Emits rewards.model_backed.

        Raises ModelNotFound (models/2), ModelRetired (rewards/3), BackingTooLarge (rewards/4), InsufficientFunds
        (sdk/5), in this order.
        """
        emission = self.emission(ctx)
        if self.models.get_model(ctx, model_id).status == MODEL_STATUS_RETIRED:
            raise ModelRetired(f"model {model_id}")
        if emission.backing_ugrad + amount_ugrad > U64_MAX:
            raise BackingTooLarge(f"{emission.backing_ugrad} ugrad stand behind models, {amount_ugrad} are offered")
        self.bank.send_to_module(ctx, owner, STORE, (base_coin(amount_ugrad),))
        self._change_backing(ctx, emission, owner, model_id, amount_ugrad)
        ctx.emit(events.model_backed(model_id, encode_address(owner), amount_ugrad))

    def unback(self, ctx: Ctx, owner: bytes, model_id: int, amount_ugrad: int) -> int:
        """Take coins (1..2^64-1) of an account (20 bytes) from behind a model; returns the height at whose end they
        come back. Emits rewards.model_unbacked.

        Raises BackingTooSmall (rewards/5), UnbackingTooLarge (rewards/6).
        """
        backing = self.find_backing(ctx, model_id, owner)
        if backing is None or backing.amount_ugrad < amount_ugrad:
            held_ugrad = 0 if backing is None else backing.amount_ugrad
            raise BackingTooSmall(f"{held_ugrad} ugrad of yours back model {model_id}, {amount_ugrad} are asked")
        due_height = ctx.height + self.params(ctx).unback_blocks
        unbacking = self.find_unbacking(ctx, due_height, owner, model_id) or Unbacking(
            owner=encode_address(owner), due_height=due_height, model_id=model_id)
        if unbacking.amount_ugrad + amount_ugrad > U64_MAX:
            raise UnbackingTooLarge(f"{unbacking.amount_ugrad} ugrad come back at height {due_height}")
        self._change_backing(ctx, self.emission(ctx), owner, model_id, -amount_ugrad)
        unbacking.amount_ugrad += amount_ugrad
        self.put_unbacking(ctx, unbacking)
        ctx.emit(events.model_unbacked(model_id, unbacking.owner, amount_ugrad, due_height))
        return due_height

    def return_backing(self, ctx: Ctx, unbacking: Unbacking) -> None:
        """Pay unbacked coins back to their owner and forget the record. Emits rewards.backing_returned."""
        owner = decode_address(unbacking.owner)
        self.bank.send_from_module(ctx, STORE, owner, (base_coin(unbacking.amount_ugrad),))
        self._drop(ctx, keys.unbacking(unbacking.due_height, owner, unbacking.model_id))
        self._drop(ctx, keys.unbacking_mark(owner, unbacking.due_height, unbacking.model_id))
        ctx.emit(events.backing_returned(unbacking))

    def open_round(self, ctx: Ctx, model_id: int) -> None:
        """A round of the model is dealt: from now on it accrues emission. What accrued before was not worked for."""
        ledger, accrued_q64 = self.ledger(ctx, model_id), self.emission(ctx).accrued_q64
        if ledger.accrued_ugrad or (ledger.backing_ugrad and ledger.settled_q64 != accrued_q64):
            ledger.accrued_ugrad, ledger.settled_q64 = 0, accrued_q64
            self.put_ledger(ctx, ledger)

    def pay_round(self, ctx: Ctx, model_id: int, spec: ModelSpec, number: int, accepted: list[tuple[int, bytes]],
                  dealt: int) -> int:
        """Book the pay of a closed round, which vests; returns the ugrad of each accepted unit.

        spec: the terms of the round. accepted: (unit, trainer of 20 bytes), units rising. dealt: units of the round, 1
        or more. Nobody gets more than the escrow holds and the model has accrued; units are booked even for nothing.
        Raises InvariantBroken for a round that is not later than the last one booked. Emits rewards.round_booked.
        """
        if not accepted:
            return 0
        emission, ledger = self.emission(ctx), self.ledger(ctx, model_id)
        if number <= ledger.booked_round:
            raise InvariantBroken(f"round {number} of model {model_id} is paid after round {ledger.booked_round}")
        held_ugrad = self.models.get_model(ctx, model_id).escrow_ugrad
        vesting = Vesting(
            model_id=model_id, round=number,
            escrow_ugrad=compute_share(spec.economy.round_reward_ugrad, held_ugrad, len(accepted)),
            minted_ugrad=compute_minted_share(compute_accrued(ledger, emission), dealt, spec, self.params(ctx)),
            units=[VestingUnit(unit=unit, trainer=encode_address(trainer)) for unit, trainer in accepted])
        if vesting.escrow_ugrad:
            drawn_ugrad = vesting.escrow_ugrad * len(accepted)
            self.models.draw_escrow(ctx, model_id, module_address(STORE), drawn_ugrad)
        if vesting.minted_ugrad:
            minted_ugrad = vesting.minted_ugrad * len(accepted)
            self.bank.mint(ctx, STORE, (base_coin(minted_ugrad),))
            emission.work_ugrad += minted_ugrad
            self.put_emission(ctx, emission)
        for _, trainer in accepted:
            self._book_unit(ctx, vesting, trainer, 1)
        ledger.accrued_ugrad, ledger.settled_q64 = 0, emission.accrued_q64
        ledger.booked_round = number
        ledger.units += len(accepted)
        self.put_ledger(ctx, ledger)
        self.put_vesting(ctx, vesting)
        ctx.emit(events.round_booked(vesting))
        return vesting.escrow_ugrad + vesting.minted_ugrad

    def release_round(self, ctx: Ctx, model_id: int, number: int) -> int:
        """Pay what vests of a round to its trainers, now that nobody can challenge it any more; returns the ugrad.

        Nothing for a round of which nothing vests. Emits rewards.trainer_paid for each unit that earned something.
        """
        vesting = self.find_vesting(ctx, model_id, number)
        if vesting is None:
            return 0
        amount_ugrad = vesting.escrow_ugrad + vesting.minted_ugrad
        for unit in vesting.units if amount_ugrad else ():
            self.bank.send_from_module(ctx, STORE, decode_address(unit.trainer), (base_coin(amount_ugrad),))
            ctx.emit(events.trainer_paid(vesting, unit.unit, unit.trainer))
        self._drop(ctx, keys.vesting(model_id, number))
        return amount_ugrad * len(vesting.units)

    def revoke(self, ctx: Ctx, model_id: int, number: int, unit: int) -> int:
        """Take the pay of a unit that was proved wrong back before it is released; returns the ugrad.

        Its part of the escrow returns there, or is burnt when the model is closed; what was minted is burnt. The unit
        counts no more as a contribution. Raises InvariantBroken when it does not vest. Emits rewards.unit_revoked.
        """
        vesting = self.find_vesting(ctx, model_id, number)
        place = -1 if vesting is None else next(
            (place for place, one in enumerate(vesting.units) if one.unit == unit), -1)
        if vesting is None or place < 0:
            raise InvariantBroken(f"nothing of model {model_id}, round {number}, unit {unit} vests")
        trainer = vesting.units.pop(place).trainer
        self.put_vesting(ctx, vesting)
        self._book_unit(ctx, vesting, decode_address(trainer), -1)
        ledger, burnt_ugrad = self.ledger(ctx, model_id), vesting.minted_ugrad
        ledger.units -= 1
        if self.models.get_model(ctx, model_id).status == MODEL_STATUS_RETIRED:
            ledger.forfeited_ugrad += vesting.escrow_ugrad
            burnt_ugrad += vesting.escrow_ugrad
        else:
            self.models.return_escrow(ctx, model_id, module_address(STORE), vesting.escrow_ugrad)
        self.put_ledger(ctx, ledger)
        self._burn(ctx, burnt_ugrad, vesting.minted_ugrad)
        ctx.emit(events.unit_revoked(vesting, unit, trainer, burnt_ugrad))
        return vesting.escrow_ugrad + vesting.minted_ugrad

    def pay_auditors(self, ctx: Ctx, model_id: int, amount_ugrad: int, accounts: list[bytes]) -> int:
        """Pay the fee of a round's audits from the escrow, or as much as it holds; returns the ugrad paid.

        accounts: one entry of 20 bytes for each right digest; all earn the same, rounded down. Nothing for none. Emits
        rewards.auditor_paid for each account.
        """
        held_ugrad = self.models.get_model(ctx, model_id).escrow_ugrad
        parts = compute_parts(min(amount_ugrad, held_ugrad), accounts)
        paid_ugrad = sum(part_ugrad for _, part_ugrad in parts)
        if paid_ugrad:
            ledger = self.ledger(ctx, model_id)
            ledger.audit_fees_ugrad += paid_ugrad
            self.put_ledger(ctx, ledger)
        for account, part_ugrad in parts:
            self.models.draw_escrow(ctx, model_id, account, part_ugrad)
            ctx.emit(events.auditor_paid(model_id, encode_address(account), part_ugrad))
        return paid_ugrad

    def share_slash(self, ctx: Ctx, amount_ugrad: int, accounts: list[bytes]) -> int:
        """Pay part of a slash from the bonds to the accounts (20 bytes each) that proved a claim wrong, in equal parts.

        Returns the ugrad paid: at most amount_ugrad (0 or more), rounded down; the rest is the caller's to burn. Emits
        rewards.slash_shared for each account.
        """
        parts = compute_parts(amount_ugrad, accounts)
        for account, part_ugrad in parts:
            self.bank.send_from_module(ctx, BONDS, account, (base_coin(part_ugrad),))
            ctx.emit(events.slash_shared(encode_address(account), part_ugrad))
        return sum(part_ugrad for _, part_ugrad in parts)

    def share_fee(self, ctx: Ctx, payer: str, model_id: int, policy: InferencePolicy, host: bytes, fee_ugrad: int,
                  ask_ugrad: int) -> FeeParts:
        """Share the fee of an answer, or of a session's answers together, among those who earn by it.

        payer: the module in whose account the coins are, and are burnt. policy: the terms under which was asked. host:
        20 bytes, earns ask_ugrad, at most floor(fee_ugrad * hosts_ppm / 10^6). Returns the parts as they were paid; the
        creator is the model's admin now. Raises ModelNotFound (models/2); InvariantBroken for an ask beyond the fee.
        Emits rewards.fee_shared.
        """
        model, royalties = self.models.get_model(ctx, model_id), self.royalties(ctx, model_id)
        units = self.ledger(ctx, model_id).units
        parts = limit_parts(split_fee(policy, fee_ugrad, ask_ugrad), royalties, units)
        if min(parts.burnt_ugrad, ask_ugrad) < 0:
            raise InvariantBroken(f"a host of model {model_id} asks {ask_ugrad} of a fee of {fee_ugrad}")
        owner = decode_address(policy.data_owner) if parts.owner_ugrad else b""
        for account, part_ugrad in ((host, parts.host_ugrad), (decode_address(model.admin), parts.creator_ugrad),
                                    (owner, parts.owner_ugrad)):
            if part_ugrad:
                self.bank.send_from_module(ctx, payer, account, (base_coin(part_ugrad),))
        if parts.trainers_ugrad + parts.auditors_ugrad:
            kept_ugrad = parts.trainers_ugrad + parts.auditors_ugrad
            self.bank.send_between_modules(ctx, payer, STORE, (base_coin(kept_ugrad),))
        if parts.burnt_ugrad:
            self.bank.burn(ctx, payer, (base_coin(parts.burnt_ugrad),))
        if parts.trainers_ugrad:
            royalties.per_unit_q64 = compute_per_unit_q64(royalties.per_unit_q64, parts.trainers_ugrad, units)
        royalties.owed_ugrad += parts.trainers_ugrad
        royalties.pool_ugrad += parts.auditors_ugrad
        royalties.fees_ugrad = min(royalties.fees_ugrad + compute_fee_sum(parts), U64_MAX)
        self.put_royalties(ctx, royalties)
        ctx.emit(events.fee_shared(model_id, encode_address(host), parts))
        return parts

    def pay_answer_auditors(self, ctx: Ctx, model_id: int, amount_ugrad: int, accounts: list[bytes]) -> int:
        """Pay those who computed an answer again and were right, from the pool of the model's fees; returns the ugrad.

        accounts: one entry of 20 bytes for each; all earn the same part of amount_ugrad, or of the pool where it holds
        less, rounded down. Emits rewards.answer_auditor_paid for each account.
        """
        royalties = self.royalties(ctx, model_id)
        parts = compute_parts(min(amount_ugrad, royalties.pool_ugrad), accounts)
        for account, part_ugrad in parts:
            self.bank.send_from_module(ctx, STORE, account, (base_coin(part_ugrad),))
            ctx.emit(events.answer_auditor_paid(model_id, encode_address(account), part_ugrad))
        paid_ugrad = sum(part_ugrad for _, part_ugrad in parts)
        if paid_ugrad:
            royalties.pool_ugrad -= paid_ugrad
            self.put_royalties(ctx, royalties)
        return paid_ugrad

    def collect_royalties(self, ctx: Ctx, trainer: bytes, model_id: int) -> int:
        """Pay a trainer (20 bytes) what its units have earned by answers since it last collected; returns the ugrad.

        Raises NothingToCollect (rewards/7), also for who never trained the model. Emits rewards.royalties_collected.
        """
        booked = self.find_contribution(ctx, model_id, trainer) or Contribution()
        royalties = self.royalties(ctx, model_id) if booked.model_id else Royalties()
        paid_ugrad = compute_collectable(booked, royalties.per_unit_q64)
        if paid_ugrad == 0:
            raise NothingToCollect(f"{encode_address(trainer)} in model {model_id}")
        booked.royalties_ugrad, booked.settled_q64 = 0, royalties.per_unit_q64
        self.put_contribution(ctx, booked)
        royalties.owed_ugrad -= paid_ugrad
        royalties.collected_ugrad += paid_ugrad
        self.put_royalties(ctx, royalties)
        self.bank.send_from_module(ctx, STORE, trainer, (base_coin(paid_ugrad),))
        ctx.emit(events.royalties_collected(royalties, booked.trainer, paid_ugrad))
        return paid_ugrad

    def _change_backing(self, ctx: Ctx, emission: Emission, owner: bytes, model_id: int, change_ugrad: int) -> None:
        """Settle what the model has accrued, then change its backing, that of the account and that of all."""
        ledger = self.ledger(ctx, model_id)
        ledger.accrued_ugrad, ledger.settled_q64 = compute_accrued(ledger, emission), emission.accrued_q64
        ledger.backing_ugrad += change_ugrad
        self.put_ledger(ctx, ledger)
        emission.backing_ugrad += change_ugrad
        self.put_emission(ctx, emission)
        backing = self.find_backing(ctx, model_id, owner) or Backing(model_id=model_id, owner=encode_address(owner))
        backing.amount_ugrad += change_ugrad
        self.put_backing(ctx, backing)

    def _book_unit(self, ctx: Ctx, vesting: Vesting, trainer: bytes, units: int) -> None:
        """Count one unit more (1) or less (-1), with its pay, as a trainer's contribution.

        What its units have earned by answers so far is settled first, and stays its own.
        """
        booked = self.find_contribution(ctx, vesting.model_id, trainer) or Contribution(
            model_id=vesting.model_id, trainer=encode_address(trainer))
        if self.has_royalties(ctx, vesting.model_id):
            per_unit_q64 = self.royalties(ctx, vesting.model_id).per_unit_q64
            booked.royalties_ugrad = compute_collectable(booked, per_unit_q64)
            booked.settled_q64 = per_unit_q64
        booked.units += units
        booked.earned_ugrad += units * vesting.escrow_ugrad
        booked.minted_ugrad += units * vesting.minted_ugrad
        self.put_contribution(ctx, booked)

    def _burn(self, ctx: Ctx, amount_ugrad: int, minted_ugrad: int) -> None:
        """Burn coins of the module account, of which so many were minted for work."""
        if minted_ugrad:
            emission = self.emission(ctx)
            emission.revoked_ugrad += minted_ugrad
            self.put_emission(ctx, emission)
        if amount_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(amount_ugrad),))

    def _put(self, ctx: Ctx, key: bytes, record: Record | bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a reward's record")
        value = record if isinstance(record, bytes) else record.SerializeToString(deterministic=True)
        ctx.state.store(STORE).set(key, value)

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a reward's record")
        ctx.state.store(STORE).delete(key)
