"""Disputes, their deadlines, traces and bonds: the only reader and writer of this room's state.

State: store `disputes` (see keys.py). A posted trace is a blob; the unit's trace root commits to it.
Every record written or taken away costs WRITE_GAS, a trace BLOB_BYTE_GAS for each byte.
Invariant: the challengers' bonds add up to the balance of the module account `disputes`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import UnitTerms, is_disputable
from abci_app.runtime.gas import BLOB_BYTE_GAS, WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX, U64_MAX, u32_bytes
from abci_app.wire.merkle import HASH_BYTES, merkle_root
from abci_app.wire.pb.gradus.disputes.v1.disputes_pb2 import (
    DISPUTE_REASON_MOOT, DISPUTE_WINNER_CHALLENGER, DISPUTE_WINNER_CLAIMANT, DISPUTE_WINNER_NONE, Dispute,
    DisputeReason, DisputeWinner, EndedDispute,
)
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import UNIT_STATUS_ACCEPTED
from abci_app.x.disputes import events, keys
from abci_app.x.disputes.errors import DisputeNotFound
from abci_app.x.disputes.needs import Bank, Work
from abci_app.x.disputes.types import FORGET_BLOCKS, FORGOTTEN_PER_ROUND, STORE, compute_bond_min, compute_won

MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes this room's state, over what it needs of others."""

    bank: Bank
    work: Work

    def find_dispute(self, ctx: Ctx, model_id: int, number: int, unit: int) -> Dispute | None:
        """The open dispute of a unit, None when there is none."""
        if not 0 <= model_id <= U64_MAX or not 0 <= number <= U32_MAX or not 0 <= unit <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.dispute(model_id, number, unit))
        return None if raw is None else Dispute.FromString(raw)

    def get_dispute(self, ctx: Ctx, model_id: int, number: int, unit: int) -> Dispute:
        """The open dispute of a unit. Raises DisputeNotFound (disputes/6)."""
        dispute = self.find_dispute(ctx, model_id, number, unit)
        if dispute is None:
            raise DisputeNotFound(f"model {model_id}, round {number}, unit {unit}")
        return dispute

    def iter_disputes(self, ctx: Ctx) -> Iterator[Dispute]:
        """Every open dispute, by model, round and unit."""
        for _, raw in ctx.state.store(STORE).iter(keys.DISPUTES):
            yield Dispute.FromString(raw)

    def count_disputes(self, ctx: Ctx, model_id: int) -> int:
        """How many disputes of a model are open."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.count(model_id)) or b"", "big")

    def put_dispute(self, ctx: Ctx, dispute: Dispute) -> None:
        """Write the record, and keep the marks of deadlines and the count in step with it."""
        place = dispute.model_id, dispute.round, dispute.unit
        before = self.find_dispute(ctx, *place)
        if before is None:
            self._put_count(ctx, dispute.model_id, self.count_disputes(ctx, dispute.model_id) + 1)
        else:
            self._drop(ctx, keys.due(before.deadline_height, *place))
        self._put(ctx, keys.due(dispute.deadline_height, *place), MARK)
        self._put(ctx, keys.dispute(*place), dispute.SerializeToString(deterministic=True))

    def list_due(self, ctx: Ctx, count: int) -> list[Dispute]:
        """At most `count` disputes whose next move is due by this block or was before, the earliest first."""
        found = []
        for key, _ in ctx.state.store(STORE).iter(keys.DUE, limit=count):
            height, *place = keys.read_due(key)
            if height > ctx.height:
                break
            found.append(self.get_dispute(ctx, *place))
        return found

    def put_trace(self, ctx: Ctx, dispute: Dispute, digests: list[bytes]) -> None:
        """Keep a posted trace until the challenger has picked from it."""
        data = b"".join(digests)
        ctx.gas.use(BLOB_BYTE_GAS * len(data), "trace")
        ctx.state.blobs.set(keys.trace(dispute.model_id, dispute.round, dispute.unit), data)

    def find_trace(self, ctx: Ctx, dispute: Dispute) -> list[bytes] | None:
        """The digests that a claimant has posted, None when there are none."""
        data = ctx.state.blobs.get(keys.trace(dispute.model_id, dispute.round, dispute.unit))
        return None if data is None else [data[at:at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]

    def get_trace(self, ctx: Ctx, dispute: Dispute, trace_root: bytes) -> list[bytes]:
        """The posted trace. InvariantBroken when the blobs contradict the state."""
        digests = self.find_trace(ctx, dispute)
        if not digests or merkle_root(digests) != trace_root:
            raise InvariantBroken(f"the trace of model {dispute.model_id}, round {dispute.round}, unit {dispute.unit} "
                                  "is not in the blobs")
        return digests

    def drop_trace(self, ctx: Ctx, dispute: Dispute) -> None:
        """Take away a posted trace, if there is one."""
        ctx.state.blobs.delete(keys.trace(dispute.model_id, dispute.round, dispute.unit))

    def compute_terms(self, ctx: Ctx, dispute: Dispute) -> UnitTerms:
        """All that the disputed unit is computed from."""
        return self.work.compute_terms(ctx, dispute.model_id, dispute.round, dispute.unit)

    def get_spec(self, ctx: Ctx, dispute: Dispute) -> ModelSpec:
        """The contract's terms in the version of the disputed unit's round."""
        return self.work.spec_of(ctx, self.work.get_round(ctx, dispute.model_id, dispute.round))

    def is_disputable(self, ctx: Ctx, model_id: int, number: int) -> bool:
        """Whether units of a round are lists of operations, as the contract's network decides."""
        return is_disputable(self.work.spec_of(ctx, self.work.get_round(ctx, model_id, number)))

    def is_moot(self, ctx: Ctx, dispute: Dispute) -> bool:
        """Whether there is nothing left to decide: a late verdict of the auditors has rejected the unit."""
        unit = self.work.find_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        return unit is None or unit.status != UNIT_STATUS_ACCEPTED

    def compute_bond_min(self, ctx: Ctx, dispute: Dispute) -> int:
        """The least bond of a challenge, ugrad: the contract's, and twice as much for each dispute of the unit that its
        claimant has won."""
        ended = self.iter_ended_about(ctx, dispute.model_id, dispute.round, dispute.unit)
        won = sum(1 for one in ended if one.winner == DISPUTE_WINNER_CLAIMANT)
        return compute_bond_min(self.get_spec(ctx, dispute).audit.challenge_bond_ugrad, won)

    def end_for_claimant(self, ctx: Ctx, dispute: Dispute, reason: DisputeReason) -> None:
        """The challenger pays with its bond: half goes to the claimant, the rest is burnt. Emits dispute_ended."""
        won_ugrad = compute_won(dispute.bond_ugrad)
        burnt_ugrad = dispute.bond_ugrad - won_ugrad
        self._drop_dispute(ctx, dispute)
        if won_ugrad:
            self.bank.send_from_module(ctx, STORE, decode_address(dispute.claimant), (base_coin(won_ugrad),))
        if burnt_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
        unit = self.work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        self.work.mark_disputed(ctx, unit, False)
        self._put_end(ctx, dispute, DISPUTE_WINNER_CLAIMANT, reason, won_ugrad, burnt_ugrad)

    def end_for_challenger(self, ctx: Ctx, dispute: Dispute, reason: DisputeReason) -> None:
        """The claim was wrong: the unit is rejected, its trainer slashed, the challenger's bond comes back.

        Emits disputes.dispute_ended.
        """
        self._drop_dispute(ctx, dispute)
        challenger = decode_address(dispute.challenger)
        won_ugrad = self.work.lose_dispute(ctx, dispute.model_id, dispute.round, dispute.unit, challenger)
        self._return_bond(ctx, dispute)
        self._put_end(ctx, dispute, DISPUTE_WINNER_CHALLENGER, reason, won_ugrad, 0)

    def end_moot(self, ctx: Ctx, dispute: Dispute) -> None:
        """Nothing is left to decide: the challenger's bond comes back, and the round no longer waits for the dispute.

        Emits disputes.dispute_ended.
        """
        self._drop_dispute(ctx, dispute)
        self._return_bond(ctx, dispute)
        unit = self.work.get_unit(ctx, dispute.model_id, dispute.round, dispute.unit)
        self.work.mark_disputed(ctx, unit, False)
        self._put_end(ctx, dispute, DISPUTE_WINNER_NONE, DISPUTE_REASON_MOOT, 0, 0)

    def _put_end(self, ctx: Ctx, dispute: Dispute, winner: DisputeWinner, reason: DisputeReason, won_ugrad: int,
                 burnt_ugrad: int) -> None:
        """Keep how a dispute has ended. Emits disputes.dispute_ended."""
        place = dispute.model_id, dispute.round, dispute.unit
        ended = EndedDispute(
            model_id=dispute.model_id, round=dispute.round, unit=dispute.unit,
            ordinal=sum(1 for _ in self.iter_ended_about(ctx, *place)), claimant=dispute.claimant,
            challenger=dispute.challenger, bond_ugrad=dispute.bond_ugrad, winner=winner, reason=reason,
            won_ugrad=won_ugrad, burnt_ugrad=burnt_ugrad, opened_height=dispute.opened_height, ended_height=ctx.height)
        self.put_ended(ctx, ended)
        ctx.emit(events.dispute_ended(ended))

    def iter_ended(self, ctx: Ctx, prefix: bytes = keys.ENDED) -> Iterator[EndedDispute]:
        """Ended disputes that are kept, by model, round and unit; a unit's in the order in which they have ended."""
        for _, raw in ctx.state.store(STORE).iter(prefix):
            yield EndedDispute.FromString(raw)

    def iter_ended_about(self, ctx: Ctx, model_id: int, number: int, unit: int) -> Iterator[EndedDispute]:
        """A unit's ended disputes, the earliest first."""
        return self.iter_ended(ctx, keys.ended_about(model_id, number, unit))

    def put_ended(self, ctx: Ctx, ended: EndedDispute) -> None:
        """Write the record; the round's first one also marks when it is looked whether they can go."""
        place = ended.model_id, ended.round
        if not any(True for _ in self.iter_ended(ctx, keys.ended_in(*place))):
            self._put(ctx, keys.forgetting(ctx.height + FORGET_BLOCKS, *place), MARK)
        key = keys.ended(*place, ended.unit, ended.ordinal)
        self._put(ctx, key, ended.SerializeToString(deterministic=True))

    def forget_ended(self, ctx: Ctx, count: int) -> None:
        """Look at no more than `count` rounds whose turn it is, the earliest first.

        While a round is kept, its turn comes again; when it is gone, FORGOTTEN_PER_ROUND of its ended disputes go, and
        the rest with the next block.
        """
        store = ctx.state.store(STORE)
        for mark, _ in list(store.iter(keys.FORGETTING, limit=count)):
            height, model_id, number = keys.read_forgetting(mark)
            if height > ctx.height:
                break
            if self.work.find_round(ctx, model_id, number) is not None:
                self._drop(ctx, mark)
                self._put(ctx, keys.forgetting(ctx.height + FORGET_BLOCKS, model_id, number), MARK)
                continue
            ended = [key for key, _ in store.iter(keys.ended_in(model_id, number), limit=FORGOTTEN_PER_ROUND)]
            for key in ended:
                self._drop(ctx, key)
            if len(ended) < FORGOTTEN_PER_ROUND:
                self._drop(ctx, mark)

    def _return_bond(self, ctx: Ctx, dispute: Dispute) -> None:
        coins = (base_coin(dispute.bond_ugrad),)
        self.bank.send_from_module(ctx, STORE, decode_address(dispute.challenger), coins)

    def _drop_dispute(self, ctx: Ctx, dispute: Dispute) -> None:
        place = dispute.model_id, dispute.round, dispute.unit
        held = self.get_dispute(ctx, *place)
        self._drop(ctx, keys.due(held.deadline_height, *place))
        self._drop(ctx, keys.dispute(*place))
        self._put_count(ctx, dispute.model_id, self.count_disputes(ctx, dispute.model_id) - 1)
        self.drop_trace(ctx, dispute)

    def _put_count(self, ctx: Ctx, model_id: int, count: int) -> None:
        if count:
            self._put(ctx, keys.count(model_id), u32_bytes(count))
        else:
            self._drop(ctx, keys.count(model_id))

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a record of disputes")
        ctx.state.store(STORE).set(key, value)

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a record of disputes")
        ctx.state.store(STORE).delete(key)
