"""A result table on disk: reading and checking it, and matching its lines with rows in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from prefect_staticadslab.campaign.errors import (
    CampaignError,
    SpreadsheetError,
)
from prefect_staticadslab.campaign.files import conditional_writes, locations, storage
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    column_key,
    shortened,
)
from prefect_staticadslab.campaign.files.formats.parquet import need_pyarrow
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE, read_spreadsheet
from prefect_staticadslab.campaign.table.job_state import (
    REMOVED,
    JobState,
    RowStatus,
)
from prefect_staticadslab.campaign.table.job_type import (
    CampaignRow,
    JobType,
    Q,
    check_record,
    record_error,
)
from prefect_staticadslab.campaign.table.layout import (
    SENT_PROMPT_COLUMN,
    ResultColumns,
    result_cells,
    result_columns_of,
    with_all_result_columns,
    without_result_columns,
)

if TYPE_CHECKING:
    import pandas as pd


class OutputError(CampaignError):
    """The result table cannot be written where it should be. The message says why."""


_SHOWN_NAMES: Final = 200
"""How many characters of sheets' names are told."""

Line: TypeAlias = tuple[int, CampaignRow[Q], JobState]
"""A line of a table on disk: its place among the lines, the row that it is, and the row's state."""


def with_earlier_prompt(
    frame: pd.DataFrame, position: int, written: Spreadsheet, line: int
) -> pd.DataFrame:
    """`frame`, or a copy in which the row has the prompt that its ad was made with: its line's."""
    import numpy as np

    here, there = _prompt_columns(frame.columns), _prompt_columns(written.header)
    sent = [written.lines[line][column] for column in there]
    if not here or not sent:
        return frame
    cells = frame.iloc[:, here[0]].tolist()
    cells[position] = next((cell for cell in sent if cell_text(cell).strip()), sent[-1])
    changed = frame.copy(deep=False)
    changed.isetitem(here[0], np.array(cells, dtype=object))
    return changed


def _prompt_columns(header: Iterable[Any]) -> list[int]:
    """The places of the column of sent prompts and of the one of prompts, if a table has them."""
    names = [column_key(str(name)) for name in header]
    columns = map(column_key, (SENT_PROMPT_COLUMN, "prompt"))
    return [names.index(column) for column in columns if column in names]


def lines_to_keep(removed: Sequence[Line[Q]]) -> list[Line[Q]]:
    """Of the lines of rows that were removed, those that have, or may have, an ad.

    And those before an equal one that has: equal rows are told apart by counting them.
    """
    kept: list[Line[Q]] = []
    contents: set[str] = set()
    for line, row, state in reversed(removed):
        content = row.request.model_dump_json()
        if _may_have_job(state) or content in contents:
            contents.add(content)
            kept.append((line, row, state))
    return kept[::-1]


def check_location(location: str) -> None:
    """Raises if no table can be written there, as far as that can be told without writing.

    Raises:
        OutputError: There is no such format.
        SpreadsheetError: What the format needs is not installed.
        StorageError: See `storage.check_target`.
    """
    if storage.suffix(location) not in WRITABLE:
        raise OutputError(f"The output {location} must end in one of: {', '.join(WRITABLE)}.")
    if storage.suffix(location) == ".parquet":
        need_pyarrow()
    storage.check_target(location)


def read_earlier(location: str, job_type: JobType[Any], *, is_output: bool = True) -> Spreadsheet:
    """Reads an earlier run's table; columns of this version that it lacks are there, and blank.

    Args:
        location: Where it is.
        job_type: Of what jobs it is.
        is_output: Whether a run is to write it, so that the message advises another output.

    Raises:
        OutputError: It is something else, lacks result columns, or what it says cannot be read;
            the message says which.
        StorageError: It cannot be had.
    """
    try:
        earlier = read_spreadsheet(location, known_columns=job_type.known_columns, ragged=True)
    except SpreadsheetError as error:
        twice = [name for name in job_type.columns if name in {p.column for p in error.problems}]
        if twice:
            raise OutputError(
                f"{location} has two columns {' and '.join(twice)}, so it is left alone. Rename or "
                "delete the one that is yours."
            ) from error
        raise OutputError(_unreadable_message(location, error, is_output)) from error
    found = result_columns_of(earlier, job_type.columns)
    if found.is_complete:
        return with_all_result_columns(earlier, found, job_type.columns)
    if found.is_recognized:
        raise OutputError(
            f"{location} looks like a result table, but {missing_message(found)}. So it is left "
            "alone: put that back as it was. (With another output, the whole campaign would be "
            "created and paid for anew.)"
        )
    raise OutputError(_no_table_message(location, earlier.notes, is_output))


