from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIT_STATUS_UNSPECIFIED: _ClassVar[AuditStatus]
    AUDIT_STATUS_OPEN: _ClassVar[AuditStatus]
    AUDIT_STATUS_DECIDED: _ClassVar[AuditStatus]
    AUDIT_STATUS_TAKEN: _ClassVar[AuditStatus]

class MemberVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEMBER_VERDICT_UNSPECIFIED: _ClassVar[MemberVerdict]
    MEMBER_VERDICT_RIGHT: _ClassVar[MemberVerdict]
    MEMBER_VERDICT_WRONG: _ClassVar[MemberVerdict]
    MEMBER_VERDICT_LATE: _ClassVar[MemberVerdict]
    MEMBER_VERDICT_MISSING: _ClassVar[MemberVerdict]
    MEMBER_VERDICT_DIFFERS: _ClassVar[MemberVerdict]
AUDIT_STATUS_UNSPECIFIED: AuditStatus
AUDIT_STATUS_OPEN: AuditStatus
AUDIT_STATUS_DECIDED: AuditStatus
AUDIT_STATUS_TAKEN: AuditStatus
MEMBER_VERDICT_UNSPECIFIED: MemberVerdict
MEMBER_VERDICT_RIGHT: MemberVerdict
MEMBER_VERDICT_WRONG: MemberVerdict
MEMBER_VERDICT_LATE: MemberVerdict
MEMBER_VERDICT_MISSING: MemberVerdict
MEMBER_VERDICT_DIFFERS: MemberVerdict

class Member(_message.Message):
    __slots__ = ("consensus_address", "power", "operator", "digest", "digest_height", "verdict")
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DIGEST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    power: int
    operator: str
    digest: bytes
    digest_height: int
    verdict: MemberVerdict
    def __init__(self, consensus_address: _Optional[bytes] = ..., power: _Optional[int] = ..., operator: _Optional[str] = ..., digest: _Optional[bytes] = ..., digest_height: _Optional[int] = ..., verdict: _Optional[_Union[MemberVerdict, str]] = ...) -> None: ...

class Audit(_message.Message):
    __slots__ = ("subject", "status", "claimant", "members", "opened_height", "ready_height", "decided_height", "answer", "eligible_power", "seed", "busy_height")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    READY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_POWER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    BUSY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    subject: bytes
    status: AuditStatus
    claimant: str
    members: _containers.RepeatedCompositeFieldContainer[Member]
    opened_height: int
    ready_height: int
    decided_height: int
    answer: bytes
    eligible_power: int
    seed: bytes
    busy_height: int
    def __init__(self, subject: _Optional[bytes] = ..., status: _Optional[_Union[AuditStatus, str]] = ..., claimant: _Optional[str] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., opened_height: _Optional[int] = ..., ready_height: _Optional[int] = ..., decided_height: _Optional[int] = ..., answer: _Optional[bytes] = ..., eligible_power: _Optional[int] = ..., seed: _Optional[bytes] = ..., busy_height: _Optional[int] = ...) -> None: ...

class Auditor(_message.Message):
    __slots__ = ("consensus_address", "arrears", "right", "wrong", "missed", "excluded_until_height", "fees_ugrad")
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ARREARS_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    MISSED_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_UNTIL_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FEES_UGRAD_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    arrears: int
    right: int
    wrong: int
    missed: int
    excluded_until_height: int
    fees_ugrad: int
    def __init__(self, consensus_address: _Optional[bytes] = ..., arrears: _Optional[int] = ..., right: _Optional[int] = ..., wrong: _Optional[int] = ..., missed: _Optional[int] = ..., excluded_until_height: _Optional[int] = ..., fees_ugrad: _Optional[int] = ...) -> None: ...

class Params(_message.Message):
    __slots__ = ("missed_max", "missed_excluded_blocks", "wrong_excluded_blocks")
    MISSED_MAX_FIELD_NUMBER: _ClassVar[int]
    MISSED_EXCLUDED_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    WRONG_EXCLUDED_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    missed_max: int
    missed_excluded_blocks: int
    wrong_excluded_blocks: int
    def __init__(self, missed_max: _Optional[int] = ..., missed_excluded_blocks: _Optional[int] = ..., wrong_excluded_blocks: _Optional[int] = ...) -> None: ...

class BlockLoad(_message.Message):
    __slots__ = ("height", "votes", "openings")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    OPENINGS_FIELD_NUMBER: _ClassVar[int]
    height: int
    votes: int
    openings: int
    def __init__(self, height: _Optional[int] = ..., votes: _Optional[int] = ..., openings: _Optional[int] = ...) -> None: ...

class AuditVote(_message.Message):
    __slots__ = ("validator", "extension", "signature")
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    validator: bytes
    extension: bytes
    signature: bytes
    def __init__(self, validator: _Optional[bytes] = ..., extension: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...
