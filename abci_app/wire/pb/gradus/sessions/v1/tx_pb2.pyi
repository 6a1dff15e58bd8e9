from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from abci_app.wire.pb.gradus.inference.v1 import inference_pb2 as _inference_pb2
from abci_app.wire.pb.gradus.sessions.v1 import sessions_pb2 as _sessions_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgOpenSession(_message.Message):
    __slots__ = ("user", "model_id", "host", "is_pinned", "round", "price_max_ugrad_per_gma", "deposit", "receipt_key", "blocks")
    USER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    IS_PINNED_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PRICE_MAX_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    DEPOSIT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_KEY_FIELD_NUMBER: _ClassVar[int]
    BLOCKS_FIELD_NUMBER: _ClassVar[int]
    user: str
    model_id: int
    host: str
    is_pinned: bool
    round: int
    price_max_ugrad_per_gma: int
    deposit: _coin_pb2.Coin
    receipt_key: bytes
    blocks: int
    def __init__(self, user: _Optional[str] = ..., model_id: _Optional[int] = ..., host: _Optional[str] = ..., is_pinned: _Optional[bool] = ..., round: _Optional[int] = ..., price_max_ugrad_per_gma: _Optional[int] = ..., deposit: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ..., receipt_key: _Optional[bytes] = ..., blocks: _Optional[int] = ...) -> None: ...

class MsgOpenSessionResponse(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: int
    def __init__(self, session_id: _Optional[int] = ...) -> None: ...

class MsgTopUpSession(_message.Message):
    __slots__ = ("user", "session_id", "amount")
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    user: str
    session_id: int
    amount: _coin_pb2.Coin
    def __init__(self, user: _Optional[str] = ..., session_id: _Optional[int] = ..., amount: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgTopUpSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgCloseSession(_message.Message):
    __slots__ = ("sender", "session_id", "receipt", "statement")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    sender: str
    session_id: int
    receipt: _sessions_pb2.Receipt
    statement: bytes
    def __init__(self, sender: _Optional[str] = ..., session_id: _Optional[int] = ..., receipt: _Optional[_Union[_sessions_pb2.Receipt, _Mapping]] = ..., statement: _Optional[bytes] = ...) -> None: ...

class MsgCloseSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgShowEntry(_message.Message):
    __slots__ = ("sender", "session_id", "entry", "proof", "question")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    sender: str
    session_id: int
    entry: _sessions_pb2.Entry
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    question: _inference_pb2.Question
    def __init__(self, sender: _Optional[str] = ..., session_id: _Optional[int] = ..., entry: _Optional[_Union[_sessions_pb2.Entry, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ..., question: _Optional[_Union[_inference_pb2.Question, _Mapping]] = ...) -> None: ...

class MsgShowEntryResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgChallengeAnswer(_message.Message):
    __slots__ = ("user", "session_id", "entry", "receipt", "proof", "statement", "question")
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    user: str
    session_id: int
    entry: _sessions_pb2.Entry
    receipt: _sessions_pb2.Receipt
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    statement: bytes
    question: _inference_pb2.Question
    def __init__(self, user: _Optional[str] = ..., session_id: _Optional[int] = ..., entry: _Optional[_Union[_sessions_pb2.Entry, _Mapping]] = ..., receipt: _Optional[_Union[_sessions_pb2.Receipt, _Mapping]] = ..., proof: _Optional[_Iterable[bytes]] = ..., statement: _Optional[bytes] = ..., question: _Optional[_Union[_inference_pb2.Question, _Mapping]] = ...) -> None: ...

class MsgChallengeAnswerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
