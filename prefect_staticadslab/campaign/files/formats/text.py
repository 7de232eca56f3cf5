"""CSV and TSV. A cell is text: `007`, `NA` and an empty cell stay what they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.bounds import LONGEST_CELL, TABLE_CELLS, TABLE_COLUMNS, TABLE_ROWS
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Dialect,
    Spreadsheet,
    cell_text,
    header_problems,
)
from prefect_staticadslab.campaign.files.formats.delimiters import (
    likely_delimiter,
    split_separator_line,
)
from prefect_staticadslab.campaign.files.formats.encodings import encoding_named, encoding_of
from prefect_staticadslab.campaign.files.formats.table_layout import Layout, Line, layout_of
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_formula

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_LINE: Final = 4 * LONGEST_CELL
"""Characters. A line's cells are all made before anybody can count them."""

_HEAD_BYTES: Final = 4 * LONGEST_CELL
"""What is looked at to tell how a file is written."""


def read_text(
    content: bytes,
    known_columns: frozenset[str],
    *,
    tab: bool,
    ragged: bool,
    encoding: str = "",
) -> Spreadsheet:
    """Reads CSV or, with `tab`, TSV; see `read_spreadsheet`.

    A table with ragged rows is one of ours: its first line is its header, and its last is a row.
    """
    if encoding:
        found = encoding_named(content, encoding)
    else:
        found = encoding_of(content, known_columns, is_ours=ragged)
    head = found.head(content, _HEAD_BYTES)
    if not head.strip() and len(content) <= _HEAD_BYTES:
        raise SpreadsheetError([Problem("The file is empty.")])
    separator_line, head = split_separator_line(head)
    delimiter = "\t" if tab else separator_line or likely_delimiter(head, known_columns)
    first_break = head.find("\n")
    line_end = "\r\n" if first_break > 0 and head[first_break - 1] == "\r" else "\n"
    records = _parse_text(found.open(content), delimiter, skips_line=bool(separator_line))
    if ragged and records:
        layout = Layout((1, records[0]), _numbered(records[1:], FIRST_ROW))
    else:
        layout = layout_of(_numbered(records), known_columns)
    header = _without_blank_end(layout.header[1], layout.lines)
    problems = header_problems(header, layout.header[0])
    lines, short = _rows_of(layout.lines, len(header), delimiter, ragged)
    problems += short
    if not lines and not problems:
        problems.append(Problem("The spreadsheet has a header and no rows."))
    if problems:
        raise SpreadsheetError(problems)
    # A .tsv's tabs are its format's; a .csv's separator is its own.
    dialect = Dialect("," if tab else delimiter, found.byte_order_mark, line_end)
    notes = (*found.notes, *layout.notes)
    if separator_line:
        notes = (*notes, f"cells separated by {delimiter!r}, as its line sep={delimiter} says")
    return Spreadsheet(
        tuple(header),
        lines,
        tuple(number for number, _ in layout.lines),
        dialect,
        notes,
        header_row=layout.header[0],
    )


def _numbered(records: list[list[str]], first: int = 1) -> list[tuple[int, list[str]]]:
    """The records that are not blank, by their numbers."""
    return [
        (number, record)
        for number, record in enumerate(records, first)
        if any(cell.strip() for cell in record)
    ]


def _without_blank_end(header: Sequence[Any], lines: Sequence[Line]) -> list[str]:
    """A header without the blank cells at its end under which nothing stands."""
    names = [str(name) for name in header]
    if names and not names[-1].strip():
        used_width = max((_used_width(line) for _, line in lines), default=0)
        while len(names) > used_width and not names[-1].strip():
            names.pop()
    return names