def read_existing(location: str, job_type: JobType[Any]) -> tuple[Spreadsheet, str]:
    """Reads a table that must be there, as `read_earlier` does. Returns also its version.

    Raises:
        OutputError: Nothing is at `location`, or no result table.
        RecordError: See `check_record`.
        StorageError: It cannot be read, or nothing can be written there.
    """
    version = conditional_writes.version(location)
    if version is None:
        where = locations.redacted_with_folder(location)
        raise OutputError(f"There is no result table at {where}.")
    storage.check_target(location)
    if storage.suffix(location) not in WRITABLE:
        raise OutputError(f"A result table ends in one of {', '.join(WRITABLE)}, not {location}.")
    written = read_earlier(location, job_type, is_output=False)
    check_record(written, job_type, location)
    return written, version


def _unreadable_message(location: str, error: SpreadsheetError, is_output: bool) -> str:
    """What to say of a file that cannot be read, and may be a result table; see `read_earlier`."""
    if not is_output:
        return f"{location} cannot be read: {error}"
    return (
        f"{location} exists, and cannot be read, so it is left alone: {error}\n"
        "If it is a result table, put that right in the file itself: with another output, all of "
        "its ads would be paid for again. If it is none, choose another output, or move it away."
    )


def _no_table_message(location: str, notes: Sequence[str], is_output: bool) -> str:
    """What to say of a file that is no result table; `notes` say how it was read, as which of
    several sheets. See `read_earlier`."""
    read = f" What was read of it: {'; '.join(notes)}." if notes else ""
    if not is_output:
        return (
            f"{location} is no result table: it has not the columns that a campaign writes.{read}"
        )
    return (
        f"{location} exists, and is not a result table of this program, so it is left alone. "
        f"Choose another output, or move that file away.{read}"
    )


def lost_sheets_notes(table: Spreadsheet, location: str) -> tuple[str, ...]:
    """A note that a result table has sheets that the next write leaves out; () if it has none."""
    if not table.other_sheets:
        return ()
    names = shortened(", ".join(table.other_sheets), _SHOWN_NAMES)
    name = locations.redacted(storage.name(location))
    return (f"{name} without its other sheets ({names}), which are lost when it is written",)


def missing_message(found: ResultColumns) -> str:
    """Which result columns a table lacks, as a part of a sentence."""
    names = ", ".join(found.missing)
    if len(found.missing) == 1:
        return f"its column {names} was renamed or deleted"
    return f"its columns {names} were renamed or deleted"


def lines_of(table: Spreadsheet, job_type: JobType[Q], location: str | None) -> list[Line[Q]]:
    """The lines of a result table that `read_earlier` gave, in order. `location` is where it was
    read, for messages.

    Raises:
        RecordError: A row of it can no longer be read.
    """
    try:
        rows = job_type.read_rows(table, unique_row_ids=False)
    except SpreadsheetError as error:
        raise record_error(error.problems, location or "") from error
    results = result_cells(table, job_type.columns)
    lines = []
    for line, (row, cells) in enumerate(zip(rows, results, strict=True)):
        state = JobState.from_cells(
            dict(zip(job_type.columns, cells, strict=True)), job_type.columns
        )
        lines.append((line, row, job_type.add_from_request(state, row.request)))
    return lines


