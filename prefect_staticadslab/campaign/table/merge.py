"""The record on disk: what a result table that somebody wrote says, and what of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from prefect_staticadslab.campaign.errors import (
    SPREADSHEET_WORDS,
    CampaignError,
    Problem,
    SpreadsheetError,
    Words,
)
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    column_key,
    normalized,
    shortened,
)
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.table.job_state import (
    KEY_COLUMNS,
    RESULT_COLUMNS,
    JobState,
    RowStatus,
)
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q
from prefect_staticadslab.campaign.table.limits import (
    MAX_ATTEMPTS,
    MAX_COST_USD,
    attempts_of,
    cost_of,
)

INPUT_PREFIX: Final = "input_"

REMOVED: Final = "This row is no longer in the spreadsheet; its ad is kept."


class OutputError(CampaignError):
    """The result table cannot be written where it should be. The message says why."""


class AmountError(SpreadsheetError):
    """Cells of a result table that money hangs on hold what cannot be.

    The rows are that table's, whatever people call the rows of what they wrote.
    """

    def message_in(self, words: Words) -> str:
        """See `SpreadsheetError.message_in`."""
        return super().message_in(SPREADSHEET_WORDS)


_AMOUNTS: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "cost_usd": (cost_of, f"is no cost of an ad, which is from 0 to {MAX_COST_USD:,} USD."),
    "attempts": (
        attempts_of,
        f"is no count of attempts, a whole number from 0 to {MAX_ATTEMPTS:,}.",
    ),
}
"""What of a row's state decides what may be spent, and what its idempotency keys are made of."""


Line: TypeAlias = tuple[int, CampaignRow[Q], JobState]


def rows_by_content(lines: Iterable[Line[Q]]) -> dict[str, list[CampaignRow[Q]]]:
    """The rows that ask for each ad, those last that know most of one."""
    found: dict[str, list[CampaignRow[Q]]] = {}
    for _, row, _ in sorted(lines, key=lambda line: line[2].status is not RowStatus.PENDING):
        found.setdefault(row.request.model_dump_json(), []).append(row)
    return found


def respelled_lines(
    rows: Mapping[int, CampaignRow[Q]], lines: Iterable[Line[Q]], job_type: JobType[Q]
) -> dict[int, Line[Q]]:
    """The lines that have the ads of rows whose numbers or dates are written differently by now.

    Only of what has an ad, or may have one: all else can be made as it is written now.

    Args:
        rows: The rows that are not in the table as they are, by their positions.
        lines: The table's lines that are no row's.
        job_type: Of what jobs they are.
    """
    rest = [
        line
        for line in lines
        if line[2].is_processing or line[2].is_completed or line[2].status is RowStatus.SUBMITTING
    ]
    found = job_type.find_respelled(rows, [row for _, row, _ in rest])
    return {position: rest[number] for position, number in found.items()}


def with_earlier_prompt(
    frame: pd.DataFrame, position: int, written: pd.DataFrame, line: int
) -> pd.DataFrame:
    """A frame whose row has the prompt that a table's line has: it is what its ad was made with."""
    here, there = _prompt_column(frame), _prompt_column(written)
    if here is None or there is None:
        return frame
    cells = frame.iloc[:, here].tolist()
    cells[position] = written.iat[line, there]
    changed = frame.copy(deep=False)
    changed.isetitem(here, np.array(cells, dtype=object))
    return changed


def _prompt_column(frame: pd.DataFrame) -> int | None:
    names = [column_key(str(name)) for name in frame.columns]
    return names.index("prompt") if "prompt" in names else None


def worth_keeping(removed: Sequence[Line[Q]]) -> list[Line[Q]]:
    """Of the rows that were removed, those that have, or may have, an ad.

    And those before an equal one that has: equal rows are told apart by counting them.
    """
    kept: list[Line[Q]] = []
    contents: set[str] = set()
    for line, row, state in reversed(removed):
        content = row.request.model_dump_json()
        has_ad = state.job_id is not None or state.status is RowStatus.SUBMITTING
        if has_ad or content in contents:
            contents.add(content)
            kept.append((line, row, state))
    return kept[::-1]


def with_removed_note(state: JobState) -> JobState:
    """The state of a row that was removed, which says so."""
    error = state.error or ""
    return (
        state if error.startswith(REMOVED) else replace(state, error=f"{REMOVED} {error}".strip())
    )


def without_removed_note(state: JobState) -> JobState:
    """The state of a row that is in the spreadsheet, perhaps again."""
    error = (state.error or "").removeprefix(REMOVED).strip()
    return replace(state, error=None if state.image_url else error or None)


