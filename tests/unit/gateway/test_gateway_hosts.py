"""Several hosts behind the gateway: questions at once, hosts that vanish, gateways that are started again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from abci_app.client.host_api import BUSY
from abci_app.host.errors import Refusal
from abci_app.sdk.translator import Bytes
from tests.chain import address_of
from tests.unit.gateway.office import PRICE_UGRAD_PER_GMA, TEXT, Office

PROMPT = "Once upon"


def ask(client: openai.OpenAI, prompt: str = PROMPT, **options: Any) -> Any:
    return client.completions.create(model=TEXT, prompt=prompt, max_tokens=10, temperature=0, **options)


def test_questions_at_once_go_to_sessions_of_different_hosts(office: Office) -> None:
    office.host("ann")
    office.host("ben", price=PRICE_UGRAD_PER_GMA + 1)
    running = office.open()
    client = office.openai(office.ledger.create("laptop"))
    with ThreadPoolExecutor(4) as threads:
        texts = {told.choices[0].text for told in threads.map(lambda _: ask(client), range(12))}
    assert len(texts) == 1
    assert {session.host for session in office.sessions()} == {address_of("ann"), address_of("ben")}
    assert office.ledger.list_keys()[0].answers == 12
    running.close()
    office.settle()
    assert sum(session.paid_ugrad for session in office.sessions()) == office.ledger.spent_ugrad
    assert {session.outcome for session in office.sessions()} <= {"paid", "empty"}


def test_another_host_answers_when_one_has_vanished_and_only_whole_answers_are_paid(office: Office) -> None:
    ann, ben = office.host("ann"), office.host("ben", price=PRICE_UGRAD_PER_GMA + 1)
    running = office.open()
    client = office.openai(office.ledger.create("laptop"))
    first = ask(client)
    assert first.choices[0].text and office.sessions()[0].host == address_of("ann")
    office.hosts.pop("ann")
    assert ann.server is not None
    ann.server.stop()
    second = client.completions.with_raw_response.create(model=TEXT, prompt=PROMPT, max_tokens=10, temperature=0)
    assert second.headers["x-gradus-host"] == address_of("ben")
    assert second.parse().choices[0].text == first.choices[0].text
    assert ben.server is not None
    ben.server.stop()
    office.hosts.pop("ben")
    with pytest.raises(openai.InternalServerError) as nobody:
        ask(client)
    assert nobody.value.code == "no_host_available"
    spent = [first.usage.cost_ugrad, int(second.headers["x-gradus-cost-ugrad"])]
    assert office.ledger.spent_ugrad == sum(spent)
    running.close()
    by_host = {session.host: session for session in office.sessions()}
    assert [by_host[address_of(name)].receipt.total_ugrad for name in ("ann", "ben")] == spent
    for host in (ann, ben):
        host.__exit__(None, None, None)


def test_a_text_is_continued_by_the_next_host_where_the_first_breaks_off(
        office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = office.host("ann")
    office.host("ben", price=PRICE_UGRAD_PER_GMA + 1)
    office.open()
    client = office.openai(office.ledger.create("laptop"))
    whole = ask(client).choices[0].text
    spent = office.ledger.spent_ugrad
    honest = ann.desk.stream

    async def break_off(*arguments: Any, **named: Any) -> Any:
        count = 0
        async for piece in honest(*arguments, **named):
            count += 1
            if count > 4:
                raise RuntimeError("the power has gone")
            yield piece

    monkeypatch.setattr(ann.desk, "stream", break_off)
    events = list(ask(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(event.choices[0].text for event in events if event.choices)
    assert text == whole
    assert events[-1].usage.completion_tokens == len(Bytes().encode(text)) == 10 or "\ufffd" in text
    assert office.ledger.spent_ugrad - spent == events[-1].usage.cost_ugrad > 0
    session = next(one for one in office.sessions() if one.host == address_of("ann"))
    assert session.receipt.total_ugrad <= spent


def test_a_busy_host_is_passed_over_and_keeps_its_session(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    ann = office.host("ann")
    office.host("ben", price=PRICE_UGRAD_PER_GMA + 1)
    running = office.open(answer_s=5.0)
    client = office.openai(office.ledger.create("laptop"))
    ask(client)

    def refuse(*arguments: Any, **named: Any) -> Any:
        raise Refusal(503, BUSY, "too much to do", "", 3_000.0)

    monkeypatch.setattr(ann.desk, "stream", refuse)
    told = client.completions.with_raw_response.create(model=TEXT, prompt=PROMPT, max_tokens=10)
    assert told.headers["x-gradus-host"] == address_of("ben")
    assert running.pool.count_open() == 2


def test_a_gateway_that_is_started_again_goes_on_with_its_sessions(office: Office) -> None:
    office.host("ann")
    killed = office.open()
    client = office.openai(office.ledger.create("laptop"))
    ask(client)
    for served in killed.pool._models.values():
        for session in served.idle:
            session.session.close()
        served.idle.clear()
    killed.close()
    running = office.open()
    assert running.pool.count_open() == 1
    ask(office.openai(office.ledger.create("desktop")))
    assert len(office.sessions()) == 1
    running.close()
    office.settle()
    assert office.sessions()[0].paid_ugrad == office.ledger.spent_ugrad


def test_questions_wait_for_an_open_session_where_the_hosts_bond_covers_no_more(office: Office) -> None:
    office.host("ann")
    office.open(deposit_ugrad=20_000_000)  # of 1,000 grad of bond 800 are behind one
    client = office.openai(office.ledger.create("laptop"))
    with ThreadPoolExecutor(6) as threads:
        texts = {told.choices[0].text for told in threads.map(lambda _: ask(client), range(18))}
    assert len(texts) == 1 and office.ledger.list_keys()[0].answers == 18
    assert len(office.sessions()) == 1


def test_a_smaller_deposit_is_made_where_the_bond_covers_no_usual_one(office: Office) -> None:
    office.host("ann")
    office.open(deposit_ugrad=40_000_000)
    assert ask(office.openai(office.ledger.create("laptop"))).choices[0].text
    assert [session.deposit_ugrad for session in office.sessions()] == [20_000_000]


def test_sessions_that_nobody_uses_are_closed_but_one(office: Office) -> None:
    office.host("ann")
    office.host("ben", price=PRICE_UGRAD_PER_GMA + 1)
    running = office.open(idle_s=0.0)
    client = office.openai(office.ledger.create("laptop"))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: ask(client), range(8)))
    count = running.pool.count_open()
    assert count > 1 and running.pool.sweep() == count - 1 and running.pool.sweep() == 0
    assert running.pool.count_open() == 1 and ask(client).choices[0].text
    assert len(office.sessions()) == count


def test_a_dear_question_leaves_the_sessions_of_cheap_ones_open(office: Office) -> None:
    office.host("ann")
    running = office.open(deposit_ugrad=8_000)
    client = office.openai(office.ledger.create("laptop"))
    cheap = client.completions.create(model=TEXT, prompt="x", max_tokens=1)
    assert 0 < cheap.usage.cost_ugrad < 2_000
    assert client.completions.create(model=TEXT, prompt=PROMPT, max_tokens=40).usage.cost_ugrad > 8_000
    assert running.pool.count_open() == 2


def test_the_only_host_is_asked_again_as_soon_as_it_is_back(office: Office) -> None:
    office.host("ann")
    running = office.open()
    running.pool.shun(address_of("ann"))
    assert ask(office.openai(office.ledger.create("laptop"))).choices[0].text


def test_no_session_is_opened_for_what_the_limit_does_not_cover(office: Office) -> None:
    office.host("ann")
    office.open()
    client = office.openai(office.ledger.create("laptop"))
    office.ledger.limit_ugrad = 10
    with pytest.raises(openai.RateLimitError):
        ask(client)
    assert not office.sessions()
