"""Reading and writing spreadsheets so that every cell of the user's comes out as it went in.

A CSV cell is text, whatever it looks like: `007`, `NA` and an empty cell stay what they are. An
XLSX cell keeps its type. So frames are of dtype `object`, one value per cell, and no library
guesses.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from types import SimpleNamespace
from typing import Any, Final

import pandas as pd

from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.problems import Problem, SpreadsheetError

READABLE: Final = (".csv", ".tsv", ".xlsx")
WRITABLE: Final = (".csv", ".tsv", ".xlsx", ".parquet")

FIRST_ROW: Final = 2
"""The number that a spreadsheet program shows for the first row under the header."""

LONGEST_CELL: Final = 1_000_000
"""Characters. Excel's own limit is 32,767; more than a million is a broken file."""

EXCEL_CELL: Final = 32_767
"""Characters that a cell of an .xlsx holds."""

_DELIMITERS: Final = (",", ";", "\t", "|")
_WIDEST_SHOWN: Final = 60


@dataclass(frozen=True)
class Dialect:
    """How a text file was written, so that its result table can be written alike."""

    delimiter: str = ","
    byte_order_mark: bool = False
    line_end: str = "\n"


@dataclass(frozen=True)
class Spreadsheet:
    """A table as it was read.

    Attributes:
        frame: One line per row that is not blank; dtype `object`, blank cells are "" or None.
        row_numbers: For each line of `frame`, its number in a spreadsheet program.
        dialect: How it was written, if it was text.
    """

    frame: pd.DataFrame
    row_numbers: tuple[int, ...]
    dialect: Dialect = field(default_factory=Dialect)


def read_spreadsheet(
    location: str, *, sheet: str | None = None, known_columns: Iterable[str] = ()
) -> Spreadsheet:
    """Reads a `.csv`, `.tsv`, `.xlsx` or `.parquet` from a path or any fsspec URL.

    Args:
        location: Where it is.
        sheet: Which sheet of an XLSX; the first if None.
        known_columns: Names that a header is likely to have; they tell a CSV's delimiter.

    Raises:
        StorageError: It is not there, or cannot be read.
        SpreadsheetError: It is no spreadsheet, or a broken one.

    Example:
        ```python
        from pathlib import Path
        from prefect_staticadslab.campaign.spreadsheet import read_spreadsheet

        Path("campaign.csv").write_text("sku;price\\n007;1,50\\n")
        table = read_spreadsheet("campaign.csv")
        assert table.frame.to_dict("records") == [{"sku": "007", "price": "1,50"}]
        assert table.row_numbers == (2,)
        ```
    """
    ending = storage.suffix(location)
    if sheet is not None and ending != ".xlsx":
        raise SpreadsheetError([Problem("Only an .xlsx file has sheets to choose from.")])
    if ending in (".xls", ".ods", ".numbers"):
        raise SpreadsheetError(
            [Problem(f"{ending} files cannot be read. Save it as .xlsx or .csv, please.")]
        )
    content = storage.read_bytes(location)
    if ending == ".parquet":
        return _read_parquet(content)
    if ending == ".xlsx" or content.startswith(b"PK\x03\x04"):
        return _read_xlsx(content, sheet)
    return _read_text(content, frozenset(known_columns), tab=ending == ".tsv")


def write_spreadsheet(location: str, frame: pd.DataFrame, dialect: Dialect) -> None:
    """Writes `frame` as what `location` ends in.

    Raises:
        StorageError: It cannot be written there.
        SpreadsheetError: No such format, or what it needs is not installed.
    """
    storage.write_bytes(location, encode_spreadsheet(storage.suffix(location), frame, dialect))


def encode_spreadsheet(ending: str, frame: pd.DataFrame, dialect: Dialect) -> bytes:
    """The bytes of a `.csv`, `.tsv`, `.xlsx` or `.parquet` file."""
    match ending:
        case ".xlsx":
            return _encode_xlsx(frame)
        case ".parquet":
            return _encode_parquet(frame)
        case ".tsv":
            return _encode_text(frame, replace(dialect, delimiter="\t"))
        case _:
            return _encode_text(frame, dialect)


