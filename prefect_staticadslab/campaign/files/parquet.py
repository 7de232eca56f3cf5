"""Parquet, for result tables: text columns, save those of numbers."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Spreadsheet,
    cell_text,
    frame_of,
    is_blank,
)


def read_parquet(content: bytes) -> Spreadsheet:
    need_pyarrow()
    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except Exception as error:  # pyarrow's own kinds, which may not be importable
        raise SpreadsheetError(
            [Problem(f"The file is no Parquet, or a broken one ({type(error).__name__}).")]
        ) from None
    lines = [[None if is_blank(v) else v for v in line] for line in frame.itertuples(index=False)]
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(lines)))
    return Spreadsheet(frame_of(list(map(str, frame.columns)), lines), numbers)


def encode_parquet(frame: pd.DataFrame) -> bytes:
    """Text columns, save those in which every value is a number or blank."""
    need_pyarrow()
    columns: dict[str, Any] = {}
    for position, given in enumerate(frame.columns):
        # Every column of a Parquet file needs a name of its own.
        name = given if given and given not in columns else f"{given or 'column'}_{position + 1}"
        values = [None if is_blank(v) else v for v in frame.iloc[:, position]]
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


def need_pyarrow() -> None:
    """Raises a `SpreadsheetError` if Parquet cannot be read or written here."""
    from importlib.util import find_spec

    if find_spec("pyarrow") is None:
        raise SpreadsheetError(
            [Problem("Parquet needs one more package: pip install 'prefect-staticadslab[parquet]'")]
        )
