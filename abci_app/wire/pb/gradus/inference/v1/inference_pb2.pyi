from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HostStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOST_STATUS_UNSPECIFIED: _ClassVar[HostStatus]
    HOST_STATUS_ACTIVE: _ClassVar[HostStatus]
    HOST_STATUS_DRAINING: _ClassVar[HostStatus]
    HOST_STATUS_STOOD_DOWN: _ClassVar[HostStatus]
    HOST_STATUS_SLASHED: _ClassVar[HostStatus]

class SeatStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEAT_STATUS_UNSPECIFIED: _ClassVar[SeatStatus]
    SEAT_STATUS_ASSIGNED: _ClassVar[SeatStatus]
    SEAT_STATUS_COMMITTED: _ClassVar[SeatStatus]
    SEAT_STATUS_REVEALED: _ClassVar[SeatStatus]
    SEAT_STATUS_PAID: _ClassVar[SeatStatus]
    SEAT_STATUS_WRONG: _ClassVar[SeatStatus]
    SEAT_STATUS_WITHHELD: _ClassVar[SeatStatus]
    SEAT_STATUS_MISSED: _ClassVar[SeatStatus]
    SEAT_STATUS_UNPAID: _ClassVar[SeatStatus]

class RequestStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUEST_STATUS_UNSPECIFIED: _ClassVar[RequestStatus]
    REQUEST_STATUS_PENDING: _ClassVar[RequestStatus]
    REQUEST_STATUS_COMMIT: _ClassVar[RequestStatus]
    REQUEST_STATUS_REVEAL: _ClassVar[RequestStatus]
    REQUEST_STATUS_DRAW: _ClassVar[RequestStatus]
    REQUEST_STATUS_AUDIT: _ClassVar[RequestStatus]
    REQUEST_STATUS_ANSWERED: _ClassVar[RequestStatus]
    REQUEST_STATUS_FAILED: _ClassVar[RequestStatus]
    REQUEST_STATUS_ASK: _ClassVar[RequestStatus]
HOST_STATUS_UNSPECIFIED: HostStatus
HOST_STATUS_ACTIVE: HostStatus
HOST_STATUS_DRAINING: HostStatus
HOST_STATUS_STOOD_DOWN: HostStatus
HOST_STATUS_SLASHED: HostStatus
SEAT_STATUS_UNSPECIFIED: SeatStatus
SEAT_STATUS_ASSIGNED: SeatStatus
SEAT_STATUS_COMMITTED: SeatStatus
SEAT_STATUS_REVEALED: SeatStatus
SEAT_STATUS_PAID: SeatStatus
SEAT_STATUS_WRONG: SeatStatus
SEAT_STATUS_WITHHELD: SeatStatus
SEAT_STATUS_MISSED: SeatStatus
SEAT_STATUS_UNPAID: SeatStatus
REQUEST_STATUS_UNSPECIFIED: RequestStatus
REQUEST_STATUS_PENDING: RequestStatus
REQUEST_STATUS_COMMIT: RequestStatus
REQUEST_STATUS_REVEAL: RequestStatus
REQUEST_STATUS_DRAW: RequestStatus
REQUEST_STATUS_AUDIT: RequestStatus
REQUEST_STATUS_ANSWERED: RequestStatus
REQUEST_STATUS_FAILED: RequestStatus
REQUEST_STATUS_ASK: RequestStatus

class Host(_message.Message):
    __slots__ = ("model_id", "address", "status", "price_ugrad_per_gma", "capacity", "bond_ugrad", "staked_ugrad", "open_count", "endpoint", "statement_key", "missed_in_a_row", "answered", "wrong", "withheld", "earned_ugrad", "registered_height", "ready_height", "return_height")
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAKED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    OPEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    MISSED_IN_A_ROW_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    EARNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    READY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RETURN_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    model_id: int
    address: str
    status: HostStatus
    price_ugrad_per_gma: int
    capacity: int
    bond_ugrad: int
    staked_ugrad: int
    open_count: int
    endpoint: str
    statement_key: bytes
    missed_in_a_row: int
    answered: int
    wrong: int
    withheld: int
    earned_ugrad: int
    registered_height: int
    ready_height: int
    return_height: int
    def __init__(self, model_id: _Optional[int] = ..., address: _Optional[str] = ..., status: _Optional[_Union[HostStatus, str]] = ..., price_ugrad_per_gma: _Optional[int] = ..., capacity: _Optional[int] = ..., bond_ugrad: _Optional[int] = ..., staked_ugrad: _Optional[int] = ..., open_count: _Optional[int] = ..., endpoint: _Optional[str] = ..., statement_key: _Optional[bytes] = ..., missed_in_a_row: _Optional[int] = ..., answered: _Optional[int] = ..., wrong: _Optional[int] = ..., withheld: _Optional[int] = ..., earned_ugrad: _Optional[int] = ..., registered_height: _Optional[int] = ..., ready_height: _Optional[int] = ..., return_height: _Optional[int] = ...) -> None: ...

