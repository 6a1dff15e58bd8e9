from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Contribution(_message.Message):
    __slots__ = ("model_id", "trainer", "units", "earned_ugrad", "minted_ugrad", "settled_q64", "royalties_ugrad")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    EARNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    MINTED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SETTLED_Q64_FIELD_NUMBER: _ClassVar[int]
    ROYALTIES_UGRAD_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    trainer: str
    units: int
    earned_ugrad: int
    minted_ugrad: int
    settled_q64: bytes
    royalties_ugrad: int
    def __init__(self, model_id: _Optional[int] = ..., trainer: _Optional[str] = ..., units: _Optional[int] = ..., earned_ugrad: _Optional[int] = ..., minted_ugrad: _Optional[int] = ..., settled_q64: _Optional[bytes] = ..., royalties_ugrad: _Optional[int] = ...) -> None: ...

class Payout(_message.Message):
    __slots__ = ("consensus_address", "account")
    CONSENSUS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    consensus_address: bytes
    account: str
    def __init__(self, consensus_address: _Optional[bytes] = ..., account: _Optional[str] = ...) -> None: ...

class Params(_message.Message):
    __slots__ = ("initial_block_reward_ugrad", "halving_blocks", "stakers_ppm", "work_ppm", "hosts_ppm", "community_ppm", "unback_blocks", "mint_price_ugrad_per_gma")
    INITIAL_BLOCK_REWARD_UGRAD_FIELD_NUMBER: _ClassVar[int]
    HALVING_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    STAKERS_PPM_FIELD_NUMBER: _ClassVar[int]
    WORK_PPM_FIELD_NUMBER: _ClassVar[int]
    HOSTS_PPM_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_PPM_FIELD_NUMBER: _ClassVar[int]
    UNBACK_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MINT_PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    initial_block_reward_ugrad: int
    halving_blocks: int
    stakers_ppm: int
    work_ppm: int
    hosts_ppm: int
    community_ppm: int
    unback_blocks: int
    mint_price_ugrad_per_gma: int
    def __init__(self, initial_block_reward_ugrad: _Optional[int] = ..., halving_blocks: _Optional[int] = ..., stakers_ppm: _Optional[int] = ..., work_ppm: _Optional[int] = ..., hosts_ppm: _Optional[int] = ..., community_ppm: _Optional[int] = ..., unback_blocks: _Optional[int] = ..., mint_price_ugrad_per_gma: _Optional[int] = ...) -> None: ...

class Emission(_message.Message):
    __slots__ = ("scheduled_ugrad", "stakers_ugrad", "work_ugrad", "community_ugrad", "revoked_ugrad", "backing_ugrad", "accrued_q64")
    SCHEDULED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAKERS_UGRAD_FIELD_NUMBER: _ClassVar[int]
    WORK_UGRAD_FIELD_NUMBER: _ClassVar[int]
    COMMUNITY_UGRAD_FIELD_NUMBER: _ClassVar[int]
    REVOKED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    BACKING_UGRAD_FIELD_NUMBER: _ClassVar[int]
    ACCRUED_Q64_FIELD_NUMBER: _ClassVar[int]
    scheduled_ugrad: int
    stakers_ugrad: int
    work_ugrad: int
    community_ugrad: int
    revoked_ugrad: int
    backing_ugrad: int
    accrued_q64: bytes
    def __init__(self, scheduled_ugrad: _Optional[int] = ..., stakers_ugrad: _Optional[int] = ..., work_ugrad: _Optional[int] = ..., community_ugrad: _Optional[int] = ..., revoked_ugrad: _Optional[int] = ..., backing_ugrad: _Optional[int] = ..., accrued_q64: _Optional[bytes] = ...) -> None: ...

class Ledger(_message.Message):
    __slots__ = ("model_id", "backing_ugrad", "accrued_ugrad", "settled_q64", "booked_round", "units", "audit_fees_ugrad", "forfeited_ugrad")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    BACKING_UGRAD_FIELD_NUMBER: _ClassVar[int]
    ACCRUED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SETTLED_Q64_FIELD_NUMBER: _ClassVar[int]
    BOOKED_ROUND_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    AUDIT_FEES_UGRAD_FIELD_NUMBER: _ClassVar[int]
    FORFEITED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    backing_ugrad: int
    accrued_ugrad: int
    settled_q64: bytes
    booked_round: int
    units: int
    audit_fees_ugrad: int
    forfeited_ugrad: int
    def __init__(self, model_id: _Optional[int] = ..., backing_ugrad: _Optional[int] = ..., accrued_ugrad: _Optional[int] = ..., settled_q64: _Optional[bytes] = ..., booked_round: _Optional[int] = ..., units: _Optional[int] = ..., audit_fees_ugrad: _Optional[int] = ..., forfeited_ugrad: _Optional[int] = ...) -> None: ...

class Backing(_message.Message):
    __slots__ = ("model_id", "owner", "amount_ugrad")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    owner: str
    amount_ugrad: int
    def __init__(self, model_id: _Optional[int] = ..., owner: _Optional[str] = ..., amount_ugrad: _Optional[int] = ...) -> None: ...

class Unbacking(_message.Message):
    __slots__ = ("owner", "due_height", "model_id", "amount_ugrad")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    DUE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    owner: str
    due_height: int
    model_id: int
    amount_ugrad: int
    def __init__(self, owner: _Optional[str] = ..., due_height: _Optional[int] = ..., model_id: _Optional[int] = ..., amount_ugrad: _Optional[int] = ...) -> None: ...

class VestingUnit(_message.Message):
    __slots__ = ("unit", "trainer")
    UNIT_FIELD_NUMBER: _ClassVar[int]
    TRAINER_FIELD_NUMBER: _ClassVar[int]
    unit: int
    trainer: str
    def __init__(self, unit: _Optional[int] = ..., trainer: _Optional[str] = ...) -> None: ...

class Vesting(_message.Message):
    __slots__ = ("model_id", "round", "escrow_ugrad", "minted_ugrad", "units")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    ESCROW_UGRAD_FIELD_NUMBER: _ClassVar[int]
    MINTED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    round: int
    escrow_ugrad: int
    minted_ugrad: int
    units: _containers.RepeatedCompositeFieldContainer[VestingUnit]
    def __init__(self, model_id: _Optional[int] = ..., round: _Optional[int] = ..., escrow_ugrad: _Optional[int] = ..., minted_ugrad: _Optional[int] = ..., units: _Optional[_Iterable[_Union[VestingUnit, _Mapping]]] = ...) -> None: ...

class Royalties(_message.Message):
    __slots__ = ("model_id", "per_unit_q64", "owed_ugrad", "collected_ugrad", "pool_ugrad", "fees_ugrad")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PER_UNIT_Q64_FIELD_NUMBER: _ClassVar[int]
    OWED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    POOL_UGRAD_FIELD_NUMBER: _ClassVar[int]
    FEES_UGRAD_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    per_unit_q64: bytes
    owed_ugrad: int
    collected_ugrad: int
    pool_ugrad: int
    fees_ugrad: int
    def __init__(self, model_id: _Optional[int] = ..., per_unit_q64: _Optional[bytes] = ..., owed_ugrad: _Optional[int] = ..., collected_ugrad: _Optional[int] = ..., pool_ugrad: _Optional[int] = ..., fees_ugrad: _Optional[int] = ...) -> None: ...
