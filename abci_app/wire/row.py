"""A dataset's canonical rows, of three kinds, and what their bytes mean to the numerics.

    classes   features as int8 (value q · 2^-6, -128 never used), then the label as u16
    values    features as above, then the targets as i32 (value q · 2^-16, at most 2^10 in magnitude)
    tokens    features + 1 tokens as u16: each one's target is the next

All numbers are little-endian. The dataset's root is the Merkle root (wire/merkle.py) over these rows: first the rows to
train on, then those held out. Whoever makes a root puts what it likes under it, and a contract may speak of another
kind, or of fewer classes, than its rows were made for. So what rows mean to the numerics is defined for all bytes, here
and nowhere else (`RowForm.join_columns`): every unit has a result.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

LABEL_BYTES = 2
TARGET_BYTES = 4
TOKEN_BYTES = 2
TARGET_EXPONENT = 16
TARGET_MAX = 1 << 26  # the largest magnitude that the numerics take
CLASSES, VALUES, TOKENS = "classes", "values", "tokens"


@dataclass(frozen=True, slots=True)
class RowForm:
    """How a contract reads its rows. kind: CLASSES, VALUES or TOKENS.

    features: int8 features of a row, or tokens that a row is read from (one more follows, a target alone). classes: the
    classes of a label, 2..65535; the targets of a row; or the tokens of the vocabulary.
    """

    kind: str
    features: int
    classes: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        if self.kind == TOKENS:
            return TOKEN_BYTES * (self.features + 1)
        return self.features + (LABEL_BYTES if self.kind == CLASSES else TARGET_BYTES * self.classes)

    def join_columns(self, rows: Sequence[bytes]) -> tuple[bytes, bytes]:
        """(features, targets) of all rows, one after the other, as the numerics take them, which refuse none.

        A feature of -128 counts as -127, a label that is no class as its remainder by their number, a target beyond
        TARGET_MAX as the nearest that is not, a token outside the vocabulary as its remainder by its size. Of tokens
        the targets are empty. Rows that a dataset should have stay as they are.
        """
        if self.kind == TOKENS:
            return _fit_below(b"".join(rows), self.classes), b""
        features = b"".join(row[:self.features] for row in rows).replace(b"\x80", b"\x81")
        targets = b"".join(row[self.features:] for row in rows)
        return features, _fit_below(targets, self.classes) if self.kind == CLASSES else _clip_targets(targets)


def new_row(features: bytes, label: int) -> bytes:
    """One row of a classifier from its int8 features and its label (u16)."""
    return features + label.to_bytes(LABEL_BYTES, "little")


def new_values_row(features: bytes, targets: Sequence[int]) -> bytes:
    """One row of a regressor from its int8 features and its targets (i32 at exponent 16)."""
    return features + struct.pack(f"<{len(targets)}i", *targets)


def new_tokens_row(tokens: Sequence[int]) -> bytes:
    """One row of a decoder from its context + 1 tokens (u16)."""
    return struct.pack(f"<{len(tokens)}H", *tokens)


def split_rows(rows: bytes, size: int) -> list[bytes]:
    """The rows, of `size` bytes each, of a concatenation. ValueError when the length is not a whole number of rows."""
    if len(rows) % size:
        raise ValueError(f"{len(rows)} bytes are not a whole number of {size}-byte rows")
    return [rows[at:at + size] for at in range(0, len(rows), size)]


def _fit_below(numbers: bytes, limit: int) -> bytes:
    """u16 values, each as its remainder by `limit`."""
    layout = f"<{len(numbers) // 2}H"
    found = struct.unpack(layout, numbers)
    if max(found, default=0) < limit:
        return numbers
    return struct.pack(layout, *(number % limit for number in found))


def _clip_targets(targets: bytes) -> bytes:
    layout = f"<{len(targets) // TARGET_BYTES}i"
    found = struct.unpack(layout, targets)
    return struct.pack(layout, *(min(max(target, -TARGET_MAX), TARGET_MAX) for target in found))
