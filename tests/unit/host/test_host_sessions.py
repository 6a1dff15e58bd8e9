"""Sessions over HTTP: what is answered, what is refused, and what is lost when either side dies: one answer at most."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abci_app.client.host_api import asking_digest, encode_question, encode_receipt
from abci_app.host.behaviour import Behaviour
from abci_app.host.limits import Limits
from abci_app.runtime.question import QuestionInvalid
from abci_app.sdk.errors import DepositSpent, HostFaulty, HostRefused, HostUnreachable
from abci_app.sdk.session import Session
from abci_app.wire.merkle import merkle_root
from abci_app.wire.pb.gradus.models.v1 import models_pb2
from abci_app.wire.pb.gradus.models.v1.models_pb2 import ModelSpec
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import SESSION_STATUS_CLOSING, Receipt
from abci_app.wire.question import entry_leaf, entry_seed, question_hash, receipt_digest, statement_digest
from abci_app.wire.signature import is_valid_signature
from abci_app.x.models.types import default_spec
from tests.chain import CHAIN_ID, new_test_key
from tests.unit.host.rig import CLASSES, FEATURES, rows
from tests.unit.host.serving import DEPOSIT_UGRAD, STATEMENT_KEY, Serving


@pytest.fixture
def spec() -> ModelSpec:
    terms = models_pb2.Dataset(rows_root=bytes(32), train_rows=100, test_rows=50, features=FEATURES, classes=CLASSES)
    return default_spec("flowers", terms, bytes(range(32)), 3, 3, hidden=(8,))


@pytest.fixture
def serve(tmp_path: Path, spec: ModelSpec) -> Iterator[Callable[..., Serving]]:
    made: list[Serving] = []

    def make(**options: Any) -> Serving:
        made.append(Serving(tmp_path / f"serving{len(made)}", spec, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def post(serving: Serving, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    """(status, object) of a call that no client of ours would make. body: bytes as they are, else JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", serving.server.port, timeout=10)
    try:
        connection.request("POST", path, data)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def ask_raw(serving: Serving, number: int, receipt: Any = None, **changes: Any) -> tuple[int, dict[str, Any]]:
    question = rows()
    digest = asking_digest(CHAIN_ID, 1, number, question_hash(question))
    body = {"number": number, "question": encode_question(question), "receipt": receipt,
            "signature": serving.keys[0].sign(digest).hex(), "stream": False}
    return post(serving, "/v1/sessions/1/answers", body | changes)


def check_paid(serving: Serving, session: Session, count: int) -> None:
    """The host's books and the user's agree: `count` answers, of which all but the last are paid for sure."""
    entries = serving.journal.list_entries(1)
    assert len(entries) == count == session.count
    receipt = session.receipt
    assert receipt is not None
    assert receipt.root == merkle_root(entry_leaf(entry) for entry in entries)
    assert receipt.total_ugrad == sum(entry.fee_ugrad for entry in entries) == session.total_ugrad
    known = serving.journal.find_receipt(1)
    assert (known.count if known else 0) in (count - 1, count)


