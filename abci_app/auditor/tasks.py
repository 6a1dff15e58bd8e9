"""What an audit asks for, found on the chain: units of rounds, answers to requests, entries of sessions.

A task is computed from what the node tells; weights and rows are checked against the roots in its records.
"""

from collections.abc import Callable
from dataclasses import dataclass

from abci_app.answers.source import AnswerSource
from abci_app.client.chain import ChainClient, Dealing
from abci_app.runtime.contract import compute_unit_policy
from abci_app.units.claim import compute_answer
from abci_app.units.source import UnitSource
from abci_app.wire.audit import ANSWER, CONFIRMATION, STATEMENT, UNIT, Subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import SEAT_STATUS_REVEALED, Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.work.v1.work_pb2 import Round, Unit
from abci_app.wire.question import entry_seed, question_hash
from kernels import dispatch


@dataclass(frozen=True, slots=True)
class Task:
    """One audit, ready to be computed.

    name: for people. fields: for events. claimed: what is claimed, as the first two parts of an answer of 32 bytes
    each. weights_root, rows_root: what it is computed from; rows_root is empty where no rows are. prepare: has the
    back end prove itself before it is believed; compute: the right answer, 96 bytes.
    """

    name: str
    fields: dict[str, int | str]
    claimed: tuple[bytes, bytes]
    weights_root: bytes
    rows_root: bytes
    prepare: Callable[[], None]
    compute: Callable[[], bytes]


class Tasks:
    """Finds what audits ask for. Not for several threads at once."""

    def __init__(self, chain: ChainClient, units: UnitSource) -> None:
        self.chain, self.units, self.answers = chain, units, AnswerSource(chain)
        self._dealings: dict[tuple[int, int], Dealing | None] = {}
        self._warmed: dict[bytes, None] = {}

    def knows(self, subject: Subject) -> bool:
        """Whether audits of this kind are understood."""
        return subject.kind in (UNIT, CONFIRMATION, ANSWER, STATEMENT)

    def forget_rounds(self) -> None:
        """Ask for rounds anew from here on."""
        self._dealings = {}

    def find(self, subject: Subject, audit: Audit) -> Task | None:
        """The task of an audit; None when the chain no longer means by its subject what it asked about."""
        if subject.kind == ANSWER:
            return self._find_request(subject, audit)
        if subject.kind == STATEMENT:
            return self._find_entry(subject, audit)
        return self._find_unit(subject, audit)

    def _find_unit(self, subject: Subject, audit: Audit) -> Task | None:
        place = subject.model_id, subject.number
        if place not in self._dealings:
            self._dealings[place] = self.chain.find_round(*place)
        dealing = self._dealings[place]
        if dealing is None or dealing.round is None or dealing.round.attempt != subject.attempt:
            return None
        running, unit = dealing.round, next((one for one in dealing.units if one.index == subject.index), None)
        if unit is None:
            return None
        spec = self.units.get_spec(running)
        return Task(
            name=f"unit {unit.index} of round {running.number} of model {running.model_id}",
            fields={"model_id": running.model_id, "round": running.number, "unit": unit.index},
            claimed=(unit.payload_root, unit.trace_root), weights_root=running.weights_root,
            rows_root=spec.dataset.rows_root, prepare=lambda: self._prepare_unit(spec),
            compute=lambda: self._compute_unit(spec, running, unit, audit))

    def _compute_unit(self, spec: ModelSpec, running: Round, unit: Unit, audit: Audit) -> bytes:
        weights, rows = self.units.load_weights(running), self.units.open_rows(spec)
        return compute_answer(spec, running, unit.index, weights, rows, audit)

    def _prepare_unit(self, spec: ModelSpec) -> None:
        """Open a contract's dataset, and have the back end prove itself on its shape: a wrong answer excludes."""
        self.units.open_rows(spec)
        policy = compute_unit_policy(spec, spec.training.learning_rate.peak_q16)
        key = repr(policy).encode()
        if key not in self._warmed:
            dispatch.warm(policy)
            self._warmed[key] = None

    def _find_request(self, subject: Subject, audit: Audit) -> Task | None:
        request = self.chain.find_request(subject.number)
        revealed = [seat for seat in request.seats if seat.status == SEAT_STATUS_REVEALED] if request else []
        if request is None or request.model_id != subject.model_id or not revealed:
            return None
        place = request.model_id, request.spec_version, request.round, request.weights_root
        return self._new_answer_task(
            f"the answer to request {request.id} of model {request.model_id}",
            {"model_id": request.model_id, "request_id": request.id}, revealed[0].answer_hash, place,
            request.question, request.seed, audit)

    def _find_entry(self, subject: Subject, audit: Audit) -> Task | None:
        session, number = self.chain.find_session(subject.number), subject.entry_number
        if session is None or session.model_id != subject.model_id or session.entry.number != number:
            return None
        place = session.model_id, session.spec_version, session.round, session.weights_root
        return self._new_answer_task(
            f"answer {number} of session {session.id} of model {session.model_id}",
            {"model_id": session.model_id, "session_id": session.id, "number": number}, session.entry.answer_hash,
            place, session.question, entry_seed(session.seed, number), audit)

    def _new_answer_task(self, name: str, fields: dict[str, int | str], claimed: bytes,
                         place: tuple[int, int, int, bytes], question: Question, seed: bytes, audit: Audit) -> Task:
        """place: model, version of its terms, round and root of its weights. seed: of what is sampled."""
        return Task(
            name=name, fields=fields, claimed=(claimed, question_hash(question)), weights_root=place[3], rows_root=b"",
            prepare=lambda: None,  # run() has had the back end prove itself
            compute=lambda: self.answers.load_network(*place).audit(question, seed, audit.seed))
