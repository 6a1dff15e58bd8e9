"""Tables from delimited text: UTF-8, a header line, one row a line, quotes as in RFC 4180."""

import codecs
import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from abci_app.data.errors import DataError, WrongOption
from abci_app.data.table import CELLS_MAX, ROWS_MAX, Progress, Table, check_names, clean_cell

DELIMITERS = (",", ";", "\t", "|")
FILE_BYTES_MAX = 1 << 29
SNIFF_LINES = 64
SNIFF_BYTES = 1 << 12
SNIFF_CHARS = 1 << 20
PROGRESS_ROWS = 1 << 14


def read_table(path: Path, delimiter: str | None = None,
               progress: Progress = lambda what, done, total: None) -> Table:
    """The table in a file. delimiter: one character, or None to find it among DELIMITERS.

    Raises DataError with row (line of the file) and column for whatever is wrong in it, WrongOption for a delimiter
    that is none.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise WrongOption(f"{delimiter!r} is no delimiter", hint="give one character, such as , or ;")
    text, digest = read_text(path)
    if delimiter is None:
        delimiter = find_delimiter(text)
    records = _iter_records(text, delimiter)
    header = next(records, None)
    if header is None:
        raise DataError("the file has no lines", hint="a table has a header line and at least two rows")
    names = tuple(name.strip() for name in header[1])
    check_names(names)
    columns, lines = _read_cells(names, records, text.count("\n"), progress)
    if not lines:
        raise DataError("the file has a header and no rows")
    return Table(f"{path.name}, sha256 {digest}", names, columns, lines)


def find_delimiter(text: str) -> str:
    """The one of DELIMITERS that cuts the first lines into equally many cells, more than one; the most cells win."""
    best, best_cells = ",", 1
    sample = text[:SNIFF_CHARS].rpartition("\n")[0] if len(text) > SNIFF_CHARS else text
    for delimiter in DELIMITERS:
        counts = []
        try:
            for _, cells in _iter_records(sample, delimiter):
                counts.append(len(cells))
                if len(counts) == SNIFF_LINES:
                    break
        except DataError:
            continue
        if counts and max(counts) == min(counts) > best_cells:
            best, best_cells = delimiter, counts[0]
    return best


def read_text(path: Path) -> tuple[str, str]:
    """(text, SHA-256 of the bytes as hex) of a file in UTF-8. Raises DataError."""
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            raise DataError(f"{path} has {size} bytes; the most is {FILE_BYTES_MAX}")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    wide = find_wide_encoding(data)
    if wide:
        raise DataError(f"the text is {wide.upper()}, not UTF-8",
                        hint=f"convert it: iconv -f {wide} -t utf-8 {path.name} > utf8-{path.name}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("the text is not UTF-8", row=data.count(b"\n", 0, error.start) + 1,
                        hint=f"convert it: iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}") from None
    if "\x00" in text:
        raise DataError("the file holds zero bytes: it is not text", row=text.count("\n", 0, text.index("\x00")) + 1)
    return text, hashlib.sha256(data).hexdigest()


def find_wide_encoding(data: bytes) -> str:
    """utf-16, utf-16le, utf-16be or utf-32 when `data` looks like it, by its mark or by where its zero bytes are."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = data[:SNIFF_BYTES]
    zeros_even, zeros_odd = sample[0::2].count(0), sample[1::2].count(0)
    if 4 * max(zeros_even, zeros_odd) <= len(sample) or min(zeros_even, zeros_odd):
        return ""
    return "utf-16le" if zeros_odd else "utf-16be"


def _iter_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line where it ends, cells) of each record that is not a blank line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"not delimited text: {error}", row=reader.line_num,
                        hint="check the quotes in this line, or name the delimiter with --delimiter") from None


def _read_cells(names: tuple[str, ...], records: Iterator[tuple[int, list[str]]], line_count: int,
                progress: Progress) -> tuple[tuple[list[str], ...], list[int]]:
    """(columns, line of each row). Equal texts share one string."""
    columns: tuple[list[str], ...] = tuple([] for _ in names)
    pool: dict[str, str] = {}
    lines: list[int] = []
    for line, cells in records:
        if len(cells) != len(names):
            missing = f", the first without one is {names[len(cells)]!r}" if len(cells) < len(names) else ""
            raise DataError(f"{len(cells)} cells where the header names {len(names)} columns{missing}", row=line,
                            hint="quote cells that hold the delimiter, or name the delimiter with --delimiter")
        if len(lines) == ROWS_MAX or len(names) * len(lines) > CELLS_MAX:
            raise DataError(f"the table is too large: the most is {ROWS_MAX} rows and {CELLS_MAX} cells", row=line)
        lines.append(line)
        if len(lines) % PROGRESS_ROWS == 0:
            progress("reading lines", line, line_count)
        for column, cell in zip(columns, cells):
            text = clean_cell(cell)
            column.append(pool.setdefault(text, text))
    progress("reading lines", line_count, line_count)
    return columns, lines
