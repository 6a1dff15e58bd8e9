"""What is a question to a model, how long its answer is and what it costs: from shapes alone, as kernels have it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abci_app.answers.network import compute_answer
from abci_app.runtime import question as rules
from abci_app.runtime.question import (
    QuestionInvalid, check_question, compute_answer_bytes_max, compute_ask, compute_work,
)
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from kernels import dispatch, generate, mlp
from kernels.decoder.types import Decoder
from tests.unit.answers.specs import KINDS, SEED, new_question, new_spec, new_weights

WEIGHTS = {kind: new_weights(kind) for kind in KINDS}


def text(**fields: object) -> Question:
    return Question(**({"prompt": b"\1\0", "tokens": 2} | fields))  # type: ignore[arg-type]


def rows(**fields: object) -> Question:
    return Question(**({"rows": 2, "features": bytes(12)} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_good_question_is_accepted(kind: str) -> None:
    check_question(new_spec(kind), new_question(kind))


@pytest.mark.parametrize(("question", "problem"), [
    (rows(rows=0, features=b""), "0 rows are asked, allowed are 1 to 256"),
    (rows(rows=257, features=bytes(257 * 6)), "257 rows are asked"),
    (rows(features=bytes(11)), "2 rows of 6 features have 12 bytes, not 11"),
    (rows(features=bytes(13)), "not 13"),
    (rows(features=b"\x80" + bytes(11)), "a feature is -128"),
    (rows(prompt=b"\1\0"), "this model takes rows"),
    (rows(tokens=1), "this model takes rows"), (rows(temperature_q16=1), "this model takes rows"),
    (rows(top_k=1), "this model takes rows"), (rows(has_stop=True), "this model takes rows"),
    (rows(stop=1), "this model takes rows"), (Question(), "0 rows are asked"),
])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_question_that_rows_have_no_answer_to_is_refused(kind: str, question: Question, problem: str) -> None:
    with pytest.raises(QuestionInvalid, match=problem):
        check_question(new_spec(kind), question)


@pytest.mark.parametrize(("question", "problem"), [
    (text(rows=1), "this model continues text"), (text(features=b"\1"), "this model continues text"),
    (text(prompt=b""), "a prompt has 1 to 24 tokens of 2 bytes, not 0 bytes"),
    (text(prompt=b"\1"), "not 1 bytes"), (text(prompt=b"\1\0" * 25), "not 50 bytes"),
    (text(prompt=b"\x25\0"), "the prompt has the token 37, the vocabulary those below 37"),
    (text(prompt=b"\0\1"), "the prompt has the token 256"),
    (text(tokens=0), "0 tokens are asked after a prompt of 1, allowed are 1 to 24"),
    (text(tokens=25), "25 tokens are asked"), (text(prompt=b"\1\0" * 24, tokens=2), "allowed are 1 to 1"),
    (text(temperature_q16=2**20 + 1), "temperature_q16 is 1048577"), (text(top_k=65_537), "top_k is 65537"),
    (text(has_stop=True, stop=37), "stop is 37"), (text(stop=1), "stop is 1"),
])
def test_question_that_text_has_no_answer_to_is_refused(question: Question, problem: str) -> None:
    with pytest.raises(QuestionInvalid, match=problem):
        check_question(new_spec("text"), question)


@pytest.mark.parametrize("question", [
    text(prompt=b"\1\0" * 24, tokens=1), text(tokens=24), text(temperature_q16=2**20), text(top_k=65_536),
    text(has_stop=True), text(has_stop=True, stop=36), text(prompt=b"\x24\0")])
def test_question_at_the_end_of_a_range_is_accepted_and_answered(question: Question) -> None:
    spec = new_spec("text")
    check_question(spec, question)
    with dispatch.forced("ref"):
        assert len(compute_answer(spec, WEIGHTS["text"], question, SEED)) <= compute_answer_bytes_max(spec, question)


@given(st.sampled_from(KINDS), st.builds(
    Question, rows=st.integers(0, 3), features=st.binary(max_size=3).map(lambda value: value * 6),
    prompt=st.binary(max_size=3).map(lambda value: value + bytes(len(value) % 2)), tokens=st.integers(0, 26),
    temperature_q16=st.sampled_from([0, 65_536, 2**21]), top_k=st.integers(0, 3), has_stop=st.booleans(),
    stop=st.integers(0, 40)))
@settings(max_examples=200)
def test_every_question_is_refused_or_answered_within_its_size(kind: str, question: Question) -> None:
    """What the rules let pass no kernel refuses: an auditor who could not answer would be excluded."""
    spec = new_spec(kind)
    try:
        check_question(spec, question)
    except QuestionInvalid:
        return
    with dispatch.forced("ref"):
        answer = compute_answer(spec, WEIGHTS[kind], question, SEED)
    size = compute_answer_bytes_max(spec, question)
    assert len(answer) <= size and (kind == "text" or len(answer) == size)


@pytest.mark.parametrize("change", [
    lambda monkeypatch: monkeypatch.setattr(rules, "ANSWER_BYTES_MAX", 53),
    lambda monkeypatch: monkeypatch.setattr(rules, "WORK_MAX", 1_000)])
def test_question_with_too_long_or_too_dear_an_answer_is_refused(
        change: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    check_question(new_spec("classifier"), new_question("classifier"))
    change(monkeypatch)
    with pytest.raises(QuestionInvalid, match="ask for less at once"):
        check_question(new_spec("classifier"), new_question("classifier"))


def test_work_is_what_kernels_say_that_it_costs() -> None:
    for kind, widths in (("classifier", (6, 9, 5, 4)), ("linear", (6, 4)), ("regressor", (6, 9, 3))):
        assert compute_work(new_spec(kind), new_question(kind)) == mlp.logits_cost(widths, 3)
    decoder = Decoder(vocab=37, context=24, width=32, heads=2, hidden=40, layers=2, positions="rotary", tied=True)
    assert compute_work(new_spec("text"), new_question("text", 7)) == generate.generate_cost(decoder, 3, 7)


def test_more_rows_and_more_tokens_are_more_work() -> None:
    for kind in KINDS:
        spec = new_spec(kind)
        works = [compute_work(spec, new_question(kind, size)) for size in range(1, 20)]
        assert works == sorted(dict.fromkeys(works))


@pytest.mark.parametrize(("work", "price", "ask"), [
    (10**9, 7, 7), (10**9 + 1, 7, 8), (1, 1, 1), (1, 10**9, 1), (1, 10**9 + 1, 2),
    (2**34, 2**50, 19_342_813_113_834_067),
])
def test_ask_is_rounded_up_and_at_least_one(work: int, price: int, ask: int) -> None:
    assert compute_ask(work, price) == ask
