from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.models.v1 import models_pb2 as _models_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryModelRequest(_message.Message):
    __slots__ = ("model_id",)
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    def __init__(self, model_id: _Optional[int] = ...) -> None: ...

class QueryModelResponse(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: _models_pb2.Model
    def __init__(self, model: _Optional[_Union[_models_pb2.Model, _Mapping]] = ...) -> None: ...

class QueryModelsRequest(_message.Message):
    __slots__ = ("pagination",)
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PageRequest
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryModelsResponse(_message.Message):
    __slots__ = ("models", "pagination")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_models_pb2.Model]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, models: _Optional[_Iterable[_Union[_models_pb2.Model, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryWeightsRequest(_message.Message):
    __slots__ = ("model_id", "round")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ...) -> None: ...

class QueryWeightsResponse(_message.Message):
    __slots__ = ("weights",)
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    weights: _models_pb2.Weights
    def __init__(self, weights: _Optional[_Union[_models_pb2.Weights, _Mapping]] = ...) -> None: ...

class QueryWeightsChunkRequest(_message.Message):
    __slots__ = ("model_id", "round", "index")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    index: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., index: _Optional[int] = ...) -> None: ...

class QueryWeightsChunkResponse(_message.Message):
    __slots__ = ("chunk", "proof")
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, chunk: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ...) -> None: ...

class QuerySpecRequest(_message.Message):
    __slots__ = ("model_id", "version")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    version: int
    def __init__(self, model_id: _Optional[int] = ..., version: _Optional[int] = ...) -> None: ...

class QuerySpecResponse(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: _models_pb2.SpecVersion
    def __init__(self, version: _Optional[_Union[_models_pb2.SpecVersion, _Mapping]] = ...) -> None: ...

class QueryParamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryParamsResponse(_message.Message):
    __slots__ = ("params",)
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    params: _models_pb2.Params
    def __init__(self, params: _Optional[_Union[_models_pb2.Params, _Mapping]] = ...) -> None: ...

class QueryVersionsRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryVersionsResponse(_message.Message):
    __slots__ = ("versions", "current", "pending", "pagination")
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedCompositeFieldContainer[_models_pb2.SpecVersion]
    current: _models_pb2.SpecVersion
    pending: _models_pb2.ModelSpec
    pagination: _pagination_pb2.PageResponse
    def __init__(self, versions: _Optional[_Iterable[_Union[_models_pb2.SpecVersion, _Mapping]]] = ..., current: _Optional[_Union[_models_pb2.SpecVersion, _Mapping]] = ..., pending: _Optional[_Union[_models_pb2.ModelSpec, _Mapping]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...
