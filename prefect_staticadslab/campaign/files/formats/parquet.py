"""Parquet, for result tables: text columns, save those of numbers."""

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
_LARGEST_IN_A_FLOAT: Final = 2**53
"""Whole numbers up to here keep all their digits; a column with a larger one is text."""

_GROUP_ROWS: Final = 1_000
"""So many are held twice at a time, while they are written."""


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
        columns = [[to_cell(v) for v in column] for column in _columns(table)]
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
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    columns = [frame.iloc[:, position].tolist() for position in range(frame.shape[1])]
    types = dict(zip(_names_of(frame), map(_type_of, columns), strict=True))
    # With what pandas notes in its files, so that it finds the same types again.
    empty = pd.DataFrame(columns=list(types)).astype(types)
    schema = pa.Schema.from_pandas(empty, preserve_index=False)
    out = io.BytesIO()
    with ParquetWriter(out, schema) as writer:
        for start in range(0, len(frame), _GROUP_ROWS):
            end = start + _GROUP_ROWS
            arrays = [
                pa.array([_stored(v, dtype) for v in values[start:end]], field.type)
                for values, dtype, field in zip(columns, types.values(), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return out.getvalue()


def _names_of(frame: pd.DataFrame) -> list[str]:
    """A name for each column that no other one has, as Parquet wants it."""
    names: dict[str, None] = {}
    original_names = frozenset(frame.columns)
    for position, original in enumerate(frame.columns):
        name = original
        while not name or name in names or (not original and name in original_names):
            name = f"{name or 'column'}_{position + 1}"
        names[name] = None
    return list(names)


def _type_of(values: Sequence[Any]) -> str:
    """What pandas calls the type of a column with these values."""
    kinds = {type(v) for v in values if not is_blank(v)}
    largest = max((abs(v) for v in values if type(v) is int), default=0)
    if kinds == {int} and largest <= _LARGEST_INTEGER:
        return "Int64"
    if float in kinds and kinds <= {int, float} and largest <= _LARGEST_IN_A_FLOAT:
        return "Float64"
    return "string"


def _stored(value: Any, dtype: str) -> Any:
    if is_blank(value):
        return None
    return _parquet_text(value) if dtype == "string" else value


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
