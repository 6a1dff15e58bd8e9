from abci_app.wire.pb.cosmos.base.v1beta1 import coin_pb2 as _coin_pb2
from abci_app.wire.pb.gradus.disputes.v1 import disputes_pb2 as _disputes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MsgChallenge(_message.Message):
    __slots__ = ("challenger", "model_id", "round", "unit", "bond")
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    BOND_FIELD_NUMBER: _ClassVar[int]
    challenger: str
    model_id: int
    round: int
    unit: int
    bond: _coin_pb2.Coin
    def __init__(self, challenger: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., bond: _Optional[_Union[_coin_pb2.Coin, _Mapping]] = ...) -> None: ...

class MsgChallengeResponse(_message.Message):
    __slots__ = ("deadline_height",)
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    deadline_height: int
    def __init__(self, deadline_height: _Optional[int] = ...) -> None: ...

class MsgPostTrace(_message.Message):
    __slots__ = ("claimant", "model_id", "round", "unit", "digests")
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    claimant: str
    model_id: int
    round: int
    unit: int
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, claimant: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgPostTraceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgPickState(_message.Message):
    __slots__ = ("challenger", "model_id", "round", "unit", "place")
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    challenger: str
    model_id: int
    round: int
    unit: int
    place: int
    def __init__(self, challenger: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., place: _Optional[int] = ...) -> None: ...

class MsgPickStateResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgPostSegment(_message.Message):
    __slots__ = ("claimant", "model_id", "round", "unit", "root", "nodes")
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    claimant: str
    model_id: int
    round: int
    unit: int
    root: bytes
    nodes: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.Node]
    def __init__(self, claimant: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., root: _Optional[bytes] = ..., nodes: _Optional[_Iterable[_Union[_disputes_pb2.Node, _Mapping]]] = ...) -> None: ...

class MsgPostSegmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgPostNode(_message.Message):
    __slots__ = ("claimant", "model_id", "round", "unit", "children")
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    CHILDREN_FIELD_NUMBER: _ClassVar[int]
    claimant: str
    model_id: int
    round: int
    unit: int
    children: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, claimant: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., children: _Optional[_Iterable[bytes]] = ...) -> None: ...

class MsgPostNodeResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgPickChild(_message.Message):
    __slots__ = ("challenger", "model_id", "round", "unit", "place")
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    challenger: str
    model_id: int
    round: int
    unit: int
    place: int
    def __init__(self, challenger: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., place: _Optional[int] = ...) -> None: ...

class MsgPickChildResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MsgProveOperation(_message.Message):
    __slots__ = ("claimant", "model_id", "round", "unit", "outputs", "nodes", "state", "weights", "rows", "row_proof", "output")
    CLAIMANT_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    ROW_PROOF_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    claimant: str
    model_id: int
    round: int
    unit: int
    outputs: _containers.RepeatedScalarFieldContainer[bytes]
    nodes: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.Node]
    state: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.ProvedChunk]
    weights: _containers.RepeatedCompositeFieldContainer[_disputes_pb2.ProvedChunk]
    rows: bytes
    row_proof: _containers.RepeatedScalarFieldContainer[bytes]
    output: bytes
    def __init__(self, claimant: _Optional[str] = ..., model_id: _Optional[int] = ..., round: _Optional[int] = ..., unit: _Optional[int] = ..., outputs: _Optional[_Iterable[bytes]] = ..., nodes: _Optional[_Iterable[_Union[_disputes_pb2.Node, _Mapping]]] = ..., state: _Optional[_Iterable[_Union[_disputes_pb2.ProvedChunk, _Mapping]]] = ..., weights: _Optional[_Iterable[_Union[_disputes_pb2.ProvedChunk, _Mapping]]] = ..., rows: _Optional[bytes] = ..., row_proof: _Optional[_Iterable[bytes]] = ..., output: _Optional[bytes] = ...) -> None: ...

class MsgProveOperationResponse(_message.Message):
    __slots__ = ("is_right",)
    IS_RIGHT_FIELD_NUMBER: _ClassVar[int]
    is_right: bool
    def __init__(self, is_right: _Optional[bool] = ...) -> None: ...