def cell_text(value: Any) -> str:
    """A cell's value as text, the way people type it: no `.0`, no `None`, no midnight.

    Example:
        ```python
        from prefect_staticadslab.campaign.spreadsheet import cell_text

        assert [cell_text(v) for v in (None, 20.0, True, "007")] == ["", "20", "true", "007"]
        ```
    """
    if _blank(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def shortened(text: str) -> str:
    """A cell's text for a message: on one line, and not too long."""
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST_SHOWN else text[: _WIDEST_SHOWN - 1] + "…"


# Text: CSV and TSV


def _read_text(content: bytes, known_columns: frozenset[str], *, tab: bool) -> Spreadsheet:
    text, byte_order_mark = _decode(content)
    delimiter = "\t" if tab else _delimiter(text, known_columns)
    first_break = text.find("\n")
    line_end = "\r\n" if first_break > 0 and text[first_break - 1] == "\r" else "\n"
    header, records = _parse_text(text, delimiter)
    problems = _header_problems(header)
    lines: list[list[str]] = []
    numbers: list[int] = []
    for number, record in enumerate(records, FIRST_ROW):
        if not any(cell.strip() for cell in record):
            continue
        while len(record) > len(header) and not record[-1]:
            record.pop()
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
    return Spreadsheet(_frame(header, lines), tuple(numbers), dialect)


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


def _encode_text(frame: pd.DataFrame, dialect: Dialect) -> bytes:
    lines: list[str] = []
    # The writer quotes a cell with a carriage return only if its own line end has one.
    writer = csv.writer(
        SimpleNamespace(write=lines.append), delimiter=dialect.delimiter, lineterminator="\r\n"
    )
    writer.writerow(frame.columns)
    writer.writerows([cell_text(v) for v in line] for line in frame.itertuples(index=False))
    text = "".join(line[:-2] + dialect.line_end for line in lines)
    return text.encode("utf-8-sig" if dialect.byte_order_mark else "utf-8", errors="replace")


# XLSX


def _read_xlsx(content: bytes, sheet: str | None) -> Spreadsheet:
    from openpyxl import load_workbook

    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise SpreadsheetError(
            [
                Problem(
                    "The file is protected by a password, or an old .xls. Save it as plain .xlsx."
                )
            ]
        )
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        names = [s.title for s in book.worksheets]
        chosen = sheet or names[0]
        records = (
            [list(line) for line in book[chosen].iter_rows(values_only=True)]
            if chosen in names
            else None
        )
        book.close()
    except Exception as error:  # a broken file can break openpyxl anywhere
        raise SpreadsheetError(
            [Problem(f"The file is no .xlsx, or a broken one ({type(error).__name__}).")]
        ) from None
    if records is None:
        raise SpreadsheetError(
            [Problem(f"There is no sheet {sheet!r}. There are: {', '.join(names)}.")]
        )
    if not records:
        raise SpreadsheetError([Problem("The sheet is empty.")])
    header = [cell_text(v) for v in records[0]]
    width = max((i + 1 for line in records for i, v in enumerate(line) if not _blank(v)), default=0)
    header = (header + [""] * width)[:width]
    lines, numbers = [], []
    for number, line in enumerate(records[1:], FIRST_ROW):
        if not all(_blank(v) for v in line):
            lines.append((line + [None] * width)[:width])
            numbers.append(number)
    problems = _header_problems(header)
    if not lines and not problems:
        problems.append(Problem("The sheet has a header and no rows."))
    if problems:
        raise SpreadsheetError(problems)
    return Spreadsheet(_frame(header, lines), tuple(numbers))


def _encode_xlsx(frame: pd.DataFrame) -> bytes:
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font

    _refuse_longer_cells_than_excel(frame)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("results")
    sheet.freeze_panes = "A2"

    def cell(value: Any) -> Any:
        if isinstance(value, str):
            made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
            # A text that starts with = is a text, and not a formula.
            made.data_type = "s"
            return made
        return None if _blank(value) else value

    header = [cell(name) for name in frame.columns]
    for made in header:
        made.font = Font(bold=True)
    sheet.append(header)
    for line in frame.itertuples(index=False):
        sheet.append([cell(v) for v in line])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _refuse_longer_cells_than_excel(frame: pd.DataFrame) -> None:
    # openpyxl would cut them, and a row read back would not be the same row.
    problems = [
        Problem(
            f"has {len(value):,} characters, and an .xlsx holds {EXCEL_CELL:,}. "
            "Choose a .csv as the output.",
            row=number,
            column=str(name),
        )
        for number, line in enumerate(frame.itertuples(index=False), FIRST_ROW)
        for name, value in zip(frame.columns, line, strict=True)
        if isinstance(value, str) and len(value) > EXCEL_CELL
    ]
    if problems:
        raise SpreadsheetError(problems)


# Parquet


def _read_parquet(content: bytes) -> Spreadsheet:
    _need_pyarrow()
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow's own kinds, which may not be importable
        raise SpreadsheetError(
            [Problem(f"The file is no Parquet, or a broken one ({type(error).__name__}).")]
        ) from None
    lines = [[None if _blank(v) else v for v in line] for line in frame.itertuples(index=False)]
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(lines)))
    return Spreadsheet(_frame(list(map(str, frame.columns)), lines), numbers)


def _encode_parquet(frame: pd.DataFrame) -> bytes:
    """Text columns, save those in which every value is a number or blank."""
    _need_pyarrow()
    columns: dict[str, Any] = {}
    for position, given in enumerate(frame.columns):
        # Every column of a Parquet file needs a name of its own.
        name = given if given and given not in columns else f"{given or 'column'}_{position + 1}"
        values = [None if _blank(v) else v for v in frame.iloc[:, position]]
        kinds = {type(v) for v in values if v is not None}
        if kinds and kinds <= {int}:
            columns[name] = pd.array(values, dtype="Int64")
        elif kinds and kinds <= {int, float}:
            columns[name] = pd.array(values, dtype="Float64")
        else:
            columns[name] = pd.array(
                [None if v is None else cell_text(v) for v in values], dtype="string"
            )
    out = io.BytesIO()
    pd.DataFrame(columns).to_parquet(out, index=False)
    return out.getvalue()


def _need_pyarrow() -> None:
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise SpreadsheetError(
            [Problem("Parquet needs one more package: pip install 'prefect-staticadslab[parquet]'")]
        )


# All kinds


def normalized(name: str) -> str:
    """A column's name as it is compared: without case and surrounding space."""
    return name.strip().casefold()


def _header_problems(header: Sequence[str]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    if not any(name.strip() for name in header):
        problems.append(Problem("The first row must hold the columns' names.", row=1))
    for name in header:
        if name and name in seen:
            problems.append(
                Problem("there are two columns of this name. Rename one.", row=1, column=name)
            )
        seen.add(name)
    return problems


def _frame(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> pd.DataFrame:
    return pd.DataFrame(list(lines), columns=pd.Index(list(header), dtype=object), dtype=object)


def _blank(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value == "" or _not_a_number(value)


def _not_a_number(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