def with_input_names(frame: pd.DataFrame, result_columns: Iterable[str]) -> pd.DataFrame:
    """The input's columns; one that is called like one of ours gets a prefix."""
    names = [str(name) for name in frame.columns]
    taken, ours = set(names), frozenset(result_columns)
    for position, name in enumerate(names):
        if normalized(name) in ours:
            renamed_to = f"{INPUT_PREFIX}{name}"
            while renamed_to in taken:
                renamed_to = f"{INPUT_PREFIX}{renamed_to}"
            names[position] = renamed_to
            taken.add(renamed_to)
    renamed = frame.copy(deep=False)
    renamed.columns = pd.Index(names, dtype=object)
    return renamed


def result_columns_of(
    table: Spreadsheet, columns: Iterable[str] = RESULT_COLUMNS
) -> tuple[str, ...]:
    """The result columns that a table ends in; none if it is not one of ours.

    Args:
        table: The table.
        columns: Those that we add; a table of an earlier version lacks `KEY_COLUMNS`.
    """
    names = tuple(map(str, table.frame.columns))
    now = tuple(columns)
    earlier = tuple(name for name in now if name not in KEY_COLUMNS)
    return next((ours for ours in (now, earlier) if names[-len(ours) :] == ours), ())


def read_earlier(location: str, job_type: JobType[Any]) -> Spreadsheet:
    """An earlier run's table, if that is what is at `location`."""
    names: set[str] = set()
    ours = tuple(job_type.columns)
    try:
        earlier = read_spreadsheet(location, known_columns=job_type.known_columns, ragged=True)
        names.update(map(str, earlier.frame.columns))
        if found := result_columns_of(earlier, ours):
            return earlier if found == ours else _with_key_columns(earlier, len(found))
    except SpreadsheetError:
        pass
    if set(ours) - set(KEY_COLUMNS) <= names:
        raise OutputError(
            f"{location} looks like a result table whose columns were changed, so it is left "
            f"alone. Make {ours[0]} … {ours[-1]} the last columns again. (With "
            "another output, the whole campaign would be created and paid for anew.)"
        )
    raise OutputError(
        f"{location} exists, and is not a result table of this program, so it is left alone. "
        "Choose another output, or move that file away."
    )


def _with_key_columns(table: Spreadsheet, results: int) -> Spreadsheet:
    """A table of an earlier version as this one writes it. Its keys are told in its errors."""
    given = with_input_names(table.frame.iloc[:, :-results], KEY_COLUMNS)
    empty = {name: pd.Series("", index=given.index, dtype=object) for name in KEY_COLUMNS}
    frame = pd.concat([given, table.frame.iloc[:, -results:], pd.DataFrame(empty)], axis=1)
    return replace(table, frame=frame)


def check_amounts(table: Spreadsheet, job_type: JobType[Any], location: str) -> None:
    """Raises if a result table holds costs or counts of attempts that cannot be.

    Args:
        table: What was read.
        job_type: Of what jobs it is.
        location: Where it is, for the message.

    Raises:
        AmountError: It does; the message lists all of them.
    """
    name = locations.redacted(storage.name(location))
    problems = []
    for place, (column, held) in enumerate(job_type.columns.items(), -len(job_type.columns)):
        if held not in _AMOUNTS:
            continue
        read, what = _AMOUNTS[held]
        for number, cell in zip(table.row_numbers, table.frame.iloc[:, place], strict=True):
            text = cell_text(cell).strip()
            try:
                read(text)
            except ValueError:
                message = f"{shortened(text)!r} {what} Correct it in {name}."
                problems.append(Problem(message, number, column))
    if problems:
        raise AmountError(sorted(problems, key=lambda problem: problem.row or 0))


def aligned(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A frame's lines under other columns: found by name, the nth of a name as its nth."""
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(frame.columns):
        positions.setdefault(str(name), []).append(position)
    order = [positions[name].pop(0) if positions.get(name) else None for name in names]
    lines = [
        [None if position is None else line[position] for position in order]
        for line in frame.itertuples(index=False, name=None)
    ]
    return pd.DataFrame(lines, columns=pd.Index(list(names), dtype=object), dtype=object)


def lines_of(table: Spreadsheet, job_type: JobType[Q]) -> list[Line[Q]]:
    """A result table's lines: where each is, its row, and what is known about it."""
    rows = job_type.read_rows(table, unique_row_ids=False)
    results = table.frame.iloc[:, -len(job_type.columns) :].itertuples(index=False, name=None)
    lines = []
    for line, (row, cells) in enumerate(zip(rows, results, strict=True)):
        state = JobState.from_cells(
            dict(zip(job_type.columns, cells, strict=True)), job_type.columns
        )
        lines.append((line, row, job_type.read_state(state, row.request)))
    return lines


def reopened(
    table: Spreadsheet, job_type: JobType[Q]
) -> tuple[pd.DataFrame, list[CampaignRow[Q]], list[JobState]]:
    """A result table as it was in memory: the input's columns, the rows, what is known of each."""
    lines = lines_of(table, job_type)
    return (
        table.frame.iloc[:, : -len(job_type.columns)],
        [replace(row, removed=(state.error or "").startswith(REMOVED)) for _, row, state in lines],
        [state for _, _, state in lines],
    )