class Question(_message.Message):
    __slots__ = ("rows", "features", "prompt", "tokens", "temperature_q16", "top_k", "has_stop", "stop")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_Q16_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    HAS_STOP_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    rows: int
    features: bytes
    prompt: bytes
    tokens: int
    temperature_q16: int
    top_k: int
    has_stop: bool
    stop: int
    def __init__(self, rows: _Optional[int] = ..., features: _Optional[bytes] = ..., prompt: _Optional[bytes] = ..., tokens: _Optional[int] = ..., temperature_q16: _Optional[int] = ..., top_k: _Optional[int] = ..., has_stop: _Optional[bool] = ..., stop: _Optional[int] = ...) -> None: ...

class Seat(_message.Message):
    __slots__ = ("host", "status", "ask_ugrad", "stake_ugrad", "commitment", "answer_hash", "slashed_ugrad")
    HOST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ASK_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAKE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_HASH_FIELD_NUMBER: _ClassVar[int]
    SLASHED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    host: str
    status: SeatStatus
    ask_ugrad: int
    stake_ugrad: int
    commitment: bytes
    answer_hash: bytes
    slashed_ugrad: int
    def __init__(self, host: _Optional[str] = ..., status: _Optional[_Union[SeatStatus, str]] = ..., ask_ugrad: _Optional[int] = ..., stake_ugrad: _Optional[int] = ..., commitment: _Optional[bytes] = ..., answer_hash: _Optional[bytes] = ..., slashed_ugrad: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("id", "model_id", "user", "round", "weights_root", "spec_version", "question", "question_hash", "work", "replicas", "escrow_ugrad", "status", "seed", "seats", "opened_height", "deadline_height", "due_height", "waiting_count", "answer_hash", "answer", "fee_ugrad", "refund_ugrad", "closed_height", "audited", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    QUESTION_HASH_FIELD_NUMBER: _ClassVar[int]
    WORK_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    ESCROW_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SEATS_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DUE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_HASH_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    FEE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    REFUND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    AUDITED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: int
    model_id: int
    user: str
    round: int
    weights_root: bytes
    spec_version: int
    question: Question
    question_hash: bytes
    work: int
    replicas: int
    escrow_ugrad: int
    status: RequestStatus
    seed: bytes
    seats: _containers.RepeatedCompositeFieldContainer[Seat]
    opened_height: int
    deadline_height: int
    due_height: int
    waiting_count: int
    answer_hash: bytes
    answer: bytes
    fee_ugrad: int
    refund_ugrad: int
    closed_height: int
    audited: bool
    reason: str
    def __init__(self, id: _Optional[int] = ..., model_id: _Optional[int] = ..., user: _Optional[str] = ..., round: _Optional[int] = ..., weights_root: _Optional[bytes] = ..., spec_version: _Optional[int] = ..., question: _Optional[_Union[Question, _Mapping]] = ..., question_hash: _Optional[bytes] = ..., work: _Optional[int] = ..., replicas: _Optional[int] = ..., escrow_ugrad: _Optional[int] = ..., status: _Optional[_Union[RequestStatus, str]] = ..., seed: _Optional[bytes] = ..., seats: _Optional[_Iterable[_Union[Seat, _Mapping]]] = ..., opened_height: _Optional[int] = ..., deadline_height: _Optional[int] = ..., due_height: _Optional[int] = ..., waiting_count: _Optional[int] = ..., answer_hash: _Optional[bytes] = ..., answer: _Optional[bytes] = ..., fee_ugrad: _Optional[int] = ..., refund_ugrad: _Optional[int] = ..., closed_height: _Optional[int] = ..., audited: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class Params(_message.Message):
    __slots__ = ("kept_blocks", "missed_max", "request_price_ugrad", "return_blocks")
    KEPT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MISSED_MAX_FIELD_NUMBER: _ClassVar[int]
    REQUEST_PRICE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    RETURN_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    kept_blocks: int
    missed_max: int
    request_price_ugrad: int
    return_blocks: int
    def __init__(self, kept_blocks: _Optional[int] = ..., missed_max: _Optional[int] = ..., request_price_ugrad: _Optional[int] = ..., return_blocks: _Optional[int] = ...) -> None: ...

class Archive(_message.Message):
    __slots__ = ("count", "peaks")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PEAKS_FIELD_NUMBER: _ClassVar[int]
    count: int
    peaks: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, count: _Optional[int] = ..., peaks: _Optional[_Iterable[bytes]] = ...) -> None: ...
