"""Tree nodes as bytes: what lies on the disk is what is held in memory and walked.

Nothing is parsed ahead of need, and a cache full of bytes costs the garbage collector nothing.

    leaf    00 | key length, 2 | key | value
    inner   01 | left id, 12 | right id, 12 | left hash, 32 | right hash, 32 | left depth, 1 | right depth, 1 | key
An inner node's key is the smallest key of its right half. It has no hash of its own: its parent has it, or the
version record, so one descent yields a whole proof and a changed path is rehashed without reading its siblings.
An id is the height that made the node and its number among the new nodes of that height, both big-endian.
"""

from typing import Protocol

from abci_app.store.kv import MAX_KEY_BYTES, SENTINEL_KEY, SENTINEL_VALUE

HEIGHT_BYTES = 8
NUMBER_BYTES = 4
ID_BYTES = HEIGHT_BYTES + NUMBER_BYTES
INNER_TAG = 1
LEFT_ID = slice(1, 13)
RIGHT_ID = slice(13, 25)
LEFT_HASH = slice(25, 57)
RIGHT_HASH = slice(57, 89)
LEFT_DEPTH = 89
RIGHT_DEPTH = 90
KEY = slice(91, None)


class Side(Protocol):
    """A tree below an inner node: its top node's id, its hash, its depth."""

    @property
    def id(self) -> bytes:
        """12 bytes."""

    @property
    def hash(self) -> bytes:
        """32 bytes."""

    @property
    def depth(self) -> int:
        """0 for a leaf."""


def encode_leaf(key: bytes, value: bytes) -> bytes:
    """The record of an entry."""
    return b"\x00" + len(key).to_bytes(2, "big") + key + value


def encode_inner(left: "Side", right: "Side", separator: bytes) -> bytes:
    """The record of the parent of two trees; `separator` is the smallest key of the right one."""
    return b"".join((b"\x01", left.id, right.id, left.hash, right.hash, bytes((left.depth, right.depth)), separator))


def split_leaf(node: bytes) -> tuple[bytes, bytes]:
    """(key, value) of a leaf."""
    end = 3 + (node[1] << 8 | node[2])
    return node[3:end], node[end:]


def is_node(record: bytes) -> bool:
    """Whether a record has the form of a node."""
    if record[:1] == b"\x01":
        return KEY.start < len(record) <= KEY.start + MAX_KEY_BYTES
    return record[:1] == b"\x00" and len(record) > 4 and 0 < (record[1] << 8 | record[2]) < len(record) - 3


SENTINEL_ID = bytes(ID_BYTES)
SENTINEL_LEAF = encode_leaf(SENTINEL_KEY, SENTINEL_VALUE)
