from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from abci_app.wire.pb.gradus.inference.v1 import inference_pb2 as _inference_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgRegisterHost(_message.Message):
    __slots__ = ("host", "model_id", "price_ugrad_per_gma", "capacity", "bond", "endpoint", "statement_key")
    HOST_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    host: str
    model_id: int
    price_ugrad_per_gma: int
    capacity: int
    bond: _coin_pb2.Coin
    endpoint: str
    statement_key: bytes
    def __init__(self, host: _Optional[str] = ..., model_id: _Optional[int] = ..., price_ugrad_per_gma: _Optional[int] = ..., capacity: _Optional[int] = ..., bond: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ..., endpoint: _Optional[str] = ..., statement_key: _Optional[bytes] = ...) -> None: ...

class MsgRegisterHostResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgUpdateHost(_message.Message):
    __slots__ = ("host", "model_id", "price_ugrad_per_gma", "capacity", "bond", "endpoint", "statement_key")
    HOST_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_UGRAD_PER_GMA_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_KEY_FIELD_NUMBER: _ClassVar[int]
    host: str
    model_id: int
    price_ugrad_per_gma: int
    capacity: int
    bond: _coin_pb2.Coin
    endpoint: str
    statement_key: bytes
    def __init__(self, host: _Optional[str] = ..., model_id: _Optional[int] = ..., price_ugrad_per_gma: _Optional[int] = ..., capacity: _Optional[int] = ..., bond: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ..., endpoint: _Optional[str] = ..., statement_key: _Optional[bytes] = ...) -> None: ...

class MsgUpdateHostResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgDrainHost(_message.Message):
    __slots__ = ("host", "model_id")
    HOST_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    host: str
    model_id: int
    def __init__(self, host: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgDrainHostResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgLeaveHost(_message.Message):
    __slots__ = ("host", "model_id")
    HOST_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    host: str
    model_id: int
    def __init__(self, host: _Optional[str] = ..., model_id: _Optional[int] = ...) -> None: ...

class MsgLeaveHostResponse(_message.Message):
    __slots__ = ("returned_ugrad",)
    RETURNED_UGRAD_FIELD_NUMBER: _ClassVar[int]
    returned_ugrad: int
    def __init__(self, returned_ugrad: _Optional[int] = ...) -> None: ...

class MsgRequestInference(_message.Message):
    __slots__ = ("user", "model_id", "is_pinned", "round", "question", "max_fee", "replicas", "deadline_blocks")
    USER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    IS_PINNED_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    user: str
    model_id: int
    is_pinned: bool
    round: int
    question: _inference_pb2.Question
    max_fee: _coin_pb2.Coin
    replicas: int
    deadline_blocks: int
    def __init__(self, user: _Optional[str] = ..., model_id: _Optional[int] = ..., is_pinned: _Optional[bool] = ..., round: _Optional[int] = ..., question: _Optional[_Union[_inference_pb2.Question, _Mapping]] = ..., max_fee: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ..., replicas: _Optional[int] = ..., deadline_blocks: _Optional[int] = ...) -> None: ...

class MsgRequestInferenceResponse(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: int
    def __init__(self, request_id: _Optional[int] = ...) -> None: ...

class MsgCommitAnswer(_message.Message):
    __slots__ = ("host", "request_id", "commitment")
    HOST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    host: str
    request_id: int
    commitment: bytes
    def __init__(self, host: _Optional[str] = ..., request_id: _Optional[int] = ..., commitment: _Optional[bytes] = ...) -> None: ...

class MsgCommitAnswerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgRevealAnswer(_message.Message):
    __slots__ = ("host", "request_id", "answer_hash", "salt", "answer")
    HOST_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_HASH_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    host: str
    request_id: int
    answer_hash: bytes
    salt: bytes
    answer: bytes
    def __init__(self, host: _Optional[str] = ..., request_id: _Optional[int] = ..., answer_hash: _Optional[bytes] = ..., salt: _Optional[bytes] = ..., answer: _Optional[bytes] = ...) -> None: ...

class MsgRevealAnswerResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
