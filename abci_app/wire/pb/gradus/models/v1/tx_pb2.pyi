from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from abci_app.wire.pb.gradus.models.v1 import models_pb2 as _models_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
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

class MsgUpdateModel(_message.Message):
    __slots__ = ("authority", "model_id", "training", "audit", "economy", "inference")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    ECONOMY_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    authority: str
    model_id: int
    training: _models_pb2.TrainingPolicy
    audit: _models_pb2.AuditPolicy
    economy: _models_pb2.Economy
    inference: _models_pb2.InferencePolicy
    def __init__(self, authority: _Optional[str] = ..., model_id: _Optional[int] = ..., training: _Optional[_Union[_models_pb2.TrainingPolicy, _Mapping]] = ..., audit: _Optional[_Union[_models_pb2.AuditPolicy, _Mapping]] = ..., economy: _Optional[_Union[_models_pb2.Economy, _Mapping]] = ..., inference: _Optional[_Union[_models_pb2.InferencePolicy, _Mapping]] = ...) -> None: ...

class MsgUpdateModelResponse(_message.Message):
    __slots__ = ("spec_version",)
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    spec_version: int
    def __init__(self, spec_version: _Optional[int] = ...) -> None: ...

class MsgAttachData(_message.Message):
    __slots__ = ("admin", "model_id", "dataset", "rounds_more")
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    ROUNDS_MORE_FIELD_NUMBER: _ClassVar[int]
    admin: str
    model_id: int
    dataset: _models_pb2.Dataset
    rounds_more: int
    def __init__(self, admin: _Optional[str] = ..., model_id: _Optional[int] = ..., dataset: _Optional[_Union[_models_pb2.Dataset, _Mapping]] = ..., rounds_more: _Optional[int] = ...) -> None: ...

class MsgAttachDataResponse(_message.Message):
    __slots__ = ("spec_version",)
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    spec_version: int
    def __init__(self, spec_version: _Optional[int] = ...) -> None: ...

class MsgPauseModel(_message.Message):
    __slots__ = ("authority", "model_id")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    authority: str
    model_id: int
    def __init__(self, authority: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgPauseModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgResumeModel(_message.Message):
    __slots__ = ("authority", "model_id")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    authority: str
    model_id: int
    def __init__(self, authority: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgResumeModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgInviteTrainers(_message.Message):
    __slots__ = ("admin", "model_id", "add", "remove", "open")
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    admin: str
    model_id: int
    add: _containers.RepeatedScalarFieldContainer[str]
    remove: _containers.RepeatedScalarFieldContainer[str]
    open: bool
    def __init__(self, admin: _Optional[str] = ..., model_id: _Optional[int] = ..., add: _Optional[_Iterable[str]] = ..., remove: _Optional[_Iterable[str]] = ..., open: _Optional[bool] = ...) -> None: ...

class MsgInviteTrainersResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgOfferAdmin(_message.Message):
    __slots__ = ("admin", "model_id", "recipient")
    ADMIN_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    admin: str
    model_id: int
    recipient: str
    def __init__(self, admin: _Optional[str] = ..., model_id: _Optional[int] = ..., recipient: _Optional[str] = ...) -> None: ...

class MsgOfferAdminResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgAcceptAdmin(_message.Message):
    __slots__ = ("recipient", "model_id")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    recipient: str
    model_id: int
    def __init__(self, recipient: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgAcceptAdminResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
