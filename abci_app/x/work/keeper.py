"""Trainers, rounds, units, payloads and slashes: the only reader and writer of this room's state.

State: store `work` (see keys.py). Payloads are blobs; the Unit records, which are in the state,
commit to them by BLAKE3, and every load in a block is checked against its hash. Every record written or taken away
costs WRITE_GAS, a payload BLOB_BYTE_GAS for each byte.
Invariant: the bonds of all trainers add up to the balance of the module account `work`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.gas import BLOB_BYTE_GAS, WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX, U64_MAX, u32_bytes, u64_bytes
from abci_app.wire.pb.gradus.models.v1.models_pb2 import AuditPolicy
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    TRAINER_STATUS_ACTIVE, TRAINER_STATUS_STOOD_DOWN, AuditLoad, Round, Slash, SlashReason, Trainer, Unit,
)
from abci_app.x.work import events, keys
from abci_app.x.work.errors import RoundNotFound, TrainerNotFound, UnitNotFound
from abci_app.x.work.needs import Bank, Models, Rewards, Schedule
from abci_app.x.work.types import RUNNING_PHASES, STORE, compute_payload_root, compute_slash

MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes this room's state, over what it needs of others."""

    bank: Bank
    models: Models
    rewards: Rewards
    compute_learning_rate_q16: Schedule

    def find_trainer(self, ctx: Ctx, model_id: int, address: bytes) -> Trainer | None:
        """A model's trainer, None when the account is not enrolled."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.trainer(model_id, address))
        return None if raw is None else Trainer.FromString(raw)

    def get_trainer(self, ctx: Ctx, model_id: int, address: bytes) -> Trainer:
        """A model's trainer. Raises TrainerNotFound (work/9)."""
        trainer = self.find_trainer(ctx, model_id, address)
        if trainer is None:
            raise TrainerNotFound(f"model {model_id}")
        return trainer

    def put_trainer(self, ctx: Ctx, trainer: Trainer) -> None:
        """Write the record and keep the index of active trainers in step with its status."""
        address = decode_address(trainer.address)
        self._put(ctx, keys.trainer(trainer.model_id, address), _pack(trainer))
        self._mark_active(ctx, trainer.model_id, address, trainer.status == TRAINER_STATUS_ACTIVE)

    def drop_trainer(self, ctx: Ctx, trainer: Trainer) -> None:
        """Take away a record and its mark."""
        address = decode_address(trainer.address)
        self._drop(ctx, keys.trainer(trainer.model_id, address))
        self._mark_active(ctx, trainer.model_id, address, False)

    def iter_trainers(self, ctx: Ctx) -> Iterator[Trainer]:
        """Every trainer of every model, in the order of models and addresses."""
        for _, raw in ctx.state.store(STORE).iter(keys.TRAINERS):
            yield Trainer.FromString(raw)

    def list_active(self, ctx: Ctx, model_id: int) -> list[bytes]:
        """Addresses of a model's active trainers, rising; at most TRAINERS_MAX."""
        prefix = keys.active_of(model_id)
        return [key[len(prefix):] for key, _ in ctx.state.store(STORE).iter(prefix)]

    def list_dealable(self, ctx: Ctx, model_id: int) -> list[bytes]:
        """Addresses of the trainers that were active before this block, rising.

        Who enrols in this block may have waited for the hashes that its seeds are made of.
        """
        prefix = keys.active_of(model_id)
        return [key[len(prefix):] for key, raw in ctx.state.store(STORE).iter(prefix)
                if int.from_bytes(raw, "big") < ctx.height]

    def count_active(self, ctx: Ctx, model_id: int) -> int:
        """How many active trainers a model has."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.active_count(model_id)) or b"", "big")

    def _mark_active(self, ctx: Ctx, model_id: int, address: bytes, active: bool) -> None:
        store, key = ctx.state.store(STORE), keys.active(model_id, address)
        if store.has(key) == active:
            return
        count = self.count_active(ctx, model_id) + (1 if active else -1)
        if active:
            self._put(ctx, key, u64_bytes(ctx.height))
        else:
            self._drop(ctx, key)
        self._put(ctx, keys.active_count(model_id), u32_bytes(count))

    def stand_down(self, ctx: Ctx, trainer: Trainer) -> None:
        """Deal an active trainer no more units until it enrols again. Emits work.trainer_stood_down."""
        trainer.status = TRAINER_STATUS_STOOD_DOWN
        self.put_trainer(ctx, trainer)
        ctx.emit(events.trainer_stood_down(trainer))

    def slash_bond(self, ctx: Ctx, trainer: Trainer, unit: Unit, reason: SlashReason, policy: AuditPolicy,
                   slash_ppm: int) -> None:
        """Take part of the bond: some is burnt, the rest goes to the fees. Writes `trainer` with what is left.

        Emits work.trainer_slashed.
        """
        amount_ugrad, burnt_ugrad = compute_slash(trainer.bond_ugrad, slash_ppm, policy.burn_ppm)
        trainer.bond_ugrad -= amount_ugrad
        self.put_trainer(ctx, trainer)
        if burnt_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(burnt_ugrad),))
        if amount_ugrad > burnt_ugrad:
            self.rewards.pay_slash_to_fees(ctx, amount_ugrad - burnt_ugrad)
        slash = Slash(model_id=unit.model_id, trainer=unit.trainer, round=unit.round, unit=unit.index, reason=reason,
                      amount_ugrad=amount_ugrad, burnt_ugrad=burnt_ugrad, height=ctx.height)
        self.add_slash(ctx, slash)
        ctx.emit(events.trainer_slashed(slash))

    def add_slash(self, ctx: Ctx, slash: Slash) -> None:
        """Write a slash behind the model's earlier ones."""
        count = int.from_bytes(ctx.state.store(STORE).get(keys.slash_count(slash.model_id)) or b"", "big")
        self._put(ctx, keys.slash(slash.model_id, count), _pack(slash))
        self._put(ctx, keys.slash_count(slash.model_id), u64_bytes(count + 1))

    def iter_slashes(self, ctx: Ctx) -> Iterator[Slash]:
        """Every slash, by model, the earliest first."""
        for _, raw in ctx.state.store(STORE).iter(keys.SLASHES):
            yield Slash.FromString(raw)

    def find_round(self, ctx: Ctx, model_id: int, number: int) -> Round | None:
        """A round, None when it was never opened or is no longer kept."""
        if not 0 < model_id <= U64_MAX or not 0 < number <= U32_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.round_(model_id, number))
        return None if raw is None else Round.FromString(raw)

    def get_round(self, ctx: Ctx, model_id: int, number: int) -> Round:
        """A round. Raises RoundNotFound (work/12)."""
        found = self.find_round(ctx, model_id, number)
        if found is None:
            raise RoundNotFound(f"model {model_id}, round {number}")
        return found

    def has_running_round(self, ctx: Ctx, model_id: int) -> bool:
        """Whether a round of the model has units that somebody works on or that are audited."""
        model = self.models.find_model(ctx, model_id)
        running = None if model is None else self.find_round(ctx, model_id, model.rounds_closed + 1)
        return running is not None and running.phase in RUNNING_PHASES

    def put_round(self, ctx: Ctx, written: Round) -> None:
        """Write the record."""
        self._put(ctx, keys.round_(written.model_id, written.number), _pack(written))

    def iter_rounds(self, ctx: Ctx) -> Iterator[Round]:
        """Every kept round, in the order of models and numbers."""
        for _, raw in ctx.state.store(STORE).iter(keys.ROUNDS):
            yield Round.FromString(raw)

    def drop_round(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Take away a round with its units and payloads, as far as they are kept; nothing for numbers below 1."""
        if number < 1:
            return
        self.drop_units(ctx, model_id, number)
        self._drop(ctx, keys.round_(model_id, number))

    def find_unit(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit | None:
        """A unit, None when there is none or it is no longer kept."""
        if not 0 < model_id <= U64_MAX:
            return None
        raw = ctx.state.store(STORE).get(keys.unit(model_id, number, index))
        return None if raw is None else Unit.FromString(raw)

    def get_unit(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit:
        """A unit. Raises UnitNotFound (work/14)."""
        unit = self.find_unit(ctx, model_id, number, index)
        if unit is None:
            raise UnitNotFound(f"model {model_id}, round {number}, unit {index}")
        return unit

    def put_unit(self, ctx: Ctx, unit: Unit) -> None:
        """Write the record."""
        self._put(ctx, keys.unit(unit.model_id, unit.round, unit.index), _pack(unit))

    def list_units(self, ctx: Ctx, model_id: int, number: int) -> list[Unit]:
        """The units of a round, indices rising; at most the contract's units_max."""
        return [Unit.FromString(raw) for _, raw in ctx.state.store(STORE).iter(keys.units_of(model_id, number))]

    def iter_units(self, ctx: Ctx) -> Iterator[Unit]:
        """Every kept unit, in the order of models, rounds and indices."""
        for _, raw in ctx.state.store(STORE).iter(keys.UNITS):
            yield Unit.FromString(raw)

    def drop_units(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Take away the units of a round with their payloads, as far as they are kept."""
        self.drop_payloads(ctx, model_id, number)
        for key, _ in ctx.state.store(STORE).iter(keys.units_of(model_id, number)):
            self._drop(ctx, key)

    def put_payload(self, ctx: Ctx, unit: Unit, payload: bytes) -> None:
        """Keep a revealed unit's payload as a blob."""
        ctx.gas.use(BLOB_BYTE_GAS * len(payload), "payload")
        ctx.state.blobs.set(keys.payload(unit.model_id, unit.round, unit.index), payload)

    def find_payload(self, ctx: Ctx, unit: Unit) -> bytes | None:
        """The payload that the unit's record commits to; None when the blobs do not hold exactly it."""
        payload = ctx.state.blobs.get(keys.payload(unit.model_id, unit.round, unit.index))
        return payload if payload is not None and self.is_payload(ctx, unit, payload) else None

    def is_payload(self, ctx: Ctx, unit: Unit, payload: bytes) -> bool:
        """Whether these bytes are what the unit's record commits to."""
        codec = self.models.get_model(ctx, unit.model_id).spec.training.codec
        return compute_payload_root(payload, codec) == unit.payload_root

    def get_payload(self, ctx: Ctx, unit: Unit) -> bytes:
        """The payload of a revealed unit of the running round. InvariantBroken when the blobs contradict the state."""
        payload = self.find_payload(ctx, unit)
        if payload is None:
            raise InvariantBroken(f"the payload of model {unit.model_id}, round {unit.round}, unit {unit.index} "
                                  "is not in the blobs")
        return payload

    def drop_payload(self, ctx: Ctx, unit: Unit) -> None:
        """Take away one payload."""
        ctx.state.blobs.delete(keys.payload(unit.model_id, unit.round, unit.index))

    def drop_payloads(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Take away the payloads of a round, as far as they are kept; nothing for numbers below 1."""
        if number < 1:
            return
        for unit in self.list_units(ctx, model_id, number):
            if unit.payload_root:
                self.drop_payload(ctx, unit)

    def mark_idle(self, ctx: Ctx, model_id: int) -> None:
        """A model waits for a round to open."""
        self._put(ctx, keys.idle(model_id), MARK)

    def drop_idle(self, ctx: Ctx, model_id: int) -> None:
        """A model's round has opened, or it trains no longer."""
        self._drop(ctx, keys.idle(model_id))

    def has_idle(self, ctx: Ctx, model_id: int) -> bool:
        """Whether a model waits for a round to open."""
        return ctx.state.store(STORE).has(keys.idle(model_id))

    def iter_idle(self, ctx: Ctx) -> Iterator[int]:
        """Every model that waits for a round to open, ids rising."""
        for key, _ in ctx.state.store(STORE).iter(keys.IDLE):
            yield _read_id(key)

    def list_turn(self, ctx: Ctx, count: int) -> list[int]:
        """At most `count` different waiting models: those after the last one asked, then from the first on."""
        store, cursor = ctx.state.store(STORE), self.cursor(ctx)
        after = [_read_id(key) for key, _ in store.iter(keys.IDLE, keys.idle(cursor) + b"\x00", limit=count)]
        wrapped = (_read_id(key) for key, _ in store.iter(keys.IDLE, limit=count - len(after)))
        return after + [model_id for model_id in wrapped if model_id <= cursor]

    def cursor(self, ctx: Ctx) -> int:
        """The waiting model after which the next block begins to ask; 0 at first."""
        return int.from_bytes(ctx.state.store(STORE).get(keys.CURSOR) or b"", "big")

    def put_cursor(self, ctx: Ctx, model_id: int) -> None:
        """Begin to ask the waiting models after this one in the next block."""
        self._put(ctx, keys.CURSOR, u64_bytes(model_id))

    def mark_undrawn(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Draw the round's audits at the next begin of a block."""
        self._put(ctx, keys.undrawn(model_id), u32_bytes(number))

    def drop_undrawn(self, ctx: Ctx, model_id: int) -> None:
        """The round's audits are drawn."""
        self._drop(ctx, keys.undrawn(model_id))

    def list_undrawn(self, ctx: Ctx) -> list[tuple[int, int]]:
        """(model, round) of the audits to draw: at most as many as one end of a block moves on."""
        return [(_read_id(key), int.from_bytes(raw, "big")) for key, raw in ctx.state.store(STORE).iter(keys.UNDRAWN)]

    def move_due(self, ctx: Ctx, running: Round, height: int) -> None:
        """Have the phase of a round end with the block of `height`, for 0 with none. The caller writes `running`."""
        if running.due_height:
            self._drop(ctx, keys.due(running.due_height, running.model_id))
        running.due_height = height
        if height:
            self._put(ctx, keys.due(height, running.model_id), MARK)

    def end_phase_now(self, ctx: Ctx, running: Round) -> None:
        """Have the phase end with this block, when it does not anyway. The caller writes `running`.

        Nobody pays for it: whoever acts last in a phase pays what the others pay.
        """
        if ctx.height < running.due_height:
            self.move_due(ctx.unmetered(), running, ctx.height)

    def list_due(self, ctx: Ctx, count: int) -> list[int]:
        """At most `count` models whose round's phase ends with this block or should have before, the earliest first."""
        found = []
        for key, _ in ctx.state.store(STORE).iter(keys.DUE, limit=count):
            height, model_id = keys.read_due(key)
            if height > ctx.height:
                break
            found.append(model_id)
        return found

    def mark_pending(self, ctx: Ctx, unit: Unit) -> None:
        """Ask proposers for the unit's rows."""
        self._put(ctx, keys.pending(unit.model_id, unit.round, unit.index), MARK)

    def has_pending(self, ctx: Ctx, unit: Unit) -> bool:
        """Whether the unit's rows are asked for: its audit is pending, and no evidence of this block has been taken."""
        return ctx.state.store(STORE).has(keys.pending(unit.model_id, unit.round, unit.index))

    def drop_pending(self, ctx: Ctx, unit: Unit) -> None:
        """The unit's rows are here, or come no more."""
        self._drop(ctx, keys.pending(unit.model_id, unit.round, unit.index))

    def list_pending(self, ctx: Ctx, model_id: int) -> list[tuple[int, int]]:
        """(round, unit) of a model's pending audits, rising; at most the contract's units_max."""
        marks = ctx.state.store(STORE).iter(keys.pending_of(model_id))
        return [keys.read_pending(key)[1:] for key, _ in marks]

    def list_pending_models(self, ctx: Ctx, count: int) -> list[int]:
        """At most `count` models with pending audits, rising and then from the first on.

        The app hash decides where to begin, so that no model is always in front of another.
        """
        last = next(ctx.state.store(STORE).iter(keys.PENDING, reverse=True, limit=1), None)
        if last is None:
            return []
        ids = keys.read_pending(last[0])[0] + 1
        first = int.from_bytes(ctx.last_app_hash, "big") % ids
        found = self._find_pending_models(ctx, first, ids, count)
        return found + self._find_pending_models(ctx, 0, first, count - len(found))

    def _find_pending_models(self, ctx: Ctx, first: int, end: int, count: int) -> list[int]:
        """At most `count` models with pending audits and first <= id < end, rising; one seek for each."""
        found: list[int] = []
        while len(found) < count and first < end:
            mark = next(ctx.state.store(STORE).iter(keys.PENDING, keys.pending_of(first), limit=1), None)
            model_id = end if mark is None else keys.read_pending(mark[0])[0]
            if model_id >= end:
                break
            found.append(model_id)
            first = model_id + 1
        return found

    def audit_gas_used(self, ctx: Ctx) -> int:
        """Gas that the audits of this block have used so far."""
        raw = ctx.state.store(STORE).get(keys.AUDIT_LOAD)
        load = AuditLoad() if raw is None else AuditLoad.FromString(raw)
        return load.gas if load.height == ctx.height else 0

    def put_audit_gas_used(self, ctx: Ctx, gas: int) -> None:
        """Write the gas that the audits of this block have used."""
        self._put(ctx, keys.AUDIT_LOAD, _pack(AuditLoad(height=ctx.height, gas=gas)))

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a record of work")
        ctx.state.store(STORE).set(key, value)

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a record of work")
        ctx.state.store(STORE).delete(key)


def _pack(record: Trainer | Round | Unit | Slash | AuditLoad) -> bytes:
    return record.SerializeToString(deterministic=True)


def _read_id(key: bytes) -> int:
    """The model of a one-model key."""
    return int.from_bytes(key[1:9], "big")
