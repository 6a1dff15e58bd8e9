from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgBack(_message.Message):
    __slots__ = ("owner", "model_id", "amount")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    model_id: int
    amount: _coin_pb2.Coin
    def __init__(self, owner: _Optional[str] = ..., model_id: _Optional[int] = ..., amount: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgBackResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgUnback(_message.Message):
    __slots__ = ("owner", "model_id", "amount")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    model_id: int
    amount: _coin_pb2.Coin
    def __init__(self, owner: _Optional[str] = ..., model_id: _Optional[int] = ..., amount: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgUnbackResponse(_message.Message):
    __slots__ = ("due_height",)
    DUE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    due_height: int
    def __init__(self, due_height: _Optional[int] = ...) -> None: ...

class MsgCollectRoyalties(_message.Message):
    __slots__ = ("trainer", "model_id")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    model_id: int
    def __init__(self, trainer: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgCollectRoyaltiesResponse(_message.Message):
    __slots__ = ("paid_ugrad",)
    PAID_UGRAD_FIELD_NUMBER: _ClassVar[int]
    paid_ugrad: int
    def __init__(self, paid_ugrad: _Optional[int] = ...) -> None: ...
