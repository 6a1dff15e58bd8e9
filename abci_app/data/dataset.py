"""From a table to a dataset: which columns, the split, the features, the labels, the root.

A pure function of the table and the options: no float, no clock, no chance of its own. The rows' order is a shuffle
fixed by the split's seed; the first rows are trained on, the last `held_out_ppm` of them (rounded down) are held out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from abci_app.data.columns import (
    Column, NumericColumn, Numbers, encode_column, find_numbers, find_shared_range, fit_categorical, fit_numeric,
    get_numbers,
)
from abci_app.data.decimals import find_decimal
from abci_app.data.errors import DataError
from abci_app.data.manifest import CLASSES_MAX, Dropped, Manifest
from abci_app.data.table import Progress, Table
from abci_app.data.targets import Target, encode_target, fit_target
from abci_app.data.tree import RowTree
from abci_app.wire.ints import PPM, U64_MAX, ppm_floor, u64_bytes
from abci_app.wire.row import LABEL_BYTES, new_values_row
from abci_app.wire.seed import hash_fields, shuffle

SCALINGS = ("auto", "column", "table")
HELD_OUT_PPM = 200_000
NAME_CHARS_MAX = 64
FEATURES_MAX = 16_384
TARGETS_MAX = 256
ROWS_BYTES_MAX = 1 << 31
CHUNK_BYTES = 1 << 20
UNIQUE_ROWS_MIN = 20
NUMERIC_CLASSES_MAX = 50
WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Options:
    """How a table is read. label: the column to tell, for a classifier; targets: numeric columns to predict, for a
    regressor; one of the two. scaling: of SCALINGS. numeric, categorical: columns whose kind is not left to detection.
    """

    name: str
    label: str = ""
    targets: tuple[str, ...] = ()
    held_out_ppm: int = HELD_OUT_PPM
    split_seed: int = 0
    scaling: str = "auto"
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    progress: Progress = field(default=lambda what, done, total: None, compare=False)


@dataclass(frozen=True)
class Dataset:
    """A manifest and its rows, one after the other. warnings: what in the table looks like a mistake."""

    manifest: Manifest
    rows: bytes
    warnings: tuple[str, ...] = ()


def new_dataset(table: Table, options: Options) -> Dataset:
    """The dataset of a table. Raises DataError for whatever makes it unfit, with its place."""
    outcomes = _check_options(table, options)
    order = shuffle(hash_fields("gradus/split", u64_bytes(options.split_seed)), table.row_count)
    test_rows = ppm_floor(table.row_count, options.held_out_ppm)
    train = order[:len(order) - test_rows]
    columns, dropped = _fit_columns(table, outcomes, train, options)
    classes: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    if options.targets:
        targets = _fit_targets(table, outcomes, train)
        tails = _encode_targets(table, targets, order)
    else:
        classes, labels = _read_labels(table, outcomes[0])
        tails = [labels[row].to_bytes(LABEL_BYTES, "little") for row in order]
    rows = _encode_rows(table, columns, tails, order, options.progress)
    tree = RowTree(iter_chunks(rows, len(rows) // len(order)), len(rows) // len(order), len(order), options.progress)
    manifest = Manifest(
        name=options.name, source=table.source, rows_root=tree.root, train_rows=len(train), test_rows=test_rows,
        label=options.label, classes=classes, columns=columns, dropped=dropped, targets=targets,
        held_out_ppm=options.held_out_ppm, split_seed=options.split_seed,
    )
    warnings = (*(_warn_of_labels(table, outcomes[0], classes) if classes else ()),
                *_warn_of_strays(table, columns, options))
    return Dataset(manifest, rows, warnings)


def check_name(name: str) -> None:
    """Raises DataError for what is no name of a dataset."""
    if not 1 <= len(name) <= NAME_CHARS_MAX or not name.isprintable():
        raise DataError(f"a dataset's name has 1 to {NAME_CHARS_MAX} printable characters", hint="give one by --name")


def check_split(held_out_ppm: int, split_seed: int) -> None:
    """Raises DataError for a share or a seed out of range."""
    if not 0 <= held_out_ppm < PPM:
        raise DataError(f"the held-out share must be 0 to {PPM - 1} ppm")
    if not 0 <= split_seed <= U64_MAX:
        raise DataError("the split's seed must be below 2^64")


def _check_options(table: Table, options: Options) -> tuple[int, ...]:
    """The indices of the label's column or of the targets', when the options fit the table."""
    check_name(options.name)
    check_split(options.held_out_ppm, options.split_seed)
    if options.scaling not in SCALINGS:
        raise DataError(f"scaling must be one of {', '.join(SCALINGS)}")
    outcomes = options.targets or (options.label,)
    indices = tuple(table.column_index(name) for name in outcomes)
    if options.targets and options.label:
        raise DataError("a label is for a classifier, targets are for a regressor", hint="give one of the two")
    if len(outcomes) > TARGETS_MAX:
        raise DataError(f"{len(outcomes)} targets; the most is {TARGETS_MAX}")
    for name in (*options.numeric, *options.categorical, *options.drop):
        table.column_index(name)
        if name in outcomes:
            raise DataError(f"the {'target' if options.targets else 'label'} is not a feature", column=name)
    if any(outcomes.count(name) > 1 for name in outcomes):
        raise DataError("a target is named twice", hint="name each once")
    both = [name for name in options.numeric if name in options.categorical]
    if both:
        raise DataError("cannot be numeric and categorical at once", column=both[0])
    if table.row_count - ppm_floor(table.row_count, options.held_out_ppm) < 2:
        raise DataError(f"{table.row_count} rows leave too few to train on")
    return indices


def _check_labels(name: str, counts: Mapping[str, int], row_count: int) -> None:
    """Raises DataError for labels that cannot be classes."""
    if len(counts) < 2:
        raise DataError(f"all rows have the label {next(iter(counts))!r}; there is nothing to tell apart", column=name)
    if len(counts) > CLASSES_MAX:
        raise DataError(f"{len(counts)} classes; the most is {CLASSES_MAX}", column=name,
                        hint="a label is a class; a quantity must be cut into classes first")
    if row_count >= UNIQUE_ROWS_MIN and 2 * sum(count == 1 for count in counts.values()) > row_count:
        raise DataError(f"{len(counts)} classes of {row_count} rows: more than half of the labels are unique",
                        column=name, hint="a label is a class; a quantity must be cut into classes first, and an "
                                          "identifier is no label")


def _warn_of_labels(table: Table, index: int, classes: Sequence[str]) -> Iterator[str]:
    """When the classes look like a quantity."""
    are_numbers = all(find_decimal(text) is not None for text in classes)
    if 2 * len(classes) > table.row_count or are_numbers and len(classes) > NUMERIC_CLASSES_MAX:
        yield (f"column {table.names[index]!r}: {len(classes)} classes of {table.row_count} rows: is this a regression "
               "target? A quantity must be cut into classes first")


def _warn_of_strays(table: Table, columns: Sequence[Column], options: Options) -> Iterator[str]:
    """When a few cells that are no numbers have made categories of a column of numbers."""
    for column in columns:
        if isinstance(column, NumericColumn) or column.name in options.categorical:
            continue
        strays = [value for value in column.values if value and find_decimal(value) is None]
        if 0 < 2 * len(strays) < len(column.values):
            cells = table.columns[table.column_index(column.name)]
            row, cell = next((row, cell) for row, cell in zip(table.lines, cells) if cell in strays)
            yield (f"row {row}, column {column.name!r}: {cell[:40]!r} is not a number, while most of the column is: it "
                   f"becomes {len(column.values)} categories. Mend the cell, or say --categorical {column.name!r}")


def _read_labels(table: Table, index: int) -> tuple[tuple[str, ...], list[int]]:
    """(classes in order, label of each row). Whole numbers are ordered as numbers, all else as text."""
    name, cells = table.names[index], table.columns[index]
    if "" in cells:
        raise DataError("the label is missing", row=table.lines[cells.index("")], column=name,
                        hint="remove the row, or fill its label in")
    counts = Counter(cells)
    _check_labels(name, counts, len(cells))
    found = list(counts)
    if all(WHOLE_NUMBER.fullmatch(text) for text in found):
        found.sort(key=lambda text: (int(text), text))
    else:
        found.sort()
    places = {text: place for place, text in enumerate(found)}
    return tuple(found), [places[cell] for cell in cells]


def _fit_targets(table: Table, outcomes: Sequence[int], train: Sequence[int]) -> tuple[Target, ...]:
    """How each target is quantised, in the order in which they are asked for."""
    columns = [table.columns[index] for index in outcomes]
    return tuple(fit_target(table.names[index], cells, [cells[row] for row in train], table.lines)
                 for index, cells in zip(outcomes, columns))


def _encode_targets(table: Table, targets: Sequence[Target], order: Sequence[int]) -> list[bytes]:
    """What stands behind the features of each row: its targets."""
    lines = [table.lines[row] for row in order]
    encoded = [encode_target(target, [table.columns[table.column_index(target.name)][row] for row in order], lines)
               for target in targets]
    return [new_values_row(b"", values) for values in zip(*encoded)]


def _fit_columns(table: Table, outcomes: Sequence[int], train: Sequence[int],
                 options: Options) -> tuple[tuple[Column, ...], tuple[Dropped, ...]]:
    """The columns that become features, in the table's order, and those that do not."""
    numbers = _read_numeric_columns(table, outcomes, options)
    train_cells = {index: [table.columns[index][row] for row in train] for index in numbers}
    shared = None
    if options.scaling != "column":
        shared = find_shared_range([(numbers[index], train_cells[index]) for index in numbers],
                                   options.scaling == "table")
    if shared is None and options.scaling == "table":
        raise DataError("table scaling needs numeric columns of whole numbers", hint="use --scaling column")
    columns: list[Column] = []
    dropped: list[Dropped] = []
    for index, (name, cells) in enumerate(zip(table.names, table.columns)):
        column: Column | None = None
        if index in outcomes:
            continue
        if name in options.drop:
            reason = "left out by option"
        elif index in numbers:
            reason = "constant in the rows to train on"
            column = fit_numeric(numbers[index], cells, train_cells[index], shared)
        else:
            reason = "constant"
            column = fit_categorical(name, cells, table.lines)
        if column is None:
            dropped.append(Dropped(name, reason))
        else:
            columns.append(column)
    return tuple(columns), tuple(dropped)


