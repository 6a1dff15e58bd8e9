"""What models answer, computed from the chain's own state: for hosts, auditors and checks of the simulation.

Written over the kernels and wire/ alone, not over the room that hosts compute with: a second opinion on what is right.
"""

from dataclasses import dataclass, field

from abci_app.app import App
from abci_app.runtime.context import Ctx
from abci_app.wire.audit import ANSWER, decode_subject
from abci_app.wire.pb.gradus.audits.v1.audits_pb2 import Audit
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question, Request
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Session
from abci_app.wire.question import answer_hash, compute_answer_witness, question_hash
from kernels import chunks, mlp


@dataclass
class Answers:
    """Shared knowledge; nothing here is known to the chain. right: by request. said: by subject what auditors say."""

    app: App
    weights: dict[bytes, bytes] = field(default_factory=dict)
    right: dict[int, bytes] = field(default_factory=dict)
    said: dict[bytes, bytes] = field(default_factory=dict)

    def answer_request(self, ctx: Ctx, request: Request) -> bytes:
        """The right answer; computed once, when it is first asked for, for the weights are held only so long."""
        if request.id not in self.right:
            question = self.app.inference.get_question(ctx, request)
            self.right[request.id] = self.answer(ctx, request, question)
        return self.right[request.id]

    def answer(self, ctx: Ctx, owner: Request | Session, question: Question) -> bytes:
        """The right answer to a question under the terms of a request or a session."""
        spec, weights = self._load(ctx, owner)
        return compute_answer(spec, weights, question)

    def find_said(self, ctx: Ctx, audit: Audit) -> bytes:
        """What auditors who are right say of an answer (96 bytes)."""
        if audit.subject not in self.said:
            named = decode_subject(audit.subject)
            if named.kind == ANSWER:
                request = self.app.inference.get_request(ctx, named.number)
                asked = *self._load(ctx, request), self.app.inference.get_question(ctx, request)
            else:
                session = self.app.sessions.get_session(ctx, named.number)
                asked = *self._load(ctx, session), session.question
            self.said[audit.subject] = compute_said(*asked, audit.seed)
        return self.said[audit.subject]

    def forget_request(self, request_id: int) -> None:
        """It is over."""
        self.right.pop(request_id, None)

    def forget_audit(self, subject: bytes) -> None:
        """It is over."""
        self.said.pop(subject, None)

    def _load(self, ctx: Ctx, owner: Request | Session) -> tuple[ModelSpec, bytes]:
        if owner.weights_root not in self.weights:
            self.weights[owner.weights_root] = self.app.models.load_weights(ctx, owner.model_id, owner.round)
        return self.app.models.get_spec(ctx, owner.model_id, owner.spec_version), self.weights[owner.weights_root]


def compute_answer(spec: ModelSpec, weights: bytes, question: Question) -> bytes:
    """Labels and logits of a classifier."""
    return b"".join(mlp.infer(tuple(spec.mlp_classifier.widths), weights, question.features, question.rows))


def compute_said(spec: ModelSpec, weights: bytes, question: Question, audit_seed: bytes) -> bytes:
    """Hash of the answer, hash of the question, and the witness: of what reaches the last layer, or of the logits."""
    widths = tuple(spec.mlp_classifier.widths)
    below = widths[:-1] if len(widths) > 2 else widths
    state, _ = mlp.logits(below, weights[:4 * mlp.param_count(below)], question.features, question.rows)
    answer = compute_answer(spec, weights, question)
    return answer_hash(answer) + question_hash(question) + compute_answer_witness(audit_seed, chunks.chunk_root(state))
