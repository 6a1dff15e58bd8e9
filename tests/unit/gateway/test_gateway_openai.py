"""The stock client of OpenAI asks the chain's models: models, texts, chats, streams, usage, refusals, limits."""

import openai
import pytest

from tests.chain import address_of
from tests.unit.gateway.office import CONTEXT, ROWS, TEXT, Office


def test_a_chat_is_answered_paid_and_settled_to_the_coin(office: Office) -> None:
    office.host("ann")
    running = office.open()
    client = office.openai(office.ledger.create("laptop"))
    assert [model.id for model in client.models.list()] == [TEXT, ROWS]
    assert client.models.retrieve(TEXT).owned_by == address_of("boss")
    told = client.chat.completions.create(model=TEXT, messages=[{"role": "user", "content": "Hello"}], max_tokens=8)
    choice = told.choices[0]
    assert choice.message.role == "assistant" and choice.finish_reason == "length"
    assert told.usage is not None
    assert (told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.total_tokens) == (5, 8, 13)
    cost_ugrad = told.usage.cost_ugrad  # type: ignore[attr-defined]
    key = office.ledger.list_keys()[0]
    assert 0 < cost_ugrad == key.spent_ugrad == office.ledger.spent_ugrad and key.answers == 1
    running.close()
    office.settle()
    session, = office.sessions()
    assert (session.outcome, session.paid_ugrad) == ("paid", cost_ugrad)
    assert session.refund_ugrad == session.deposit_ugrad - cost_ugrad


def test_a_stream_says_what_the_whole_answer_says(office: Office) -> None:
    office.host("ann")
    office.open()
    client = office.openai(office.ledger.create("laptop"))
    stream = client.completions.create(model=TEXT, prompt="Once", max_tokens=12, temperature=0, stream=True,
                                       stream_options={"include_usage": True})
    events = list(stream)
    text = "".join(event.choices[0].text for event in events if event.choices)
    whole = client.completions.create(model=TEXT, prompt="Once", max_tokens=12, temperature=0)
    assert whole.choices[0].text == text and whole.choices[0].finish_reason == "length"
    assert events[-1].usage is not None and events[-1].usage.completion_tokens == 12
    reasons = [event.choices[0].finish_reason for event in events if event.choices]
    assert reasons[-1] == "length" and not any(reasons[:-1])
    chat = list(client.chat.completions.create(
        model=TEXT, messages=[{"role": "user", "content": "Once"}], max_tokens=12, temperature=0, stream=True))
    assert "".join(event.choices[0].delta.content or "" for event in chat) == text
    assert chat[0].choices[0].delta.role == "assistant" and chat[-1].choices[0].finish_reason == "length"


def test_a_stop_is_not_shown_and_ends_the_answer(office: Office) -> None:
    office.host("ann")
    office.open()
    client = office.openai(office.ledger.create("laptop"))
    whole = client.completions.create(model=TEXT, prompt="Once", max_tokens=20, temperature=0).choices[0].text
    stop = next(char for char in whole[2:] if char.isprintable() and char.isascii())
    cut = client.completions.create(model=TEXT, prompt="Once", max_tokens=20, temperature=0, stop=stop)
    assert cut.choices[0].text == whole.partition(stop)[0] and cut.choices[0].finish_reason == "stop"
    assert cut.usage is not None and cut.usage.completion_tokens <= 20


def test_rows_are_asked_as_lines_of_a_table(office: Office) -> None:
    office.host("ben", model_id=2)
    office.open()
    client = office.openai(office.ledger.create("laptop"))
    told = client.completions.create(model=ROWS, prompt="1,2,3,4\n-5,6,7,8")
    assert len(told.choices[0].text.splitlines()) == 2 and told.choices[0].finish_reason == "stop"
    with pytest.raises(openai.BadRequestError, match="3 cells, where the model takes 4"):
        client.completions.create(model=ROWS, prompt="1,2,3")


def test_refusals_have_the_form_that_the_client_knows(office: Office) -> None:
    office.open()
    secret = office.ledger.create("laptop")
    client = office.openai(secret)
    with pytest.raises(openai.AuthenticationError):
        office.openai("gk-wrong").models.list()
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="gpt-4", prompt="x")
    assert missing.value.code == "model_not_found" and missing.value.param == "model"
    with pytest.raises(openai.BadRequestError) as long:
        client.completions.create(model=TEXT, prompt="x" * CONTEXT, max_tokens=9)
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as tools:
        client.completions.create(model=TEXT, prompt="x", logprobs=3)
    assert tools.value.code == "unsupported_parameter" and tools.value.param == "logprobs"
    with pytest.raises(openai.InternalServerError) as nobody:
        client.completions.create(model=TEXT, prompt="x")
    assert nobody.value.status_code == 503 and nobody.value.code == "no_host_available"
    office.ledger.revoke("laptop")
    with pytest.raises(openai.AuthenticationError):
        client.models.list()


def test_limits_of_a_key_and_of_all_keys_hold(office: Office) -> None:
    office.host("ann")
    office.open(per_minute=6)
    rich, poor = office.ledger.create("rich"), office.ledger.create("poor", 1)
    with pytest.raises(openai.RateLimitError) as over:
        office.openai(poor).completions.create(model=TEXT, prompt="x", max_tokens=4)
    assert over.value.code == "insufficient_quota" and over.value.response.headers["x-should-retry"] == "false"
    assert office.ledger.spent_ugrad == 0
    office.ledger.limit_ugrad = 0
    with pytest.raises(openai.RateLimitError) as all_spent:
        office.openai(rich).completions.create(model=TEXT, prompt="x", max_tokens=4)
    assert all_spent.value.code == "insufficient_quota"
    for _ in range(5):
        office.openai(rich).models.list()
    with pytest.raises(openai.RateLimitError) as fast:
        office.openai(rich).models.list()
    assert fast.value.code == "rate_limit_exceeded" and int(fast.value.response.headers["Retry-After"]) >= 1
