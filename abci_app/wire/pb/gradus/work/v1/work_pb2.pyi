from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrainerStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAINER_STATUS_UNSPECIFIED: _ClassVar[TrainerStatus]
    TRAINER_STATUS_ACTIVE: _ClassVar[TrainerStatus]
    TRAINER_STATUS_STOOD_DOWN: _ClassVar[TrainerStatus]
    TRAINER_STATUS_SLASHED: _ClassVar[TrainerStatus]

class RoundPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUND_PHASE_UNSPECIFIED: _ClassVar[RoundPhase]
    ROUND_PHASE_COMMIT: _ClassVar[RoundPhase]
    ROUND_PHASE_REVEAL: _ClassVar[RoundPhase]
    ROUND_PHASE_AUDIT: _ClassVar[RoundPhase]
    ROUND_PHASE_CLOSED: _ClassVar[RoundPhase]
    ROUND_PHASE_WAITING: _ClassVar[RoundPhase]

class UnitStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNIT_STATUS_UNSPECIFIED: _ClassVar[UnitStatus]
    UNIT_STATUS_ASSIGNED: _ClassVar[UnitStatus]
    UNIT_STATUS_COMMITTED: _ClassVar[UnitStatus]
    UNIT_STATUS_REVEALED: _ClassVar[UnitStatus]
    UNIT_STATUS_ACCEPTED: _ClassVar[UnitStatus]
    UNIT_STATUS_REJECTED: _ClassVar[UnitStatus]
    UNIT_STATUS_MISSED: _ClassVar[UnitStatus]
    UNIT_STATUS_WITHHELD: _ClassVar[UnitStatus]

class AuditVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_VERDICT_UNSPECIFIED: _ClassVar[AuditVerdict]
    AUDIT_VERDICT_PENDING: _ClassVar[AuditVerdict]
    AUDIT_VERDICT_MATCH: _ClassVar[AuditVerdict]
    AUDIT_VERDICT_MISMATCH: _ClassVar[AuditVerdict]
    AUDIT_VERDICT_EXPIRED: _ClassVar[AuditVerdict]

class SlashReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SLASH_REASON_UNSPECIFIED: _ClassVar[SlashReason]
    SLASH_REASON_MISMATCH: _ClassVar[SlashReason]
    SLASH_REASON_WITHHELD: _ClassVar[SlashReason]
    SLASH_REASON_DISPUTE: _ClassVar[SlashReason]
TRAINER_STATUS_UNSPECIFIED: TrainerStatus
TRAINER_STATUS_ACTIVE: TrainerStatus
TRAINER_STATUS_STOOD_DOWN: TrainerStatus
TRAINER_STATUS_SLASHED: TrainerStatus
ROUND_PHASE_UNSPECIFIED: RoundPhase
ROUND_PHASE_COMMIT: RoundPhase
ROUND_PHASE_REVEAL: RoundPhase
ROUND_PHASE_AUDIT: RoundPhase
ROUND_PHASE_CLOSED: RoundPhase
ROUND_PHASE_WAITING: RoundPhase
UNIT_STATUS_UNSPECIFIED: UnitStatus
UNIT_STATUS_ASSIGNED: UnitStatus
UNIT_STATUS_COMMITTED: UnitStatus
UNIT_STATUS_REVEALED: UnitStatus
UNIT_STATUS_ACCEPTED: UnitStatus
UNIT_STATUS_REJECTED: UnitStatus
UNIT_STATUS_MISSED: UnitStatus
UNIT_STATUS_WITHHELD: UnitStatus
AUDIT_VERDICT_UNSPECIFIED: AuditVerdict
AUDIT_VERDICT_PENDING: AuditVerdict
AUDIT_VERDICT_MATCH: AuditVerdict
AUDIT_VERDICT_MISMATCH: AuditVerdict
AUDIT_VERDICT_EXPIRED: AuditVerdict
SLASH_REASON_UNSPECIFIED: SlashReason
SLASH_REASON_MISMATCH: SlashReason
SLASH_REASON_WITHHELD: SlashReason
SLASH_REASON_DISPUTE: SlashReason

