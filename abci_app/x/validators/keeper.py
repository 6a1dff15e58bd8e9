"""Validators and their misbehaviours: the only reader and writer of this room's state.

State: store `validators` (see keys.py). Written at genesis and by blocks with evidence, never by transactions, so that
nothing here costs gas.
Invariants: powers add up to at most POWER_MAX, somebody has power, who was removed has none, records are counted.
Source: README.md beside this file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from abci_app.runtime.context import Ctx
from abci_app.runtime.validators import Misbehaviour as Entry
from abci_app.wire.ints import U64_MAX
from abci_app.wire.pb.gradus.validators.v1.validators_pb2 import EvidenceAge, Misbehaviour, MisbehaviourKind, Validator
from abci_app.x.validators import events, keys
from abci_app.x.validators.types import ADDRESS_BYTES, KINDS, RECORDS_PER_VALIDATOR_MAX, STORE


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Records who misbehaved, and takes their power."""

    def find_validator(self, ctx: Ctx, address: bytes) -> Validator | None:
        """The validator of a consensus address, with or without power; None for a stranger."""
        raw = ctx.state.store(STORE).get(keys.validator(address))
        return None if raw is None else Validator.FromString(raw)

    def put_validator(self, ctx: Ctx, validator: Validator) -> None:
        """Write the record."""
        key = keys.validator(validator.consensus_address)
        ctx.state.store(STORE).set(key, validator.SerializeToString(deterministic=True))

    def iter_validators(self, ctx: Ctx) -> Iterator[Validator]:
        """All validators by address, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.VALIDATORS):
            yield Validator.FromString(raw)

    def find_misbehaviour(self, ctx: Ctx, height: int, address: bytes, kind: int) -> Misbehaviour | None:
        """The record of a misbehaviour; None when there is none or it is forgotten."""
        raw = ctx.state.store(STORE).get(keys.misbehaviour(height, address, kind))
        return None if raw is None else Misbehaviour.FromString(raw)

    def put_misbehaviour(self, ctx: Ctx, record: Misbehaviour) -> None:
        """Write the record; counting it is the caller's."""
        key = keys.misbehaviour(record.height, record.consensus_address, record.kind)
        ctx.state.store(STORE).set(key, record.SerializeToString(deterministic=True))

    def iter_misbehaviours(self, ctx: Ctx) -> Iterator[Misbehaviour]:
        """All records by height, address and kind, rising."""
        for _, raw in ctx.state.store(STORE).iter(keys.MISBEHAVIOURS):
            yield Misbehaviour.FromString(raw)

    def evidence_age(self, ctx: Ctx) -> EvidenceAge:
        """How long evidence counts."""
        return EvidenceAge.FromString(ctx.state.store(STORE).get(keys.EVIDENCE_AGE) or b"")

    def put_evidence_age(self, ctx: Ctx, age: EvidenceAge) -> None:
        """Write how long evidence counts."""
        raw = age.SerializeToString(deterministic=True)
        if raw:
            ctx.state.store(STORE).set(keys.EVIDENCE_AGE, raw)

    def count_powered(self, ctx: Ctx) -> int:
        """How many validators have power."""
        return sum(1 for validator in self.iter_validators(ctx) if validator.power)

    def take_evidence(self, ctx: Ctx, entry: Entry, powered: int) -> bool:
        """Record a misbehaviour, once, and take the validator's power, if others have some; whether it was taken.

        powered: how many have power. Total: whatever stands in the entry, it is recorded or ignored. Emits
        validators.misbehaviour_recorded or validators.misbehaviour_ignored, and validators.validator_removed or
        validators.last_validator_kept.
        """
        validator = self.find_validator(ctx, entry.address)
        reason = self._find_reason_to_ignore(ctx, entry, validator)
        if validator is None or reason:
            ctx.emit(events.misbehaviour_ignored(entry, reason))
            return False
        self.put_misbehaviour(ctx, Misbehaviour(
            kind=MisbehaviourKind.Name(entry.kind), consensus_address=entry.address, height=entry.height,
            time_ns=entry.time_ns, power=entry.power, total_power=entry.total_power, recorded_height=ctx.height))
        validator.misbehaviours += 1
        ctx.emit(events.misbehaviour_recorded(entry))
        is_removed = validator.power > 0 and powered > 1
        if is_removed:
            ctx.emit(events.validator_removed(validator.consensus_address, validator.power))
            validator.power, validator.removed_height = 0, ctx.height
        elif validator.power:
            ctx.emit(events.last_validator_kept(validator.consensus_address))
        self.put_validator(ctx, validator)
        return is_removed

    def drop_misbehaviour(self, ctx: Ctx, record: Misbehaviour) -> None:
        """Forget a record, and count it no more."""
        key = keys.misbehaviour(record.height, record.consensus_address, record.kind)
        ctx.state.store(STORE).delete(key)
        validator = self.find_validator(ctx, record.consensus_address)
        if validator is not None:
            validator.misbehaviours -= 1
            self.put_validator(ctx, validator)

    def _find_reason_to_ignore(self, ctx: Ctx, entry: Entry, validator: Validator | None) -> str:
        if not _is_well_formed(ctx, entry):
            return "malformed"
        if validator is None:
            return "unknown_validator"
        if self.find_misbehaviour(ctx, entry.height, entry.address, entry.kind) is not None:
            return "recorded_before"
        if validator.misbehaviours >= RECORDS_PER_VALIDATOR_MAX:
            return "too_many"
        return ""


def _is_well_formed(ctx: Ctx, entry: Entry) -> bool:
    """Whether the engine could have written the entry: what cannot be stored is ignored and stops no node."""
    are_numbers = all(0 <= number <= U64_MAX for number in (entry.time_ns, entry.power, entry.total_power))
    return entry.kind in KINDS and are_numbers and 0 < entry.height <= ctx.height \
        and len(entry.address) == ADDRESS_BYTES