def _read_numeric_columns(table: Table, outcomes: Sequence[int], options: Options) -> dict[int, Numbers]:
    """The columns that are numeric, by option or because all their cells are numbers."""
    numbers = {}
    for index, (name, cells) in enumerate(zip(table.names, table.columns)):
        options.progress("reading columns", index, len(table.names))
        if index in outcomes or name in options.drop or name in options.categorical:
            continue
        found = get_numbers(name, cells, table.lines) if name in options.numeric else find_numbers(name, cells)
        if found is not None:
            numbers[index] = found
    options.progress("reading columns", len(table.names), len(table.names))
    return numbers


def iter_chunks(rows: bytes, size: int) -> Iterator[bytes]:
    """`rows` in chunks of whole rows of `size` bytes, about a megabyte each."""
    step = max(1, CHUNK_BYTES // size) * size
    for at in range(0, len(rows), step):
        yield rows[at:at + step]


def _encode_rows(table: Table, columns: Sequence[Column], tails: Sequence[bytes], order: Sequence[int],
                 progress: Progress) -> bytes:
    """All rows in the split's order. tails: what stands behind the features of each."""
    if not columns:
        raise DataError("no column is left to learn from: all are constant or left out")
    feature_count = sum(column.feature_count for column in columns)
    size = feature_count + len(tails[0])
    if feature_count > FEATURES_MAX:
        raise DataError(f"the columns become {feature_count} features; the most is {FEATURES_MAX}",
                        hint="leave columns out with --drop")
    if size * len(order) > ROWS_BYTES_MAX:
        raise DataError(f"the rows take {size * len(order)} bytes; the most is {ROWS_BYTES_MAX}")
    rows = bytearray(size * len(order))
    lines = [table.lines[row] for row in order]
    place = 0
    for done, column in enumerate(columns):
        progress("encoding columns", done, len(columns))
        cells = table.columns[table.column_index(column.name)]
        for feature in encode_column(column, [cells[row] for row in order], lines):
            rows[place::size] = feature
            place += 1
    packed, width = b"".join(tails), size - place
    for at in range(width):
        rows[place + at::size] = packed[at::width]
    progress("encoding columns", len(columns), len(columns))
    return bytes(rows)