class Trainer(_message.Message):
    __slots__ = ("model_id", "address", "bond_ugrad", "status", "missed_in_a_row", "open_units", "units_accepted", "enrolled_height", "return_height")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MISSED_IN_A_ROW_FIELD_NUMBER: _ClassVar[int]
    OPEN_UNITS_FIELD_NUMBER: _ClassVar[int]
    UNITS_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RETURN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    address: str
    bond_ugrad: int
    status: TrainerStatus
    missed_in_a_row: int
    open_units: int
    units_accepted: int
    enrolled_height: int
    return_height: int
    def __init__(self, model_id: _Optional[int] = ..., address: _Optional[str] = ..., bond_ugrad: _Optional[int] = ..., status: _Optional[_Union[TrainerStatus, str]] = ..., missed_in_a_row: _Optional[int] = ..., open_units: _Optional[int] = ..., units_accepted: _Optional[int] = ..., enrolled_height: _Optional[int] = ..., return_height: _Optional[int] = ...) -> None: ...

class Round(_message.Message):
    __slots__ = ("model_id", "number", "phase", "seed", "weights_root", "learning_rate_q16", "unit_count", "opened_height", "deadline_height", "audit_seed", "accepted_count", "closed_height", "attempt", "waiting_count", "due_height", "spec_version", "settle_height", "settled_height", "disputed_count", "reveal_hash", "withheld_count")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_Q16_FIELD_NUMBER: _ClassVar[int]
    UNIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    AUDIT_SEED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    SETTLE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DISPUTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REVEAL_HASH_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    number: int
    phase: RoundPhase
    seed: bytes
    weights_root: bytes
    learning_rate_q16: int
    unit_count: int
    opened_height: int
    deadline_height: int
    audit_seed: bytes
    accepted_count: int
    closed_height: int
    attempt: int
    waiting_count: int
    due_height: int
    spec_version: int
    settle_height: int
    settled_height: int
    disputed_count: int
    reveal_hash: bytes
    withheld_count: int
    def __init__(self, model_id: _Optional[int] = ..., number: _Optional[int] = ..., phase: _Optional[_Union[RoundPhase, str]] = ..., seed: _Optional[bytes] = ..., weights_root: _Optional[bytes] = ..., learning_rate_q16: _Optional[int] = ..., unit_count: _Optional[int] = ..., opened_height: _Optional[int] = ..., deadline_height: _Optional[int] = ..., audit_seed: _Optional[bytes] = ..., accepted_count: _Optional[int] = ..., closed_height: _Optional[int] = ..., attempt: _Optional[int] = ..., waiting_count: _Optional[int] = ..., due_height: _Optional[int] = ..., spec_version: _Optional[int] = ..., settle_height: _Optional[int] = ..., settled_height: _Optional[int] = ..., disputed_count: _Optional[int] = ..., reveal_hash: _Optional[bytes] = ..., withheld_count: _Optional[int] = ...) -> None: ...

class Unit(_message.Message):
    __slots__ = ("model_id", "round", "index", "trainer", "status", "commitment", "payload_root", "trace_root", "verdict", "parts", "aggregated", "disputed", "salt")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_ROOT_FIELD_NUMBER: _ClassVar[int]
    TRACE_ROOT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    AGGREGATED_FIELD_NUMBER: _ClassVar[int]
    DISPUTED_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    index: int
    trainer: str
    status: UnitStatus
    commitment: bytes
    payload_root: bytes
    trace_root: bytes
    verdict: AuditVerdict
    parts: int
    aggregated: bool
    disputed: bool
    salt: bytes
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., index: _Optional[int] = ..., trainer: _Optional[str] = ..., status: _Optional[_Union[UnitStatus, str]] = ..., commitment: _Optional[bytes] = ..., payload_root: _Optional[bytes] = ..., trace_root: _Optional[bytes] = ..., verdict: _Optional[_Union[AuditVerdict, str]] = ..., parts: _Optional[int] = ..., aggregated: _Optional[bool] = ..., disputed: _Optional[bool] = ..., salt: _Optional[bytes] = ...) -> None: ...

class Slash(_message.Message):
    __slots__ = ("model_id", "trainer", "round", "unit", "reason", "amount_ugrad", "burnt_ugrad", "height")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    BURNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    round: int
    unit: int
    reason: SlashReason
    amount_ugrad: int
    burnt_ugrad: int
    height: int
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., reason: _Optional[_Union[SlashReason, str]] = ..., amount_ugrad: _Optional[int] = ..., burnt_ugrad: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...
