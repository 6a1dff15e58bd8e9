"""Rows that no dataset holds, encoded as those of a dataset were: what a trained model is asked about."""

from collections.abc import Mapping, Sequence

from abci_app.data.columns import encode_column
from abci_app.data.errors import DataError
from abci_app.data.manifest import Manifest
from abci_app.data.table import Table, check_names, clean_cell


def new_table(rows: Sequence[Mapping[str, object] | Sequence[object]], names: Sequence[str]) -> Table:
    """A table of rows in memory: cells by column name, or in the order of `names`. None is a missing cell.

    Raises DataError for a row with too many or too few cells, or without a column of `names`.
    """
    columns: tuple[list[str], ...] = tuple([] for _ in names)
    for line, row in enumerate(rows, start=1):
        if isinstance(row, Mapping):
            missing = [name for name in names if name not in row]
            if missing:
                raise DataError(f"there is no column {missing[0]!r}", row=line, hint=f"the columns are: {_list(names)}")
            cells = [row[name] for name in names]
        else:
            cells = list(row)
        if len(cells) != len(names):
            raise DataError(f"{len(cells)} cells, where the model takes {len(names)}", row=line,
                            hint=f"the columns are: {_list(names)}")
        for column, cell in zip(columns, cells):
            column.append("" if cell is None else clean_cell(str(cell)))
    return Table("rows", tuple(names), columns, range(1, len(rows) + 1))


def encode_table(table: Table, manifest: Manifest) -> bytes:
    """int8 [rows, features]: each row of `table` as the dataset's own rows stand. Other columns are left out.

    Raises DataError for a column that is missing, or a cell that its column cannot hold.
    """
    check_names(table.names)
    size = manifest.feature_count
    rows = bytearray(size * table.row_count)
    place = 0
    for column in manifest.columns:
        for feature in encode_column(column, table.columns[table.column_index(column.name)], table.lines):
            rows[place::size] = feature
            place += 1
    return bytes(rows)


def encode_integers(table: Table, feature_count: int) -> bytes:
    """int8 [rows, features] of a table whose cells are the features themselves. Raises DataError."""
    if len(table.names) != feature_count:
        raise DataError(f"{len(table.names)} columns, where the model takes {feature_count} features",
                        hint="without the dataset's manifest a row holds the features as the model takes them; `gradus "
                             "data add` makes the dataset here, and its columns are then encoded by themselves")
    rows = bytearray(feature_count * table.row_count)
    for place, (name, cells) in enumerate(zip(table.names, table.columns)):
        for row, cell in enumerate(cells):
            digits = cell.removeprefix("-")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 3 and int(digits) <= 127):
                raise DataError(f"{cell!r} is no feature: whole numbers from -127 to 127 are", row=table.lines[row],
                                column=name)
            rows[row * feature_count + place] = int(cell) & 0xFF
    return bytes(rows)


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