def _rows_of(
    lines: Sequence[Line], width: int, delimiter: str, ragged: bool
) -> tuple[list[list[Any]], list[Problem]]:
    """Rows of this width, and what is wrong with those that have another."""
    rows, problems = [], []
    for number, line in lines:
        row = list(line)
        while len(row) > width and not row[-1]:
            row.pop()
        if ragged:
            row.extend([""] * (width - len(row)))
        if len(row) != width:
            problems.append(
                Problem(
                    f"has {len(row)} cells, but the header has {width}. "
                    f"A cell with the separator {delimiter!r} or a line break in it needs quotes.",
                    row=number,
                )
            )
        rows.append(row)
    return rows, problems


def _parse_text(text: io.TextIOWrapper, delimiter: str, *, skips_line: bool) -> list[list[str]]:
    csv.field_size_limit(LONGEST_CELL)
    if skips_line:
        text.readline(_LONGEST_LINE)
    reader = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        for record in reader:
            records.append(record)
            if problem := _bound_problem(records):
                raise SpreadsheetError([problem])
    except _LongLineError:
        message = f"a line has more than {_LONGEST_LINE:,} characters, the most that is read."
        raise SpreadsheetError([Problem(message, row=len(records) + 1)]) from None
    except csv.Error as error:
        row = len(records) + 1
        if "unexpected end" in str(error):
            message = "a quote is opened here or further down and never closed."
        elif "field larger" in str(error):
            message = f"a cell has more than {LONGEST_CELL:,} characters; is a quote never closed?"
        else:
            message = f"cannot be read as CSV: {error}."
        raise SpreadsheetError([Problem(message, row=row)]) from None
    if not records:
        raise SpreadsheetError([Problem("The file is empty.")])
    return records


class _LongLineError(Exception):
    """A line is longer than any row is."""


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_LINE + 1):
        # What was read of it shows whether it is a single cell that is too long.
        yield line
        if len(line) > _LONGEST_LINE:
            raise _LongLineError


def _bound_problem(records: list[list[str]]) -> Problem | None:
    """The problem if the records exceed a bound with the last one; None if they do not."""
    width, row = max(len(records[0]), len(records[-1])), len(records)
    if width > TABLE_COLUMNS:
        return Problem(f"has {width:,} cells; a table has at most {TABLE_COLUMNS:,}.", row=row)
    if row > TABLE_ROWS + 1:
        return Problem(f"There are more than {TABLE_ROWS:,} rows, the most that a table has.")
    if len(records[0]) * row > TABLE_CELLS:
        return Problem(
            f"There are more than {TABLE_CELLS:,} cells, the most that is read. Take out columns "
            "that no ad needs, or share the rows out between several files."
        )
    return None


def _used_width(record: Sequence[Any]) -> int:
    """How many cells a record has without empty ones at its end."""
    width = len(record)
    while width and not record[width - 1]:
        width -= 1
    return width


def encode_text(frame: pd.DataFrame, dialect: Dialect) -> bytes:
    """A table as the bytes of a CSV or TSV, its header first."""
    lines = frame.itertuples(index=False, name=None)
    return text_bytes(text_lines([tuple(frame.columns), *lines], dialect), dialect)


def text_lines(lines: Iterable[Iterable[Any]], dialect: Dialect) -> list[str]:
    """Lines of cells as text, each with its line end."""
    raw_lines: list[str] = []
    # The writer quotes a cell with a carriage return only if its own line end has one.
    writer = csv.writer(
        SimpleNamespace(write=raw_lines.append), delimiter=dialect.delimiter, lineterminator="\r\n"
    )
    writer.writerows([_csv_text(v) for v in line] for line in lines)
    return [line[:-2] + dialect.line_end for line in raw_lines]


def _csv_text(value: Any) -> str:
    """A cell as it is written to a CSV: catalogue text without formulas, no NUL characters."""
    text = escape_formula(value) if isinstance(value, CatalogueText) else cell_text(value)
    # A file with a NUL in it is no text, to us and to others.
    return text.replace("\0", "")


def text_bytes(lines: Iterable[str], dialect: Dialect) -> bytes:
    """A file of such lines."""
    encoding = "utf-8-sig" if dialect.byte_order_mark else "utf-8"
    return "".join(lines).encode(encoding, errors="ignore")
