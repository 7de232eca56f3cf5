"""The result table as bytes, encoded again and again while a campaign runs."""

from __future__ import annotations

import csv
import io
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Dialect,
    FormattedValue,
    is_blank,
    lines_of_cells,
)
from prefect_staticadslab.campaign.files.formats.cell_pictures import CellPicture
from prefect_staticadslab.campaign.files.formats.text import text_bytes, text_lines
from prefect_staticadslab.campaign.files.formats.workbook_bounds import check_archive
from prefect_staticadslab.campaign.files.formats.workbooks.xlsx_rows import Row, SheetRows
from prefect_staticadslab.campaign.files.formats.xlsx_writer import (
    MEASURED_ROWS,
    SheetLook,
    encode_rows,
    encode_xlsx,
)
from prefect_staticadslab.campaign.files.formulas import escape_formula
from prefect_staticadslab.campaign.files.spreadsheet import encode_spreadsheet, text_dialect
from prefect_staticadslab.campaign.table.job_state import KEY_COLUMNS, JobState
from prefect_staticadslab.campaign.table.layout import join_results, positions_among
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

PictureOf = Callable[[JobState], CellPicture | None]
"""Gives a row's picture, as small as a cell; None if it has none."""

PICTURE_COLUMN: Final = "picture"
_PICTURE_COLUMN = re.compile(f"(ad_)*{PICTURE_COLUMN}")
"""How the column of pictures is headed, with `ad_` before it where such a column is the user's."""

RESULT_BYTES: Final = 1_500
"""What the result columns of a row may take in bytes: ids, an address, an error, a path."""

XLSX_CELL_BYTES: Final = 80
XLSX_CELL_ELEMENTS: Final = 3
"""What a cell of an .xlsx takes in XML besides its text, in bytes and in elements."""


