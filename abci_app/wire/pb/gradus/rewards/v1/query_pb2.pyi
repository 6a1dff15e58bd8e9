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

class QuerySharesRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ("trainer", "units", "earned_ugrad", "minted_ugrad", "share_ppm")
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    EARNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    MINTED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SHARE_PPM_FIELD_NUMBER: _ClassVar[int]
    trainer: str
    units: int
    earned_ugrad: int
    minted_ugrad: int
    share_ppm: int
    def __init__(self, trainer: _Optional[str] = ..., units: _Optional[int] = ..., earned_ugrad: _Optional[int] = ..., minted_ugrad: _Optional[int] = ..., share_ppm: _Optional[int] = ...) -> None: ...

class QuerySharesResponse(_message.Message):
    __slots__ = ("units", "shares", "pagination")
    UNITS_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    units: int
    shares: _containers.RepeatedCompositeFieldContainer[Share]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, units: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[Share, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

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

class QueryParamsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class QueryParamsResponse(_message.Message):
    __slots__ = ("params",)
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    params: _rewards_pb2.Params
    def __init__(self, params: _Optional[_Union[_rewards_pb2.Params, _Mapping]] = ...) -> None: ...

class QueryEmissionRequest(_message.Message):
    __slots__ = ("height",)
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    height: int
    def __init__(self, height: _Optional[int] = ...) -> None: ...

class QueryEmissionResponse(_message.Message):
    __slots__ = ("height", "block_reward_ugrad", "stakers_ugrad", "work_ugrad", "hosts_ugrad", "community_ugrad", "so_far")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_REWARD_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAKERS_UGRAD_FIELD_NUMBER: _ClassVar[int]
    WORK_UGRAD_FIELD_NUMBER: _ClassVar[int]
    HOSTS_UGRAD_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SO_FAR_FIELD_NUMBER: _ClassVar[int]
    height: int
    block_reward_ugrad: int
    stakers_ugrad: int
    work_ugrad: int
    hosts_ugrad: int
    community_ugrad: int
    so_far: _rewards_pb2.Emission
    def __init__(self, height: _Optional[int] = ..., block_reward_ugrad: _Optional[int] = ..., stakers_ugrad: _Optional[int] = ..., work_ugrad: _Optional[int] = ..., hosts_ugrad: _Optional[int] = ..., community_ugrad: _Optional[int] = ..., so_far: _Optional[_Union[_rewards_pb2.Emission, _Mapping]] = ...) -> None: ...

class QueryLedgerRequest(_message.Message):
    __slots__ = ("model_id",)
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    def __init__(self, model_id: _Optional[int] = ...) -> None: ...

class QueryLedgerResponse(_message.Message):
    __slots__ = ("ledger", "accrued_ugrad", "unit_max_ugrad", "bond_max_ugrad", "work_max_ugrad")
    LEDGER_FIELD_NUMBER: _ClassVar[int]
    ACCRUED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    UNIT_MAX_UGRAD_FIELD_NUMBER: _ClassVar[int]
    BOND_MAX_UGRAD_FIELD_NUMBER: _ClassVar[int]
    WORK_MAX_UGRAD_FIELD_NUMBER: _ClassVar[int]
    ledger: _rewards_pb2.Ledger
    accrued_ugrad: int
    unit_max_ugrad: int
    bond_max_ugrad: int
    work_max_ugrad: int
    def __init__(self, ledger: _Optional[_Union[_rewards_pb2.Ledger, _Mapping]] = ..., accrued_ugrad: _Optional[int] = ..., unit_max_ugrad: _Optional[int] = ..., bond_max_ugrad: _Optional[int] = ..., work_max_ugrad: _Optional[int] = ...) -> None: ...

class QueryBackingRequest(_message.Message):
    __slots__ = ("model_id", "owner")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    owner: str
    def __init__(self, model_id: _Optional[int] = ..., owner: _Optional[str] = ...) -> None: ...

class QueryBackingResponse(_message.Message):
    __slots__ = ("backing",)
    BACKING_FIELD_NUMBER: _ClassVar[int]
    backing: _rewards_pb2.Backing
    def __init__(self, backing: _Optional[_Union[_rewards_pb2.Backing, _Mapping]] = ...) -> None: ...

class QueryBackingsRequest(_message.Message):
    __slots__ = ("model_id", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryBackingsResponse(_message.Message):
    __slots__ = ("backings", "pagination")
    BACKINGS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    backings: _containers.RepeatedCompositeFieldContainer[_rewards_pb2.Backing]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, backings: _Optional[_Iterable[_Union[_rewards_pb2.Backing, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryUnbackingsRequest(_message.Message):
    __slots__ = ("owner", "pagination")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    owner: str
    pagination: _pagination_pb2.PageRequest
    def __init__(self, owner: _Optional[str] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryUnbackingsResponse(_message.Message):
    __slots__ = ("unbackings", "pagination")
    UNBACKINGS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    unbackings: _containers.RepeatedCompositeFieldContainer[_rewards_pb2.Unbacking]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, unbackings: _Optional[_Iterable[_Union[_rewards_pb2.Unbacking, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryVestingsRequest(_message.Message):
    __slots__ = ("model_id", "trainer", "pagination")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    pagination: _pagination_pb2.PageRequest
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ..., pagination: _Optional[_Union[_pagination_pb2.PageRequest, _Mapping]] = ...) -> None: ...

class QueryVestingsResponse(_message.Message):
    __slots__ = ("vestings", "pagination")
    VESTINGS_FIELD_NUMBER: _ClassVar[int]
    PAGINATION_FIELD_NUMBER: _ClassVar[int]
    vestings: _containers.RepeatedCompositeFieldContainer[_rewards_pb2.Vesting]
    pagination: _pagination_pb2.PageResponse
    def __init__(self, vestings: _Optional[_Iterable[_Union[_rewards_pb2.Vesting, _Mapping]]] = ..., pagination: _Optional[_Union[_pagination_pb2.PageResponse, _Mapping]] = ...) -> None: ...

class QueryRoyaltiesRequest(_message.Message):
    __slots__ = ("model_id", "trainer")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ...) -> None: ...

class QueryRoyaltiesResponse(_message.Message):
    __slots__ = ("royalties", "collectable_ugrad")
    ROYALTIES_FIELD_NUMBER: _ClassVar[int]
    COLLECTABLE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    royalties: _rewards_pb2.Royalties
    collectable_ugrad: int
    def __init__(self, royalties: _Optional[_Union[_rewards_pb2.Royalties, _Mapping]] = ..., collectable_ugrad: _Optional[int] = ...) -> None: ...
