"""Jobs that a spreadsheet's rows have already, because it is a result table of another campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, without_removed_note
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q, check_record
from prefect_staticadslab.campaign.table.layout import (
    result_cells,
    result_columns_of,
    with_all_result_columns,
)


@dataclass(frozen=True)
class EarlierJobs:
    """How many rows have jobs already, and what becomes of these.

    Attributes:
        source: Where the spreadsheet is, which is a result table.
        existing: How many rows have a job, or may have one.
        completed: How many of these are completed.
        again: Whether new ones are begun for them; else they are taken over.
    """

    source: str
    existing: int
    completed: int
    again: bool

    def __str__(self) -> str:
        """All of it as a part of a sentence, for people."""
        if self.again:
            become = "made, and paid for, again"
        else:
            become = "taken over, and made again only with --again"
        return (
            f"{self.existing} of the rows, {self.completed} of them completed, as {self.source} "
            f"says; {become}"
        )


def read_earlier_jobs(
    rows: Iterable[tuple[int, CampaignRow[Q], JobState]],
    job_type: JobType[Q],
    spreadsheet: Spreadsheet,
    location: str,
    *,
    again: bool,
) -> tuple[EarlierJobs | None, dict[int, JobState]]:
    """Reads the jobs that rows have already, if the spreadsheet is itself a result table.

    A row has one there if it is completed, if it is rendered, or if it may have been sent: then it
    is asked for with the key that it was sent with, or adopted if the spreadsheet lacks that. A row
    that was edited since has none. Only rows that are pending or failed in the campaign take over
    anything. A revision whose rendering failed is taken over as that: its ad may have the change.

    Args:
        rows: The campaign's rows: position, row, and what is known about it.
        job_type: Of what jobs they are.
        spreadsheet: What was read.
        location: Where, for messages; "" if nowhere.
        again: Whether a new job is wanted for each row, so that none is taken over.

    Returns:
        What it says, or None if it is no result table; and the new states of the rows that take
        over a job, by position.

    Raises:
        RecordError: It holds statuses, costs or counts of attempts that cannot be.
    """
    columns = job_type.columns
    found = result_columns_of(spreadsheet, columns)
    if not found.is_recognized:
        return None, {}
    record = with_all_result_columns(spreadsheet, found, columns)
    check_record(record, job_type, location)
    states = {
        number: JobState.from_cells(dict(zip(columns, cells, strict=True)), columns)
        for number, cells in zip(record.row_numbers, result_cells(record, columns), strict=True)
    }
    rows = list(rows)
    counts = Counter(row.number for _, row, _ in rows)
    existing = completed = 0
    taken_over: dict[int, JobState] = {}
    for position, row, ours in rows:
        theirs = job_type.add_from_request(states.get(row.number, JobState()), row.request)
        if not _asks_for_same(theirs, ours, counts[row.number]):
            continue
        if _is_repeated(theirs) and not (job_type.exclusive or again or ours.attempts):
            # Begun anew, it would be made to the ad once more, which may have it already.
            taken_over[position] = _taken_over_state(theirs, ours)
        if not theirs.may_have_ad:
            continue
        existing += 1
        completed += theirs.is_completed
        if not again and ours.status in (RowStatus.PENDING, RowStatus.FAILED):
            taken_over[position] = _taken_over_state(theirs, ours)
    return EarlierJobs(location, existing, completed, again), taken_over


def _is_repeated(state: JobState) -> bool:
    """Whether a revision is to be made once more after its rendering failed; pending, if it could
    not be sent again, as the wallet was empty."""
    is_withdrawn = state.status is RowStatus.PENDING and "sent_tree" in state.facts
    return state.job_failed or is_withdrawn


def _asks_for_same(theirs: JobState, ours: JobState, rows_of_line: int) -> bool:
    """Whether the job was begun for what the row asks for now.

    A table of an earlier version does not say for what: then the answer is yes, unless its line is
    several rows of the campaign, as one with filters is.
    """
    if theirs.request_hash is None:
        return rows_of_line == 1
    return theirs.request_hash == ours.request_hash


def _taken_over_state(theirs: JobState, ours: JobState) -> JobState:
    """A row's state in the spreadsheet, as the row's new state in this campaign."""
    state = without_removed_note(theirs)
    if ours.attempts:
        # Further than what this campaign has recorded of the row, or a merge would undo it.
        state = replace(state, attempts=max(state.attempts, ours.attempts + 1))
    if state.status is RowStatus.SUBMITTING and state.idempotency_key is None:
        # This campaign's own key would make a second ad: a row without a date is adopted.
        return replace(state, submitted_at=None)
    return state
