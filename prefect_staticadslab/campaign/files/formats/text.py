"""Reads and writes CSV and TSV. A cell is text: `007`, `NA` and empty cells stay what they are."""

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
from prefect_staticadslab.campaign.files.formats.encodings import detect_encoding, named_encoding
from prefect_staticadslab.campaign.files.formats.table_layout import Layout, Line, layout_of
from prefect_staticadslab.campaign.files.formulas import (
    CatalogueText,
    TextFormula,
    escape_formula,
    read_text_formula,
)

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_LINE: Final = 4 * LONGEST_CELL
"""Characters. A line's cells are all made before anybody can count them."""

_HEAD_BYTES: Final = 4 * LONGEST_CELL
"""So much of a file is looked at to tell its delimiter and its line ends."""


def read_text(
    content: bytes,
    known_columns: frozenset[str],
    *,
    tab: bool,
    ragged: bool,
    encoding: str = "",
) -> Spreadsheet:
    """Reads a CSV or TSV; see `read_spreadsheet`.

    Args:
        content: The file.
        known_columns: Names that its header is likely to have.
        tab: Whether tabs separate its cells; otherwise its content tells what does.
        ragged: Whether it is a table that we write: its first line is its header, nothing is left
            out as a title or a total, and rows may be short of cells at their end.
        encoding: As a person names it; "" if the content is to tell.

    Raises:
        SpreadsheetError: It cannot be read, or it is not certain what it says. The message lists
            all problems of its names and rows.
    """
    if encoding:
        found = named_encoding(content, encoding)
    else:
        found = detect_encoding(content, known_columns, is_ours=ragged)
    head = found.head(content, _HEAD_BYTES)
    if not head.strip() and len(content) <= _HEAD_BYTES:
        raise SpreadsheetError([Problem("The file is empty.")])
    separator_line, head = split_separator_line(head)
    delimiter = "\t" if tab else separator_line or likely_delimiter(head, known_columns)
    records = _parse_records(found.open(content), delimiter, skip_first_line=bool(separator_line))
    if ragged and records:
        layout = Layout((1, records[0]), _numbered_non_blank(records[1:], FIRST_ROW))
    else:
        layout = layout_of(_numbered_non_blank(records), known_columns)
    header = _without_unused_names(layout.header[1], layout.lines)
    problems = header_problems(header, layout.header[0])
    lines, width_problems = _fit_to_width(layout.lines, len(header), delimiter, ragged)
    problems += width_problems
    if not lines and not problems:
        problems.append(Problem("The spreadsheet has a header and no rows."))
    if problems:
        raise SpreadsheetError(problems)
    # A .tsv's tabs are its format's; a .csv's separator is its own.
    dialect = Dialect("," if tab else delimiter, found.byte_order_mark, _first_line_end(head))
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


def _first_line_end(text: str) -> str:
    first_break = text.find("\n")
    return "\r\n" if first_break > 0 and text[first_break - 1] == "\r" else "\n"


def _numbered_non_blank(records: list[list[str]], first: int = 1) -> list[tuple[int, list[str]]]:
    """The records that are not blank, each with its number; `first` is that of the first record."""
    return [
        (number, record)
        for number, record in enumerate(records, first)
        if any(cell.strip() for cell in record)
    ]


def _without_unused_names(header: Sequence[Any], lines: Sequence[Line]) -> list[str]:
    """The names in a header, but for blank ones at its end in whose columns no line has a cell."""
    names = [str(name) for name in header]
    if names and not names[-1].strip():
        used_width = max((_used_width(line) for _, line in lines), default=0)
        while len(names) > used_width and not names[-1].strip():
            names.pop()
    return names


def _fit_to_width(
    lines: Sequence[Line], width: int, delimiter: str, ragged: bool
) -> tuple[list[list[Any]], list[Problem]]:
    """Makes lines as wide as the header: empty cells beyond its width are cut off.

    Args:
        lines: The lines below the header.
        width: How many cells the header has.
        delimiter: The file's, for the problems.
        ragged: Whether rows that are too short are filled with empty cells.

    Returns:
        All rows, and a problem for each that still has another width.
    """
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


def _parse_records(
    text: io.TextIOWrapper, delimiter: str, *, skip_first_line: bool
) -> list[list[str]]:
    """Reads all records of a CSV to its end, blank ones as well; sets the csv module's limit for a
    cell, which is the process's.

    Raises:
        SpreadsheetError: It is no CSV, has none, or more or longer ones than are read.
    """
    csv.field_size_limit(LONGEST_CELL)
    if skip_first_line:
        text.readline(_LONGEST_LINE)
    reader = csv.reader(_bounded_lines(text), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        for record in reader:
            records.append([read_text_formula(c) if c[:2] == '="' else c for c in record])
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
    """A line is longer than is read."""


def _bounded_lines(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text. Raises `_LongLineError` after the beginning of one that is too long."""
    while line := text.readline(_LONGEST_LINE + 1):
        # That beginning shows whether it is a single cell that is too long.
        yield line
        if len(line) > _LONGEST_LINE:
            raise _LongLineError


def _bound_problem(records: list[list[str]]) -> Problem | None:
    """The problem if the last record makes them more, or is wider, than is read; None if not."""
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
    """How many cells a record has, but for empty ones at its end."""
    width = len(record)
    while width and not record[width - 1]:
        width -= 1
    return width


def encode_text(frame: pd.DataFrame, dialect: Dialect) -> bytes:
    """A table as the bytes of a CSV or TSV, its header first."""
    lines = frame.itertuples(index=False, name=None)
    return text_bytes(text_lines([tuple(frame.columns), *lines], dialect), dialect)


def text_lines(lines: Iterable[Iterable[Any]], dialect: Dialect) -> list[str]:
    """Lines of cells as lines of a CSV or TSV, each with its line end."""
    raw_lines: list[str] = []
    # The writer quotes a cell with a carriage return only if its own line end has one.
    writer = csv.writer(
        SimpleNamespace(write=raw_lines.append), delimiter=dialect.delimiter, lineterminator="\r\n"
    )
    writer.writerows([_written_text(v) for v in line] for line in lines)
    return [line[:-2] + dialect.line_end for line in raw_lines]


def _written_text(value: Any) -> str:
    """A cell's text as it is written to a CSV: without NUL characters; one of the catalogue's so
    that a spreadsheet program sees no formula in it."""
    if isinstance(value, CatalogueText):
        text = escape_formula(value)
    else:
        text = value.formula if isinstance(value, TextFormula) else cell_text(value)
    # A file with a NUL in it is no text, to us and to others.
    return text.replace("\0", "")


def text_bytes(lines: Iterable[str], dialect: Dialect) -> bytes:
    """The bytes of a file of such lines, in UTF-8; halves of characters are left out."""
    encoding = "utf-8-sig" if dialect.byte_order_mark else "utf-8"
    return "".join(lines).encode(encoding, errors="ignore")