def test_answers_are_the_models_and_each_is_paid_with_the_next_question(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    for number in range(1, 6):
        kept = session.ask(rows(2, number))
        assert kept.answer == serving.network.answer(rows(2, number), entry_seed(serving.records[0].seed, number))
        known = serving.journal.find_receipt(1)
        assert (known.count if known is not None else 0) == number - 1
        state = Receipt(session_id=1, count=number, total_ugrad=session.total_ugrad, root=kept.receipt.root)
        assert is_valid_signature(STATEMENT_KEY.public, statement_digest(CHAIN_ID, state), kept.statement)
        assert is_valid_signature(serving.keys[0].public, receipt_digest(CHAIN_ID, kept.receipt),
                                  kept.receipt.signature)
    check_paid(serving, session, 5)
    assert session.left_ugrad == DEPOSIT_UGRAD - session.total_ugrad
    assert not session.hand_over()
    known = serving.journal.find_receipt(1)
    assert known is not None and known.count == 5


def test_a_user_who_wants_it_closed_hands_the_last_receipt_over(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows())
    assert session.hand_over(closes=True) and serving.journal.is_closing(1) and serving.desk.is_wanted
    assert serving.journal.find_receipt(1) == session.receipt


def test_sessions_do_not_wait_for_one_another(serve: Callable[..., Serving]) -> None:
    serving = serve(count=3)
    sessions = [serving.session(place) for place in range(3)]
    for _ in range(2):
        for session in sessions:
            session.ask(rows())
    assert [session.count for session in sessions] == [2, 2, 2]


def test_a_host_that_dies_after_every_answer_loses_none(serve: Callable[..., Serving]) -> None:
    serving = serve()
    for number in range(1, 4):
        session = serving.session()
        session.ask(rows(2, number))
        session.close()
        serving.sessions.clear()
        serving.stop()
        serving.start()
    check_paid(serving, serving.session(), 3)


def test_an_answer_that_was_written_down_and_not_sent_is_sent_again(
        serve: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    serving = serve()
    session = serving.session(timeout_s=5.0)
    session.ask(rows(2, 1))
    with monkeypatch.context() as patched:
        patched.setattr("abci_app.host.server.encode_reply", lambda *_: 1 / 0)
        with pytest.raises(HostRefused):
            session.ask(rows(2, 2))
    assert (len(serving.journal.list_entries(1)), session.count) == (2, 1)
    session.close()
    serving.sessions.clear()
    serving.stop()
    serving.start()
    again = serving.session()
    pending = again.finish()
    assert pending is not None and pending.question == rows(2, 2)
    assert again.ask(rows(2, 3)).entry.number == 3
    check_paid(serving, again, 3)
    assert serving.desk.metrics.get("gradus_host_repeated_total") == 1


def test_a_user_who_dies_between_journal_and_sending_goes_on_with_the_same_question(
        serve: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows(2, 1))
    with monkeypatch.context() as patched:
        patched.setattr(session.host, "ask", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            session.ask(rows(2, 2))
    session.close()
    serving.sessions.clear()
    again = serving.session()
    assert again.ask(rows(2, 2)).entry.number == 2
    assert again.ask(rows(2, 2)).entry.number == 3
    check_paid(serving, again, 3)


def test_a_user_who_dies_before_the_answer_is_written_down_gets_it_again_for_one_fee(
        serve: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    serving = serve()
    session = serving.session()
    with monkeypatch.context() as patched:
        patched.setattr(session.journal, "put_answer", lambda *_: exec("raise KeyboardInterrupt"))
        with pytest.raises(KeyboardInterrupt):
            session.ask(rows(2, 1))
    session.close()
    serving.sessions.clear()
    again = serving.session()
    assert again.ask(rows(2, 2)).entry.number == 2
    assert [kept.question for kept in again.journal.iter_answers()] == [rows(2, 1), rows(2, 2)]
    check_paid(serving, again, 2)


def test_a_host_that_is_gone_is_unreachable_and_the_receipt_stays(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    kept = session.ask(rows())
    serving.stop()
    with pytest.raises(HostUnreachable):
        session.ask(rows(2, 9))
    assert session.receipt == kept.receipt and session.count == 1
    serving.start()


@pytest.mark.parametrize("fault", ["fee", "total", "hash", "statement", "size"])
def test_nothing_is_signed_for_an_answer_that_does_not_verify(
        serve: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows())
    given, ask = session.receipt, session.host.ask

    def spoil(*arguments: Any) -> Any:
        reply = ask(*arguments)
        if fault in ("fee", "total"):
            setattr(reply.entry, f"{fault}_ugrad", getattr(reply.entry, f"{fault}_ugrad") + 1)
        statement = bytes(64) if fault == "statement" else reply.statement
        answer = {"hash": reply.answer[::-1], "size": reply.answer[1:]}.get(fault, reply.answer)
        return type(reply)(answer, reply.entry, statement)

    monkeypatch.setattr(session.host, "ask", spoil)
    with pytest.raises(HostFaulty):
        session.ask(rows(2, 7))
    assert (session.count, session.receipt) == (1, given)
    with pytest.raises(HostFaulty):
        session.ask(rows())


def test_a_host_that_lies_gives_an_answer_of_the_right_form(serve: Callable[..., Serving]) -> None:
    serving = serve(behaviour=Behaviour.LIE)
    kept = serving.session().ask(rows())
    right = serving.network.answer(rows(), entry_seed(serving.records[0].seed, 1))
    assert kept.answer != right and len(kept.answer) == len(right)


def test_what_the_model_cannot_answer_or_the_deposit_cannot_pay_is_not_asked(
        serve: Callable[..., Serving]) -> None:
    serving = serve(deposit_ugrad=1)
    session = serving.session()
    with pytest.raises(QuestionInvalid):
        session.ask(rows(0))
    with pytest.raises(DepositSpent):
        session.ask(rows())
    assert session.journal.find_pending() is None
    assert ask_raw(serving, 1)[0] == 402


def test_a_number_has_one_question(serve: Callable[..., Serving]) -> None:
    serving = serve()
    kept = serving.session().ask(rows(2, 5))
    status, told = ask_raw(serving, 1)
    assert (status, told["code"], told["hint"]) == (409, "conflict", "the next question has the number 2")
    assert ask_raw(serving, 3)[0] == 409
    assert kept.entry.question_hash == serving.journal.list_entries(1)[0].question_hash


def test_a_question_without_the_receipt_for_the_last_answer_is_refused(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows(2, 5))
    assert ask_raw(serving, 2)[1]["code"] == "unpaid"
    receipt = session.receipt
    assert receipt is not None
    stated = {"session_id": 1, "count": 1, "total_ugrad": receipt.total_ugrad, "root": receipt.root.hex(),
              "signature": receipt.signature.hex()}
    for change in ({"total_ugrad": 1}, {"count": 2}, {"root": bytes(32).hex()}, {"signature": bytes(64).hex()},
                   {"session_id": 2}):
        assert ask_raw(serving, 2, stated | change)[1]["code"] == "unpaid"
    assert serving.journal.find_receipt(1) is None
    assert ask_raw(serving, 2, stated)[0] == 200


def test_one_receipt_does_not_pay_two_answers(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows())
    receipt = session.receipt
    assert receipt is not None
    stale = encode_receipt(receipt)
    assert ask_raw(serving, 2, stale)[0] == 200
    assert serving.journal.find_receipt(1) == receipt
    for _ in range(2):
        status, told = ask_raw(serving, 3, stale)
        assert (status, told["code"]) == (402, "unpaid")
    assert post(serving, "/v1/sessions/1/receipt", {"receipt": stale, "close": True})[0] == 402
    assert len(serving.journal.list_entries(1)) == 2 and not serving.journal.is_closing(1)


def test_a_session_that_has_no_receipt_is_closed_by_nobody_over_http(serve: Callable[..., Serving]) -> None:
    serving = serve()
    told = post(serving, "/v1/sessions/1/receipt", {"receipt": None, "close": True})
    assert told == (200, {"closing": False}) and not serving.journal.is_closing(1)
    session = serving.session()
    session.ask(rows())
    assert not session.hand_over()
    told = post(serving, "/v1/sessions/1/receipt", {"receipt": None, "close": True})
    assert told == (200, {"closing": False}) and not serving.journal.is_closing(1)


def test_nobody_else_uses_up_a_users_numbers(serve: Callable[..., Serving]) -> None:
    serving = serve()
    thief = new_test_key("mallory").sign(asking_digest(CHAIN_ID, 1, 1, question_hash(rows()))).hex()
    assert ask_raw(serving, 1, signature=thief)[0] == 403
    assert serving.journal.list_entries(1) == []


def test_a_session_that_is_closing_takes_no_more_questions_but_repeats_its_answers(
        serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows())
    serving.records[0].status = SESSION_STATUS_CLOSING
    with pytest.raises(HostRefused) as refused:
        session.ask(rows(2, 3))
    assert refused.value.code == "closed" and session.journal.find_pending() is None
    assert ask_raw(serving, 1)[0] == 200


@pytest.mark.parametrize("body", [
    b"", b"[]", b"{", b'{"number": 1}', {"number": "1"}, {"number": -1}, {"number": 1.5}, {"what": 1},
    {"number": 1, "question": {"rows": True}, "signature": "00" * 64},
    {"number": 1, "question": {"features": "%"}, "signature": "00" * 64},
    {"number": 1, "question": {"rows": 2**32}, "signature": "00" * 64},
    {"number": 1, "question": {}, "signature": "zz" * 64},
    {"number": 1, "question": {}, "signature": "00" * 64, "stream": 1},
    {"number": 1, "question": {}, "signature": "00" * 64, "receipt": {"count": 1}},
])
def test_what_is_not_in_the_form_of_the_api_is_refused_with_what_is_wrong(
        serve: Callable[..., Serving], body: Any) -> None:
    status, told = post(serve(), "/v1/sessions/1/answers", body)
    assert (status, told["code"], bool(told["error"])) == (400, "invalid", True)


def test_a_body_that_is_too_large_a_path_and_a_session_that_are_not_there_are_refused(
        serve: Callable[..., Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abci_app.host.desk.LOOKUP_S", 0.0)
    serving = serve()
    assert post(serving, "/v1/sessions/1/answers", b" " * (300 << 10))[0] == 413
    assert post(serving, "/v2", {})[0] == 404
    body = {"number": 1, "question": {"rows": 1}, "signature": "00" * 64}
    assert post(serving, "/v1/sessions/99/answers", body)[1]["code"] == "missing"


def test_too_many_at_once_are_told_to_come_back_and_do(serve: Callable[..., Serving]) -> None:
    serving = serve(limits=Limits(queue_max=0))
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        serving.desk.queue.most = 1

    assert ask_raw(serving, 1)[1]["code"] == "busy"
    assert serving.session(sleep=wait).ask(rows()).entry.number == 1
    assert len(waited) == 1


def test_more_than_its_rate_of_one_session_is_refused(serve: Callable[..., Serving]) -> None:
    serving = serve(limits=Limits(session_rate=1, burst_s=1))
    assert ask_raw(serving, 1)[0] == 200
    status, told = ask_raw(serving, 1)
    assert (status, told["code"], told["retry_after_s"] > 0) == (429, "rate", True)


def test_status_and_metrics_are_told(serve: Callable[..., Serving]) -> None:
    serving = serve()
    session = serving.session()
    session.ask(rows())
    assert session.host.status()["host"].startswith("gradus1")
    connection = http.client.HTTPConnection("127.0.0.1", serving.server.port)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    assert "gradus_host_answers_total 1" in text and "gradus_host_answer_seconds_count 1" in text
    assert f"gradus_host_owed_ugrad_total {session.total_ugrad:g}" in text
