"""Proves a whole database sound: every kept version, every node, every blob, nothing left over. Reads only; for tests
and operators. Costs one visit and one hash per node and blob, and memory for one entry per node.
"""

from hashlib import sha256
from typing import NamedTuple

from abci_app.store.disk import Database
from abci_app.store.errors import DatabaseDamaged
from abci_app.store.kv import BLOBS_STORE, SENTINEL_KEY, SENTINEL_VALUE
from abci_app.store.node import LINKS, PAGE_TAG, SENTINEL_ID, Sub, compute_band, open_page, split_leaf
from abci_app.store.records import BLOB_PREFIX, decode_orphans
from abci_app.store.version import NodeMissing
from abci_app.wire.proof import inner_hash, leaf_hash


class Census(NamedTuple):
    """What a sound database holds: kept versions, nodes they use, and nodes that wait to be pruned."""

    versions: int
    nodes: int
    pruning_backlog: int


class Seen(NamedTuple):
    """A subtree that was found sound."""

    hash: bytes
    depth: int
    first: bytes
    last: bytes


def check_database(database: Database) -> Census:
    """Verify order, balance and hashes of every kept version, and that each other node waits to be pruned.

    Raises DatabaseDamaged with the first fault. Not to be used while another thread commits.
    """
    seen: dict[bytes, Seen] = {}
    heights = range(database.oldest, database.height + 1) if database.height else range(0)
    for height in heights:
        version = database.version(height)
        for name, root in zip(version.store_names, version.roots, strict=True):
            try:
                found = _visit(database, root.id, seen)
            except NodeMissing as error:
                raise DatabaseDamaged(f"height {height}, store {name}: node {error} is missing") from error
            if (found.hash, found.depth, found.first) != (root.hash, root.depth, SENTINEL_KEY):
                raise DatabaseDamaged(f"height {height}, store {name}: the tree is not that of its root")
    waiting = {
        node_id: key
        for key, record in database.iter_records(b"o", b"p")
        for node_id in decode_orphans(record)
    }
    backlog = 0
    for key, _ in database.iter_records(b"n", b"o"):
        if key[1:] not in seen:
            backlog += 1
            if key[1:] not in waiting:
                raise DatabaseDamaged(f"node {key[1:].hex()} belongs to no kept version")
    _check_blobs(database)
    return Census(len(heights), len(seen) - (SENTINEL_ID in seen), backlog)


def _check_blobs(database: Database) -> None:
    """The blobs are exactly those that the latest version has the hashes of."""
    hashes = database.latest().store(BLOBS_STORE).iter(b"")
    for record_key, blob in database.iter_records(BLOB_PREFIX, b"c"):
        if next(hashes, None) != (record_key[len(BLOB_PREFIX):], sha256(blob).digest()):
            raise DatabaseDamaged(f"blob {record_key[1:]!r:.60} is not that of the store {BLOBS_STORE!r}")
    missing = next(hashes, None)
    if missing is not None:
        raise DatabaseDamaged(f"blob {missing[0]!r:.60} is missing")


def _visit(database: Database, node_id: bytes, seen: dict[bytes, Seen]) -> Seen:
    """The subtree under one node, verified; each node is visited once."""
    found = seen.get(node_id)
    if found is not None:
        return found
    node = database.load(node_id)
    if node[0] != PAGE_TAG:
        key, value = split_leaf(node)
        if not (key and value) or (key == SENTINEL_KEY and value != SENTINEL_VALUE):
            raise DatabaseDamaged(f"leaf {node_id.hex()} is malformed")
        found = Seen(leaf_hash(key, value), 0, key, key)
    else:
        found = _visit_inner(database, node_id, open_page(node, b""), compute_band(node[LINKS + 2]), seen)
        if found.depth != node[LINKS + 2]:
            raise DatabaseDamaged(f"page {node_id.hex()} contradicts its children")
    seen[node_id] = found
    return found


def _visit_inner(
    database: Database, node_id: bytes, halves: tuple[Sub, Sub], band: int, seen: dict[bytes, Seen]
) -> Seen:
    """One inner node of a page, with all below it, verified."""
    left, right = (
        _visit(database, content, seen)
        if type(content) is bytes
        else _visit_inner(database, node_id, content, band, seen)
        for content, _, _, _ in halves
    )
    is_sound = (
        (left.hash, right.hash) == (halves[0][1], halves[1][1])
        and (left.depth, right.depth) == (halves[0][2], halves[1][2])
        and all((compute_band(half[2]) == band) is (type(half[0]) is tuple) for half in halves)
        and abs(left.depth - right.depth) <= 1
        and left.last < halves[1][3] == right.first
    )
    if not is_sound:
        raise DatabaseDamaged(f"page {node_id.hex()} contradicts its children")
    return Seen(inner_hash(left.hash, right.hash), max(left.depth, right.depth) + 1, left.first, right.last)
