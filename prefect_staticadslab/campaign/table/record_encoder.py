"""The record as bytes, made again and again while a campaign runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from prefect_staticadslab.campaign.files.cells import Dialect
from prefect_staticadslab.campaign.files.formats.text import text_bytes, text_lines
from prefect_staticadslab.campaign.files.formulas import inert
from prefect_staticadslab.campaign.files.spreadsheet import encode_spreadsheet, text_dialect
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.layout import order_of


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
        self._names: Sequence[str] = ()
        self._order: list[int] = []
        self._header: list[str] = []
        self._given: list[tuple[Any, ...]] = []
        self._lines: list[str] = []
        self._known: list[JobState | None] = []

    def encode(
        self,
        frame: pd.DataFrame,
        states: Sequence[JobState],
        header: Sequence[str] = (),
        column_widths: tuple[tuple[str, float], ...] | None = None,
    ) -> bytes:
        """A table's bytes; a line for each of `states`.

        Args:
            frame: All columns beside the results.
            states: What is known about each row.
            header: All columns' names in their order; by default the results come last.
            column_widths: See `Dialect`; by default what the dialect says.
        """
        names = tuple(header) or (*map(str, frame.columns), *self._columns)
        if self._ending in (".csv", ".tsv"):
            return self._text(frame, states, names)
        table = joined(frame, states, self._columns, names)
        dialect = self._dialect
        if column_widths is not None:
            dialect = replace(dialect, column_widths=column_widths)
        return encode_spreadsheet(self._ending, table, dialect)

    def _text(self, frame: pd.DataFrame, states: Sequence[JobState], names: Sequence[str]) -> bytes:
        if frame is not self._frame or names != self._names:
            self._frame, self._names = frame, names
            self._order = order_of(names, [*frame.columns, *self._columns])
            self._header = text_lines([names], self._dialect)
            self._given = list(frame.itertuples(index=False, name=None))
            self._lines = [""] * len(self._given)
            self._known = [None] * len(self._given)
        changed = [
            i
            for i, (state, known) in enumerate(zip(states, self._known, strict=True))
            if state is not known
        ]
        cells = [self._line(i, states[i]) for i in changed]
        for i, line in zip(changed, text_lines(cells, self._dialect), strict=True):
            self._lines[i] = line
            self._known[i] = states[i]
        return text_bytes([*self._header, *self._lines], self._dialect)

    def _line(self, row: int, state: JobState) -> list[Any]:
        cells = (*self._given[row], *map(_inert, state.cells(self._columns)))
        return [cells[position] for position in self._order]


def _inert(value: Any) -> Any:
    return inert(value) if isinstance(value, str) else value


def joined(
    frame: pd.DataFrame,
    states: Sequence[JobState],
    columns: Mapping[str, str],
    header: Sequence[str],
) -> pd.DataFrame:
    """All columns of a table in the order of `header`; a line for each of `states`."""
    cells = zip(*(state.cells(columns) for state in states), strict=True)
    added = {
        name: pd.Series(list(values), dtype=object, index=frame.index)
        for name, values in zip(columns, cells, strict=True)
    }
    table = pd.concat([frame, pd.DataFrame(added, dtype=object)], axis=1)
    return table.iloc[:, order_of(header, list(table.columns))]
