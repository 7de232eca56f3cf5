"""What every spreadsheet is, whatever its format: lines of cells, and how it was written.

A cell keeps its value: a text is a text, whatever it looks like, and no library guesses. So frames
are of dtype `object`, one value per cell. A spreadsheet is read and checked without pandas, which
takes longer to import than all of that takes.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.number_formats import general

if TYPE_CHECKING:
    import pandas as pd

FIRST_ROW: Final = 2
"""The number that a spreadsheet program shows for the first row under the header."""


@dataclass(frozen=True)
class Dialect:
    """How a spreadsheet was written, so that its result table can be written alike.

    Attributes:
        delimiter: Between the cells of a text file.
        byte_order_mark: Whether a text file begins with one, for Excel.
        line_end: At the end of a text file's lines.
        column_widths: Of a workbook's columns whose width somebody chose: the column's name and its
            width in characters, as Excel counts it.
    """

    delimiter: str = ","
    byte_order_mark: bool = False
    line_end: str = "\n"
    column_widths: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class FormattedValue:
    """A workbook's number, date or time, with how its cell shows it.

    Attributes:
        value: What a spreadsheet program computes with.
        text: What the cell shows.
        number_format: The cell's format, as Excel writes it: `0.00%`.
    """

    value: int | float | date | time | timedelta
    text: str
    number_format: str = ""


class CellError(str):
    """The error that a cell shows because its formula could not be computed, such as `#REF!`.

    It is a `str` so that a table keeps it as its cell shows it.
    """

    __slots__ = ()


@dataclass(frozen=True)
class Spreadsheet:
    """A table as it was read.

    Attributes:
        header: The columns' names.
        lines: The cells of each row that is not blank; blank cells are "" or None.
        row_numbers: For each of `lines`, its row's number, as a spreadsheet program shows it.
        dialect: How it was written.
        notes: What was chosen in reading it, such as a sheet or an encoding: a sentence each.
        hidden_rows: How many of its rows a spreadsheet program hides.
        header_row: The number of the row with the columns' names.
        other_sheets: The names of a workbook's sheets that were not read.
    """

    header: tuple[str, ...]
    lines: Sequence[Sequence[Any]]
    row_numbers: tuple[int, ...]
    dialect: Dialect = field(default_factory=Dialect)
    notes: tuple[str, ...] = ()
    hidden_rows: int = 0
    header_row: int = 1
    other_sheets: tuple[str, ...] = ()

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, row_numbers: tuple[int, ...]) -> Self:
        """A table of the cells of a frame of dtype `object`, which are taken as they are."""
        return cls(tuple(map(str, frame.columns)), lines_of_cells(frame), row_numbers)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The header and the lines as a frame of dtype `object`; made when first asked for."""
        return frame_of(self.header, self.lines)

    def column(self, position: int) -> list[Any]:
        """The cells of the column at a position, from the first row to the last."""
        return [line[position] for line in self.lines]


def spreadsheet_from_dataframe(frame: pd.DataFrame) -> Spreadsheet:
    """A DataFrame as the spreadsheet that it would be if it were saved; its index is left out.

    Args:
        frame: Any; its values become cells by `to_cell`.

    Raises:
        SpreadsheetError: Two columns have the same name, or there are no rows.

    Example:
        ```python
        import pandas as pd
        from prefect_staticadslab.campaign.files.cells import spreadsheet_from_dataframe

        table = spreadsheet_from_dataframe(pd.DataFrame({"price": [1, None], "name": ["a", "b"]}))
        assert table.frame["price"].tolist() == [1.0, None]
        assert table.row_numbers == (2, 3)
        ```
    """
    header = tuple(map(str, frame.columns))
    problems = header_problems(header)
    if not problems and frame.empty:
        problems.append(Problem("The DataFrame has columns and no rows."))
    if problems:
        raise SpreadsheetError(problems)
    lines = [
        [to_cell(value) for value in line] for line in frame.itertuples(index=False, name=None)
    ]
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(lines)))
    return Spreadsheet(header, lines, numbers)


def to_cell(value: Any) -> Any:
    """A DataFrame's value as one that every format can hold.

    Returns:
        None for a missing or empty one; Python's number for one of NumPy's; a time as it is, but as
        text if it has a time zone; JSON for lists and dicts; the text of whatever else it may be.
    """
    import numpy as np
    import pandas as pd

    if value is pd.NaT or value is pd.NA:
        value = None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, pd.Timestamp) and not MINYEAR <= value.year <= MAXYEAR:
        value = str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_json_default)
    if isinstance(value, datetime | time) and value.tzinfo is not None:
        return None if is_blank(value) else cell_text(value)  # an .xlsx knows no zones
    if isinstance(value, str | bool | int | date | time | None):
        return None if is_blank(value) else value
    if isinstance(value, float):
        return None if is_blank(value) else float(value)
    if isinstance(value, Decimal):
        return None if value.is_nan() else value
    return str(value)


