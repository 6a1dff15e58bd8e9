"""What a model answers, as a pure function of contract, weights, question and seed; and an auditor's word about it.

Hosts compute it to be paid, everybody else to compare: equal arguments give equal bytes on every machine.
Source: README.md beside this file; abci_app/wire/question.py for the bytes of an answer.
"""

from collections.abc import Iterator
from threading import Lock

from abci_app.runtime.contract import new_network
from abci_app.runtime.question import VALUE_BYTES, check_question
from abci_app.wire.audit import new_answer
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.question import answer_hash, compute_answer_witness, draw_witness_token, question_hash
from kernels import chunks, generate, mlp
from kernels.decoder.types import Decoder

IDLE_SESSIONS_MAX = 8


def compute_answer(spec: ModelSpec, weights: bytes, question: Question, seed: bytes) -> bytes:
    """The one right answer to a question; as Network.answer, for one question alone."""
    return load_network(spec, weights).answer(question, seed)


def compute_audit_answer(spec: ModelSpec, weights: bytes, question: Question, seed: bytes, audit_seed: bytes) -> bytes:
    """What an auditor says of a question (96 bytes); as Network.audit, for one question alone."""
    return load_network(spec, weights).audit(question, seed, audit_seed)


class Network:
    """A contract's model with weights, ready for many questions, of several threads at once."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    def answer(self, question: Question, seed: bytes) -> bytes:
        """The one right answer. seed: 32 bytes, by which a decoder samples. Raises QuestionInvalid."""
        return b"".join(self.stream(question, seed))

    def stream(self, question: Question, seed: bytes) -> Iterator[bytes]:
        """The answer in pieces that are joined without a gap: of a decoder each token (2 bytes) once it is drawn, and
        at last the root (32 bytes); of others one piece. Raises QuestionInvalid at once."""
        check_question(self.spec, question)
        return self._stream(question, seed)

    def audit(self, question: Question, seed: bytes, audit_seed: bytes) -> bytes:
        """What an auditor says: hash of the answer, hash of the question, witness. audit_seed: of the audit, 32 bytes.

        The witness is of a state that the answer does not tell: README.md, "Witness". Raises QuestionInvalid.
        """
        check_question(self.spec, question)
        answer, state = self._compute_witnessed(question, seed, audit_seed)
        return new_answer(answer_hash(answer), question_hash(question), compute_answer_witness(audit_seed, state))

    def _stream(self, question: Question, seed: bytes) -> Iterator[bytes]:
        raise NotImplementedError

    def _compute_witnessed(self, question: Question, seed: bytes, audit_seed: bytes) -> tuple[bytes, bytes]:
        """(the answer, the state that the audit's witness is of)."""
        raise NotImplementedError


class RowsNetwork(Network):
    """A classifier or regressor: rows in, labels and logits or outputs out. Draws nothing."""

    def __init__(self, spec: ModelSpec, widths: tuple[int, ...], weights: bytes) -> None:
        super().__init__(spec)
        self._widths, self._weights = widths, weights

    def _stream(self, question: Question, seed: bytes) -> Iterator[bytes]:
        labels, scores = mlp.infer(self._widths, self._weights, question.features, question.rows)
        yield labels + scores if self.spec.HasField("mlp_classifier") else scores

    def _compute_witnessed(self, question: Question, seed: bytes, audit_seed: bytes) -> tuple[bytes, bytes]:
        """The state is what reaches the last layer before its ReLU, or the scores where there is one layer alone."""
        answer, below = b"".join(self._stream(question, seed)), self._widths[:-1]
        if len(below) == 1:
            scores = answer[-VALUE_BYTES * self._widths[-1] * question.rows:]
        else:
            weights = self._weights[:VALUE_BYTES * mlp.param_count(below)]
            scores, _ = mlp.logits(below, weights, question.features, question.rows)
        return answer, chunks.chunk_root(scores)


class TextNetwork(Network):
    """A decoder: a prompt in, tokens and their root out. Each thread has a session of its own over the same views."""

    def __init__(self, spec: ModelSpec, model: Decoder, weights: bytes) -> None:
        super().__init__(spec)
        self._first = generate.Session(model, weights)
        self._idle = [self._first]
        self._lock = Lock()

    def _stream(self, question: Question, seed: bytes) -> Iterator[bytes]:
        digests = []
        for token, digest in self._draw(question, seed):
            digests.append(digest)
            yield token
        yield generate.compute_root(digests)

    def _compute_witnessed(self, question: Question, seed: bytes, audit_seed: bytes) -> tuple[bytes, bytes]:
        """The state is the digest of one token, by the audit's seed: the root does not tell its leaves."""
        steps = list(self._draw(question, seed))
        digests = [digest for _, digest in steps]
        answer = b"".join(token for token, _ in steps) + generate.compute_root(digests)
        return answer, digests[draw_witness_token(audit_seed, len(digests))]

    def _draw(self, question: Question, seed: bytes) -> Iterator[tuple[bytes, bytes]]:
        session = self._take(question.prompt)
        try:
            yield from session.stream(question.prompt, question.tokens, seed, question.temperature_q16, question.top_k,
                                      question.stop if question.has_stop else None)
        finally:
            self._give_back(session)

    def _take(self, prompt: bytes) -> generate.Session:
        """An idle session, if there is one the one that has read most of the prompt; else a new one."""
        with self._lock:
            if not self._idle:
                return self._first.fork()
            known = [len(session.tokens) if prompt.startswith(session.tokens) else 0 for session in self._idle]
            return self._idle.pop(known.index(max(known)))

    def _give_back(self, session: generate.Session) -> None:
        with self._lock:
            if len(self._idle) < IDLE_SESSIONS_MAX:
                self._idle.append(session)


def load_network(spec: ModelSpec, weights: bytes) -> Network:
    """A contract's model with weights, int32 little-endian as kernels take them. Raises KernelInputError for bytes of
    another model."""
    model = new_network(spec)
    if isinstance(model, Decoder):
        return TextNetwork(spec, model, weights)
    return RowsNetwork(spec, model.widths, weights)
