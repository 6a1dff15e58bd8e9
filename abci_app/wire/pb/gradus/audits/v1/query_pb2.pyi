from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.audits.v1 import audits_pb2 as _audits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryAuditRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: bytes
    def __init__(self, subject: _Optional[bytes] = ...) -> None: ...

class QueryAuditResponse(_message.Message):
    __slots__ = ("audit",)
    AUDIT_FIELD_NUMBER: _ClassVar[int]
    audit: _audits_pb2.Audit
    def __init__(self, audit: _Optional[_Union[_audits_pb2.Audit, _Mapping]] = ...) -> None: ...

class QueryOpenAuditsRequest(_message.Message):
    __slots__ = ("validator", "pagination")
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    validator: bytes
    pagination: _pagination_pb2.PageRequest
    def __init__(self, validator: _Optional[bytes] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryOpenAuditsResponse(_message.Message):
    __slots__ = ("audits", "pagination")
    AUDITS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    audits: _containers.RepeatedCompositeFieldContainer[_audits_pb2.Audit]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, audits: _Optional[_Iterable[_Union[_audits_pb2.Audit, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryAuditorRequest(_message.Message):
    __slots__ = ("consensus_address",)
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    def __init__(self, consensus_address: _Optional[bytes] = ...) -> None: ...

class QueryAuditorResponse(_message.Message):
    __slots__ = ("auditor",)
    AUDITOR_FIELD_NUMBER: _ClassVar[int]
    auditor: _audits_pb2.Auditor
    def __init__(self, auditor: _Optional[_Union[_audits_pb2.Auditor, _Mapping]] = ...) -> None: ...

class QueryAuditorsRequest(_message.Message):
    __slots__ = ("pagination",)
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PageRequest
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryAuditorsResponse(_message.Message):
    __slots__ = ("auditors", "pagination")
    AUDITORS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    auditors: _containers.RepeatedCompositeFieldContainer[_audits_pb2.Auditor]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, auditors: _Optional[_Iterable[_Union[_audits_pb2.Auditor, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryParamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryParamsResponse(_message.Message):
    __slots__ = ("params",)
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    params: _audits_pb2.Params
    def __init__(self, params: _Optional[_Union[_audits_pb2.Params, _Mapping]] = ...) -> None: ...