def _json_default(value: Any) -> Any:
    """What to write for a value that `json` cannot: NumPy's as Python's, others as text."""
    import numpy as np

    return value.tolist() if isinstance(value, np.ndarray | np.generic) else cell_text(value)


def cell_text(value: Any) -> str:
    """A cell's value as text, the way people type it: no `.0`, no `None`, no midnight.

    A number has the 15 digits that a spreadsheet program knows of it.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import cell_text

        assert [cell_text(v) for v in (None, 20.0, True, "007")] == ["", "20", "true", "007"]
        assert cell_text(42 * 0.9) == "37.8"
        ```
    """
    if is_blank(value):
        return ""
    if isinstance(value, FormattedValue):
        value = value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else general(value)
    if isinstance(value, Decimal):
        # A price of 3.50 is one with two digits, in a prompt as well; and 1E+3 is for nobody.
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.time() != time() else value.date().isoformat()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def bare_value(value: Any) -> Any:
    """A cell's value without its number format."""
    return value.value if isinstance(value, FormattedValue) else value


def shortened(text: str, widest: int = 60) -> str:
    """A cell's text for a message: on one line, and not longer than `widest` characters.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import shortened

        assert shortened("Two\\nlines, of which the second is cut", 12) == "Two lines, …"
        ```
    """
    # What is cut may be as long as a cell.
    text = " ".join(text[: _SPACES_ALLOWANCE * widest].split())
    return text if len(text) <= widest else text[: widest - 1] + "…"


_SPACES_ALLOWANCE: Final = 20
"""A text is cut to so many times the shown length before its spaces are collapsed."""


def visible(text: str) -> str:
    """Text whose control and other invisible characters are written as Python escapes.

    A terminal does what it is told by control characters: it writes over what it has said, or into
    the clipboard; and others turn the direction of what follows, so that it reads as something
    else. Line breaks and tabs stay.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import visible

        assert visible("\\x1b[2JAll rows completed") == "\\\\x1b[2JAll rows completed"
        ```
    """
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)


_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters of both kinds, what separates lines and is no line break, what changes the
direction of writing, and halves of characters, which cannot be printed at all."""


def plain_text(text: str) -> str:
    """Text with one kind of line break and no control characters.

    Some table formats cannot hold the others; and a row that was read back from its own result
    table must ask for the same ad, or it would be paid for twice.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import plain_text

        assert plain_text("one\\r\\ntwo\\x07") == "one\\ntwo"
        ```
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL_CHARACTERS.sub("", text)


_CONTROL_CHARACTERS: Final = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]"
)


def normalized(name: str) -> str:
    """A column's name without case and surrounding space; `column_key` ignores more."""
    return name.strip().casefold()


@lru_cache(maxsize=4096)
def column_key(name: str) -> str:
    """A column's name to be compared: without case, spaces, hyphens, full stops and underscores.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import column_key

        names = ("Product Name", "PRODUCT-NAME", "productName", "\\ufeffproduct\\u00a0name ")
        assert {column_key(name) for name in names} == {column_key("product_name")}
        ```
    """
    return _BETWEEN_WORDS.sub("", unicodedata.normalize("NFKC", name[:LONGEST_NAME]).casefold())


LONGEST_NAME: Final = 1_000
"""Characters of a column's name that are compared; those behind them are ignored."""

_BETWEEN_WORDS: Final = re.compile(
    r"[\s_.\-\u00ad\u061c\u180e\u200b-\u200f\u2010-\u2015\u202a-\u202e\u2060-\u206f\ufeff]"
)
"""Spaces, hyphens, full stops and underscores, and what has no width."""


def header_problems(header: Sequence[str], row_number: int = 1) -> list[Problem]:
    """What is wrong with a header in row `row_number`: no names at all, or one name twice."""
    seen: set[str] = set()
    problems = []
    if not any(name.strip() for name in header):
        problems.append(Problem("The first row must hold the columns' names.", row=row_number))
    for name in header:
        if name and name in seen:
            message = "there are two columns of this name. Rename one."
            problems.append(Problem(message, row_number, shortened(name)))
        seen.add(name)
    return problems


def frame_of(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """A frame of dtype `object` with these columns' names and rows of cells."""
    import pandas as pd

    return pd.DataFrame(list(lines), columns=pd.Index(list(header), dtype=object), dtype=object)


def lines_of_cells(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """The cells of each row of a frame of dtype `object`.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.cells import frame_of, lines_of_cells

        assert lines_of_cells(frame_of(["a", "b"], [["1", "2"]])) == [("1", "2")]
        ```
    """
    # `itertuples` makes a Series of each column, which takes longer.
    return list(map(tuple, frame.to_numpy(dtype=object).tolist()))


def is_blank(value: Any) -> bool:
    """Whether a cell is blank: None, "" or NaN; `to_cell` has left no other."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))
