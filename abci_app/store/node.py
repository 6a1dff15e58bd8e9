"""Tree nodes as bytes: what lies on the disk is what is held in memory and walked.

A leaf is a record of its own. Inner nodes are stored by pages: those of one band of depths (1 to 4, 5 to 8, ...)
that hang together are one record, so that a changed path costs a fourth of the records. Which nodes share a page
follows from the shape of the tree alone.

    leaf    00 | key length, 2 | key | value
    page    01 | inner nodes, 1 | links | hashes | children | separators
            links       of the inner nodes in preorder, the page's top first: left, 1 | right, 1 | depth, 1 |
                        end of its separator in the separators, 2; a side is the number of an inner node, or
                        80 + the number of a child
            hashes      32 each, of the inner nodes but the top
            children    in key order, one more than inner nodes: id, 12 | hash, 32 | depth, 1
            separators  of the inner nodes in preorder: the smallest key of the right half
A record has no hash of its own: its parent has it, or the version record, so one descent yields a whole proof and a
changed path is rehashed without reading its siblings. Nothing is parsed ahead of need, and a cache full of bytes
costs the garbage collector nothing.
An id is the height that made the record and its number among the new records of that height, both big-endian.
"""

from typing import Any

from abci_app.store.errors import DatabaseDamaged
from abci_app.store.kv import SENTINEL_KEY, SENTINEL_VALUE

HEIGHT_BYTES = 8
NUMBER_BYTES = 4
ID_BYTES = HEIGHT_BYTES + NUMBER_BYTES
PAGE_TAG = 1
PAGE_DEPTHS = 4  # depths that share a page
LINKS = 2  # where the links begin
LINK_BYTES = 5
HASH_BYTES = 32
CHILD_BYTES = ID_BYTES + HASH_BYTES + 1
CHILD = 0x80  # marks a side that leaves the page
MAX_INNER = (1 << PAGE_DEPTHS) - 1
MAX_DEPTH = 62  # what stock verifiers take; a balanced tree of 2^43 leaves is not deeper
ALL_SIDES = [bytes((*range(1, n), *range(CHILD, CHILD + n + 1))) for n in range(MAX_INNER + 1)]  # of n inner nodes

Sub = tuple[Any, bytes, int, bytes]
"""A subtree in work: (content, hash, depth, first key). Plain tuples for speed.

The content is the id of a record, or the two halves of an inner node, or (key, value) of a new leaf.
The hash is empty while it has not been computed: the subtree is new.
"""


def compute_band(depth: int) -> int:
    """Which nodes may share a page: 0 for leaves, then one number for every four depths."""
    return (depth + PAGE_DEPTHS - 1) // PAGE_DEPTHS  # rounded down, both are non-negative


def encode_leaf(key: bytes, value: bytes) -> bytes:
    """The record of an entry."""
    return b"\x00" + len(key).to_bytes(2, "big") + key + value


def split_leaf(node: bytes) -> tuple[bytes, bytes]:
    """(key, value) of a leaf."""
    end = 3 + (node[1] << 8 | node[2])
    return node[3:end], node[end:]


def split_page(page: bytes) -> tuple[int, int, int]:
    """Where the hashes, the children and the separators of a page begin; the hash of inner node 0 is left out."""
    inner = page[1]
    hashes = LINKS + LINK_BYTES * inner
    children = hashes + HASH_BYTES * (inner - 1)
    return hashes, children, children + CHILD_BYTES * (inner + 1)


def get_separator(page: bytes, separators: int, inner: int) -> bytes:
    """The separator of one inner node of a page whose separators begin at `separators`."""
    at = LINKS + LINK_BYTES * inner
    begin = (page[at - 2] << 8 | page[at - 1]) if inner else 0
    return page[separators + begin : separators + (page[at + 3] << 8 | page[at + 4])]


