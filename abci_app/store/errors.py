"""What can go wrong in the store. None of these is a user's fault, so none has a code on the wire.

A wrong entry is a bug of the writer. A wrong height is for the query layer to translate. Damage differs by machine,
so it is an OSError: the runtime stops the node on those instead of answering with a code.
"""


class StoreError(Exception):
    """Base of the store's errors; `hint` says what to do."""

    hint = ""

    def __init__(self, text: str, hint: str = "") -> None:
        self.hint = hint or self.hint
        super().__init__(f"{text} ({self.hint})" if self.hint else text)


class InvalidEntry(StoreError):
    """A key or value that the store does not take."""


class UnknownStore(StoreError):
    """No store of this name was given at open."""


class HeightUnavailable(StoreError):
    """The height is not committed yet, or pruned."""

    def __init__(self, height: int, oldest: int, latest: int) -> None:
        self.height, self.oldest, self.latest = height, oldest, latest
        super().__init__(
            f"height {height} is not available, {oldest} to {latest} are",
            "ask for a newer height or another node" if height < oldest else "wait for the block",
        )


class BlobUnavailable(HeightUnavailable):
    """A blob as it was at an older height: it was replaced or deleted since, and old values are not kept."""

    def __init__(self, key: bytes, height: int, latest: int) -> None:
        self.height, self.oldest, self.latest = height, latest, latest
        StoreError.__init__(self, f"blob {key!r:.60} of height {height} was replaced or deleted since",
                            "ask for the latest height, or a node that stands at that height")


class SnapshotInvalid(StoreError):
    """Bytes that are no snapshot, or not the one that its metadata promises. Whoever sent them is to blame."""


class StaleBranch(StoreError):
    """A branch or staged block whose base is no longer the latest version, or whose height does not follow it."""


class DatabaseLocked(StoreError):
    """Another process has the database open."""


class WrongDatabase(StoreError):
    """The database was written in another format or with other stores."""


class DatabaseDamaged(StoreError, OSError):
    """The disk failed or a record that must be there is missing or malformed."""
