from abci_app.wire.pb.gradus.audits.v1 import audits_pb2 as _audits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditVotes(_message.Message):
    __slots__ = ("height", "round", "votes")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    VOTES_FIELD_NUMBER: _ClassVar[int]
    height: int
    round: int
    votes: _containers.RepeatedCompositeFieldContainer[_audits_pb2.AuditVote]
    def __init__(self, height: _Optional[int] = ..., round: _Optional[int] = ..., votes: _Optional[_Iterable[_Union[_audits_pb2.AuditVote, _Mapping]]] = ...) -> None: ...

class AuditVotesResponse(_message.Message):
    __slots__ = ("recorded",)
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    recorded: int
    def __init__(self, recorded: _Optional[int] = ...) -> None: ...

class AuditOpening(_message.Message):
    __slots__ = ("subject", "answer")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    subject: bytes
    answer: bytes
    def __init__(self, subject: _Optional[bytes] = ..., answer: _Optional[bytes] = ...) -> None: ...

class AuditOpeningResponse(_message.Message):
    __slots__ = ("right", "wrong")
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    WRONG_FIELD_NUMBER: _ClassVar[int]
    right: int
    wrong: int
    def __init__(self, right: _Optional[int] = ..., wrong: _Optional[int] = ...) -> None: ...