def get_side_hash(page: bytes, side: int) -> bytes:
    """The hash of what a link points to."""
    hashes, children, _ = split_page(page)
    at = children + CHILD_BYTES * (side - CHILD) + ID_BYTES if side >= CHILD else hashes + HASH_BYTES * (side - 1)
    return page[at : at + HASH_BYTES]


def get_child_id(page: bytes, side: int) -> bytes:
    """The id of the record that a link leads to; the link leaves the page."""
    at = split_page(page)[1] + CHILD_BYTES * (side - CHILD)
    return page[at : at + ID_BYTES]


def open_page(page: bytes, first: bytes) -> tuple[Sub, Sub]:
    """The two halves of a page's top, all its inner nodes in them; `first` is the first key below it."""
    hashes, children, separators = split_page(page)

    def visit(side: int, low: bytes) -> Sub:
        if side >= CHILD:
            at = children + CHILD_BYTES * (side - CHILD)
            node_id, digest = page[at : at + ID_BYTES], page[at + ID_BYTES : at + CHILD_BYTES - 1]
            return node_id, digest, page[at + CHILD_BYTES - 1], low
        at = LINKS + LINK_BYTES * side
        halves = visit(page[at], low), visit(page[at + 1], get_separator(page, separators, side))
        at_hash = hashes + HASH_BYTES * (side - 1)
        return halves, page[at_hash : at_hash + HASH_BYTES], page[at + 2], low

    return visit(page[LINKS], first), visit(page[LINKS + 1], get_separator(page, separators, 0))


def check_page(record: bytes, depth: int) -> None:
    """Raises DatabaseDamaged unless a record is a page whose top has this depth: what its parent says."""
    if record[0] != PAGE_TAG or record[LINKS + 2] != depth:
        raise DatabaseDamaged(f"a node of depth {depth} has the record of another", "restore from a snapshot or resync")


def is_node(record: bytes, node_id: bytes) -> bool:
    """Whether a record has the form of a leaf or of a page, and can be the one of this id.

    A page that passes is a tree of depths that fit, with every link inside the record, and leads to older records
    alone: no walk fails or goes round in a circle, whatever else is wrong with it.
    """
    if record[:1] == b"\x01":
        return len(record) > LINKS and 0 < record[1] <= MAX_INNER and _is_page(record, node_id)
    return record[:1] == b"\x00" and len(record) > 4 and 0 < (record[1] << 8 | record[2]) < len(record) - 3


def _is_page(page: bytes, node_id: bytes) -> bool:
    inner = page[1]
    hashes, children, separators = split_page(page)
    end = 0 if len(page) <= separators else page[hashes - 2] << 8 | page[hashes - 1]
    if len(page) != separators + end:
        return False
    sides = bytes(sorted(page[LINKS:hashes:LINK_BYTES] + page[LINKS + 1 : hashes : LINK_BYTES]))
    if sides != ALL_SIDES[inner]:  # every node and child but the top has one parent
        return False
    depths = page[children + CHILD_BYTES - 1 : separators : CHILD_BYTES]
    band = compute_band(page[LINKS + 2])
    begin = 0
    for number in range(inner):
        left, right, depth, high, low = page[LINKS + LINK_BYTES * number : LINKS + LINK_BYTES * (number + 1)]
        deep = page[LINKS + LINK_BYTES * left + 2] if left < CHILD else depths[left - CHILD]
        other = page[LINKS + LINK_BYTES * right + 2] if right < CHILD else depths[right - CHILD]
        end = high << 8 | low
        if not (left > number < right and -1 <= deep - other <= 1 and depth == max(deep, other) + 1 and begin < end):
            return False
        if compute_band(depth) != band:
            return False
        begin = end
    newest = max(page[at : at + ID_BYTES] for at in range(children, separators, CHILD_BYTES))
    return page[LINKS + 2] <= MAX_DEPTH and compute_band(max(depths)) < band and newest < node_id


SENTINEL_ID = bytes(ID_BYTES)
SENTINEL_LEAF = encode_leaf(SENTINEL_KEY, SENTINEL_VALUE)
