"""Parquet, for result tables: text columns, save those of numbers."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.bounds import TABLE_CELLS, WORKBOOK_BYTES, in_megabytes
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Spreadsheet,
    cell_of,
    cell_text,
    header_problems,
    is_blank,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_apostrophe

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_INTEGER: Final = 2**63 - 1
_LARGEST_IN_A_FLOAT: Final = 2**53
"""Whole numbers up to here keep all their digits; a column with a larger one is text."""


def read_parquet(content: bytes) -> Spreadsheet:
    """Reads a Parquet file whose own figures say that it is no larger than what is read."""
    need_pyarrow()
    from pyarrow import types
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(io.BytesIO(content))
        _check_size(file.metadata)
        texts = [
            field.name
            for field in file.schema_arrow
            if types.is_string(field.type) or types.is_large_string(field.type)
        ]
        # A long text that many rows share is kept once, as it is in the file.
        table = ParquetFile(io.BytesIO(content), read_dictionary=texts).read()
        columns = [[cell_of(v) for v in column] for column in _columns(table)]
    except SpreadsheetError:
        raise
    except Exception as error:  # pyarrow's own kinds, which may not be importable
        raise SpreadsheetError(
            [Problem(f"The file is no Parquet, or a broken one ({type(error).__name__}).")]
        ) from None
    lines = list(zip(*columns, strict=True))
    if sum(len(v) for line in lines for v in line if isinstance(v, str)) > WORKBOOK_BYTES:
        raise _too_large(f"more than {in_megabytes(WORKBOOK_BYTES)} of text")
    if problems := header_problems(table.column_names):
        raise SpreadsheetError(problems)
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(lines)))
    return Spreadsheet(tuple(table.column_names), lines, numbers)


def _columns(table: Any) -> list[list[Any]]:
    """The values of each column; of texts that many rows share, the same one in each."""
    from pyarrow import types

    texts = [types.is_dictionary(column.type) for column in table.columns]
    others = table.select([i for i, is_text in enumerate(texts) if not is_text]).to_pandas()
    values = iter(others.iloc[:, i].tolist() for i in range(others.shape[1]))
    return [
        _dictionary_values(column) if is_text else next(values)
        for column, is_text in zip(table.columns, texts, strict=True)
    ]


def _dictionary_values(column: Any) -> list[Any]:
    values: list[Any] = []
    for chunk in column.chunks:
        dictionary = chunk.dictionary.to_pylist()
        values += [None if i is None else dictionary[i] for i in chunk.indices.to_pylist()]
    return values


def _check_size(metadata: Any) -> None:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    cells = max(
        metadata.num_rows * metadata.num_columns, sum(column.num_values for column in columns)
    )
    if cells > TABLE_CELLS:
        raise _too_large(f"more than {TABLE_CELLS:,} cells")
    if sum(column.total_uncompressed_size for column in columns) > WORKBOOK_BYTES:
        raise _too_large(f"more than {in_megabytes(WORKBOOK_BYTES)} once it is uncompressed")


def _too_large(what: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(f"The file has {what}, the most that is read.")])


def encode_parquet(frame: pd.DataFrame) -> bytes:
    """Text columns, save those in which every value is a number or blank."""
    need_pyarrow()
    import pandas as pd

    columns: dict[str, Any] = {}
    original_names = frozenset(frame.columns)
    for position, original in enumerate(frame.columns):
        # Every column of a Parquet file needs a name of its own.
        name = original
        while not name or name in columns or (not original and name in original_names):
            name = f"{name or 'column'}_{position + 1}"
        values = [None if is_blank(v) else v for v in frame.iloc[:, position]]
        largest = max((abs(v) for v in values if type(v) is int), default=0)
        kinds = {type(v) for v in values if v is not None}
        if kinds == {int} and largest <= _LARGEST_INTEGER:
            columns[name] = pd.array(values, dtype="Int64")
        elif float in kinds and kinds <= {int, float} and largest <= _LARGEST_IN_A_FLOAT:
            columns[name] = pd.array(values, dtype="Float64")
        else:
            columns[name] = pd.array(
                [None if v is None else _parquet_text(v) for v in values], dtype="string"
            )
    out = io.BytesIO()
    pd.DataFrame(columns).to_parquet(out, index=False)
    return out.getvalue()


def _parquet_text(value: Any) -> str:
    text = escape_apostrophe(value) if isinstance(value, CatalogueText) else cell_text(value)
    # Halves of characters cannot be written.
    return text.encode(errors="ignore").decode()


def need_pyarrow() -> None:
    """Raises a `SpreadsheetError` if Parquet cannot be read or written here."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise SpreadsheetError(
            [Problem("Parquet needs one more package: pip install 'prefect-staticadslab[parquet]'")]
        )
