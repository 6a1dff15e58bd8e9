"""Pages of a store's records: one bounded reading of `cosmos.base.query.v1beta1.PageRequest` for every query.

A page begins at `key` (the last answer's next_key) or after `offset` records, and has at most `limit` of them.
Source: Cosmos SDK types/query, whose clients page this way.
"""

from collections.abc import Callable, Iterator
from itertools import islice

from abci_app.store.kv import Reader
from abci_app.wire.errors import InvalidRequest
from abci_app.wire.pb.cosmos.base.query.v1beta1.pagination_pb2 import PageRequest, PageResponse

PAGE_LIMIT_DEFAULT = 100
PAGE_LIMIT_MAX = 1_000
SCAN_MAX = 10_000

Record = tuple[bytes, bytes]


def read_page(store: Reader, prefix: bytes, request: PageRequest,
              keep: Callable[[bytes], bool] | None = None) -> tuple[list[Record], PageResponse]:
    """The (key, value) pairs of one page under `prefix`, and where the next one begins.

    No record's key is the prefix itself: an empty next_key means the end.
    keep: which values count; the others are passed over. Offsets and totals reach to SCAN_MAX records; beyond that,
    page by key. Raises InvalidRequest (sdk/18).
    """
    limit = request.limit or PAGE_LIMIT_DEFAULT
    if limit > PAGE_LIMIT_MAX:
        raise InvalidRequest(f"a page has at most {PAGE_LIMIT_MAX} records")
    if request.key and (request.offset or request.count_total):
        raise InvalidRequest("a page begins at a key or at an offset; totals are counted without a key")
    if request.offset > SCAN_MAX:
        raise InvalidRequest(f"an offset is at most {SCAN_MAX}; page by key")
    start = prefix + request.key if request.key else None
    records = _kept(store.iter(prefix, start, request.reverse), keep)
    page = list(islice(records, request.offset, request.offset + limit))
    following = next(records, None)
    response = PageResponse(next_key=following[0][len(prefix):] if following else b"")
    if request.count_total:
        response.total = _count(_kept(store.iter(prefix), keep))
    return page, response


def _kept(records: Iterator[Record], keep: Callable[[bytes], bool] | None) -> Iterator[Record]:
    return records if keep is None else (record for record in records if keep(record[1]))


def _count(records: Iterator[Record]) -> int:
    total = sum(1 for _ in islice(records, SCAN_MAX + 1))
    if total > SCAN_MAX:
        raise InvalidRequest(f"more than {SCAN_MAX} records are not counted; ask without count_total")
    return total
