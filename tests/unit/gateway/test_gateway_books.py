"""Books of the gateway: keys that are hashed, limits that hold however many ask at once, rates, texts that are cut."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.gateway.errors import ApiError
from abci_app.gateway.forms import Cutter
from abci_app.gateway.ledger import FILE, ApiKeyMissing, KeyNameTaken, Ledger
from abci_app.gateway.rates import Rates
from tests.unit.gateway.transcript import LINES

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path, 1_000)
    yield made
    made.close()


def test_a_key_is_kept_as_a_hash_in_a_private_file(ledger: Ledger, tmp_path: Path) -> None:
    secret = ledger.create("laptop")
    assert len(secret) > 40 and all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    found = ledger.find(secret)
    assert found is not None and found.name == "laptop" and ledger.find(secret + "x") is None
    with pytest.raises(KeyNameTaken):
        ledger.create("laptop")
    ledger.revoke("laptop")
    assert ledger.find(secret) is None
    with pytest.raises(ApiKeyMissing):
        ledger.revoke("laptop")


def test_no_number_of_questions_at_once_passes_a_limit(ledger: Ledger) -> None:
    keys = [ledger.find(ledger.create(name, 600)) for name in ("one", "two")]

    def ask(place: int) -> bool:
        key = keys[place % 2]
        assert key is not None
        try:
            with ledger.reserve(key, 100) as reservation:
                reservation.cost_ugrad = 100
        except ApiError as error:
            assert error.code == "insufficient_quota"
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(ask, range(40)))
    assert sum(done) == 10 and ledger.spent_ugrad == 1_000 and ledger.left_ugrad == 0
    assert all(key.spent_ugrad <= 600 for key in ledger.list_keys())


def test_what_is_reserved_and_not_answered_is_free_again(ledger: Ledger) -> None:
    key = ledger.find(ledger.create("one"))
    assert key is not None
    with pytest.raises(ValueError), ledger.reserve(key, 900):
        assert ledger.left_ugrad == 100
        raise ValueError
    assert ledger.left_ugrad == 1_000 and ledger.list_keys()[0].answers == 0


def test_a_key_that_is_revoked_in_the_middle_pays_nothing_more(ledger: Ledger) -> None:
    key = ledger.find(ledger.create("one"))
    assert key is not None
    ledger.revoke("one")
    with pytest.raises(ApiError) as refused, ledger.reserve(key, 1):
        raise AssertionError
    assert refused.value.status == 401 and ledger.left_ugrad == 1_000


def test_requests_a_minute_are_counted_for_each_key() -> None:
    now = [0.0]
    rates = Rates(60, lambda: now[0])
    assert [rates.take(1) for _ in range(60)] == [0] * 60
    assert rates.take(1) == 2 and rates.take(2) == 0
    now[0] += 1.5
    assert rates.take(1) == 0 and rates.take(1) > 0


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=3), max_size=3),
       st.lists(st.integers(1, 4)))
def test_a_text_in_pieces_is_cut_where_the_whole_is(text: str, stops: list[str], sizes: list[int]) -> None:
    cutter, shown, rest = Cutter(stops), "", text
    for size in sizes:
        shown += cutter.feed(rest[:size])
        rest = rest[size:]
    shown += cutter.feed(rest) + cutter.end()
    places = [place for place in map(text.find, stops) if place >= 0]
    assert text.startswith(shown) and cutter.is_stopped == bool(places)
    assert not any(stop in shown for stop in stops)
    if not places:
        assert shown == text


def test_the_readmes_transcript_is_of_the_lines_that_make_it() -> None:
    shown = (ROOT / "abci_app/gateway/README.md").read_text()
    assert [line[4:] for line in shown.splitlines() if line.startswith(">>> ")] == LINES.strip().splitlines()
