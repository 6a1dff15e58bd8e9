from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.inference.v1 import inference_pb2 as _inference_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryHostRequest(_message.Message):
    __slots__ = ("model_id", "host")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    host: str
    def __init__(self, model_id: _Optional[int] = ..., host: _Optional[str] = ...) -> None: ...

class QueryHostResponse(_message.Message):
    __slots__ = ("host",)
    HOST_FIELD_NUMBER: _ClassVar[int]
    host: _inference_pb2.Host
    def __init__(self, host: _Optional[_Union[_inference_pb2.Host, _Mapping]] = ...) -> None: ...

class QueryHostsRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryHostsResponse(_message.Message):
    __slots__ = ("hosts", "pagination")
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    hosts: _containers.RepeatedCompositeFieldContainer[_inference_pb2.Host]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, hosts: _Optional[_Iterable[_Union[_inference_pb2.Host, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryRequestRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    def __init__(self, request_id: _Optional[int] = ...) -> None: ...

class QueryRequestResponse(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: _inference_pb2.Request
    def __init__(self, request: _Optional[_Union[_inference_pb2.Request, _Mapping]] = ...) -> None: ...

class QueryRequestsRequest(_message.Message):
    __slots__ = ("user", "host", "pagination")
    USER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    user: str
    host: str
    pagination: _pagination_pb2.PageRequest
    def __init__(self, user: _Optional[str] = ..., host: _Optional[str] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryRequestsResponse(_message.Message):
    __slots__ = ("requests", "pagination")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[_inference_pb2.Request]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, requests: _Optional[_Iterable[_Union[_inference_pb2.Request, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryQuoteRequest(_message.Message):
    __slots__ = ("model_id", "question", "replicas")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    question: _inference_pb2.Question
    replicas: int
    def __init__(self, model_id: _Optional[int] = ..., question: _Optional[_Union[_inference_pb2.Question, _Mapping]] = ..., replicas: _Optional[int] = ...) -> None: ...

class QueryQuoteResponse(_message.Message):
    __slots__ = ("work", "answer_bytes_max", "offers", "fee_ugrad", "is_available", "burnt_ugrad")
    WORK_FIELD_NUMBER: _ClassVar[int]
    ANSWER_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    FEE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    IS_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    BURNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    work: int
    answer_bytes_max: int
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    fee_ugrad: int
    is_available: bool
    burnt_ugrad: int
    def __init__(self, work: _Optional[int] = ..., answer_bytes_max: _Optional[int] = ..., offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ..., fee_ugrad: _Optional[int] = ..., is_available: _Optional[bool] = ..., burnt_ugrad: _Optional[int] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("host", "price_ugrad_per_gma", "ask_ugrad", "fee_ugrad")
    HOST_FIELD_NUMBER: _ClassVar[int]
    PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    ASK_UGRAD_FIELD_NUMBER: _ClassVar[int]
    FEE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    host: str
    price_ugrad_per_gma: int
    ask_ugrad: int
    fee_ugrad: int
    def __init__(self, host: _Optional[str] = ..., price_ugrad_per_gma: _Optional[int] = ..., ask_ugrad: _Optional[int] = ..., fee_ugrad: _Optional[int] = ...) -> None: ...

class QueryArchiveRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryArchiveResponse(_message.Message):
    __slots__ = ("archive",)
    ARCHIVE_FIELD_NUMBER: _ClassVar[int]
    archive: _inference_pb2.Archive
    def __init__(self, archive: _Optional[_Union[_inference_pb2.Archive, _Mapping]] = ...) -> None: ...

class QueryParamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryParamsResponse(_message.Message):
    __slots__ = ("params",)
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    params: _inference_pb2.Params
    def __init__(self, params: _Optional[_Union[_inference_pb2.Params, _Mapping]] = ...) -> None: ...