class RecordEncoder:
    """Encodes one result table. In a text table and in an .xlsx, only rows that changed since the
    last time are encoded again.

    Args:
        ending: The table's format: `.csv`, `.tsv`, `.xlsx` or `.parquet`.
        dialect: How a text table is written.
        columns: The result columns; see `JobType.columns`.

    Attributes:
        picture_of: Gives each row of a workbook its picture; None, while a campaign runs, for a
            table without pictures, which is written in a tenth of the time.
    """

    picture_of: PictureOf | None = None

    def __init__(self, ending: str, dialect: Dialect, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._ending = ending
        self._dialect = text_dialect(ending, dialect)
        # What was encoded last: columns, and each row's cells and state.
        self._frame: pd.DataFrame | None = None
        self._names: Sequence[str] = ()
        self._order: list[int] = []
        self._given: list[tuple[Any, ...]] = []
        self._encoded_states: list[JobState | None] = []
        # What that came to, in a text table and in an .xlsx.
        self._header: list[str] = []
        self._lines: list[str] = []
        self._sheet: SheetRows | None = None
        self._rows: list[Row | None] = []
        # The last whole table that is no text table, and what it was made of.
        self._last: tuple[list[Any], bytes] | None = None

    def encode(
        self,
        frame: pd.DataFrame,
        states: Sequence[JobState],
        header: Sequence[str] = (),
        column_widths: tuple[tuple[str, float], ...] | None = None,
    ) -> bytes:
        """A table's bytes, with a line for each of `states`. Remembers them for the next time.

        Args:
            frame: All columns beside the results.
            states: What is known about each row.
            header: All columns' names in their order; by default the results come last.
            column_widths: See `Dialect`; by default what the dialect says.
        """
        names = tuple(header) or (*map(str, frame.columns), *self._columns)
        if self._ending in (".csv", ".tsv"):
            return self._encode_text(frame, states, names)
        given = self._dialect.column_widths if column_widths is None else column_widths
        # At its end a campaign is written several times, and nothing has happened in between.
        made_of = [frame, self.picture_of, names, given, *states]
        if self._last is None or not _are_same(self._last[0], made_of):
            if self._ending == ".xlsx":
                content = self._encode_workbook(frame, states, names, dict(given))
            else:
                table = join_results(frame, states, self._columns, names)
                content = encode_spreadsheet(self._ending, table, self._dialect)
            self._last = made_of, content
        return self._last[1]

    def check_size(self, frame: pd.DataFrame) -> None:
        """Raises if a table would become larger than what is read.

        Args:
            frame: All columns beside the results, a line for each row.

        Raises:
            OutputError: It would; the message says what to do.
        """
        rows = len(frame)
        cells = rows * (frame.shape[1] + len(self._columns))
        most = bounds.TABLE_CELLS
        if self._ending == ".xlsx":
            most = min(most, bounds.WORKBOOK_ELEMENTS // XLSX_CELL_ELEMENTS)
        if cells > most:
            raise OutputError(
                f"The result table would have {cells:,} cells, and {most:,} can be read again. "
                f"{_what_to_do(self._ending)}"
            )
        size = sum(map(_text_size, frame.to_numpy().flat)) + rows * RESULT_BYTES
        is_text = self._ending in (".csv", ".tsv")
        largest = bounds.TABLE_BYTES if is_text else bounds.WORKBOOK_BYTES
        if self._ending == ".xlsx":
            size += cells * XLSX_CELL_BYTES
        if size > largest:
            raise OutputError(
                f"The result table would have up to {bounds.in_megabytes(size)}, and "
                f"{bounds.in_megabytes(largest)} can be read again. {_what_to_do(self._ending)}"
            )

    def _encode_text(
        self, frame: pd.DataFrame, states: Sequence[JobState], names: Sequence[str]
    ) -> bytes:
        """A text table's bytes, of which only the lines that changed are encoded anew."""
        changed = self._find_changed_rows(frame, states, names)
        cells = [self._line(i, map(_inert, states[i].cells(self._columns))) for i in changed]
        for i, line in zip(changed, text_lines(cells, self._dialect), strict=True):
            self._lines[i] = line
            self._encoded_states[i] = states[i]
        return text_bytes([*self._header, *self._lines], self._dialect)

    def _find_changed_rows(
        self, frame: pd.DataFrame, states: Sequence[JobState], names: Sequence[str]
    ) -> list[int]:
        """The places of the rows whose states changed since they were encoded last; all of them,
        and what was encoded is forgotten, if columns or rows did."""
        if frame is not self._frame or names != self._names:
            self._frame, self._names = frame, names
            self._order = positions_among(names, [*frame.columns, *self._columns])
            self._header = text_lines([names], self._dialect)
            self._given = lines_of_cells(frame)
            self._lines = [""] * len(self._given)
            self._sheet = None
            self._rows = [None] * len(self._given)
            self._encoded_states = [None] * len(self._given)
        return [
            i
            for i, (state, last) in enumerate(zip(states, self._encoded_states, strict=True))
            if state is not last
        ]

    def _line(self, row: int, results: Iterable[Any]) -> list[Any]:
        """A row's cells in the order of the header; `results` are those of the result columns."""
        cells = (*self._given[row], *results)
        return [cells[position] for position in self._order]

    def _encode_workbook(
        self,
        frame: pd.DataFrame,
        states: Sequence[JobState],
        names: Sequence[str],
        widths: Mapping[str, float],
    ) -> bytes:
        """A table as an .xlsx; with pictures, unless it could not be read again with them."""
        look = SheetLook(
            widths=widths,
            status_column="status",
            link_columns=frozenset(name for name in self._columns if name.endswith("_url")),
            folded_columns=frozenset(KEY_COLUMNS),
        )
        if self.picture_of is None and (
            content := self._encode_changed(frame, states, names, look)
        ):
            return content
        table = _without_pictures(join_results(frame, states, self._columns, names, shown_cells))
        pictures = [self.picture_of(state) for state in states] if self.picture_of else []
        if any(pictures):
            name = PICTURE_COLUMN
            while name in table.columns:
                name = f"ad_{name}"
            content = encode_xlsx(table, replace(look, pictures=pictures, picture_column=name))
            if _can_be_read_again(content):
                return content
            logger.warning(
                "The pictures were left out of the table: it would be too large to be read again."
            )
        return encode_xlsx(table, look)

    def _encode_changed(
        self,
        frame: pd.DataFrame,
        states: Sequence[JobState],
        names: Sequence[str],
        look: SheetLook,
    ) -> bytes | None:
        """An .xlsx without pictures, of which only the rows that changed are encoded anew.

        Returns:
            None if a row cannot be encoded by itself, if there are no rows, or if it may have a
            column that an earlier run laid pictures on.
        """
        changed = self._find_changed_rows(frame, states, names)
        sheet = self._sheet = self._sheet or SheetRows()
        for i in changed:
            self._rows[i] = sheet.row(i + FIRST_ROW, self._shown_line(i, states[i]))
            self._encoded_states[i] = states[i]
        rows = [row for row in self._rows if row is not None]
        if not rows or len(rows) < len(self._rows) or any(map(_PICTURE_COLUMN.fullmatch, names)):
            return None
        first_lines = [self._shown_line(*each) for each in enumerate(states[:MEASURED_ROWS])]
        return encode_rows(names, rows, sheet, first_lines, look)

    def _shown_line(self, row: int, state: JobState) -> list[Any]:
        """A row's cells in the order of the header, as a workbook shows them."""
        return self._line(row, shown_cells(state, self._columns))


def shown_cells(state: JobState, columns: Mapping[str, str]) -> list[Any]:
    """A state's cells as a workbook shows them: costs and dates are formatted."""
    return [
        show(cell, state) if (show := _SHOWN.get(field)) is not None else cell
        for field, cell in zip(columns.values(), state.cells(columns), strict=True)
    ]


def _are_same(ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Whether all are the very same objects, or equal tuples. A state is never changed in place."""
    return len(ours) == len(theirs) and all(map(_is_same, ours, theirs))


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, tuple) and one == other)


def _without_pictures(table: pd.DataFrame) -> pd.DataFrame:
    """A copy without blank columns of pictures: those that an earlier run laid pictures on."""
    kept = [
        not (_PICTURE_COLUMN.fullmatch(str(name)) and table.iloc[:, place].map(is_blank).all())
        for place, name in enumerate(table.columns)
    ]
    return table.loc[:, kept].copy(deep=False)


def _can_be_read_again(content: bytes) -> bool:
    """Whether a workbook that was made is within the bounds of what can be read again."""
    try:
        check_archive(content)
    except SpreadsheetError:
        return False
    return len(content) <= bounds.TABLE_BYTES


def _shown_cost(cost: Any, _: JobState) -> Any:
    """A cost that is shown with two decimals, unless it has more."""
    if not isinstance(cost, float) or round(cost, 2) != cost:
        return cost
    return FormattedValue(cost, f"{cost:.2f}", "0.00")


def _shown_moment(field: str) -> Callable[[Any, JobState], Any]:
    """Gives what makes a date in UTC of a cell that holds this field: such a date is sorted and
    filtered in a spreadsheet program, which knows no zones."""

    def shown(text: Any, state: JobState) -> Any:
        """The date that a cell holds; the cell as it is if it is blank, or holds none."""
        moment = getattr(state, field)
        if is_blank(text) or moment is None:
            return text
        moment = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        return FormattedValue(moment, moment.isoformat(" "), "yyyy-mm-dd hh:mm:ss")

    return shown


_SHOWN: Final[Mapping[str, Callable[[Any, JobState], Any]]] = {
    "cost_usd": _shown_cost,
    "submitted_at": _shown_moment("submitted_at"),
    "completed_at": _shown_moment("completed_at"),
}
"""How a workbook shows what a state holds, by the state's field; the rest as any table does."""


def _inert(value: Any) -> Any:
    """A value that a spreadsheet program does not take for a formula."""
    return escape_formula(value) if isinstance(value, str) else value


def unsaved_lines(
    numbers: Sequence[int], states: Sequence[JobState], saved: Sequence[JobState]
) -> str:
    """The rows whose jobs are known and not on disk, as CSV with a header; "" if there are none.

    Args:
        numbers: The rows' numbers.
        states: What is known of each.
        saved: What of that is on disk.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, state, saved_state in zip(numbers, states, saved, strict=True):
        if state != saved_state and state.job_id is not None:
            writer.writerow([number, state.status, state.job_id, state.image_url, state.error])
    lines = text.getvalue()
    return f"row,status,image_ad_id,image_url,error\n{lines}".rstrip() if lines else ""


def _what_to_do(ending: str) -> str:
    """What people can do about a table that is too large, for a message."""
    another = "" if ending == ".parquet" else "choose a .parquet as the output, "
    return f"Take out columns that no ad needs, {another}or share the rows out between several."


def _text_size(value: object) -> int:
    """What a cell takes in a table, about, in bytes."""
    if not isinstance(value, str):
        return 8
    return 1 + (len(value) if value.isascii() else len(value.encode(errors="replace")))
