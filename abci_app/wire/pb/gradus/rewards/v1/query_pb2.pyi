from abci_app.wire.pb.cosmos.base.query.v1beta1 import pagination_pb2 as _pagination_pb2
from abci_app.wire.pb.gradus.rewards.v1 import rewards_pb2 as _rewards_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryContributionRequest(_message.Message):
    __slots__ = ("model_id", "trainer")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ...) -> None: ...

class QueryContributionResponse(_message.Message):
    __slots__ = ("contribution",)
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    contribution: _rewards_pb2.Contribution
    def __init__(self, contribution: _Optional[_Union[_rewards_pb2.Contribution, _Mapping]] = ...) -> None: ...

class QueryContributionsRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryContributionsResponse(_message.Message):
    __slots__ = ("contributions", "pagination")
    CONTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    contributions: _containers.RepeatedCompositeFieldContainer[_rewards_pb2.Contribution]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, contributions: _Optional[_Iterable[_Union[_rewards_pb2.Contribution, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryPayoutsRequest(_message.Message):
    __slots__ = ("pagination",)
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    pagination: _pagination_pb2.PageRequest
    def __init__(self, pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryPayoutsResponse(_message.Message):
    __slots__ = ("payouts", "pagination")
    PAYOUTS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    payouts: _containers.RepeatedCompositeFieldContainer[_rewards_pb2.Payout]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, payouts: _Optional[_Iterable[_Union[_rewards_pb2.Payout, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...
