"""Pages: together they give every record once, in either direction."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app.app import MODULE_ACCOUNTS
from abci_app.genesis import EmptyState
from abci_app.runtime.paging import SCAN_MAX, read_page
from abci_app.store.branch import Branch
from abci_app.store.kv import KV
from abci_app.wire.errors import InvalidRequest
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest
from tests.chain import Chain


def new_store(keys: list[bytes]) -> KV:
    store = Branch(EmptyState()).store("bank")
    for key in keys:
        store.set(key, b"0" if key[-1] % 3 == 0 else b"1")
    return store


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(min_size=1, max_size=3), unique=True), st.integers(1, 7), st.booleans(), st.booleans())
def test_pages_by_key_give_every_record_once(tails: list[bytes], limit: int, reverse: bool, skip: bool) -> None:
    store = new_store([b"\x02p" + tail for tail in tails] + [b"\x02o", b"\x02q"])
    keep = (lambda value: value != b"0") if skip else None
    expected = [key for key, value in store.iter(b"\x02p", reverse=reverse) if not skip or value != b"0"]
    seen: list[bytes] = []
    request = PageRequest(limit=limit, reverse=reverse)
    while True:
        records, page = read_page(store, b"\x02p", request, keep)
        assert len(records) <= limit
        seen += [key for key, _ in records]
        if not page.next_key:
            break
        request = PageRequest(limit=limit, reverse=reverse, key=page.next_key)
    assert seen == expected


def test_offset_and_total() -> None:
    store = new_store([b"p%d" % index for index in range(9)])
    records, page = read_page(store, b"p", PageRequest(offset=7, limit=5, count_total=True))
    assert ([key for key, _ in records], page.total, page.next_key) == ([b"p7", b"p8"], 9, b"")
    assert read_page(store, b"p", PageRequest(offset=9))[0] == []


@pytest.mark.parametrize("request_", [
    PageRequest(limit=1_001), PageRequest(offset=SCAN_MAX + 1), PageRequest(key=b"a", offset=1),
    PageRequest(key=b"a", count_total=True),
])
def test_unbounded_or_contradictory_request_is_refused(request_: PageRequest) -> None:
    with pytest.raises(InvalidRequest):
        read_page(new_store([]), b"p", request_)


def test_total_of_too_many_records_is_refused() -> None:
    store = new_store([b"p%d" % index for index in range(SCAN_MAX + 1)])
    with pytest.raises(InvalidRequest, match="not counted"):
        read_page(store, b"p", PageRequest(count_total=True))
    assert len(read_page(store, b"p", PageRequest())[0]) == 100
    assert len(read_page(store, b"p", PageRequest(limit=1_000))[0]) == 1_000


def test_page_of_the_real_store(tmp_path: Path) -> None:
    with Chain(tmp_path, {f"name{index}": index for index in range(5)}) as chain:
        path = "/cosmos.auth.v1beta1.Query/Accounts"
        request = chain.app.router.queries[path].request(pagination=PageRequest(limit=3, count_total=True))
        answer = chain.query(path, request)
        assert (len(answer.accounts), answer.pagination.total) == (3, 5 + len(MODULE_ACCOUNTS))
