"""Key-value spaces as the rooms see them, and which keys and values they take.

Keys and values of authenticated stores are non-empty, because stock verifiers take an empty value for absence.
Keys that begin with `x:` are refused, because CometBFT's key paths would read the rest as hex. Blobs have the same
keys, because the store `blobs` has their hashes under them.
"""

from typing import Iterator, Protocol

from abci_app.store.errors import InvalidEntry

MAX_KEY_BYTES = 1 << 10
MAX_VALUE_BYTES = 1 << 20
MAX_BLOB_BYTES = 1 << 26
BLOBS_STORE = "blobs"  # the authenticated store of blob key -> SHA-256 of the blob, which only the database writes
SENTINEL_KEY = b"\x00"  # a leaf of every tree, so that no tree is empty; not a key for rooms
SENTINEL_VALUE = b"\x01"


class Reader(Protocol):
    """Read access to one key-value space."""

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, None when absent."""

    def has(self, key: bytes) -> bool:
        """Whether `key` has a value."""

    def iter(
        self, prefix: bytes, start: bytes | None = None, reverse: bool = False, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """(key, value) of the keys with `prefix`, in byte order or, with `reverse`, from the last to the first.

        `start` is a whole key and inclusive: iteration begins there or, if it is absent, at the next key in the
        direction of travel. At most `limit` pairs. The iterator shows the space as it was when `iter` was called;
        later writes through any layer do not show in it.
        """


class KV(Reader, Protocol):
    """Read and write access to one key-value space."""

    def set(self, key: bytes, value: bytes) -> None:
        """Give `key` this value; raises InvalidEntry for keys and values that the space does not take."""

    def delete(self, key: bytes) -> None:
        """Take `key` away; nothing happens when it is absent. Raises InvalidEntry like `set`."""


def check_entry(key: bytes, value: bytes | None) -> None:
    """Raises InvalidEntry unless an authenticated store takes `key` and `value` (None: a deletion)."""
    _check_key(key)
    if value is not None and (type(value) is not bytes or not 0 < len(value) <= MAX_VALUE_BYTES):
        raise InvalidEntry(f"the value of {key!r:.60} is not of 1 to {MAX_VALUE_BYTES} bytes")


def check_blob(key: bytes, value: bytes | None) -> None:
    """Raises InvalidEntry unless the blob space takes `key` and `value` (None: a deletion). Empty values are fine."""
    _check_key(key)
    if value is not None and (type(value) is not bytes or len(value) > MAX_BLOB_BYTES):
        raise InvalidEntry(f"the blob {key!r:.60} is not bytes or above {MAX_BLOB_BYTES} bytes")


def _check_key(key: bytes) -> None:
    if type(key) is not bytes or not 0 < len(key) <= MAX_KEY_BYTES:
        raise InvalidEntry(f"a key is 1 to {MAX_KEY_BYTES} bytes, not {key!r:.60}")
    if key == SENTINEL_KEY or key[:2] == b"x:":
        raise InvalidEntry(f"key {key!r:.60} is reserved or begins with x:")


def compute_bounds(prefix: bytes, start: bytes | None, reverse: bool) -> tuple[bytes, bytes | None]:
    """The half-open key range [low, high) that an `iter` call covers; high None means no upper end."""
    low, high = prefix, compute_prefix_end(prefix)
    if start is not None and reverse:
        after = start + b"\x00"
        high = after if high is None else min(high, after)
    elif start is not None:
        low = max(low, start)
    return low, high


def compute_prefix_end(prefix: bytes) -> bytes | None:
    """The smallest key above every key with `prefix`; None when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
