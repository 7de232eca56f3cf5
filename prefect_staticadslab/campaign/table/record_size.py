"""How large a record may become: what is written must be readable again, to go on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.table.merge import OutputError

if TYPE_CHECKING:
    import pandas as pd

RESULT_BYTES: Final = 1_500
"""What the result columns of a row may take: ids, an address, an error, a mark, a path."""

XLSX_CELL_BYTES: Final = 80
XLSX_CELL_ELEMENTS: Final = 3
"""What a cell of an .xlsx takes in XML besides its text."""


def check_size(frame: pd.DataFrame, result_columns: int, ending: str) -> None:
    """Raises if a result table would become larger than what is read.

    Args:
        frame: The input's columns, a line for each row.
        result_columns: How many columns come after them.
        ending: What the table's name ends in.

    Raises:
        OutputError: It would; the message says what to do.
    """
    rows = len(frame)
    cells = rows * (frame.shape[1] + result_columns)
    most = bounds.TABLE_CELLS
    if ending == ".xlsx":
        most = min(most, bounds.WORKBOOK_ELEMENTS // XLSX_CELL_ELEMENTS)
    if cells > most:
        raise OutputError(
            f"The result table would have {cells:,} cells, and {most:,} can be read again. "
            f"{_what_to_do(ending)}"
        )
    size = sum(map(_text_bytes, frame.to_numpy().flat)) + rows * RESULT_BYTES
    largest = bounds.TABLE_BYTES if ending in (".csv", ".tsv") else bounds.WORKBOOK_BYTES
    if ending == ".xlsx":
        size += cells * XLSX_CELL_BYTES
    if size > largest:
        raise OutputError(
            f"The result table would have up to {bounds.in_megabytes(size)}, and "
            f"{bounds.in_megabytes(largest)} can be read again. {_what_to_do(ending)}"
        )


def _what_to_do(ending: str) -> str:
    another = "" if ending == ".parquet" else "choose a .parquet as the output, "
    return f"Take out columns that no ad needs, {another}or share the rows out between several."


def _text_bytes(value: object) -> int:
    if not isinstance(value, str):
        return 8
    return 1 + (len(value) if value.isascii() else len(value.encode(errors="replace")))
