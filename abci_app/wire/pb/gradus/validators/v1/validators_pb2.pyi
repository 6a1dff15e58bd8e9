from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MisbehaviourKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MISBEHAVIOUR_KIND_UNSPECIFIED: _ClassVar[MisbehaviourKind]
    MISBEHAVIOUR_KIND_DUPLICATE_VOTE: _ClassVar[MisbehaviourKind]
    MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK: _ClassVar[MisbehaviourKind]
MISBEHAVIOUR_KIND_UNSPECIFIED: MisbehaviourKind
MISBEHAVIOUR_KIND_DUPLICATE_VOTE: MisbehaviourKind
MISBEHAVIOUR_KIND_LIGHT_CLIENT_ATTACK: MisbehaviourKind

class Validator(_message.Message):
    __slots__ = ("consensus_address", "pub_key", "power", "removed_height", "misbehaviours")
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    PUB_KEY_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    REMOVED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MISBEHAVIOURS_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    pub_key: bytes
    power: int
    removed_height: int
    misbehaviours: int
    def __init__(self, consensus_address: _Optional[bytes] = ..., pub_key: _Optional[bytes] = ..., power: _Optional[int] = ..., removed_height: _Optional[int] = ..., misbehaviours: _Optional[int] = ...) -> None: ...

class Misbehaviour(_message.Message):
    __slots__ = ("kind", "consensus_address", "height", "time_ns", "power", "total_power", "recorded_height")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_NS_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    TOTAL_POWER_FIELD_NUMBER: _ClassVar[int]
    RECORDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    kind: MisbehaviourKind
    consensus_address: bytes
    height: int
    time_ns: int
    power: int
    total_power: int
    recorded_height: int
    def __init__(self, kind: _Optional[_Union[MisbehaviourKind, str]] = ..., consensus_address: _Optional[bytes] = ..., height: _Optional[int] = ..., time_ns: _Optional[int] = ..., power: _Optional[int] = ..., total_power: _Optional[int] = ..., recorded_height: _Optional[int] = ...) -> None: ...

class EvidenceAge(_message.Message):
    __slots__ = ("blocks", "duration_ns")
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    DURATION_NS_FIELD_NUMBER: _ClassVar[int]
    blocks: int
    duration_ns: int
    def __init__(self, blocks: _Optional[int] = ..., duration_ns: _Optional[int] = ...) -> None: ...
