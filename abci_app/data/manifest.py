"""manifest.json: what a stored dataset is, in canonical JSON: names, split, quantisation of every column, classes.

The root in it commits to the rows alone; the rest describes how they were made, so that others can be encoded alike.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from abci_app.data.columns import CategoricalColumn, Column, NumericColumn
from abci_app.data.decimals import find_decimal
from abci_app.data.errors import DatasetCorrupt
from abci_app.wire.ints import U64_MAX
from abci_app.wire.row import CLASSES, RowForm

FORMAT = "gradus-dataset/1"
MANIFEST_BYTES_MAX = 1 << 26
CLASSES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column of the table that no feature was made from, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows 0..train_rows-1 are trained on, the next test_rows are held out. `classes[label]` is a label's name."""

    name: str
    source: str
    rows_root: bytes
    train_rows: int
    test_rows: int
    label: str
    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    dropped: tuple[Dropped, ...]
    held_out_ppm: int
    split_seed: int

    @property
    def feature_count(self) -> int:
        """Features of a row."""
        return sum(column.feature_count for column in self.columns)

    @property
    def row_count(self) -> int:
        """All rows."""
        return self.train_rows + self.test_rows

    @property
    def form(self) -> RowForm:
        """How the rows are meant to be read."""
        return RowForm(CLASSES, self.feature_count, len(self.classes))

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.form.row_bytes

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        return {
            "format": FORMAT, "name": self.name, "source": self.source, "rows_root": self.rows_root.hex(),
            "train_rows": self.train_rows, "test_rows": self.test_rows, "feature_count": self.feature_count,
            "label": self.label, "classes": list(self.classes),
            "columns": [_column_json(column) for column in self.columns],
            "dropped": [{"name": column.name, "reason": column.reason} for column in self.dropped],
            "split": {"held_out_ppm": self.held_out_ppm, "seed": self.split_seed},
        }

    def encode(self) -> bytes:
        """Canonical JSON: sorted keys, no blanks, ASCII, one line."""
        return (json.dumps(self.to_json(), sort_keys=True, separators=(",", ":")) + "\n").encode()


def decode_manifest(data: bytes) -> Manifest:
    """The manifest that `data` is. Raises DatasetCorrupt for anything but what `encode` writes."""
    try:
        manifest = _from_json(json.loads(data.decode("ascii")))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetCorrupt(f"the manifest is not of format {FORMAT}: {error}",
                             hint="add the dataset again") from None
    if manifest.encode() != data:
        raise DatasetCorrupt("the manifest is not in canonical form", hint="add the dataset again")
    return manifest


def _from_json(value: dict[str, Any]) -> Manifest:
    if value["format"] != FORMAT:
        raise ValueError(f"its format is {value['format']!r}")
    manifest = Manifest(
        name=_text(value["name"]), source=_text(value["source"]), rows_root=bytes.fromhex(value["rows_root"]),
        train_rows=_count(value["train_rows"]), test_rows=_count(value["test_rows"]), label=_text(value["label"]),
        classes=tuple(_text(name) for name in value["classes"]),
        columns=tuple(_read_column(column) for column in value["columns"]),
        dropped=tuple(Dropped(_text(column["name"]), _text(column["reason"])) for column in value["dropped"]),
        held_out_ppm=_count(value["split"]["held_out_ppm"]), split_seed=_count(value["split"]["seed"]),
    )
    if len(manifest.rows_root) != 32:
        raise ValueError("rows_root has not 32 bytes")
    if not manifest.train_rows or not manifest.columns or not 2 <= len(manifest.classes) <= CLASSES_MAX:
        raise ValueError("it has no rows to train on, no columns, or not 2 to 4096 classes")
    return manifest


def _column_json(column: Column) -> dict[str, Any]:
    if isinstance(column, CategoricalColumn):
        return {"kind": "categorical", "name": column.name, "values": list(column.values)}
    return {"kind": "numeric", "name": column.name, "offset": column.offset, "scale": column.scale,
            "missing": {"fill": column.fill, "indicator": column.has_indicator}}


def _read_column(value: dict[str, Any]) -> Column:
    readers: dict[str, Callable[[dict[str, Any]], Column]] = {
        "categorical": lambda column: CategoricalColumn(_text(column["name"]), tuple(map(_text, column["values"]))),
        "numeric": _read_numeric,
    }
    return readers[value["kind"]](value)


def _read_numeric(value: dict[str, Any]) -> NumericColumn:
    offset, scale, fill = (_text(part) for part in (value["offset"], value["scale"], value["missing"]["fill"]))
    divisor = find_decimal(scale)
    if divisor is None or divisor[0] <= 0 or find_decimal(offset) is None or find_decimal(fill) is None:
        raise ValueError(f"column {value['name']!r} has no quantisation")
    indicator = value["missing"]["indicator"]
    if not isinstance(indicator, bool):
        raise TypeError("indicator is true or false")
    return NumericColumn(_text(value["name"]), offset, scale, fill, indicator)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {type(value).__name__}")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= U64_MAX:
        raise TypeError("expected a whole number of 0 to 2^64-1")
    return value
