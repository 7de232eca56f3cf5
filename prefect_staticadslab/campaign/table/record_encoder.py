"""The record as bytes, made again and again while a campaign runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.formats.text import text_bytes, text_lines
from prefect_staticadslab.campaign.files.formulas import inert
from prefect_staticadslab.campaign.files.spreadsheet import encode_spreadsheet, text_dialect
from prefect_staticadslab.campaign.table.job_state import JobState


class RecordEncoder:
    """Encodes one result table. In a text table, only lines that changed are made again.

    Args:
        ending: The table's format: `.csv`, `.tsv`, `.xlsx` or `.parquet`.
        dialect: How a text table is written.
        columns: The result columns; see `JobType.columns`.
    """

    def __init__(self, ending: str, dialect: Dialect, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._ending = ending
        self._dialect = text_dialect(ending, dialect)
        self._frame: pd.DataFrame | None = None
        self._header: list[str] = []
        self._given: list[tuple[Any, ...]] = []
        self._lines: list[str] = []
        self._known: list[JobState | None] = []

    def encode(self, frame: pd.DataFrame, states: Sequence[JobState]) -> bytes:
        """The input's columns, then the result's; a line for each of `states`."""
        if self._ending in (".csv", ".tsv"):
            return self._text(frame, states)
        table = joined(frame, states, self._columns)
        return encode_spreadsheet(self._ending, table, self._dialect)

    def _text(self, frame: pd.DataFrame, states: Sequence[JobState]) -> bytes:
        if frame is not self._frame:
            self._frame = frame
            self._header = text_lines([(*frame.columns, *self._columns)], self._dialect)
            self._given = list(frame.itertuples(index=False, name=None))
            self._lines = [""] * len(self._given)
            self._known = [None] * len(self._given)
        changed = [
            i
            for i, (state, known) in enumerate(zip(states, self._known, strict=True))
            if state is not known
        ]
        cells = [(*self._given[i], *map(_inert, states[i].cells(self._columns))) for i in changed]
        for i, line in zip(changed, text_lines(cells, self._dialect), strict=True):
            self._lines[i] = line
            self._known[i] = states[i]
        return text_bytes([*self._header, *self._lines], self._dialect)


def _inert(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else value


def joined(
    frame: pd.DataFrame, states: Sequence[JobState], columns: Mapping[str, str]
) -> pd.DataFrame:
    """The input's columns, then the result's; a line for each of `states`."""
    cells = zip(*(state.cells(columns) for state in states), strict=True)
    added = {
        name: pd.Series(list(values), dtype=object, index=frame.index)
        for name, values in zip(columns, cells, strict=True)
    }
    return pd.concat([frame, pd.DataFrame(added, dtype=object)], axis=1)