def match_lines(
    rows: Sequence[CampaignRow[Q]],
    known: Sequence[tuple[JobState, JobState]],
    lines: Sequence[Line[Q]],
    job_type: JobType[Q],
) -> tuple[dict[int, Line[Q]], list[Line[Q]], frozenset[int]]:
    """Finds each row's line in a result table.

    A line with a row's job or idempotency key is that row's, wherever somebody moved it; any other
    is the row's that has its identity. What is left goes to rows that ask for the same: equal ones
    of a table that was sorted, or one under another `row_id`, as the column is new, or a program
    made `7` of `007`. A line that was edited is first the row's that its `request_hash` is of, and
    only then the row's that it shows. By what it asks for, no row that may have a job gets another.

    Args:
        rows: The rows in memory.
        known: What is known of each, and what of it was on disk when that was last read or written.
        lines: The table's lines.
        job_type: Of what jobs they are.

    Returns:
        Rows' lines, by the rows' positions; the lines that are no row's, in order; and the
        positions of rows whose lines write a number or a date of the same request differently.
    """
    found: dict[int, Line[Q]] = {}
    rest = {line[0]: line for line in lines}
    shown = {line: job_type.hash_of(row.request) for line, row, _ in lines}
    asked = {line: state.request_hash or shown[line] for line, _, state in lines}
    identities = [row.identity for row in rows]
    hashes = [
        state.request_hash or job_type.hash_of(row.request)
        for row, (state, _) in zip(rows, known, strict=True)
    ]
    # A mark that is being written is not sent yet, so that another run's may take its place.
    has_own = [now.has_ad or saved.may_have_ad for now, saved in known]
    owners: dict[tuple[str | None, str], list[int]] = {}
    for position, mark in ((p, mark) for p, states in enumerate(known) for mark in _marks(*states)):
        owners.setdefault((mark, hashes[position]), []).append(position)

    def take_by(
        name_of: Callable[[Line[Q]], str | None], names: Sequence[str], *, any_job: bool = False
    ) -> None:
        """Makes lines those of rows of the same name; of several, by `_rank`."""
        named: dict[tuple[str | None, bool], deque[Line[Q]]] = {}
        for line in sorted(rest.values(), key=_rank):
            has_job = not any_job and _may_have_job(line[2])
            named.setdefault((name_of(line), has_job), deque()).append(line)
        for position, name in enumerate(names):
            kinds = (False,) if any_job or has_own[position] else (True, False)
            same = [lines for each in kinds if (lines := named.get((name, each)))]
            if same and position not in found:
                line = min(same, key=lambda lines: _rank(lines[0])).popleft()
                found[position] = rest.pop(line[0])

    for place, _, state in lines:
        own = [p for mark in _marks(state) for p in owners.get((mark, asked[place]), ())]
        for position in [p for p in own if p not in found][:1]:
            found[position] = rest.pop(place)
    unedited = {place for place, name in asked.items() if name == shown[place]}
    take_by(
        lambda line: line[1].identity if line[0] in unedited else None, identities, any_job=True
    )
    take_by(lambda line: asked[line[0]], hashes)
    take_by(lambda line: line[1].identity, identities)
    take_by(lambda line: shown[line[0]], hashes)
    unsent = {
        position: row
        for position, row in enumerate(rows)
        if position not in found and not has_own[position] and not row.removed
    }
    jobs = [line for line in rest.values() if line[2].may_have_ad]
    respelled = job_type.find_respelled(unsent, [row for _, row, _ in jobs])
    found |= {position: rest.pop(jobs[number][0]) for position, number in respelled.items()}
    return found, list(rest.values()), frozenset(respelled)


def _may_have_job(state: JobState) -> bool:
    """Whether a row with this state has a job, or was perhaps sent."""
    return state.job_id is not None or state.status is RowStatus.SUBMITTING


def _rank(line: Line[Any]) -> tuple[bool, bool, bool]:
    """Sorts lines with ads before those that may have one, and these before what was refused."""
    state = line[2]
    return not state.has_ad, not state.may_have_ad, state.status is RowStatus.PENDING


def _marks(*states: JobState) -> list[str]:
    """The ids of jobs and the idempotency keys of a row's states, by which its line is known."""
    marks = [mark for state in states for mark in (state.job_id, state.idempotency_key)]
    return [mark for mark in marks if mark]


def table_parts(
    table: Spreadsheet, job_type: JobType[Q], location: str | None
) -> tuple[pd.DataFrame, list[CampaignRow[Q]], list[JobState]]:
    """A result table on disk as its other columns, its rows, and each row's state.

    A row was removed from the spreadsheet if its error begins with `REMOVED`. For the rest see
    `lines_of`.
    """
    lines = lines_of(table, job_type, location)
    return (
        without_result_columns(table, job_type.columns).frame,
        [replace(row, removed=(state.error or "").startswith(REMOVED)) for _, row, state in lines],
        [state for _, _, state in lines],
    )
