from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.disputes.v1 import disputes_pb2 as _disputes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryDisputeRequest(_message.Message):
    __slots__ = ("model_id", "round", "unit")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    unit: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ...) -> None: ...

class QueryDisputeResponse(_message.Message):
    __slots__ = ("dispute",)
    DISPUTE_FIELD_NUMBER: _ClassVar[int]
    dispute: _disputes_pb2.Dispute
    def __init__(self, dispute: _Optional[_Union[_disputes_pb2.Dispute, _Mapping]] = ...) -> None: ...

class QueryDisputesRequest(_message.Message):
    __slots__ = ("model_id", "party", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    party: str
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., party: _Optional[str] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryDisputesResponse(_message.Message):
    __slots__ = ("disputes", "pagination")
    DISPUTES_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    disputes: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.Dispute]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, disputes: _Optional[_Iterable[_Union[_disputes_pb2.Dispute, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryTraceRequest(_message.Message):
    __slots__ = ("model_id", "round", "unit")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    unit: int
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ...) -> None: ...

class QueryTraceResponse(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class QueryEndedRequest(_message.Message):
    __slots__ = ("model_id", "round", "party", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    party: str
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., party: _Optional[str] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryEndedResponse(_message.Message):
    __slots__ = ("disputes", "pagination")
    DISPUTES_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    disputes: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.EndedDispute]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, disputes: _Optional[_Iterable[_Union[_disputes_pb2.EndedDispute, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...
