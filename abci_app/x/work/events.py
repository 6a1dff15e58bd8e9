"""Events of the room. Attributes are decimal integers, bech32, lower-case hex and words, in the order written here."""

from abci_app.runtime.events import Event, new_event
from abci_app.wire.pb.gradus.models.v1.models_pb2 import Model
from abci_app.wire.pb.gradus.work.v1.work_pb2 import (
    AuditVerdict, Round, RoundPhase, Slash, SlashReason, Trainer, Unit,
)


def trainer_enrolled(trainer: Trainer, added_ugrad: int) -> Event:
    """A trainer is active, with its whole bond and what it just added to it."""
    return new_event("work.trainer_enrolled", model_id=trainer.model_id, trainer=trainer.address,
                     bond_ugrad=trainer.bond_ugrad, added_ugrad=added_ugrad)


def trainer_left(trainer: Trainer) -> Event:
    """A trainer took its bond and left."""
    return new_event("work.trainer_left", model_id=trainer.model_id, trainer=trainer.address,
                     returned_ugrad=trainer.bond_ugrad)


def trainer_stood_down(trainer: Trainer) -> Event:
    """A trainer gets no units until it enrols again."""
    return new_event("work.trainer_stood_down", model_id=trainer.model_id, trainer=trainer.address,
                     bond_ugrad=trainer.bond_ugrad, missed_in_a_row=trainer.missed_in_a_row)


def trainer_slashed(slash: Slash) -> Event:
    """Part of a bond was taken: burnt_ugrad of amount_ugrad is burnt, the rest went to those who proved it."""
    reason = SlashReason.Name(slash.reason).removeprefix("SLASH_REASON_").lower()
    return new_event("work.trainer_slashed", model_id=slash.model_id, trainer=slash.trainer, round=slash.round,
                     unit=slash.unit, reason=reason, amount_ugrad=slash.amount_ugrad, burnt_ugrad=slash.burnt_ugrad)


def round_opened(opened: Round) -> Event:
    """Units were dealt; commitments are taken up to deadline_height."""
    return new_event("work.round_opened", model_id=opened.model_id, round=opened.number, attempt=opened.attempt,
                     unit_count=opened.unit_count, deadline_height=opened.deadline_height,
                     spec_version=opened.spec_version)


def phase_entered(entered: Round) -> Event:
    """The round is in its next phase, in which waiting_count units have to act."""
    phase = RoundPhase.Name(entered.phase).removeprefix("ROUND_PHASE_").lower()
    return new_event("work.phase_entered", model_id=entered.model_id, round=entered.number, phase=phase,
                     waiting_count=entered.waiting_count, deadline_height=entered.deadline_height)


def round_failed(failed: Round, reason: str) -> Event:
    """Too little was left to aggregate; the round is dealt again. reason: missed, withheld, rejected, too few."""
    return new_event("work.round_failed", model_id=failed.model_id, round=failed.number, attempt=failed.attempt,
                     reason=reason)


def round_closed(closed: Round, model: Model, paid_ugrad: int) -> Event:
    """The weights have moved; each trainer of an accepted unit gets paid_ugrad when the round is settled."""
    return new_event("work.round_closed", model_id=closed.model_id, round=closed.number,
                     accepted_count=closed.accepted_count, unit_count=closed.unit_count, paid_ugrad=paid_ugrad,
                     weights_root=model.weights_root.hex(), settle_height=closed.settle_height)


def round_settled(settled: Round, paid_ugrad: int) -> Event:
    """Nothing of the round can be challenged any more; its trainers got paid_ugrad together."""
    return new_event("work.round_settled", model_id=settled.model_id, round=settled.number, paid_ugrad=paid_ugrad)


def unit_committed(unit: Unit) -> Event:
    """A commitment was taken."""
    return new_event("work.unit_committed", **_unit(unit), commitment=unit.commitment.hex())


def unit_revealed(unit: Unit) -> Event:
    """The last part of a payload was taken, and the payload is what was committed."""
    return new_event("work.unit_revealed", **_unit(unit), payload_root=unit.payload_root.hex(),
                     trace_root=unit.trace_root.hex())


def part_revealed(unit: Unit) -> Event:
    """A part of a payload was taken that is not the last; parts are there now."""
    return new_event("work.part_revealed", **_unit(unit), parts=unit.parts)


def unit_missed(unit: Unit) -> Event:
    """No commitment came in time."""
    return new_event("work.unit_missed", **_unit(unit))


def unit_withheld(unit: Unit) -> Event:
    """A commitment was not revealed in time."""
    return new_event("work.unit_withheld", **_unit(unit))


def unit_drawn(unit: Unit, deadline_height: int) -> Event:
    """A unit is to be audited by deadline_height."""
    return new_event("work.unit_drawn", **_unit(unit), deadline_height=deadline_height)


def unit_contested(unit: Unit, deadline_height: int) -> Event:
    """A committee of too little power to punish says that a unit is wrong: everybody is asked, by deadline_height."""
    return new_event("work.unit_contested", **_unit(unit), deadline_height=deadline_height)


def unit_audited(unit: Unit) -> Event:
    """An audit has ended. verdict: match, mismatch or expired."""
    verdict = AuditVerdict.Name(unit.verdict).removeprefix("AUDIT_VERDICT_").lower()
    return new_event("work.unit_audited", **_unit(unit), verdict=verdict)


def unit_accepted(unit: Unit) -> Event:
    """A unit is part of the round's result and is paid."""
    return new_event("work.unit_accepted", **_unit(unit))


def _unit(unit: Unit) -> dict[str, str | int]:
    return {"model_id": unit.model_id, "round": unit.round, "unit": unit.index, "trainer": unit.trainer}
