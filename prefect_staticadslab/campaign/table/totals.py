"""What a result table comes to: how many rows stand where, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow


@dataclass(frozen=True)
class Totals:
    """All counts of a table, made in one go. The properties count selected rows only.

    Attributes:
        counts: How many rows of the spreadsheet that were selected have each status.
        removed: How many rows are no longer in the spreadsheet.
        postponed: How many rows that were not selected have no picture and are not rendered.
        postponed_rendering: How many rows that were not selected are rendered by the API.
        cost_usd: What all jobs of the table have cost so far, removed rows included, in USD.
        unsent_usd: What the selected rows will cost that are still to be sent, in USD.

    Example:
        ```python
        from prefect_staticadslab import RowStatus
        from prefect_staticadslab.campaign.table.totals import Totals

        assert Totals.of([], []).counts[RowStatus.COMPLETED] == 0
        ```
    """

    counts: Mapping[RowStatus, int]
    removed: int
    cost_usd: Decimal
    unsent_usd: Decimal
    postponed: int = 0
    postponed_rendering: int = 0

    @classmethod
    def of(cls, rows: Sequence[CampaignRow[Any]], states: Sequence[JobState]) -> Totals:
        """The totals of rows and what is known about each, in the same order."""
        counts = dict.fromkeys(RowStatus, 0)
        removed = postponed = postponed_rendering = 0
        cost, unsent = Decimal(0), Decimal(0)
        for row, state in zip(rows, states, strict=True):
            cost += state.cost_usd or 0
            if row.removed:
                removed += 1
                continue
            if row.postponed:
                rendering = state.status is RowStatus.PROCESSING
                postponed_rendering += rendering
                postponed += not (rendering or state.is_completed)
                continue
            counts[state.status] += 1
            if state.is_unsent:
                unsent += row.request.price_usd
        return cls(counts, removed, cost, unsent, postponed, postponed_rendering)

    @property
    def rows(self) -> int:
        """All rows of the spreadsheet that were selected."""
        return sum(self.counts.values())

    @property
    def completed(self) -> int:
        """Rows whose picture is there."""
        return self.counts[RowStatus.COMPLETED]

    @property
    def rendering(self) -> int:
        """Rows whose job the API works on."""
        return self.counts[RowStatus.PROCESSING]

    @property
    def failed(self) -> int:
        """Rows that were refused, or whose job failed."""
        return self.counts[RowStatus.FAILED]

    @property
    def unsent(self) -> int:
        """Rows that are still to be sent, or were and have no answer."""
        return self.counts[RowStatus.PENDING] + self.counts[RowStatus.SUBMITTING]
