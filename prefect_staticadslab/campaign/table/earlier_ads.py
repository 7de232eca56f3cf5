"""Ads that a spreadsheet's rows have already, because it is a result table of another campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus, without_removed_note
from prefect_staticadslab.campaign.table.job_type import CampaignRow, JobType, Q
from prefect_staticadslab.campaign.table.layout import (
    result_cells,
    result_columns_of,
    with_all_result_columns,
)
from prefect_staticadslab.campaign.table.table_on_disk import check_amounts


@dataclass(frozen=True)
class EarlierAds:
    """What is known of them.

    Attributes:
        source: The result table that is the spreadsheet.
        existing: How many rows have an ad, or may have one.
        completed: How many of these are completed.
        again: Whether they are made once more.
    """

    source: str
    existing: int
    completed: int
    again: bool

    def __str__(self) -> str:
        """All of it, for people."""
        if self.again:
            become = "made, and paid for, again"
        else:
            become = "taken over, and made again only with --again"
        return (
            f"{self.existing} of the rows, {self.completed} of them completed, as {self.source} "
            f"says; {become}"
        )


def read_earlier_ads(
    rows: Iterable[tuple[int, CampaignRow[Q], JobState]],
    job_type: JobType[Q],
    spreadsheet: Spreadsheet,
    location: str,
    *,
    again: bool,
) -> tuple[EarlierAds | None, dict[int, JobState]]:
    """What the spreadsheet says of its rows' ads, if that is a result table.

    That counts for rows that are completed, that are rendered, or that may have been sent: these
    are asked for with the key that they were sent with, or looked for in the API's lists if it
    lacks that. A row that was edited since has no ad. What the campaign itself knows of an ad goes
    before.

    Args:
        rows: The campaign's rows: position, row, and what is known about it.
        job_type: Of what jobs they are.
        spreadsheet: What was read.
        location: Where, for messages; "" if nowhere.
        again: Whether a new ad is wanted for each row.

    Returns:
        What it says, or None if it is no result table; and what is to be taken over, by position.

    Raises:
        AmountError: It holds costs or counts of attempts that cannot be.
    """
    columns = job_type.columns
    found = result_columns_of(spreadsheet, columns)
    if not found.is_recognized:
        return None, {}
    record = with_all_result_columns(spreadsheet, found, columns)
    check_amounts(record, job_type, location)
    states = {
        number: JobState.from_cells(dict(zip(columns, cells, strict=True)), columns)
        for number, cells in zip(record.row_numbers, result_cells(record, columns), strict=True)
    }
    rows = list(rows)
    ads_of = Counter(row.number for _, row, _ in rows)
    existing = completed = 0
    taken_over: dict[int, JobState] = {}
    for position, row, ours in rows:
        theirs = job_type.read_state(states.get(row.number, JobState()), row.request)
        if not _has_job(theirs) or not _is_of(theirs, ours, ads_of[row.number]):
            continue
        existing += 1
        completed += theirs.is_completed
        if not again and ours.status in (RowStatus.PENDING, RowStatus.FAILED):
            taken_over[position] = _taken_over_state(theirs, ours)
    return EarlierAds(location, existing, completed, again), taken_over


def _has_job(state: JobState) -> bool:
    return state.is_completed or state.is_processing or state.status is RowStatus.SUBMITTING


def _is_of(theirs: JobState, ours: JobState, ads: int) -> bool:
    """Whether the ad was made for what the row asks for now."""
    if theirs.request_hash is None:
        return ads == 1
    return theirs.request_hash == ours.request_hash


def _taken_over_state(theirs: JobState, ours: JobState) -> JobState:
    """The spreadsheet's word on an ad, as a state of this campaign."""
    state = without_removed_note(theirs)
    if ours.attempts:
        # Further than what this campaign has written down of the row.
        state = replace(state, attempts=max(state.attempts, ours.attempts + 1))
    if state.status is RowStatus.SUBMITTING and state.idempotency_key is None:
        # This campaign's own key would make a second ad: without a date, it is looked for.
        return replace(state, submitted_at=None)
    return state
