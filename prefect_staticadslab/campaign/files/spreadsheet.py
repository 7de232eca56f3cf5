"""Reading and writing spreadsheets so that every cell of the user's comes out as it went in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError, StorageError
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.formats.parquet import encode_parquet, read_parquet
from prefect_staticadslab.campaign.files.formats.text import encode_text, read_text
from prefect_staticadslab.campaign.files.formats.workbooks.format_detection import is_workbook
from prefect_staticadslab.campaign.files.formats.workbooks.workbook import (
    NeededColumns,
    read_workbook,
)
from prefect_staticadslab.campaign.files.formats.xlsx_writer import encode_xlsx
from prefect_staticadslab.campaign.files.google_sheets import (
    is_google_sheet,
    is_web_page,
    table_address,
    table_ending,
    web_page_hint,
)

if TYPE_CHECKING:
    import pandas as pd

NO_SHEETS: Final = "Only a workbook, such as an .xlsx, has sheets to choose from."
NO_HIDDEN_ROWS: Final = (
    "Only a workbook, such as an .xlsx, has hidden rows that --visible-rows could leave out. "
)
LOGIN_WANTED: Final = (401, 403)
"""What a web server answers if it wants a login."""

WRITABLE: Final = (".csv", ".tsv", ".xlsx", ".parquet")
"""The endings of the tables that can be written."""


@dataclass(frozen=True)
class ReadOptions:
    """What a person says of how a spreadsheet is to be read.

    Attributes:
        sheet: Which sheet of a workbook; "" is the visible one that has the columns.
        encoding: Of a text file, such as `cp1252`; "" is what its content leaves no doubt about.
        visible_rows: Whether rows that a spreadsheet program hides are left out.
    """

    sheet: str = ""
    encoding: str = ""
    visible_rows: bool = False

    def in_folder(self, location: str) -> ReadOptions:
        """These options for one file of a folder that they were chosen for: a text file, which has
        no hidden rows, is read with all of its rows."""
        is_text = storage.suffix(location) in (".csv", ".tsv")
        return replace(self, visible_rows=self.visible_rows and not is_text)


AS_IT_IS: Final = ReadOptions()
"""The options of somebody who chooses nothing."""


def read_spreadsheet(
    location: str,
    *,
    options: ReadOptions = AS_IT_IS,
    known_columns: Iterable[str] = (),
    needed_columns: NeededColumns = (),
    ragged: bool = False,
) -> Spreadsheet:
    """Reads a `.csv` or `.tsv`, a workbook or a `.parquet` from a path or a URL.

    The content tells the format: a workbook may be an `.xlsx`, `.xlsm`, `.xlsb`, `.xls` or `.ods`.

    Args:
        location: Where it is. A web address may say its format in its query, `format=csv`, or
            nowhere; that of a Google Sheet may be copied from the browser.
        options: What a person says of how to read it.
        known_columns: The names of columns that mean something; they tell a CSV's delimiter, the
            header below a title, and the sheet of a workbook.
        needed_columns: What the header must have, one name of each of these sets: of several sheets
            that one is meant.
        ragged: Whether a CSV's rows may be short of cells at their end. Otherwise that is a
            mistake; but some programs leave them out if they are empty.

    Raises:
        StorageError: It is not there, or cannot be read.
        SpreadsheetError: It is no spreadsheet, or a broken one, or it is not sure what it says.

    Example:
        ```python
        from pathlib import Path
        from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet

        Path("campaign.csv").write_text("sku;price\\n007;1,50\\n")
        table = read_spreadsheet("campaign.csv")
        assert table.frame.to_dict("records") == [{"sku": "007", "price": "1,50"}]
        assert table.row_numbers == (2,)
        ```
    """
    sheet = options.sheet or None
    ending = storage.suffix(location)
    if storage.is_web_address(location):
        location = table_address(location, sheet=sheet)
        ending = table_ending(location)
    content = _read_content(location)
    if is_web_page(content):
        message = f"{locations.redacted(location)} is a web page, not a table."
        raise SpreadsheetError([Problem(f"{message} {web_page_hint(location)}")])
    if is_workbook(content):
        return read_workbook(
            content,
            sheet=sheet,
            known_columns=frozenset(known_columns),
            needed_columns=needed_columns,
            visible_rows=options.visible_rows,
        )
    if sheet is not None:
        raise SpreadsheetError([Problem(NO_SHEETS)])
    if options.visible_rows:
        raise SpreadsheetError([Problem(f"{NO_HIDDEN_ROWS}{_visible_rows_hint(location)}")])
    if ending == ".parquet" or content.startswith(b"PAR1"):
        return read_parquet(content)
    return read_text(
        content,
        frozenset(known_columns),
        tab=ending == ".tsv",
        ragged=ragged,
        encoding=options.encoding,
    )


def _read_content(location: str) -> bytes:
    """The content of a file; the error of a web address that wants a login says what to do."""
    try:
        return storage.read_bytes(location)
    except StorageError as error:
        if getattr(error.__cause__, "status", None) in LOGIN_WANTED:
            raise StorageError(f"{error} {web_page_hint(location)}") from error
        raise


def _visible_rows_hint(location: str) -> str:
    """A sentence that says what to do if a table is to be read without rows that are hidden."""
    if is_google_sheet(location):
        return "Name the sheet of the Google Sheet with --sheet NAME: then it comes as a workbook."
    return "Delete the rows that no ad is to be made of, or use the workbook itself."


def write_spreadsheet(location: str, frame: pd.DataFrame, dialect: Dialect) -> None:
    """Writes `frame` to `location`, in the format that it ends in, as in `encode_spreadsheet`.

    Raises:
        StorageError: It cannot be written there.
        SpreadsheetError: The format cannot hold it, or what it needs is not installed.
    """
    storage.write_bytes(location, encode_spreadsheet(storage.suffix(location), frame, dialect))


def encode_spreadsheet(ending: str, frame: pd.DataFrame, dialect: Dialect) -> bytes:
    """The bytes of an `.xlsx`, a `.parquet`, or, for any other ending, a text file.

    Args:
        ending: `.xlsx`, for example.
        frame: The table.
        dialect: How a text file is to be written.

    Raises:
        SpreadsheetError: The format cannot hold it, or what it needs is not installed.
    """
    match ending:
        case ".xlsx":
            return encode_xlsx(frame)
        case ".parquet":
            return encode_parquet(frame)
        case _:
            return encode_text(frame, text_dialect(ending, dialect))


def text_dialect(ending: str, dialect: Dialect) -> Dialect:
    """A dialect for a text file with this ending: a `.tsv` has tabs, whatever the dialect says."""
    return replace(dialect, delimiter="\t") if ending == ".tsv" else dialect
