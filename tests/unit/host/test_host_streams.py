"""Text as it is drawn: every token once, the whole answer at the end, and what breaks off is asked again."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.host_api import asking_digest, encode_question
from abci_app.sdk.errors import HostFaulty, HostUnreachable
from abci_app.sdk.host_client import HostStream
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.question import entry_seed, question_hash
from abci_app.x.models.types import default_spec
from tests.chain import CHAIN_ID
from tests.unit.host.serving import Serving

VOCAB, CONTEXT = 16, 12


@pytest.fixture(params=["inline", "worker"])
def serving(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A decoder that is served; its answers are computed in the server's thread, or in a worker."""
    if request.param == "worker":
        monkeypatch.setattr("abci_app.host.desk.INLINE_WORK_MAX", 0)
    terms = models_pb2.Dataset(rows_root=bytes(32), train_rows=100, test_rows=50, features=CONTEXT, classes=VOCAB)
    decoder = models_pb2.Decoder(width=16, heads=2, hidden=16, layers=1, positions="learned")
    spec = default_spec("letters", terms, bytes(range(32)), 3, 3, architecture="decoder", decoder=decoder)
    made = Serving(tmp_path, spec)
    yield made
    made.close()


def text(count: int = 6, first: int = 3) -> Question:
    prompt = b"".join(token.to_bytes(2, "little") for token in (first, 7, 2))
    return Question(prompt=prompt, tokens=count, temperature_q16=65_536)


def tokens_of(answer: bytes) -> list[int]:
    return [int.from_bytes(answer[at:at + 2], "little") for at in range(0, len(answer) - 32, 2)]


def test_tokens_come_one_by_one_and_make_the_models_answer(serving: Serving) -> None:
    session = serving.session()
    for number in (1, 2):
        pieces = list(session.stream(text()))
        kept = session.last
        assert kept is not None and kept.entry.number == number
        assert kept.answer == serving.network.answer(text(), entry_seed(serving.records[0].seed, number))
        assert len(pieces) == 6 and sum(pieces, []) == tokens_of(kept.answer)
    assert session.ask(text()).entry.number == 3


def test_a_stream_that_is_left_early_is_finished_by_the_next_question(serving: Serving) -> None:
    session = serving.session()
    for tokens in session.stream(text()):
        assert len(tokens) == 1
        break
    assert session.ask(text(first=5)).entry.number == 2
    assert [kept.question for kept in session.journal.iter_answers()] == [text(), text(first=5)]
    assert list(session.stream(text())) != [] and session.count == 3


def test_a_stream_that_breaks_off_leaves_a_question_that_is_asked_again(
        serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    session = serving.session()
    read = HostStream._read_line

    def break_off(stream: Any, lines: list[bytes] = []) -> bytes:
        lines.append(read(stream))
        if len(lines) == 3:
            raise HostUnreachable("gone")
        return lines[-1]

    with monkeypatch.context() as patched:
        patched.setattr(HostStream, "_read_line", break_off)
        with pytest.raises(HostUnreachable):
            list(session.stream(text()))
    assert session.count == 0 and session.journal.find_pending() == (1, text())
    assert [tokens_of(serving.network.answer(text(), entry_seed(serving.records[0].seed, 1)))] == list(
        session.stream(text()))
    assert session.count == 1


def test_nothing_is_paid_for_tokens_that_are_not_those_of_the_answer(
        serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    session = serving.session()
    monkeypatch.setattr("abci_app.sdk.host_client.read_tokens", lambda value: [value[0] ^ 1])
    with pytest.raises(HostFaulty, match="other tokens"):
        list(session.stream(text()))
    assert session.receipt is None


@pytest.mark.parametrize("stop", [True, False])
def test_an_answer_may_be_shorter_than_what_was_asked_and_costs_the_same(serving: Serving, stop: bool) -> None:
    session, question = serving.session(), text(9)
    tokens = tokens_of(serving.network.answer(question, entry_seed(serving.records[0].seed, 1)))
    if stop:
        question.has_stop, question.stop = True, tokens[2]
    kept = session.ask(question)
    end = tokens.index(tokens[2]) + 1 if stop else 9
    assert tokens_of(kept.answer) == tokens[:end] and kept.entry.fee_ugrad == session.compute_fee(text(9))


def call(serving: Serving, question: Question) -> http.client.HTTPConnection:
    """A streamed question under number 1 that is sent; its answer is not read."""
    digest = asking_digest(CHAIN_ID, 1, 1, question_hash(question))
    body = {"number": 1, "question": encode_question(question), "receipt": None, "stream": True,
            "signature": serving.keys[0].sign(digest).hex()}
    connection = http.client.HTTPConnection("127.0.0.1", serving.server.port, timeout=10)
    connection.request("POST", "/v1/sessions/1/answers", json.dumps(body))
    return connection


def hang_up(serving: Serving, question: Question) -> None:
    """Read one line of a stream, and go."""
    connection = call(serving, question)
    response = connection.getresponse()
    assert list(json.loads(response.readline())) == ["tokens"]
    response.close()
    connection.close()


def test_who_hangs_up_owes_the_answer_and_gets_no_other_under_its_number(serving: Serving) -> None:
    hang_up(serving, text())
    connection = call(serving, text(first=5))
    assert connection.getresponse().status == 409
    connection.close()
    assert [entry.question_hash for entry in serving.journal.list_entries(1)] == [question_hash(text())]
    session = serving.session()
    kept = session.ask(text())
    assert kept.entry == serving.journal.list_entries(1)[0]
    assert serving.desk.metrics.get("gradus_host_answers_total") == 1


@pytest.mark.parametrize("serving", ["worker"], indirect=True)
def test_a_stream_that_nobody_reads_keeps_its_place_until_it_is_done(
        serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, goes_on, begun = serving.network.stream, threading.Event(), []

    def stream(question: Question, seed: bytes) -> Iterator[bytes]:
        begun.append(question)
        for piece in draw(question, seed):
            yield piece
            assert goes_on.wait(10)

    monkeypatch.setattr(serving.network, "stream", stream)
    for _ in range(3):
        # the first is in work; the same again wait for it
        connection = call(serving, text())
        if not begun:
            assert list(json.loads(connection.getresponse().readline())) == ["tokens"]
        connection.close()
    assert serving.desk.queue.count == 1
    goes_on.set()
    connection = call(serving, text(first=5))
    assert connection.getresponse().status == 409
    connection.close()
    serving.session().ask(text())
    assert (serving.desk.queue.count, begun) == (0, [text()])


def test_a_host_that_ends_counts_the_stream_that_nobody_reads(
        serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = serving.network.stream

    def stream(question: Question, seed: bytes) -> Iterator[bytes]:
        for piece in draw(question, seed):
            yield piece
            time.sleep(0.05)

    monkeypatch.setattr(serving.network, "stream", stream)
    hang_up(serving, text())
    serving.stop()
    serving.start()
    assert [entry.number for entry in serving.journal.list_entries(1)] == [1]
