from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from abci_app.wire.pb.gradus.models.v1 import models_pb2 as _models_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgCreateModel(_message.Message):
    __slots__ = ("creator", "spec", "escrow")
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    creator: str
    spec: _models_pb2.ModelSpec
    escrow: _coin_pb2.Coin
    def __init__(self, creator: _Optional[str] = ..., spec: _Optional[_Union[_models_pb2.ModelSpec, _Mapping]] = ..., escrow: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgCreateModelResponse(_message.Message):
    __slots__ = ("model_id",)
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    def __init__(self, model_id: _Optional[int] = ...) -> None: ...

class MsgFundModel(_message.Message):
    __slots__ = ("sender", "model_id", "amount")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    sender: str
    model_id: int
    amount: _coin_pb2.Coin
    def __init__(self, sender: _Optional[str] = ..., model_id: _Optional[int] = ..., amount: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgFundModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgCloseModel(_message.Message):
    __slots__ = ("admin", "model_id")
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    admin: str
    model_id: int
    def __init__(self, admin: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgCloseModelResponse(_message.Message):
    __slots__ = ("refunded_ugrad",)
    REFUNDED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    refunded_ugrad: int
    def __init__(self, refunded_ugrad: _Optional[int] = ...) -> None: ...
