"""Hosts that answer requests with the model's real answers, on a Desk's chain, one step a block; and auditors who know.

    with Answering(folder, liars=("hob",)) as answering:
        answering.node.block()
"""

from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from abci_app.answers.network import Network
from abci_app.answers.source import AnswerSource
from abci_app.client.chain import ChainClient
from abci_app.wire.audit import ANSWER, decode_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import (
    REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL, SEAT_STATUS_ASSIGNED, SEAT_STATUS_COMMITTED, Request,
)
from abci_app.wire.pb.gradus.inference.v1.tx_pb2 import MsgCommitAnswer, MsgRevealAnswer
from abci_app.wire.question import ANSWER_INLINE_BYTES_MAX, answer_commitment, answer_hash
from tests.auditors import Auditors
from tests.chain import address_of, new_test_key
from tests.signed_node import SignedNode
from tests.unit.inference.desk import Desk, salt_of


class Answering(Desk):
    """A Desk whose hosts compute: `node` shows its chain, signed, and makes a block while a client sleeps."""

    def __init__(self, folder: Path, liars: tuple[str, ...] = (), **changes: Any) -> None:
        """liars: hosts that say something else than the model."""
        super().__init__(folder, **changes)
        self.liars = liars
        self.node = SignedNode(self.chain, Auditors(self.chain, self.find_verdict))
        self.node.on_block = self.act
        self.client = ChainClient(self.node)  # type: ignore[arg-type]
        self.source = AnswerSource(self.client)

    def __enter__(self) -> "Answering":
        return self

    def __exit__(self, *_: object) -> None:
        self.chain.database.close()

    def act(self) -> None:
        """Each host does what is due, in the next block."""
        for record in self.client.iter_requests():
            if record.status in (REQUEST_STATUS_COMMIT, REQUEST_STATUS_REVEAL):
                for seat in record.seats:
                    name = self.names[seat.host]
                    if (record.status, seat.status) == (REQUEST_STATUS_COMMIT, SEAT_STATUS_ASSIGNED):
                        self.send(name, self._commit(record, name))
                    elif (record.status, seat.status) == (REQUEST_STATUS_REVEAL, SEAT_STATUS_COMMITTED):
                        self.send(name, self._reveal(record, name))

    def load(self, record: Request) -> Network:
        """The model that answers a request."""
        return self.source.load_network(record.model_id, record.spec_version, record.round, record.weights_root)

    def compute(self, record: Request, name: str = "") -> bytes:
        """What a host answers."""
        found = self.client.find_request(record.id)
        assert found is not None
        answer = self.load(record).answer(found.question, record.seed)
        return bytes([answer[0] ^ 1]) + answer[1:] if name in self.liars else answer

    def find_verdict(self, audit: Audit) -> bytes | None:
        """What auditors who are right say."""
        subject = decode_subject(audit.subject)
        found = self.client.find_request(subject.number) if subject.kind == ANSWER else None
        return None if found is None else self.load(found).audit(found.question, found.seed, audit.seed)

    def send(self, name: str, message: Message) -> None:
        """A transaction by name, for the next block."""
        raw = self.chain.sign(name, message)
        if raw not in self.node.mempool:
            self.node.mempool.append(raw)

    def _commit(self, record: Request, name: str) -> MsgCommitAnswer:
        hashed = answer_hash(self.compute(record, name))
        return MsgCommitAnswer(host=address_of(name), request_id=record.id, commitment=answer_commitment(
            new_test_key(name).address, record.id, hashed, salt_of(name)))

    def _reveal(self, record: Request, name: str) -> MsgRevealAnswer:
        answer = self.compute(record, name)
        return MsgRevealAnswer(host=address_of(name), request_id=record.id, answer_hash=answer_hash(answer),
                               salt=salt_of(name), answer=answer if len(answer) <= ANSWER_INLINE_BYTES_MAX else b"")
