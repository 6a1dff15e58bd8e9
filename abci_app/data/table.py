"""Table: what every importer makes and the only thing that datasets are made from. Cells are text; "" is missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from abci_app.data.errors import DataError

COLUMNS_MAX = 16_384
ROWS_MAX = 1 << 22
CELLS_MAX = 50_000_000
MISSING_TEXTS = ("", "?", "na", "n/a", "nan", "null")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Table:
    """Named columns of equal length.

    source: where the table is from, in words. lines: each row's line in the source, for messages.
    """

    source: str
    names: tuple[str, ...]
    columns: tuple[list[str], ...]
    lines: Sequence[int]

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.lines)

    def column_index(self, name: str) -> int:
        """Where the column `name` stands. Raises DataError that lists what there is."""
        if name in self.names:
            return self.names.index(name)
        shown = ", ".join(self.names[:20]) + (", ..." if len(self.names) > 20 else "")
        raise DataError(f"there is no column {name!r}", hint=f"the columns are: {shown}")


def clean_cell(text: str) -> str:
    """A cell without the blanks around it; "" for every way of writing that a value is missing."""
    text = text.strip()
    return "" if text.lower() in MISSING_TEXTS else text


def check_names(names: Sequence[str]) -> None:
    """Raises DataError for a header with empty or repeated names, or too many of them."""
    if len(names) > COLUMNS_MAX:
        raise DataError(f"{len(names)} columns; the most is {COLUMNS_MAX}", row=1)
    first_at: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"column {position} has no name", row=1, hint="give every column a name in the header")
        if name in first_at:
            raise DataError(f"the header names {name!r} twice, as columns {first_at[name]} and {position}", row=1,
                            hint="rename one of them")
        first_at[name] = position
