from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.work.v1 import work_pb2 as _work_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryTrainerRequest(_message.Message):
    __slots__ = ("model_id", "address")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    address: str
    def __init__(self, model_id: _Optional[int] = ..., address: _Optional[str] = ...) -> None: ...

class QueryTrainerResponse(_message.Message):
    __slots__ = ("trainer",)
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    trainer: _work_pb2.Trainer
    def __init__(self, trainer: _Optional[_Union[_work_pb2.Trainer, _Mapping]] = ...) -> None: ...

class QueryTrainersRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryTrainersResponse(_message.Message):
    __slots__ = ("trainers", "pagination")
    TRAINERS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    trainers: _containers.RepeatedCompositeFieldContainer[_work_pb2.Trainer]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, trainers: _Optional[_Iterable[_Union[_work_pb2.Trainer, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryRoundRequest(_message.Message):
    __slots__ = ("model_id", "round")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ...) -> None: ...

class QueryRoundResponse(_message.Message):
    __slots__ = ("round", "units")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    round: _work_pb2.Round
    units: _containers.RepeatedCompositeFieldContainer[_work_pb2.Unit]
    def __init__(self, round: _Optional[_Union[_work_pb2.Round, _Mapping]] = ..., units: _Optional[_Iterable[_Union[_work_pb2.Unit, _Mapping]]] = ...) -> None: ...

class QueryAssignmentsRequest(_message.Message):
    __slots__ = ("model_id", "trainer")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ...) -> None: ...

class QueryAssignmentsResponse(_message.Message):
    __slots__ = ("round", "units", "trainer")
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    round: _work_pb2.Round
    units: _containers.RepeatedCompositeFieldContainer[_work_pb2.Unit]
    trainer: _work_pb2.Trainer
    def __init__(self, round: _Optional[_Union[_work_pb2.Round, _Mapping]] = ..., units: _Optional[_Iterable[_Union[_work_pb2.Unit, _Mapping]]] = ..., trainer: _Optional[_Union[_work_pb2.Trainer, _Mapping]] = ...) -> None: ...

class QueryPayloadRequest(_message.Message):
    __slots__ = ("model_id", "round", "unit")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    unit: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ...) -> None: ...

class QueryPayloadResponse(_message.Message):
    __slots__ = ("payload",)
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    def __init__(self, payload: _Optional[bytes] = ...) -> None: ...

class QuerySlashesRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QuerySlashesResponse(_message.Message):
    __slots__ = ("slashes", "pagination")
    SLASHES_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    slashes: _containers.RepeatedCompositeFieldContainer[_work_pb2.Slash]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, slashes: _Optional[_Iterable[_Union[_work_pb2.Slash, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...
