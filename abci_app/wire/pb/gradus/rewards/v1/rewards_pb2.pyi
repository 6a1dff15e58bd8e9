from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Contribution(_message.Message):
    __slots__ = ("model_id", "trainer", "units", "earned_ugrad")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    EARNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    units: int
    earned_ugrad: int
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ..., units: _Optional[int] = ..., earned_ugrad: _Optional[int] = ...) -> None: ...

class Payout(_message.Message):
    __slots__ = ("consensus_address", "account")
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    account: str
    def __init__(self, consensus_address: _Optional[bytes] = ..., account: _Optional[str] = ...) -> None: ...
