"""What a model answers: the same bytes from every back end, whole and in pieces, and what auditors say of it."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from abci_app.answers.network import compute_answer, compute_audit_answer, load_network
from abci_app.runtime.question import QuestionInvalid, compute_answer_bytes_max
from abci_app.wire.audit import split_answer
from abci_app.wire.question import answer_hash, compute_answer_witness, question_hash
from kernels import chunks, dispatch, generate, mlp
from kernels.decoder.types import Decoder
from kernels.errors import KernelInputError
from tests.unit.answers.specs import AUDIT_SEED, KINDS, SEED, new_question, new_spec, new_weights

TEXT = Decoder(vocab=37, context=24, width=32, heads=2, hidden=40, layers=2, positions="rotary", tied=True)
ANSWERS = [
    ("classifier", "50c5465766288c23", "d5a10ed364d1be74"),
    ("linear", "cf05b5886822daae", "17928c6fc3fd4f5c"),
    ("regressor", "2bbeba5de6485b80", "2938f8d744a9b24a"),
    ("text", "0457bc111192804c", "a266761b37397c3a"),
]


@pytest.fixture(autouse=True)
def reference() -> Iterator[None]:
    with dispatch.forced("ref"):
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_back_ends_answer_and_witness_alike(kind: str) -> None:
    spec, weights, question = new_spec(kind), new_weights(kind), new_question(kind)
    said = []
    for backend in ("ref", "cpu"):
        with dispatch.forced(backend):
            said.append((compute_answer(spec, weights, question, SEED),
                         compute_audit_answer(spec, weights, question, SEED, AUDIT_SEED)))
    assert said[0] == said[1]


@pytest.mark.parametrize(("kind", "answer", "audit"), ANSWERS)
def test_answers_never_change(kind: str, answer: str, audit: str) -> None:
    network = load_network(new_spec(kind), new_weights(kind))
    question = new_question(kind)
    assert hashlib.sha256(network.answer(question, SEED)).hexdigest()[:16] == answer
    assert hashlib.sha256(network.audit(question, SEED, AUDIT_SEED)).hexdigest()[:16] == audit


@pytest.mark.parametrize("kind", ["classifier", "linear"])
def test_classifier_answers_with_labels_and_logits(kind: str) -> None:
    spec, weights, question = new_spec(kind), new_weights(kind), new_question(kind)
    widths = tuple(spec.mlp_classifier.widths)
    answer = compute_answer(spec, weights, question, SEED)
    assert answer == (mlp.predict(widths, weights, question.features, 3)
                      + mlp.logits(widths, weights, question.features, 3)[0])
    assert len(answer) == compute_answer_bytes_max(spec, question) == 3 * (2 + 4 * 4)


def test_regressor_answers_with_its_outputs() -> None:
    spec, weights, question = new_spec("regressor"), new_weights("regressor"), new_question("regressor")
    answer = compute_answer(spec, weights, question, SEED)
    assert answer == mlp.logits((6, 9, 3), weights, question.features, 3)[0]
    assert len(answer) == compute_answer_bytes_max(spec, question) == 3 * 4 * 3


def test_decoder_answers_with_tokens_and_their_root() -> None:
    spec, weights, question = new_spec("text"), new_weights("text"), new_question("text", 7)
    expected = generate.generate(TEXT, weights, question.prompt, 7, SEED, 65_536, 9)
    assert compute_answer(spec, weights, question, SEED) == expected.tokens + expected.root
    assert len(expected.tokens + expected.root) == compute_answer_bytes_max(spec, question)


def test_stop_ends_an_answer_and_is_part_of_it() -> None:
    spec, weights = new_spec("text"), new_weights("text")
    tokens = compute_answer(spec, weights, new_question("text", 7), SEED)[:-32]
    stop = int.from_bytes(tokens[4:6], "little")
    question = new_question("text", 7, has_stop=True, stop=stop)
    answer = compute_answer(spec, weights, question, SEED)
    expected = generate.generate(TEXT, weights, question.prompt, 7, SEED, 65_536, 9, stop)
    assert answer == expected.tokens + expected.root and answer[:-32] == tokens[:len(answer) - 32]
    assert len(answer) < len(tokens) + 32 and answer[-34:-32] == tokens[4:6]


def test_seed_draws_what_a_decoder_says_and_nothing_else() -> None:
    for kind in KINDS:
        network, question = load_network(new_spec(kind), new_weights(kind)), new_question(kind, 12)
        assert (network.answer(question, SEED) != network.answer(question, AUDIT_SEED)) == (kind == "text")
    cold = new_question("text", 12, temperature_q16=0)
    assert network.answer(cold, SEED) == network.answer(cold, AUDIT_SEED)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_a_stream_are_the_answer(kind: str) -> None:
    network, question = load_network(new_spec(kind), new_weights(kind)), new_question(kind)
    pieces = list(network.stream(question, SEED))
    assert b"".join(pieces) == network.answer(question, SEED)
    assert [len(piece) for piece in pieces] == ([2, 2, 2, 32] if kind == "text" else [len(pieces[0])])


def test_streams_side_by_side_and_left_alone_disturb_nobody() -> None:
    weights = new_weights("text")
    network, fresh = (load_network(new_spec("text"), weights) for _ in range(2))
    questions = [new_question("text", count) for count in (9, 12, 5)]
    streams = [network.stream(question, SEED) for question in questions]
    said = [next(stream) for stream in streams]
    network.stream(questions[0], AUDIT_SEED)  # never begun
    streams[0].close()  # type: ignore[attr-defined]
    for index in (1, 2):
        assert said[index] + b"".join(streams[index]) == fresh.answer(questions[index], SEED)
    for question in questions:
        assert network.answer(question, SEED) == fresh.answer(question, SEED)


@pytest.mark.parametrize("kind", ["classifier", "text"])
def test_threads_have_the_same_answers(kind: str) -> None:
    network, fresh = (load_network(new_spec(kind), new_weights(kind)) for _ in range(2))
    questions = [new_question(kind, 1 + number % 5) for number in range(24)]

    def ask(number: int) -> bytes:
        with dispatch.forced("ref"):
            return network.answer(questions[number], SEED)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(ask, range(24)))
    assert said == [fresh.answer(question, SEED) for question in questions]


def test_text_that_goes_on_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, question = load_network(new_spec("text"), new_weights("text")), new_question("text", 4)
    tokens = network.answer(question, SEED)[:-32]
    read: list[bytes] = []
    feed = generate.Session.feed
    monkeypatch.setattr(generate.Session, "feed", lambda self, more: read.append(more) or feed(self, more))
    longer = new_question("text", 1)
    longer.prompt = question.prompt + tokens + b"\x01\0"
    network.answer(longer, SEED)
    assert read == [tokens[-2:] + b"\x01\0"]


@pytest.mark.parametrize("kind", KINDS)
def test_auditor_says_both_hashes_and_a_witness_by_the_audits_seed(kind: str) -> None:
    network, question = load_network(new_spec(kind), new_weights(kind)), new_question(kind)
    said = network.audit(question, SEED, AUDIT_SEED)
    answer = network.answer(question, SEED)
    assert split_answer(said)[:2] == (answer_hash(answer), question_hash(question))
    other = network.audit(question, SEED, SEED)
    assert other[:64] == said[:64] and other[64:] != said[64:]


@pytest.mark.parametrize(("kind", "below"), [("classifier", (6, 9, 5)), ("regressor", (6, 9)), ("linear", (6, 4))])
def test_witness_of_rows_is_of_what_reaches_the_last_layer(kind: str, below: tuple[int, ...]) -> None:
    weights, question = new_weights(kind), new_question(kind)
    count = mlp.param_count(below)
    state = chunks.chunk_root(mlp.logits(below, weights[:4 * count], question.features, 3)[0])
    said = compute_audit_answer(new_spec(kind), weights, question, SEED, AUDIT_SEED)
    assert said[64:] == compute_answer_witness(AUDIT_SEED, state)


def test_witness_of_rows_cannot_be_read_off_the_answer() -> None:
    """Two models with one answer have two witnesses: their last layers ignore what reaches them."""
    spec, question = new_spec("classifier"), new_question("classifier")
    last = 4 * (5 * 4 + 4)
    two = [new_weights("classifier", seed)[:-last] + bytes(last) for seed in (SEED, AUDIT_SEED)]
    said = [compute_audit_answer(spec, weights, question, SEED, AUDIT_SEED) for weights in two]
    assert said[0][:64] == said[1][:64] and said[0][64:] != said[1][64:]


def test_witness_of_text_is_of_a_token_that_the_audits_seed_draws() -> None:
    weights, question = new_weights("text"), new_question("text", 12)
    digests = generate.generate(TEXT, weights, question.prompt, 12, SEED, 65_536, 9).digests
    network, drawn = load_network(new_spec("text"), weights), []
    for number in range(24):
        seed = bytes([number]) * 32
        witness = network.audit(question, SEED, seed)[64:]
        drawn.append([compute_answer_witness(seed, digest) for digest in digests].index(witness))
    assert len(dict.fromkeys(drawn)) > 6


@pytest.mark.parametrize("kind", KINDS)
def test_question_without_an_answer_is_refused_before_anything_is_computed(kind: str) -> None:
    network = load_network(new_spec(kind), new_weights(kind))
    question = new_question("classifier" if kind == "text" else "text")
    for ask in (network.answer, network.stream):
        with pytest.raises(QuestionInvalid):
            ask(question, SEED)
    with pytest.raises(QuestionInvalid):
        network.audit(question, SEED, AUDIT_SEED)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_another_model_are_refused(kind: str) -> None:
    weights = new_weights(kind)[:-4]
    with pytest.raises(KernelInputError):
        load_network(new_spec(kind), weights).answer(new_question(kind), SEED)
