"""Reads and writes Parquet; what is written is text columns, save those of numbers."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.bounds import TABLE_CELLS, WORKBOOK_BYTES, in_megabytes
from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Spreadsheet,
    cell_text,
    header_problems,
    is_blank,
    to_cell,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, escape_apostrophe

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_INTEGER: Final = 2**63 - 1
_LARGEST_EXACT_IN_FLOAT: Final = 2**53
"""Whole numbers up to here keep all their digits; a column with a larger one is text."""

_ROWS_AT_ONCE: Final = 1_000
"""Rows that are held twice at a time, while they are written: a row group of the file."""


def read_parquet(content: bytes) -> Spreadsheet:
    """Reads a Parquet file, after a check of how large it says it is.

    Raises:
        SpreadsheetError: It is none, a broken one, or larger than is read; its columns' names are
            no header; or pyarrow is not installed.
    """
    need_pyarrow()
    from pyarrow import types
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(io.BytesIO(content))
        _check_size(file.metadata)
        text_columns = [
            field.name
            for field in file.schema_arrow
            if types.is_string(field.type) or types.is_large_string(field.type)
        ]
        # A long text that many rows share is kept once, as it is in the file.
        table = ParquetFile(io.BytesIO(content), read_dictionary=text_columns).read()
        columns = [[to_cell(v) for v in column] for column in _values_by_column(table)]
    except SpreadsheetError:
        raise
    except Exception as error:  # pyarrow's own classes, which may not be importable
        raise SpreadsheetError(
            [Problem(f"The file is no Parquet, or a broken one ({type(error).__name__}).")]
        ) from None
    lines = list(zip(*columns, strict=True))
    if sum(len(v) for line in lines for v in line if isinstance(v, str)) > WORKBOOK_BYTES:
        raise _too_large_error(f"more than {in_megabytes(WORKBOOK_BYTES)} of text")
    if problems := header_problems(table.column_names):
        raise SpreadsheetError(problems)
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(lines)))
    return Spreadsheet(tuple(table.column_names), lines, numbers)


def _values_by_column(table: Any) -> list[list[Any]]:
    """The values of each column of a pyarrow table, as pandas has them. Rows that share a text of a
    dictionary have the same object, so that it is in memory once."""
    from pyarrow import types

    are_texts = [types.is_dictionary(column.type) for column in table.columns]
    others = table.select([i for i, is_text in enumerate(are_texts) if not is_text]).to_pandas()
    values = iter(others.iloc[:, i].tolist() for i in range(others.shape[1]))
    return [
        _shared_values(column) if is_text else next(values)
        for column, is_text in zip(table.columns, are_texts, strict=True)
    ]


def _shared_values(column: Any) -> list[Any]:
    """The values of a pyarrow column that is encoded by dictionaries, None for none."""
    values: list[Any] = []
    for chunk in column.chunks:
        dictionary = chunk.dictionary.to_pylist()
        values += [None if i is None else dictionary[i] for i in chunk.indices.to_pylist()]
    return values


def _check_size(metadata: Any) -> None:
    """Raises `SpreadsheetError` if a file says in its metadata that it has more than is read."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    cells = max(
        metadata.num_rows * metadata.num_columns, sum(column.num_values for column in columns)
    )
    if cells > TABLE_CELLS:
        raise _too_large_error(f"more than {TABLE_CELLS:,} cells")
    if sum(column.total_uncompressed_size for column in columns) > WORKBOOK_BYTES:
        raise _too_large_error(f"more than {in_megabytes(WORKBOOK_BYTES)} once it is uncompressed")


def _too_large_error(what: str) -> SpreadsheetError:
    return SpreadsheetError([Problem(f"The file has {what}, the most that is read.")])


def encode_parquet(frame: pd.DataFrame) -> bytes:
    """The bytes of a Parquet file with text columns, save those in which every value is a number or
    blank, which are numbers.

    Raises:
        SpreadsheetError: pyarrow is not installed.
    """
    need_pyarrow()
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    columns = [frame.iloc[:, position].tolist() for position in range(frame.shape[1])]
    types = dict(zip(_unique_names(frame), map(_pandas_type, columns), strict=True))
    # With what pandas notes in its files, so that it finds the same types again.
    empty = pd.DataFrame(columns=list(types)).astype(types)
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    out = io.BytesIO()
    with ParquetWriter(out, schema) as writer:
        for start in range(0, len(frame), _ROWS_AT_ONCE):
            end = start + _ROWS_AT_ONCE
            arrays = [
                pa.array([_stored_value(v, dtype) for v in values[start:end]], field.type)
                for values, dtype, field in zip(columns, types.values(), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return out.getvalue()


def _unique_names(frame: pd.DataFrame) -> list[str]:
    """A name for each column that no other one has, as Parquet needs it: its own, or one with the
    column's number."""
    names: dict[str, None] = {}
    original_names = frozenset(frame.columns)
    for position, original in enumerate(frame.columns):
        name = original
        while not name or name in names or (not original and name in original_names):
            name = f"{name or 'column'}_{position + 1}"
        names[name] = None
    return list(names)


def _pandas_type(values: Sequence[Any]) -> str:
    """The pandas type of a column with these values: `Int64` or `Float64`, if all of them are
    numbers whose digits it keeps, or `string`."""
    value_types = {type(v) for v in values if not is_blank(v)}
    largest = max((abs(v) for v in values if type(v) is int), default=0)
    if value_types == {int} and largest <= _LARGEST_INTEGER:
        return "Int64"
    if float in value_types and value_types <= {int, float} and largest <= _LARGEST_EXACT_IN_FLOAT:
        return "Float64"
    return "string"


def _stored_value(value: Any, dtype: str) -> Any:
    """A value as a column of this pandas type holds it; None for a blank one."""
    if is_blank(value):
        return None
    return _parquet_text(value) if dtype == "string" else value


def _parquet_text(value: Any) -> str:
    """A value's text; one of the catalogue's so that a spreadsheet program sees no formula."""
    text = escape_apostrophe(value) if isinstance(value, CatalogueText) else cell_text(value)
    # Halves of characters cannot be written.
    return text.encode(errors="ignore").decode()


def need_pyarrow() -> None:
    """Raises a `SpreadsheetError` that says what to install if there is no pyarrow."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise SpreadsheetError(
            [Problem("Parquet needs one more package: pip install 'prefect-staticadslab[parquet]'")]
        )
