"""CSV and TSV. A cell is text: `007`, `NA` and an empty cell stay what they are."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.bounds import LONGEST_CELL, TABLE_CELLS, TABLE_COLUMNS, TABLE_ROWS
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Dialect,
    Spreadsheet,
    cell_text,
    frame_of,
    header_problems,
    normalized,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, inert

_DELIMITERS: Final = (",", ";", "\t", "|")

_LONGEST_LINE: Final = 4 * LONGEST_CELL
"""Characters. A line's cells are all made before anybody can count them."""

_HEAD_BYTES: Final = 4 * LONGEST_CELL
"""What is looked at to tell how a file is written."""

_BLOCK: Final = 1024 * 1024


def read_text(
    content: bytes, known_columns: frozenset[str], *, tab: bool, ragged: bool
) -> Spreadsheet:
    """Reads CSV or, with `tab`, TSV; see `read_spreadsheet`."""
    encoding = _Encoding.of(content)
    head = encoding.head(content)
    if not head.strip() and len(content) <= _HEAD_BYTES:
        raise SpreadsheetError([Problem("The file is empty.")])
    delimiter = "\t" if tab else _likely_delimiter(head, known_columns)
    first_break = head.find("\n")
    line_end = "\r\n" if first_break > 0 and head[first_break - 1] == "\r" else "\n"
    header, records = _parse_text(encoding.open(content), delimiter)
    problems = header_problems(header)
    lines: list[list[str]] = []
    numbers: list[int] = []
    for number, record in enumerate(records, FIRST_ROW):
        if not any(cell.strip() for cell in record):
            continue
        while len(record) > len(header) and not record[-1]:
            record.pop()
        if ragged:
            record.extend([""] * (len(header) - len(record)))
        if len(record) != len(header):
            problems.append(
                Problem(
                    f"has {len(record)} cells, but the header has {len(header)}. "
                    f"A cell with the separator {delimiter!r} or a line break in it needs quotes.",
                    row=number,
                )
            )
        lines.append(record)
        numbers.append(number)
    if not lines and not problems:
        problems.append(Problem("The spreadsheet has a header and no rows."))
    if problems:
        raise SpreadsheetError(problems)
    # A .tsv's tabs are its format's; a .csv's separator is its own.
    dialect = Dialect("," if tab else delimiter, encoding.byte_order_mark, line_end)
    return Spreadsheet(frame_of(header, lines), tuple(numbers), dialect)


@dataclass(frozen=True)
class _Encoding:
    """How a file's text is encoded.

    Attributes:
        name: Python's name of it.
        byte_order_mark: Whether a copy should have a byte-order mark for Excel.
        errors: What Python does about bytes that mean nothing in it.
    """

    name: str
    byte_order_mark: bool
    errors: str = "strict"

    @classmethod
    def of(cls, content: bytes) -> _Encoding:
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if content.startswith(mark):
                if not _is_encoded(content, name):
                    raise SpreadsheetError(
                        [Problem(f"The file says that it is {name} text, and is not.")]
                    )
                return cls(name, byte_order_mark=True)
        if b"\x00" in content:
            raise SpreadsheetError([Problem("The file is no spreadsheet that we know, nor text.")])
        if _is_encoded(content, "utf-8"):
            return cls("utf-8", byte_order_mark=False)
        # What Excel on Windows calls CSV; every byte means something in it, save five.
        return cls("cp1252", byte_order_mark=True, errors="replace")

    def head(self, content: bytes) -> str:
        """The beginning of the text."""
        return content[:_HEAD_BYTES].decode(self.name, errors="ignore")

    def open(self, content: bytes) -> io.TextIOWrapper:
        """The text, line by line: all of it at once may take four times the file's size."""
        return io.TextIOWrapper(io.BytesIO(content), self.name, self.errors, newline="")


def _is_encoded(content: bytes, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), _BLOCK):
            decoder.decode(content[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _likely_delimiter(head: str, known_columns: frozenset[str]) -> str:
    """The delimiter that makes the most sense of the header."""

    def header_score(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        return sum(normalized(cell) in known_columns for cell in cells), len(cells)

    return max(_DELIMITERS, key=header_score)


def _parse_text(text: io.TextIOWrapper, delimiter: str) -> tuple[list[str], list[list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
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
    header = records[0]
    if header and not header[-1].strip():
        used_width = max(map(_used_width, records[1:]), default=0)
        while len(header) > used_width and not header[-1].strip():
            header.pop()
    return header, records[1:]


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


def _used_width(record: list[str]) -> int:
    """How many cells a record has without empty ones at its end."""
    width = len(record)
    while width and not record[width - 1]:
        width -= 1
    return width


def encode_text(frame: pd.DataFrame, dialect: Dialect) -> bytes:
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
    text = inert(value) if isinstance(value, CatalogueText) else cell_text(value)
    # A file with a NUL in it is no text, to us and to others.
    return text.replace("\0", "")


def text_bytes(lines: Iterable[str], dialect: Dialect) -> bytes:
    """A file of such lines."""
    encoding = "utf-8-sig" if dialect.byte_order_mark else "utf-8"
    return "".join(lines).encode(encoding, errors="ignore")
