"""Questions, answers, commitments and receipts have one hash each, and it never changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.wire import question as rules
from abci_app.wire.pb.gradus.inference.v1.inference_pb2 import Question
from abci_app.wire.pb.gradus.sessions.v1.sessions_pb2 import Entry, Receipt

SEED = bytes(range(32))
ROWS = Question(rows=2, features=b"\1\2\3\4")
TEXT = Question(prompt=b"\1\0\2\0", tokens=3, temperature_q16=65_536, top_k=5, has_stop=True, stop=9)
ENTRY = Entry(number=1, question_hash=b"q" * 32, answer_hash=b"a" * 32, fee_ugrad=7, total_ugrad=9)
RECEIPT = Receipt(session_id=3, count=2, total_ugrad=14, root=b"r" * 32)
QUESTIONS = st.builds(Question, rows=st.integers(0, 2**32 - 1), features=st.binary(max_size=8),
                      prompt=st.binary(max_size=8), tokens=st.integers(0, 3), temperature_q16=st.integers(0, 3),
                      top_k=st.integers(0, 3), has_stop=st.booleans(), stop=st.integers(0, 3))


@pytest.mark.parametrize(("found", "expected"), [
    (rules.question_hash(ROWS), "567f8cfcaac8f7eb"),
    (rules.question_hash(TEXT), "81f53a5b2929e17e"),
    (rules.answer_hash(b"answer"), "3910a09d9ccd10f6"),
    (rules.answer_commitment(b"h" * 20, 5, b"a" * 32, b"s" * 32), "2b0437200fc1b4b6"),
    (rules.request_seed("test-1", 5, SEED, b"b" * 32), "b254335db5114741"),
    (rules.session_seed("test-1", 5, SEED, b"b" * 32), "3da8998e0d6b8373"),
    (rules.entry_seed(SEED, 2), "fbcb1d0f45e9fd35"),
    (rules.draw_seed(SEED, SEED, b"b" * 32), "31cfe4cbb9682fbe"),
    (rules.entry_leaf(ENTRY), "76da94ef69603221"),
    (rules.receipt_digest("test-1", RECEIPT), "2c1e9d5313c5d896"),
    (rules.statement_digest("test-1", RECEIPT), "a16c8964ae443918"),
    (rules.request_hash(b"record"), "33b1deab430aecf2"),
    (rules.compute_answer_witness(SEED, b"state"), "715cd2bd939e2118"),
])
def test_hashes_never_change(found: bytes, expected: str) -> None:
    assert found.hex()[:16] == expected and len(found) == 32


@given(QUESTIONS, QUESTIONS)
def test_two_questions_have_two_hashes(one: Question, other: Question) -> None:
    if not one.has_stop:
        one.stop = 0  # what no valid question has does not count
    if not other.has_stop:
        other.stop = 0
    assert (rules.question_hash(one) == rules.question_hash(other)) == (one == other)


def test_stop_at_token_zero_is_not_no_stop() -> None:
    assert rules.question_hash(Question(has_stop=True)) != rules.question_hash(Question())


def test_bytes_that_move_from_one_field_to_the_next_change_the_hash() -> None:
    assert (rules.question_hash(Question(features=b"ab", prompt=b"c"))
            != rules.question_hash(Question(features=b"a", prompt=b"bc")))


def test_commitment_is_bound_to_host_request_answer_and_salt() -> None:
    right = (b"h" * 20, 5, b"a" * 32, b"s" * 32)
    others = [(b"i" * 20, *right[1:]), (right[0], 6, *right[2:]), (*right[:2], b"b" * 32, right[3]),
              (*right[:3], b"t" * 32)]
    assert rules.answer_commitment(*right) not in [rules.answer_commitment(*other) for other in others]


def test_receipt_is_bound_to_chain_session_and_every_field_and_is_no_statement() -> None:
    changed = []
    for name, value in (("session_id", 4), ("count", 3), ("total_ugrad", 15), ("root", b"s" * 32)):
        other = Receipt()
        other.CopyFrom(RECEIPT)
        setattr(other, name, value)
        changed += [rules.receipt_digest("test-1", other), rules.statement_digest("test-1", other)]
    changed += [rules.receipt_digest("test-2", RECEIPT), rules.statement_digest("test-1", RECEIPT)]
    assert rules.receipt_digest("test-1", RECEIPT) not in changed


def test_receipts_signature_is_not_what_is_signed() -> None:
    signed = Receipt(session_id=3, count=2, total_ugrad=14, root=b"r" * 32, signature=b"x" * 64)
    assert rules.receipt_digest("test-1", signed) == rules.receipt_digest("test-1", RECEIPT)


@pytest.mark.parametrize(("name", "value"), [("number", 2), ("question_hash", b"p" * 32), ("answer_hash", b"b" * 32),
                                             ("fee_ugrad", 8), ("total_ugrad", 10)])
def test_leaf_holds_every_field_of_an_entry(name: str, value: object) -> None:
    other = Entry()
    other.CopyFrom(ENTRY)
    setattr(other, name, value)
    assert rules.entry_leaf(other) != rules.entry_leaf(ENTRY)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_every_coin_is_of_one_entry_and_an_entry_has_as_many_as_its_fee(fees: list[int]) -> None:
    entries = [Entry(number=at + 1, fee_ugrad=fee, total_ugrad=sum(fees[:at + 1])) for at, fee in enumerate(fees)]
    owners = [[entry.number for entry in entries if rules.has_coin(entry, coin)] for coin in range(sum(fees) + 2)]
    assert owners[0] == owners[-1] == []
    assert owners[1:-1] == [[entry.number] for entry in entries for _ in range(entry.fee_ugrad)]


def test_seeds_of_one_purpose_serve_no_other() -> None:
    seeds = [rules.request_seed("c", 1, SEED, SEED), rules.session_seed("c", 1, SEED, SEED),
             rules.request_seed("c", 2, SEED, SEED), rules.request_seed("d", 1, SEED, SEED),
             rules.draw_seed(SEED, SEED, SEED), rules.entry_seed(SEED, 1), rules.entry_seed(SEED, 2)]
    assert len(dict.fromkeys(seeds)) == len(seeds)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 4_096))
def test_drawn_witness_is_one_of_the_tokens(seed: bytes, count: int) -> None:
    assert 0 <= rules.draw_witness_token(seed, count) < count
