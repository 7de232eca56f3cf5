"""What is known about one row's ad, and how a result table holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from prefect_staticadslab.campaign.sheet import cell_text

SENT: Final = "Sent for campaign {}, and no answer is known."
"""What the table's `error` says of a row that is `submitting`, before what else there is to say.

A campaign's keys hang on its name, and that on where its table is. A table that was moved, or named
after all, must ask for what is on its way with the key that it went out with.
"""
_SENT = re.compile(re.escape(SENT).replace(r"\{\}", "([0-9a-f]+)"))

_EARLIEST_YEAR: Final = 2000
"""A date before it, or at the end of the calendar, is no date of an ad."""


class RowStatus(StrEnum):
    """Where a row stands."""

    PENDING = "pending"
    """Not sent yet."""
    SUBMITTING = "submitting"
    """Perhaps sent; whether the API has it, only the API knows."""
    PROCESSING = "processing"
    """The API has it and works on it; `image_ad_id` says where."""
    COMPLETED = "completed"
    """The picture is there."""
    FAILED = "failed"
    """The API refused it, or the job failed. It costs nothing."""


@dataclass(frozen=True)
class AdState:
    """What is known about one row's ad; the columns that the result table adds.

    Attributes:
        status: Where the row stands.
        image_ad_id: The ad's id, once the API has answered.
        image_url: The picture's URL, once completed.
        error: Why it failed, or what stands in its way.
        cost_usd: What it cost in USD: known once it completed, 0 if it failed.
        attempts: How many creates, each with a key of its own, were begun for this row.
        width, height: The picture's size in pixels.
        submitted_at: When the create was first begun, in UTC; once answered, when that was.
        completed_at: When the job ended, in UTC.
        image_path: Where the picture was downloaded to.
        campaign: What the keys of a `submitting` row are made of; see `rows.campaign_id`.
    """

    status: RowStatus = RowStatus.PENDING
    image_ad_id: str | None = None
    image_url: str | None = None
    error: str | None = None
    cost_usd: Decimal | None = None
    attempts: int = 0
    width: int | None = None
    height: int | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    image_path: str | None = None
    campaign: str | None = None

    @property
    def is_completed(self) -> bool:
        """Whether the picture is there."""
        return self.status is RowStatus.COMPLETED

    @property
    def is_unsent(self) -> bool:
        """Whether no ad is known for the row, and one is still to be created."""
        return self.status in (RowStatus.PENDING, RowStatus.SUBMITTING)

    def cells(self) -> tuple[Any, ...]:
        """The values of `RESULT_COLUMNS`."""
        error = self.error
        if self.campaign is not None and self.status is RowStatus.SUBMITTING:
            error = f"{SENT.format(self.campaign)} {error or ''}".strip()
        return (
            str(self.status),
            self.image_ad_id,
            self.image_url,
            error,
            None if self.cost_usd is None else float(self.cost_usd),
            self.attempts,
            self.width,
            self.height,
            _timestamp(self.submitted_at),
            _timestamp(self.completed_at),
            self.image_path,
        )

    @classmethod
    def from_cells(cls, cells: Mapping[str, Any]) -> AdState:
        """What an earlier run wrote down. Cells that make no sense count as empty."""
        text = {name: cell_text(cells.get(name)).strip() for name in RESULT_COLUMNS}
        try:
            status = RowStatus(text["status"].casefold())
        except ValueError:
            status = RowStatus.PENDING
        error, campaign = text["error"], None
        if status is RowStatus.SUBMITTING and (sent := _SENT.match(error)):
            error, campaign = error[sent.end() :].strip(), sent[1]
        return cls(
            status=status,
            image_ad_id=text["image_ad_id"] or None,
            image_url=text["image_url"] or None,
            error=error or None,
            cost_usd=_decimal(text["cost_usd"]),
            attempts=_integer(text["attempts"]) or 0,
            width=_integer(text["width"]),
            height=_integer(text["height"]),
            submitted_at=_moment(text["submitted_at"]),
            completed_at=_moment(text["completed_at"]),
            image_path=text["image_path"] or None,
            campaign=campaign,
        )


RESULT_COLUMNS: Final = (
    "status",
    "image_ad_id",
    "image_url",
    "error",
    "cost_usd",
    "attempts",
    "width",
    "height",
    "submitted_at",
    "completed_at",
    "image_path",
)


_ORDER: Final = {
    RowStatus.PENDING: 0,
    RowStatus.SUBMITTING: 1,
    RowStatus.PROCESSING: 2,
    RowStatus.FAILED: 3,
    RowStatus.COMPLETED: 4,
}


def further(ours: AdState, theirs: AdState) -> AdState:
    """Of what two runs know about a row, the one that is further; ours if both are as far.

    A completed ad is the end. Before that a later attempt is further than an earlier one, and
    within an attempt an ad that was answered is further than one that was only sent.

    Example:
        ```python
        from prefect_staticadslab import AdState, RowStatus
        from prefect_staticadslab.campaign.states import further

        failed = AdState(RowStatus.FAILED, image_ad_id="ia_1", attempts=1)
        again = AdState(RowStatus.SUBMITTING, attempts=2)
        assert further(failed, again) == further(again, failed) == again
        ```
    """
    return theirs if _progress(theirs) > _progress(ours) else ours


def _progress(state: AdState) -> tuple[bool, int, int]:
    return state.is_completed, state.attempts, _ORDER[state.status]


def _timestamp(moment: datetime | None) -> str | None:
    if moment is None or not _EARLIEST_YEAR <= moment.year < MAXYEAR:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _integer(text: str) -> int | None:
    try:
        return int(float(text))
    except ValueError:
        return None


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
