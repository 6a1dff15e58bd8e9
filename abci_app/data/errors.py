"""DataError: what is wrong with a table or a stored dataset, where, and what to do about it."""


class DataError(Exception):
    """A problem with data that its owner can mend.

    row: line of the source (the first line is 1), or None; column: name, or None; hint: what to do, may be empty.
    exit_status: what a command ends with.
    """

    exit_status = 1

    def __init__(self, problem: str, *, row: int | None = None, column: str | None = None, hint: str = "") -> None:
        self.problem, self.row, self.column, self.hint = problem, row, column, hint
        place = ", ".join(
            part for part in (f"row {row}" if row is not None else "", f"column {column!r}" if column else "") if part
        )
        super().__init__(f"{place}: {problem}" if place else problem)


class WrongOption(DataError):
    """Not the data is wrong, but what was asked of it."""

    exit_status = 2


class DatasetMissing(DataError):
    """The dataset is not in the folder."""


class DatasetCorrupt(DataError):
    """The dataset's files are damaged or do not give the root that they are stored under."""
