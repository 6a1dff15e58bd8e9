"""manifest.json: what a stored dataset is, in canonical JSON: names, split, and how rows were made.

Of a table the quantisation of every column, and the classes or targets; of a text its vocabulary and windows.

The root in it commits to the rows alone; the rest describes how they were made, so that others can be encoded alike.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from abci_app.data.columns import CategoricalColumn, Column, NumericColumn
from abci_app.data.decimals import find_decimal
from abci_app.data.errors import DatasetCorrupt
from abci_app.data.targets import Target
from abci_app.wire.ints import U64_MAX
from abci_app.wire.row import CLASSES, TOKENS, VALUES, RowForm

FORMAT = "gradus-dataset/1"
MANIFEST_BYTES_MAX = 1 << 26
CLASSES_MAX = 4096
VOCABULARY_MAX = 65_535
CONTEXT_MAX = 4096


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column of the table that no feature was made from, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows 0..train_rows-1 are trained on, the next test_rows are held out.

    Of a table with a label: `classes[label]` is a label's name. Of one with targets: how each is quantised. Of a text:
    vocabulary (the character of each token), the context of a row, and how far apart the windows to train on begin.
    """

    name: str
    source: str
    rows_root: bytes
    train_rows: int
    test_rows: int
    held_out_ppm: int
    split_seed: int
    label: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    targets: tuple[Target, ...] = ()
    vocabulary: str = ""
    context: int = 0
    stride: int = 0

    @property
    def feature_count(self) -> int:
        """Features of a row, or tokens of its context."""
        return self.context + sum(column.feature_count for column in self.columns)

    @property
    def class_count(self) -> int:
        """Classes, targets, or characters of the vocabulary."""
        return len(self.classes) + len(self.targets) + len(self.vocabulary)

    @property
    def row_count(self) -> int:
        """All rows."""
        return self.train_rows + self.test_rows

    @property
    def form(self) -> RowForm:
        """How the rows are meant to be read."""
        kind = TOKENS if self.vocabulary else VALUES if self.targets else CLASSES
        return RowForm(kind, self.feature_count, self.class_count)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.form.row_bytes

    def to_json(self) -> dict[str, Any]:
        """The manifest as plain JSON values."""
        common = {
            "format": FORMAT, "name": self.name, "source": self.source, "rows_root": self.rows_root.hex(),
            "train_rows": self.train_rows, "test_rows": self.test_rows, "feature_count": self.feature_count,
            "split": {"held_out_ppm": self.held_out_ppm, "seed": self.split_seed},
        }
        if self.vocabulary:
            return common | {"vocabulary": self.vocabulary, "stride": self.stride}
        outcome = {"label": self.label, "classes": list(self.classes)} if not self.targets else {
            "targets": [{"name": one.name, "offset": one.offset, "scale": one.scale} for one in self.targets]}
        return common | outcome | {
            "columns": [_column_json(column) for column in self.columns],
            "dropped": [{"name": column.name, "reason": column.reason} for column in self.dropped]}

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
    outcome = _read_text(value) if "vocabulary" in value else _read_table(value)
    manifest = Manifest(
        name=_text(value["name"]), source=_text(value["source"]), rows_root=bytes.fromhex(value["rows_root"]),
        train_rows=_count(value["train_rows"]), test_rows=_count(value["test_rows"]),
        held_out_ppm=_count(value["split"]["held_out_ppm"]), split_seed=_count(value["split"]["seed"]), **outcome)
    if len(manifest.rows_root) != 32:
        raise ValueError("rows_root has not 32 bytes")
    if not manifest.train_rows:
        raise ValueError("it has no rows to train on")
    return manifest


def _read_text(value: dict[str, Any]) -> dict[str, Any]:
    vocabulary, context, stride = _text(value["vocabulary"]), _count(value["feature_count"]), _count(value["stride"])
    if not 2 <= len(vocabulary) <= VOCABULARY_MAX or any(a >= b for a, b in zip(vocabulary, vocabulary[1:])):
        raise ValueError(f"its vocabulary is not 2 to {VOCABULARY_MAX} rising characters")
    if not 1 <= stride <= context <= CONTEXT_MAX:
        raise ValueError(f"its context is not 1 to {CONTEXT_MAX}, or its stride not 1 to the context")
    return {"vocabulary": vocabulary, "context": context, "stride": stride}


def _read_table(value: dict[str, Any]) -> dict[str, Any]:
    columns = tuple(_read_column(column) for column in value["columns"])
    dropped = tuple(Dropped(_text(column["name"]), _text(column["reason"])) for column in value["dropped"])
    if not columns:
        raise ValueError("it has no columns")
    common = {"columns": columns, "dropped": dropped}
    if "targets" in value:
        targets = tuple(map(_read_target, value["targets"]))
        if not targets:
            raise ValueError("it has no targets")
        return common | {"targets": targets}
    classes = tuple(_text(name) for name in value["classes"])
    if not 2 <= len(classes) <= CLASSES_MAX:
        raise ValueError(f"it has not 2 to {CLASSES_MAX} classes")
    return common | {"label": _text(value["label"]), "classes": classes}


def _read_target(value: dict[str, Any]) -> Target:
    offset, scale = _text(value["offset"]), _text(value["scale"])
    _check_quantisation(value["name"], offset, scale)
    return Target(_text(value["name"]), offset, scale)


def _check_quantisation(name: object, offset: str, scale: str) -> None:
    divisor = find_decimal(scale)
    if divisor is None or divisor[0] <= 0 or find_decimal(offset) is None:
        raise ValueError(f"column {name!r} has no quantisation")


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
    _check_quantisation(value["name"], offset, scale)
    if find_decimal(fill) is None:
        raise ValueError(f"column {value['name']!r} has no number for those that are missing")
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
