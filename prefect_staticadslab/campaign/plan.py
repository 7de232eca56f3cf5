"""What a run would do and what it may cost, before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from prefect_staticadslab.api.models import EDITABLE_IMAGE_AD, FLAT_IMAGE_AD, PRICE_USD
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.progress import duration
from prefect_staticadslab.campaign.results import ResultTable
from prefect_staticadslab.campaign.states import RowStatus

JOB_SECONDS: Final = 60.0
"""The longest that the vendor says an ad takes."""


class BudgetError(CampaignError):
    """The campaign would cost more than it may."""


@dataclass(frozen=True)
class Plan:
    """A campaign's plan.

    Attributes:
        rows: All rows, an ad each.
        source_rows: The spreadsheet's rows, of which each may have made several of these.
        completed: Rows that an earlier run completed.
        following: Rows whose ad was created and is still to be collected.
        flat, editable: Ads to create, by kind.
        gone: Rows of the table that are no longer in the spreadsheet.
        spent_usd: What the completed rows have cost.
        committed_usd: What the ads that are still to be collected will cost.
        new_usd: What the ads to create will cost, if all of them complete.
    """

    rows: int
    source_rows: int
    completed: int
    following: int
    flat: int
    editable: int
    gone: int
    spent_usd: Decimal
    committed_usd: Decimal
    new_usd: Decimal

    @classmethod
    def of(cls, table: ResultTable) -> Plan:
        """The plan for a table as it stands.

        A row that may have been sent counts as one to create: if it was, its key gives the same
        ad again, and the plan was dearer than the bill.
        """
        completed = following = flat = editable = 0
        committed = new = Decimal(0)
        for row, state in zip(table.rows, table.states, strict=True):
            if state.status is RowStatus.COMPLETED:
                completed += not row.gone
            elif state.is_processing:
                following += 1
                committed += row.request.price_usd
            elif not row.gone:
                flat += not row.request.editable
                editable += row.request.editable
                new += row.request.price_usd
        return cls(
            rows=len(table.wanted),
            source_rows=len({row.number for _, row, _ in table.wanted}),
            completed=completed,
            following=following,
            flat=flat,
            editable=editable,
            gone=table.gone,
            spent_usd=table.cost_usd(),
            committed_usd=committed,
            new_usd=new,
        )

    @property
    def creates(self) -> int:
        """How many ads are to be created."""
        return self.flat + self.editable

    @property
    def expansion(self) -> str:
        """How many ads the spreadsheet's rows make and what they cost; "" if each makes one."""
        if self.source_rows == self.rows:
            return ""
        made = "1 row makes" if self.source_rows == 1 else f"{self.source_rows} rows make"
        return (
            f"The spreadsheet's {made} {self.rows} ads, which cost up to {self.total_usd:.2f} USD."
        )

    @property
    def total_usd(self) -> Decimal:
        """What the whole campaign costs if every row completes, earlier runs included."""
        return self.spent_usd + self.committed_usd + self.new_usd

    def check_budget(self, max_spend_usd: float) -> None:
        """Raises if the whole campaign costs more than `max_spend_usd`; 0 is no limit.

        Raises:
            BudgetError: It does.
        """
        if max_spend_usd and self.total_usd > Decimal(str(max_spend_usd)):
            message = (
                f"The campaign costs up to {self.total_usd:.2f} USD, and the limit is "
                f"{max_spend_usd:.2f}. Raise that limit, or take rows out."
            )
            raise BudgetError(f"{self.expansion} {message}".lstrip())

    def expected_seconds(self, seconds_for: Callable[[int], float]) -> float:
        """How long it takes: what the rate limit makes the creates wait, and the last job.

        Args:
            seconds_for: How long the rate limit takes for so many creates, in seconds.
        """
        return seconds_for(self.creates) + JOB_SECONDS if self.creates + self.following else 0.0

    def describe(self, seconds_for: Callable[[int], float]) -> str:
        """The plan in words, a line per fact. `seconds_for` as in `expected_seconds`."""
        rows = "Ads" if self.expansion else "Rows"
        lines = [self.expansion] if self.expansion else []
        lines.append(f"{rows + ':':18} {self.rows}")
        if self.completed:
            lines.append(f"Already completed: {self.completed} of {self.rows}")
        if self.following:
            lines.append(f"Still rendering:   {self.following}, created by an earlier run")
        if self.gone:
            lines.append(f"No longer in it:   {self.gone}, kept in the table after the others")
        lines.append(f"To create:         {self.creates}")
        for kind, count, sku in (
            ("flat", self.flat, FLAT_IMAGE_AD),
            ("editable", self.editable, EDITABLE_IMAGE_AD),
        ):
            if count:
                price = PRICE_USD[sku]
                cost = f"{count} × {price:.2f} USD = {count * price:.2f} USD"
                lines.append(f"  {kind + ':':17}{cost}")
        lines.append(f"New cost:          up to {self.new_usd:.2f} USD, billed as ads complete")
        if self.total_usd != self.new_usd:
            lines.append(
                f"In all:            up to {self.total_usd:.2f} USD, "
                f"{self.spent_usd:.2f} of it spent already"
            )
        seconds = self.expected_seconds(seconds_for)
        lines.append(f"Expected time:     about {duration(seconds)}, under the key's rate limit")
        return "\n".join(lines)
