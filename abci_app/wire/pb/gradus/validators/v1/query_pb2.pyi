from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.validators.v1 import validators_pb2 as _validators_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryValidatorRequest(_message.Message):
    __slots__ = ("consensus_address",)
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    def __init__(self, consensus_address: _Optional[bytes] = ...) -> None: ...

class QueryValidatorResponse(_message.Message):
    __slots__ = ("validator",)
    VALIDATOR_FIELD_NUMBER: _ClassVar[int]
    validator: _validators_pb2.Validator
    def __init__(self, validator: _Optional[_Union[_validators_pb2.Validator, _Mapping]] = ...) -> None: ...

class QueryValidatorsRequest(_message.Message):
    __slots__ = ("pagination",)
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PageRequest
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryValidatorsResponse(_message.Message):
    __slots__ = ("validators", "pagination")
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    validators: _containers.RepeatedCompositeFieldContainer[_validators_pb2.Validator]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, validators: _Optional[_Iterable[_Union[_validators_pb2.Validator, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryMisbehaviourRequest(_message.Message):
    __slots__ = ("pagination",)
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PageRequest
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryMisbehaviourResponse(_message.Message):
    __slots__ = ("misbehaviours", "pagination")
    MISBEHAVIOURS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    misbehaviours: _containers.RepeatedCompositeFieldContainer[_validators_pb2.Misbehaviour]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, misbehaviours: _Optional[_Iterable[_Union[_validators_pb2.Misbehaviour, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...
