"""Reading and writing spreadsheets so that every cell of the user's comes out as it went in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import pandas as pd

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError, StorageError
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.formats.parquet import encode_parquet, read_parquet
from prefect_staticadslab.campaign.files.formats.text import encode_text, read_text
from prefect_staticadslab.campaign.files.formats.xlsx import read_xlsx
from prefect_staticadslab.campaign.files.formats.xlsx_writer import encode_xlsx
from prefect_staticadslab.campaign.files.google_sheets import (
    is_web_page,
    table_address,
    table_ending,
    web_page_hint,
)

NO_SHEETS: Final = "Only an .xlsx file has sheets to choose from."
LOGIN_WANTED: Final = (401, 403)
"""What a web server answers to a stranger."""

WRITABLE: Final = (".csv", ".tsv", ".xlsx", ".parquet")


def read_spreadsheet(
    location: str,
    *,
    sheet: str | None = None,
    known_columns: Iterable[str] = (),
    ragged: bool = False,
) -> Spreadsheet:
    """Reads a `.csv`, `.tsv`, `.xlsx` or `.parquet` from a path or a URL.

    Args:
        location: Where it is. A web address may say its format in its query, `format=csv`, or
            nowhere; that of a Google Sheet may be copied from the browser.
        sheet: Which sheet of an XLSX; the first if None.
        known_columns: Names that a header is likely to have; they tell a CSV's delimiter.
        ragged: Whether a CSV's rows may be short of cells at their end. Otherwise that is a
            mistake; but some programs leave them out if they are empty.

    Raises:
        StorageError: It is not there, or cannot be read.
        SpreadsheetError: It is no spreadsheet, or a broken one.

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
    location = table_address(location, sheet=sheet)
    ending = table_ending(location)
    if sheet is not None and ending not in ("", ".xlsx"):
        raise SpreadsheetError([Problem(NO_SHEETS)])
    if ending in (".xls", ".ods", ".numbers"):
        raise SpreadsheetError(
            [Problem(f"{ending} files cannot be read. Save it as .xlsx or .csv, please.")]
        )
    content = _read_content(location)
    if is_web_page(content):
        message = f"{locations.redacted(location)} is a web page, not a table."
        raise SpreadsheetError([Problem(f"{message} {web_page_hint(location)}")])
    if ending == ".parquet" or (not ending and content.startswith(b"PAR1")):
        return read_parquet(content)
    if ending == ".xlsx" or content.startswith(b"PK\x03\x04"):
        return read_xlsx(content, sheet)
    if sheet is not None:
        raise SpreadsheetError([Problem(NO_SHEETS)])
    return read_text(content, frozenset(known_columns), tab=ending == ".tsv", ragged=ragged)


def _read_content(location: str) -> bytes:
    try:
        return storage.read_bytes(location)
    except StorageError as error:
        if getattr(error.__cause__, "status", None) in LOGIN_WANTED:
            raise StorageError(f"{error} {web_page_hint(location)}") from error
        raise


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
            return encode_xlsx(frame)
        case ".parquet":
            return encode_parquet(frame)
        case _:
            return encode_text(frame, text_dialect(ending, dialect))


def text_dialect(ending: str, dialect: Dialect) -> Dialect:
    """How a text table of this ending is written: a `.tsv`'s tabs are its format's."""
    return replace(dialect, delimiter="\t") if ending == ".tsv" else dialect
