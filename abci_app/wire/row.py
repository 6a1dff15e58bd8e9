"""A dataset's canonical row: features as int8 (value q · 2^-6, -128 never used), then the label as u16 little-endian.

The dataset's root is the Merkle root (wire/merkle.py) over these rows: first the rows to train on, then those held out.
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


def join_columns(rows: list[bytes], feature_count: int) -> tuple[bytes, bytes]:
    """The features of all rows, one after the other, and their labels: the form that kernels take."""
    return b"".join(row[:feature_count] for row in rows), b"".join(row[feature_count:] for row in rows)
