from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DisputeStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_STAGE_UNSPECIFIED: _ClassVar[DisputeStage]
    DISPUTE_STAGE_TRACE: _ClassVar[DisputeStage]
    DISPUTE_STAGE_STATE: _ClassVar[DisputeStage]
    DISPUTE_STAGE_SEGMENT: _ClassVar[DisputeStage]
    DISPUTE_STAGE_NODE: _ClassVar[DisputeStage]
    DISPUTE_STAGE_CHILD: _ClassVar[DisputeStage]
    DISPUTE_STAGE_OPERATION: _ClassVar[DisputeStage]

class DisputeWinner(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_WINNER_UNSPECIFIED: _ClassVar[DisputeWinner]
    DISPUTE_WINNER_CLAIMANT: _ClassVar[DisputeWinner]
    DISPUTE_WINNER_CHALLENGER: _ClassVar[DisputeWinner]
    DISPUTE_WINNER_NONE: _ClassVar[DisputeWinner]

class DisputeReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPUTE_REASON_UNSPECIFIED: _ClassVar[DisputeReason]
    DISPUTE_REASON_EXECUTED: _ClassVar[DisputeReason]
    DISPUTE_REASON_SILENT: _ClassVar[DisputeReason]
    DISPUTE_REASON_MOOT: _ClassVar[DisputeReason]
DISPUTE_STAGE_UNSPECIFIED: DisputeStage
DISPUTE_STAGE_TRACE: DisputeStage
DISPUTE_STAGE_STATE: DisputeStage
DISPUTE_STAGE_SEGMENT: DisputeStage
DISPUTE_STAGE_NODE: DisputeStage
DISPUTE_STAGE_CHILD: DisputeStage
DISPUTE_STAGE_OPERATION: DisputeStage
DISPUTE_WINNER_UNSPECIFIED: DisputeWinner
DISPUTE_WINNER_CLAIMANT: DisputeWinner
DISPUTE_WINNER_CHALLENGER: DisputeWinner
DISPUTE_WINNER_NONE: DisputeWinner
DISPUTE_REASON_UNSPECIFIED: DisputeReason
DISPUTE_REASON_EXECUTED: DisputeReason
DISPUTE_REASON_SILENT: DisputeReason
DISPUTE_REASON_MOOT: DisputeReason

class Dispute(_message.Message):
    __slots__ = ("model_id", "round", "unit", "claimant", "challenger", "bond_ugrad", "stage", "opened_height", "deadline_height", "segment", "begin_root", "end_root", "segment_root", "path", "node", "children")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    BEGIN_ROOT_FIELD_NUMBER: _ClassVar[int]
    END_ROOT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_ROOT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    unit: int
    claimant: str
    challenger: str
    bond_ugrad: int
    stage: DisputeStage
    opened_height: int
    deadline_height: int
    segment: int
    begin_root: bytes
    end_root: bytes
    segment_root: bytes
    path: _containers.RepeatedScalarFieldContainer[int]
    node: bytes
    children: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., claimant: _Optional[str] = ..., challenger: _Optional[str] = ..., bond_ugrad: _Optional[int] = ..., stage: _Optional[_Union[DisputeStage, str]] = ..., opened_height: _Optional[int] = ..., deadline_height: _Optional[int] = ..., segment: _Optional[int] = ..., begin_root: _Optional[bytes] = ..., end_root: _Optional[bytes] = ..., segment_root: _Optional[bytes] = ..., path: _Optional[_Iterable[int]] = ..., node: _Optional[bytes] = ..., children: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EndedDispute(_message.Message):
    __slots__ = ("model_id", "round", "unit", "ordinal", "claimant", "challenger", "bond_ugrad", "winner", "reason", "won_ugrad", "burnt_ugrad", "opened_height", "ended_height")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ORDINAL_FIELD_NUMBER: _ClassVar[int]
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    WINNER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    WON_UGRAD_FIELD_NUMBER: _ClassVar[int]
    BURNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ENDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    unit: int
    ordinal: int
    claimant: str
    challenger: str
    bond_ugrad: int
    winner: DisputeWinner
    reason: DisputeReason
    won_ugrad: int
    burnt_ugrad: int
    opened_height: int
    ended_height: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., ordinal: _Optional[int] = ..., claimant: _Optional[str] = ..., challenger: _Optional[str] = ..., bond_ugrad: _Optional[int] = ..., winner: _Optional[_Union[DisputeWinner, str]] = ..., reason: _Optional[_Union[DisputeReason, str]] = ..., won_ugrad: _Optional[int] = ..., burnt_ugrad: _Optional[int] = ..., opened_height: _Optional[int] = ..., ended_height: _Optional[int] = ...) -> None: ...

class Node(_message.Message):
    __slots__ = ("children",)
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    children: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, children: _Optional[_Iterable[bytes]] = ...) -> None: ...

class ProvedChunk(_message.Message):
    __slots__ = ("chunk", "proof")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, chunk: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...
