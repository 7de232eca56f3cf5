"""CSV and TSV. A cell is text: `007`, `NA` and an empty cell stay what they are."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    LONGEST_CELL,
    Dialect,
    Spreadsheet,
    cell_text,
    frame_of,
    header_problems,
    normalized,
)

_DELIMITERS: Final = (",", ";", "\t", "|")


def read_text(
    content: bytes, known_columns: frozenset[str], *, tab: bool, ragged: bool
) -> Spreadsheet:
    """Reads CSV or, with `tab`, TSV; see `read_spreadsheet`."""
    text, byte_order_mark = _decode(content)
    delimiter = "\t" if tab else _delimiter(text, known_columns)
    first_break = text.find("\n")
    line_end = "\r\n" if first_break > 0 and text[first_break - 1] == "\r" else "\n"
    header, records = _parse_text(text, delimiter)
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
    dialect = Dialect("," if tab else delimiter, byte_order_mark, line_end)
    return Spreadsheet(frame_of(header, lines), tuple(numbers), dialect)


def _decode(content: bytes) -> tuple[str, bool]:
    """The text, and whether its copy should have a byte-order mark for Excel."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(encoding), True
            except UnicodeDecodeError:
                raise SpreadsheetError(
                    [Problem(f"The file says that it is {encoding} text, and is not.")]
                ) from None
    if b"\x00" in content:
        raise SpreadsheetError([Problem("The file is no spreadsheet that we know, nor text.")])
    try:
        return content.decode("utf-8"), False
    except UnicodeDecodeError:
        # What Excel on Windows calls CSV; every byte means something in it, save five.
        return content.decode("cp1252", errors="replace"), True


def _delimiter(text: str, known_columns: frozenset[str]) -> str:
    """The delimiter that makes the most sense of the header."""

    def sense(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        return sum(normalized(cell) in known_columns for cell in cells), len(cells)

    return max(_DELIMITERS, key=sense)


def _parse_text(text: str, delimiter: str) -> tuple[list[str], list[list[str]]]:
    if not text.strip():
        raise SpreadsheetError([Problem("The file is empty.")])
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[list[str]] = []
    try:
        records.extend(reader)
    except csv.Error as error:
        row = len(records) + 1
        if "unexpected end" in str(error):
            message = "a quote is opened here or further down and never closed."
        elif "field larger" in str(error):
            message = f"a cell has more than {LONGEST_CELL:,} characters; is a quote never closed?"
        else:
            message = f"cannot be read as CSV: {error}."
        raise SpreadsheetError([Problem(message, row=row)]) from None
    header = records[0]
    while (
        header
        and not header[-1].strip()
        and all(len(r) < len(header) or not r[len(header) - 1] for r in records[1:])
    ):
        header.pop()
    return header, records[1:]


def encode_text(frame: pd.DataFrame, dialect: Dialect) -> bytes:
    lines = frame.itertuples(index=False, name=None)
    return text_bytes(text_lines([tuple(frame.columns), *lines], dialect), dialect)


def text_lines(lines: Iterable[Iterable[Any]], dialect: Dialect) -> list[str]:
    """Lines of cells as text, each with its line end."""
    written: list[str] = []
    # The writer quotes a cell with a carriage return only if its own line end has one.
    writer = csv.writer(
        SimpleNamespace(write=written.append), delimiter=dialect.delimiter, lineterminator="\r\n"
    )
    writer.writerows([cell_text(v) for v in line] for line in lines)
    return [line[:-2] + dialect.line_end for line in written]


def text_bytes(lines: Iterable[str], dialect: Dialect) -> bytes:
    """A file of such lines."""
    encoding = "utf-8-sig" if dialect.byte_order_mark else "utf-8"
    return "".join(lines).encode(encoding, errors="replace")
