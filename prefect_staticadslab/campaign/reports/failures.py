"""Failures grouped by what caused them, for people who have hundreds of rows and few causes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow


@dataclass(frozen=True)
class Cause:
    """Failed rows with the same error.

    Attributes:
        message: The error. What differs between these rows, such as an id, is `…`.
        row_numbers: The numbers of the rows, in order.
        ads: How many ads these are; one row may make several.
    """

    message: str
    row_numbers: tuple[int, ...]
    ads: int


def group_failures(lines: Iterable[tuple[int, CampaignRow[Any], JobState]]) -> tuple[Cause, ...]:
    """Groups failed rows by their errors, the most frequent first; other rows are left out.

    Two errors are the same if they differ only in ids: of requests, jobs, and what was asked for.

    Args:
        lines: Rows as a table has them: position, row and what is known about it.
    """
    failures_by_message: dict[str, list[tuple[int, str]]] = {}
    for _, row, state in lines:
        if state.status is RowStatus.FAILED:
            error = _JOB.sub("", state.error or "No reason is known.")
            failures_by_message.setdefault(_ID.sub("…", error), []).append((row.number, error))
    unsorted = [
        Cause(
            common if len({error for _, error in failed}) > 1 else failed[0][1],
            tuple(sorted({number for number, _ in failed})),
            len(failed),
        )
        for common, failed in failures_by_message.items()
    ]
    return tuple(sorted(unsorted, key=lambda cause: (-cause.ads, cause.row_numbers)))


_ID = re.compile(r"\b(?:dt|brand|prod|pv|aud|img|iav?|req)_[A-Za-z0-9_-]+|(?<=, request )[^\s)]+")
_JOB = re.compile(r", job [^\s,)]+(?=\))")
"""The job in an error, as `api.errors.failure_reason` writes it."""
