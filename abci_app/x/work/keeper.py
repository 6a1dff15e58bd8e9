"""Trainers, rounds, units, payloads and slashes: the only reader and writer of this room's state.

State: store `work` (see keys.py). Payloads are blobs, one for each part; the Unit records, which are in the state,
commit to them by BLAKE3, and every load in a block is checked against its hash. Every record written or taken away
costs WRITE_GAS, a payload BLOB_BYTE_GAS for each byte.
Invariant: the bonds of all trainers add up to the balance of the module account `work`.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.contract import UnitTerms
from abci_app.runtime.gas import BLOB_BYTE_GAS, WRITE_GAS
from abci_app.wire.address import decode_address
from abci_app.wire.audit import confirmation_of, unit_subject
from abci_app.wire.coin import base_coin
from abci_app.wire.errors import InvariantBroken
from abci_app.wire.ints import U32_MAX, U64_MAX, u32_bytes, u64_bytes
from abci_app.wire.pb.gradus.models.v1.models_pb2 import AuditPolicy, ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    SLASH_REASON_DISPUTE, TRAINER_STATUS_ACTIVE, TRAINER_STATUS_SLASHED, TRAINER_STATUS_STOOD_DOWN,
    UNIT_STATUS_ACCEPTED, UNIT_STATUS_REJECTED, Round, Slash, SlashReason, Trainer, Unit,
)
from abci_app.x.work import events, keys
from abci_app.x.work.errors import RoundNotFound, TrainerNotFound, UnitNotFound
from abci_app.x.work.needs import Audits, Bank, Models, Rewards, Schedule
from abci_app.x.work.types import (
    DISPUTE_GRACE_BLOCKS, RUNNING_PHASES, STORE, compute_payload_root, compute_slash, is_challengeable, new_unit_terms,
)

MARK = b"\x01"


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Reads and writes this room's state, over what it needs of others."""

    bank: Bank
    models: Models
    rewards: Rewards
    audits: Audits
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

    def stand_down(self, ctx: Ctx, trainer: Trainer, return_height: int = 0) -> None:
        """Deal an active trainer no more units until it enrols again, from return_height on.

        Whoever was slashed since the unit was dealt stays so. Emits work.trainer_stood_down.
        """
        if trainer.status == TRAINER_STATUS_SLASHED:
            return
        trainer.status = TRAINER_STATUS_STOOD_DOWN
        trainer.return_height = max(trainer.return_height, return_height)
        self.put_trainer(ctx, trainer)
        ctx.emit(events.trainer_stood_down(trainer))

    def reject_unit(self, ctx: Ctx, unit: Unit, reason: SlashReason, accounts: list[bytes]) -> int:
        """Refuse a unit that was proved wrong, before or after it was accepted, and slash its trainer's bond.

        What vests for an accepted unit is taken back, and it counts no more as a contribution; the weights stay, for
        which the rule of aggregation stands in. accounts: who shares what is not burnt. Returns what they get, ugrad.
        Emits work.trainer_slashed.
        """
        trainer = self.get_trainer(ctx, unit.model_id, decode_address(unit.trainer))
        if unit.status == UNIT_STATUS_ACCEPTED:
            self.rewards.revoke(ctx, unit.model_id, unit.round, unit.index)
            trainer.units_accepted -= 1
        unit.status = UNIT_STATUS_REJECTED
        self.put_unit(ctx, unit)
        self.drop_payload(ctx, unit)
        trainer.status = TRAINER_STATUS_SLASHED
        trainer.open_units -= 1
        policy = self.spec_of(ctx, self.get_round(ctx, unit.model_id, unit.round)).audit
        return self.slash_bond(ctx, trainer, unit, reason, policy, accounts)

    def slash_bond(self, ctx: Ctx, trainer: Trainer, unit: Unit, reason: SlashReason, policy: AuditPolicy,
                   accounts: list[bytes]) -> int:
        """Take part of the bond and write `trainer` with what is left: some for `accounts`, the rest is burnt.

        Returns what the accounts get together, ugrad. Emits work.trainer_slashed.
        """
        amount_ugrad, offered_ugrad = compute_slash(trainer.bond_ugrad, policy, reason)
        trainer.bond_ugrad -= amount_ugrad
        self.put_trainer(ctx, trainer)
        shared_ugrad = self.rewards.share_slash(ctx, offered_ugrad, accounts)
        if amount_ugrad > shared_ugrad:
            self.bank.burn(ctx, STORE, (base_coin(amount_ugrad - shared_ugrad),))
        slash = Slash(model_id=unit.model_id, trainer=unit.trainer, round=unit.round, unit=unit.index, reason=reason,
                      amount_ugrad=amount_ugrad, burnt_ugrad=amount_ugrad - shared_ugrad, height=ctx.height)
        self.add_slash(ctx, slash)
        ctx.emit(events.trainer_slashed(slash))
        return shared_ugrad

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

    def spec_of(self, ctx: Ctx, owner: Round) -> ModelSpec:
        """The terms of a round, which later ones of its contract do not change."""
        return self.models.get_spec(ctx, owner.model_id, owner.spec_version)

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

    def drop_settled(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Take away a round with its units and payloads, if it is kept and settled."""
        found = self.find_round(ctx, model_id, number)
        if found is not None and found.settled_height:
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

    def put_part(self, ctx: Ctx, unit: Unit, data: bytes) -> None:
        """Keep the next part of a unit's payload as a blob. The caller writes `unit`, which counts it."""
        ctx.gas.use(BLOB_BYTE_GAS * len(data), "payload")
        ctx.state.blobs.set(keys.payload_part(unit.model_id, unit.round, unit.index, unit.parts), data)
        unit.parts += 1

    def iter_parts(self, ctx: Ctx, unit: Unit) -> Iterator[bytes]:
        """The parts of a unit's payload that are kept, in order."""
        for part in range(unit.parts):
            data = ctx.state.blobs.get(keys.payload_part(unit.model_id, unit.round, unit.index, part))
            if data is not None:
                yield data

    def find_payload(self, ctx: Ctx, unit: Unit) -> bytes | None:
        """The payload that the unit's record commits to; None when the blobs do not hold exactly it."""
        payload = b"".join(self.iter_parts(ctx, unit))
        return payload if payload and self.is_payload(ctx, unit, payload) else None

    def is_payload(self, ctx: Ctx, unit: Unit, payload: bytes) -> bool:
        """Whether these bytes are what the unit's record commits to."""
        codec = self.spec_of(ctx, self.get_round(ctx, unit.model_id, unit.round)).training.codec
        return compute_payload_root(payload, codec) == unit.payload_root

    def get_payload(self, ctx: Ctx, unit: Unit) -> bytes:
        """The payload of a revealed unit of the running round. InvariantBroken when the blobs contradict the state."""
        payload = self.find_payload(ctx, unit)
        if payload is None:
            raise InvariantBroken(f"the payload of model {unit.model_id}, round {unit.round}, unit {unit.index} "
                                  "is not in the blobs")
        return payload

    def drop_payload(self, ctx: Ctx, unit: Unit) -> None:
        """Take away the parts of one payload."""
        for part in range(unit.parts):
            ctx.state.blobs.delete(keys.payload_part(unit.model_id, unit.round, unit.index, part))

    def drop_payloads(self, ctx: Ctx, model_id: int, number: int) -> None:
        """Take away the payloads of a round, as far as they are kept; nothing for numbers below 1."""
        if number < 1:
            return
        for unit in self.list_units(ctx, model_id, number):
            self.drop_payload(ctx, unit)

    def mark_idle(self, ctx: Ctx, model_id: int) -> None:
        """Have a model wait for a round to open; nothing while it has one."""
        if not self.has_running_round(ctx, model_id):
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

    def mark_undrawn(self, ctx: Ctx, audited: Round) -> None:
        """Draw the round's audits when a block begins; its deadline stands at the end of its reveals until then."""
        self._put(ctx, keys.undrawn(audited.deadline_height, audited.model_id), u32_bytes(audited.number))

    def drop_undrawn(self, ctx: Ctx, audited: Round) -> None:
        """The round's audits are drawn. Call before its deadline changes."""
        self._drop(ctx, keys.undrawn(audited.deadline_height, audited.model_id))

    def list_undrawn(self, ctx: Ctx, count: int) -> list[tuple[int, int]]:
        """(model, round) of at most `count` rounds whose audits are to be drawn, the earliest first."""
        return [(keys.read_undrawn(key), int.from_bytes(raw, "big"))
                for key, raw in ctx.state.store(STORE).iter(keys.UNDRAWN, limit=count)]

    def mark_committed(self, ctx: Ctx, running: Round) -> None:
        """This block ends the round's commits: the next one knows its hash."""
        self._put(ctx, keys.committed(running.model_id), u32_bytes(running.number))

    def drop_committed(self, ctx: Ctx, running: Round) -> None:
        """The round has the hash of the block that ended its commits."""
        self._drop(ctx, keys.committed(running.model_id))

    def list_committed(self, ctx: Ctx) -> list[tuple[int, int]]:
        """(model, round) of the rounds whose commits the last block has ended: no more than a block ends phases of."""
        return [(_read_id(key), int.from_bytes(raw, "big")) for key, raw in ctx.state.store(STORE).iter(keys.COMMITTED)]

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

    def mark_settling(self, ctx: Ctx, closed: Round) -> None:
        """Have a closed round settled with the last block of its window."""
        self._put(ctx, keys.settling(closed.settle_height, closed.model_id, closed.number), MARK)

    def drop_settling(self, ctx: Ctx, closed: Round) -> None:
        """A closed round is settled, or waits for a dispute. Call before its settle_height changes."""
        self._drop(ctx, keys.settling(closed.settle_height, closed.model_id, closed.number))

    def list_settling(self, ctx: Ctx, count: int) -> list[tuple[int, int]]:
        """(model, round) of at most `count` rounds to settle with this block or earlier, the earliest first."""
        marks = (keys.read_settling(key) for key, _ in ctx.state.store(STORE).iter(keys.SETTLING, limit=count))
        return [(model_id, number) for height, model_id, number in marks if height <= ctx.height]

    def find_challengeable(self, ctx: Ctx, model_id: int, number: int, index: int) -> Unit | None:
        """The unit, if anybody may challenge it in this block: accepted, in its window, and nobody does yet."""
        unit, owner = self.find_unit(ctx, model_id, number, index), self.find_round(ctx, model_id, number)
        if unit is None or owner is None or not is_challengeable(unit, owner, ctx.height):
            return None
        return unit

    def mark_disputed(self, ctx: Ctx, unit: Unit, disputed: bool) -> None:
        """Write that a dispute about a kept unit is open, or is over; nothing when that stands there already.

        A round is not settled while units of it are disputed. When a dispute is over, those whom it kept out have at
        least DISPUTE_GRACE_BLOCKS left.
        """
        unit = self.get_unit(ctx, unit.model_id, unit.round, unit.index)
        if unit.disputed == disputed:
            return
        unit.disputed = disputed
        self.put_unit(ctx, unit)
        owner = self.get_round(ctx, unit.model_id, unit.round)
        if owner.disputed_count == 0:
            self.drop_settling(ctx, owner)
        owner.disputed_count += 1 if disputed else -1
        if not disputed:
            owner.settle_height = max(owner.settle_height, ctx.height + DISPUTE_GRACE_BLOCKS)
        if owner.disputed_count == 0:
            self.mark_settling(ctx, owner)
        self.put_round(ctx, owner)

    def lose_dispute(self, ctx: Ctx, model_id: int, number: int, index: int, challenger: bytes) -> int:
        """Reject a disputed unit whose trainer lost the dispute, and end the dispute.

        Returns what the challenger (20 bytes) gets of the bond, ugrad. Emits work.trainer_slashed.
        Raises InvariantBroken for a unit that is not accepted, which nobody can dispute any more.
        """
        unit = self.get_unit(ctx, model_id, number, index)
        if unit.status != UNIT_STATUS_ACCEPTED or not unit.disputed:
            raise InvariantBroken(f"model {model_id}, round {number}, unit {index} is lost without a dispute")
        self.mark_disputed(ctx, unit, False)
        unit.disputed = False
        self.close_audits(ctx, unit)
        return self.reject_unit(ctx, unit, SLASH_REASON_DISPUTE, [challenger])

    def subject_of(self, ctx: Ctx, unit: Unit) -> bytes:
        """By what the audits room knows a kept unit."""
        attempt = self.get_round(ctx, unit.model_id, unit.round).attempt
        return unit_subject(unit.model_id, unit.round, attempt, unit.index)

    def subjects_of(self, ctx: Ctx, unit: Unit) -> tuple[bytes, bytes]:
        """By what the audits room knows a kept unit: asked of a committee, and of everybody."""
        subject = self.subject_of(ctx, unit)
        return subject, confirmation_of(subject)

    def close_audits(self, ctx: Ctx, unit: Unit) -> None:
        """Forget what is asked about a unit, of whomever."""
        for subject in self.subjects_of(ctx, unit):
            self.audits.close_audit(ctx, subject)

    def compute_terms(self, ctx: Ctx, model_id: int, number: int, index: int) -> UnitTerms:
        """What a unit was computed from and what was claimed. Raises RoundNotFound, UnitNotFound (work/12, work/14)."""
        owner, unit = self.get_round(ctx, model_id, number), self.get_unit(ctx, model_id, number, index)
        return new_unit_terms(self.spec_of(ctx, owner), owner, unit)

    def _put(self, ctx: Ctx, key: bytes, value: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "write of a record of work")
        ctx.state.store(STORE).set(key, value)

    def _drop(self, ctx: Ctx, key: bytes) -> None:
        ctx.gas.use(WRITE_GAS, "removal of a record of work")
        ctx.state.store(STORE).delete(key)


def _pack(record: Trainer | Round | Unit | Slash) -> bytes:
    return record.SerializeToString(deterministic=True)


def _read_id(key: bytes) -> int:
    """The model of a one-model key."""
    return int.from_bytes(key[1:9], "big")
