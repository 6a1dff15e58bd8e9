from abci_app.wire.pb.gradus.inference.v1 import inference_pb2 as _inference_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_STATUS_UNSPECIFIED: _ClassVar[SessionStatus]
    SESSION_STATUS_OPEN: _ClassVar[SessionStatus]
    SESSION_STATUS_CLOSING: _ClassVar[SessionStatus]
    SESSION_STATUS_DRAW: _ClassVar[SessionStatus]
    SESSION_STATUS_SHOWING: _ClassVar[SessionStatus]
    SESSION_STATUS_AUDIT: _ClassVar[SessionStatus]
    SESSION_STATUS_SETTLED: _ClassVar[SessionStatus]
SESSION_STATUS_UNSPECIFIED: SessionStatus
SESSION_STATUS_OPEN: SessionStatus
SESSION_STATUS_CLOSING: SessionStatus
SESSION_STATUS_DRAW: SessionStatus
SESSION_STATUS_SHOWING: SessionStatus
SESSION_STATUS_AUDIT: SessionStatus
SESSION_STATUS_SETTLED: SessionStatus

class Receipt(_message.Message):
    __slots__ = ("session_id", "count", "total_ugrad", "root", "signature")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_UGRAD_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    count: int
    total_ugrad: int
    root: bytes
    signature: bytes
    def __init__(self, session_id: _Optional[int] = ..., count: _Optional[int] = ..., total_ugrad: _Optional[int] = ..., root: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("number", "question_hash", "answer_hash", "fee_ugrad", "total_ugrad")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    QUESTION_HASH_FIELD_NUMBER: _ClassVar[int]
    ANSWER_HASH_FIELD_NUMBER: _ClassVar[int]
    FEE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    TOTAL_UGRAD_FIELD_NUMBER: _ClassVar[int]
    number: int
    question_hash: bytes
    answer_hash: bytes
    fee_ugrad: int
    total_ugrad: int
    def __init__(self, number: _Optional[int] = ..., question_hash: _Optional[bytes] = ..., answer_hash: _Optional[bytes] = ..., fee_ugrad: _Optional[int] = ..., total_ugrad: _Optional[int] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("id", "model_id", "user", "host", "round", "weights_root", "spec_version", "price_ugrad_per_gma", "deposit_ugrad", "stake_ugrad", "receipt_key", "statement_key", "seed", "status", "opened_height", "expiry_height", "due_height", "receipt", "number", "question", "entry", "is_challenged", "challenge_bond_ugrad", "paid_ugrad", "refund_ugrad", "slashed_ugrad", "closed_height", "outcome", "audit_seed", "user_closed", "host_closed", "is_drawn", "drawn_ugrad")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_ROOT_FIELD_NUMBER: _ClassVar[int]
    SPEC_VERSION_FIELD_NUMBER: _ClassVar[int]
    PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_UGRAD_FIELD_NUMBER: _ClassVar[int]
    STAKE_UGRAD_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_KEY_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DUE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    IS_CHALLENGED_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_BOND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    PAID_UGRAD_FIELD_NUMBER: _ClassVar[int]
    REFUND_UGRAD_FIELD_NUMBER: _ClassVar[int]
    SLASHED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AUDIT_SEED_FIELD_NUMBER: _ClassVar[int]
    USER_CLOSED_FIELD_NUMBER: _ClassVar[int]
    HOST_CLOSED_FIELD_NUMBER: _ClassVar[int]
    IS_DRAWN_FIELD_NUMBER: _ClassVar[int]
    DRAWN_UGRAD_FIELD_NUMBER: _ClassVar[int]
    id: int
    model_id: int
    user: str
    host: str
    round: int
    weights_root: bytes
    spec_version: int
    price_ugrad_per_gma: int
    deposit_ugrad: int
    stake_ugrad: int
    receipt_key: bytes
    statement_key: bytes
    seed: bytes
    status: SessionStatus
    opened_height: int
    expiry_height: int
    due_height: int
    receipt: Receipt
    number: int
    question: _inference_pb2.Question
    entry: Entry
    is_challenged: bool
    challenge_bond_ugrad: int
    paid_ugrad: int
    refund_ugrad: int
    slashed_ugrad: int
    closed_height: int
    outcome: str
    audit_seed: bytes
    user_closed: bool
    host_closed: bool
    is_drawn: bool
    drawn_ugrad: int
    def __init__(self, id: _Optional[int] = ..., model_id: _Optional[int] = ..., user: _Optional[str] = ..., host: _Optional[str] = ..., round: _Optional[int] = ..., weights_root: _Optional[bytes] = ..., spec_version: _Optional[int] = ..., price_ugrad_per_gma: _Optional[int] = ..., deposit_ugrad: _Optional[int] = ..., stake_ugrad: _Optional[int] = ..., receipt_key: _Optional[bytes] = ..., statement_key: _Optional[bytes] = ..., seed: _Optional[bytes] = ..., status: _Optional[_Union[SessionStatus, str]] = ..., opened_height: _Optional[int] = ..., expiry_height: _Optional[int] = ..., due_height: _Optional[int] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., number: _Optional[int] = ..., question: _Optional[_Union[_inference_pb2.Question, _Mapping]] = ..., entry: _Optional[_Union[Entry, _Mapping]] = ..., is_challenged: _Optional[bool] = ..., challenge_bond_ugrad: _Optional[int] = ..., paid_ugrad: _Optional[int] = ..., refund_ugrad: _Optional[int] = ..., slashed_ugrad: _Optional[int] = ..., closed_height: _Optional[int] = ..., outcome: _Optional[str] = ..., audit_seed: _Optional[bytes] = ..., user_closed: _Optional[bool] = ..., host_closed: _Optional[bool] = ..., is_drawn: _Optional[bool] = ..., drawn_ugrad: _Optional[int] = ...) -> None: ...

class Params(_message.Message):
    __slots__ = ("close_blocks", "show_blocks", "session_blocks_max", "kept_blocks")
    CLOSE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    SHOW_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    SESSION_BLOCKS_MAX_FIELD_NUMBER: _ClassVar[int]
    KEPT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    close_blocks: int
    show_blocks: int
    session_blocks_max: int
    kept_blocks: int
    def __init__(self, close_blocks: _Optional[int] = ..., show_blocks: _Optional[int] = ..., session_blocks_max: _Optional[int] = ..., kept_blocks: _Optional[int] = ...) -> None: ...
