from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgEnroll(_message.Message):
    __slots__ = ("trainer", "model_id", "bond")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    bond: _coin_pb2.Coin
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ..., bond: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgEnrollResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgLeave(_message.Message):
    __slots__ = ("trainer", "model_id")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgLeaveResponse(_message.Message):
    __slots__ = ("returned_ugrad",)
    RETURNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    returned_ugrad: int
    def __init__(self, returned_ugrad: _Optional[int] = ...) -> None: ...

class MsgCommitWork(_message.Message):
    __slots__ = ("trainer", "model_id", "round", "unit", "commitment", "attempt")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    round: int
    unit: int
    commitment: bytes
    attempt: int
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., commitment: _Optional[bytes] = ..., attempt: _Optional[int] = ...) -> None: ...

class MsgCommitWorkResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgRevealWork(_message.Message):
    __slots__ = ("trainer", "model_id", "round", "unit", "payload", "trace_root", "salt", "attempt", "payload_root")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    TRACE_ROOT_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_ROOT_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    round: int
    unit: int
    payload: bytes
    trace_root: bytes
    salt: bytes
    attempt: int
    payload_root: bytes
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., payload: _Optional[bytes] = ..., trace_root: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., attempt: _Optional[int] = ..., payload_root: _Optional[bytes] = ...) -> None: ...

class MsgRevealWorkResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgRevealPart(_message.Message):
    __slots__ = ("trainer", "model_id", "round", "attempt", "unit", "part", "data")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    round: int
    attempt: int
    unit: int
    part: int
    data: bytes
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., attempt: _Optional[int] = ..., unit: _Optional[int] = ..., part: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class MsgRevealPartResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
