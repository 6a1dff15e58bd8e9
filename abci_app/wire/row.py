"""A dataset's canonical row: features as int8 (value q · 2^-6, -128 never used), then the label as u16 little-endian.

The dataset's root is the Merkle root (wire/merkle.py) over these rows: first the rows to train on, then those held out.
Whoever makes a root puts what it likes under it, and a contract may speak of fewer classes than its rows have. So what
rows mean to the numerics is defined for all bytes, here and nowhere else (`join_columns`): every unit has a result.
"""

LABEL_BYTES = 2


def row_bytes(feature_count: int) -> int:
    """Bytes of one row."""
    return feature_count + LABEL_BYTES


def new_row(features: bytes, label: int) -> bytes:
    """One row from its int8 features and its label (u16)."""
    return features + label.to_bytes(LABEL_BYTES, "little")


def split_rows(rows: bytes, feature_count: int) -> list[bytes]:
    """The rows of a concatenation. ValueError when the length is not a whole number of rows."""
    size = row_bytes(feature_count)
    if len(rows) % size:
        raise ValueError(f"{len(rows)} bytes are not a whole number of {size}-byte rows")
    return [rows[at:at + size] for at in range(0, len(rows), size)]


def join_columns(rows: list[bytes], feature_count: int, classes: int) -> tuple[bytes, bytes]:
    """The features of all rows, one after the other, and their labels: as the numerics take them, which refuse none.

    classes: of the contract, 2..65535. A feature of -128 counts as -127, a label that is no class as its remainder by
    their number. Rows that a dataset should have stay as they are.
    """
    features = b"".join(row[:feature_count] for row in rows).replace(b"\x80", b"\x81")
    return features, b"".join(_fit_label(row[feature_count:], classes) for row in rows)


def _fit_label(label: bytes, classes: int) -> bytes:
    number = int.from_bytes(label, "little")
    return label if number < classes else (number % classes).to_bytes(LABEL_BYTES, "little")
