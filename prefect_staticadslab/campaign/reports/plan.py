"""What a run would do and what it may cost, before it does anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.reports.progress import duration
from prefect_staticadslab.campaign.table.earlier_jobs import EarlierJobs
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.limits import BudgetError, limit_of
from prefect_staticadslab.campaign.table.result_table import JobTable

JOB_SECONDS: Final = 60.0
"""The longest that an ad takes, as the vendor says."""

_LONGEST_RANGES: Final = 60
"""Characters of the rows' numbers that a remark names."""


@dataclass(frozen=True)
class Plan:
    """A campaign's plan. By rows it means, if nothing else is said, those that the run is for.

    Attributes:
        rows: How many rows there are, an ad each.
        source_rows: How many rows of the spreadsheet these are of; one may make several.
        completed: How many rows an earlier run completed.
        to_collect: How many rows have an ad that was created and is still to be collected.
        to_create: How many jobs there are to create, by their kind and its price in USD.
        unanswered: How many of these may have been sent by an earlier run.
        removed: How many rows of the table are no longer in the spreadsheet.
        spent_usd: What all ads of the table have cost, as it says.
        new_usd: What the ads to create will cost, if all of them complete.
        total_usd: What the whole campaign costs if every row completes, earlier runs included. This
            is what a limit counts: for a completed row its cost and no less than its price, as a
            table may have been changed; and for one that may have been sent, its price. Of rows
            that are not selected, only what is spent or under way counts.
        selected_by: The options that selected the rows; "" if all of them are.
        postponed: How many rows that are not selected are still to be created.
        equal_rows: The numbers of rows whose ad is to be created and was asked for by one before.
        without_prompt: The numbers of rows whose ad is to be created without a prompt.
        hidden_rows: How many of the rows a spreadsheet program hides.
        notes: What was chosen in reading the spreadsheet, a sentence each.
        earlier_jobs: What the spreadsheet says of its rows' jobs, if it is a result table.
    """

    rows: int
    source_rows: int
    completed: int
    to_collect: int
    to_create: Mapping[tuple[str, Decimal], int]
    unanswered: int
    removed: int
    spent_usd: Decimal
    new_usd: Decimal
    total_usd: Decimal
    earlier_jobs: EarlierJobs | None = None
    selected_by: str = ""
    postponed: int = 0
    equal_rows: tuple[int, ...] = ()
    without_prompt: tuple[int, ...] = ()
    hidden_rows: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, table: JobTable[Any]) -> Plan:
        """The plan for a table as it stands, which stays as it is.

        A row that may have been sent counts as one to create: if it was, its key gives the same
        ad again, and the bill is lower than the plan.
        """
        to_collect = unanswered = 0
        new = total = Decimal(0)
        to_create: Counter[tuple[str, Decimal]] = Counter()
        for row, state in zip(table.rows, table.states, strict=True):
            price, cost = row.request.price_usd, state.cost_usd or Decimal(0)
            if state.status is RowStatus.COMPLETED:
                total += max(cost, price)
                continue
            total += cost
            if state.is_processing:
                to_collect += 1
            elif row.may_create:
                to_create[row.request.job_name, price] += 1
                unanswered += state.status is RowStatus.SUBMITTING
                new += price
            elif state.status is not RowStatus.SUBMITTING:
                continue
            total += price
        totals = table.totals()
        return cls(
            rows=totals.rows,
            source_rows=len({row.number for row in table.rows if row.may_create}),
            completed=totals.completed,
            to_collect=to_collect,
            to_create=to_create,
            unanswered=unanswered,
            removed=totals.removed,
            spent_usd=totals.cost_usd,
            new_usd=new,
            total_usd=total,
            earlier_jobs=table.earlier_jobs,
            selected_by=table.selected_by,
            postponed=totals.postponed,
            equal_rows=_equal_row_numbers(table),
            without_prompt=_row_numbers_without_prompt(table),
            hidden_rows=table.hidden_rows,
            notes=table.notes,
        )

    @property
    def creates(self) -> int:
        """How many jobs there are to create, of all kinds."""
        return sum(self.to_create.values())

    @property
    def progress_text(self) -> str:
        """How far earlier runs have come: `3 of 8 already completed, 1 still rendering`."""
        rendering = f", {self.to_collect} still rendering" if self.to_collect else ""
        return f"{self.completed} of {self.rows} already completed{rendering}"

    @property
    def rows_to_ads_text(self) -> str:
        """How many ads rows make: `3 rows make 8 ads`; "" if each makes one."""
        if self.source_rows == self.rows:
            return ""
        one = self.source_rows == 1
        if self.selected_by:
            rows = "1 row is" if one else f"{self.source_rows:,} rows are"
            return f"{rows} selected, with {self.rows:,} ads"
        rows = "1 row makes" if one else f"{self.source_rows:,} rows make"
        return f"{rows} {self.rows:,} ads"

    @property
    def reading_lines(self) -> list[str]:
        """Lines that say what was chosen in reading the spreadsheet; none if nothing was."""
        lines = [f"Read as:           {'; '.join(self.notes)}"] if self.notes else []
        if self.hidden_rows:
            lines.append(
                f"Hidden rows:       {self.hidden_rows}, read like the others; "
                "--visible-rows leaves them out"
            )
        return lines

    @property
    def rows_to_ads_sentence(self) -> str:
        """How many ads rows make, and what these cost; "" if each makes one."""
        if not self.rows_to_ads_text:
            return ""
        whose = "" if self.selected_by else "The spreadsheet's "
        return f"{whose}{self.rows_to_ads_text}, which cost up to {self.total_usd:,.2f} USD."

    def check_budget(self, max_spend_usd: float) -> None:
        """Raises if the whole campaign could cost more than `max_spend_usd`.

        A campaign of which every row is completed passes: nothing of it can cost anything any more.

        Args:
            max_spend_usd: In USD; 0 is that nothing may be spent, infinity is no limit.

        Raises:
            BudgetError: It could cost more; or `max_spend_usd` cannot be a limit, such as NaN.
        """
        limit = limit_of(max_spend_usd)
        if self.creates + self.to_collect and self.total_usd > limit:
            message = (
                f"This costs up to {self.total_usd:,.2f} USD, and the limit is "
                f"{limit:,.2f}. Raise that limit, or take rows out."
            )
            raise BudgetError(f"{self.rows_to_ads_sentence} {message}".lstrip())

    def expected_seconds(self, seconds_for: Callable[[int], float]) -> float:
        """How many seconds a run takes: the waits for the rate limit, and the last job.

        Args:
            seconds_for: How long the rate limit takes for so many creates, in seconds.
        """
        return seconds_for(self.creates) + JOB_SECONDS if self.creates + self.to_collect else 0.0

    def describe(self, seconds_for: Callable[[int], float] | None = None) -> str:
        """The plan as text, a line per fact.

        Args:
            seconds_for: As in `expected_seconds`; None leaves the time out.
        """
        rows = "Ads" if self.rows_to_ads_text else "Rows"
        lines = [self.rows_to_ads_sentence] if self.rows_to_ads_text else []
        lines += self.reading_lines
        selected = f", selected by {self.selected_by}" if self.selected_by else ""
        lines.append(f"{rows + ':':18} {self.rows}{selected}")
        if self.completed:
            lines.append(f"Already completed: {self.completed} of {self.rows}")
        if self.earlier_jobs:
            lines.append(f"Made before:       {self.earlier_jobs}")
        if self.to_collect:
            lines.append(f"Still rendering:   {self.to_collect}, created by an earlier run")
        if self.removed:
            lines.append(f"No longer in it:   {self.removed}, kept in the table after the others")
        if self.postponed:
            lines.append(f"Not now:           {self.postponed}, which {self.postponed_clause}")
        lines.append(f"To create:         {self.creates}")
        for (job_name, price), count in sorted(self.to_create.items(), reverse=True):
            cost = f"{count} × {price:.2f} USD = {count * price:.2f} USD"
            lines.append(f"  {job_name + ':':17}{cost}")
        lines.append(f"New cost:          up to {self.new_usd:.2f} USD, billed as they complete")
        if self.total_usd != self.new_usd:
            lines.append(
                f"In all:            up to {self.total_usd:.2f} USD, "
                f"{self.spent_usd:.2f} of it spent already"
            )
        if seconds_for is not None:
            seconds = self.expected_seconds(seconds_for)
            lines.append(
                f"Expected time:     about {duration(seconds)}, under the key's rate limit"
            )
        return "\n".join([*lines, *self._possible_mistakes(SPREADSHEET_WORDS)])

    @property
    def postponed_clause(self) -> str:
        """The end of a sentence about rows that were not selected: that they wait, and for what."""
        return f"wait for a run without {self.selected_by}"

    def dry_run_message(self, jobs: str) -> str:
        """The result of a dry run, in two sentences.

        Args:
            jobs: How many of which jobs there are to create: `24 ads`.
        """
        cost = f", for up to {self.new_usd:,.2f} USD" if self.creates else ""
        return f"Dry run: {jobs} would be created{cost}. Nothing was created."

    def nothing_to_create_for(self) -> list[str]:
        """Sentences about rows that need no create now: completed, rendering, or not selected."""
        facts = []
        if self.completed:
            facts.append(f"{self.completed:,} of {self.rows:,} are completed already.")
        if self.to_collect:
            facts.append(f"{self.to_collect:,} of an earlier run are still rendering.")
        if self.postponed:
            facts.append(f"{self.postponed:,} more {self.postponed_clause}.")
        return facts

    def remarks(self, words: Words = SPREADSHEET_WORDS) -> list[str]:
        """Sentences about what may be a mistake, and about how the spreadsheet was read.

        Args:
            words: What people call rows.
        """
        remarks = self._possible_mistakes(words)
        if self.hidden_rows:
            are = "1 row is" if self.hidden_rows == 1 else f"{self.hidden_rows:,} rows are"
            remarks.append(f"{are} hidden in the spreadsheet, and read like the others.")
        if self.notes:
            remarks.append(f"Read as: {'; '.join(self.notes)}")
        return remarks

    def _possible_mistakes(self, words: Words) -> list[str]:
        """Sentences about rows that ask for the same ad as others, or for one without a prompt."""
        equal, without = self.equal_rows, self.without_prompt
        remarks = []
        if equal:
            ask = _how_many(equal, words) + (" asks" if len(equal) == 1 else " ask")
            which = _which_rows(equal, words)
            remarks.append(f"{ask} for the same ad as an earlier one: {which}.")
        if without:
            have = _how_many(without, words) + (" has" if len(without) == 1 else " have")
            remarks.append(f"{have} no prompt: {_which_rows(without, words)}.")
        return remarks


def counted_ads(count: int) -> str:
    """A number of ads in words: `1 ad`, `2,400 ads`."""
    return "1 ad" if count == 1 else f"{count:,} ads"


def is_to_create(row: CampaignRow[Any], state: JobState) -> bool:
    """Whether a run would create a job for a row of which this is known."""
    return row.may_create and not (state.is_completed or state.is_processing)


def _equal_row_numbers(table: JobTable[Any]) -> tuple[int, ...]:
    """The numbers of rows whose ad is to be created and was asked for by a row before them."""
    seen: set[str] = set()
    equal: dict[int, None] = {}
    for _, row, state in table.current_rows:
        if not isinstance(row.request, ImageAdRequest):
            continue
        content = row.request.model_dump_json()
        if content in seen and is_to_create(row, state):
            equal[row.number] = None
        seen.add(content)
    return tuple(equal)


def _row_numbers_without_prompt(table: JobTable[Any]) -> tuple[int, ...]:
    """The numbers of rows whose ad is to be created without a prompt."""
    return tuple(
        dict.fromkeys(
            row.number
            for _, row, state in table.current_rows
            if isinstance(row.request, ImageAdRequest)
            and not row.request.prompt
            and is_to_create(row, state)
        )
    )


def _how_many(numbers: Sequence[int], words: Words) -> str:
    """How many rows these are: `3 rows`."""
    return f"{len(numbers):,} {words.row if len(numbers) == 1 else words.rows}"


def _which_rows(numbers: Sequence[int], words: Words) -> str:
    """Which rows these are: `rows 2-4`."""
    row = words.row if len(numbers) == 1 else words.rows
    return f"{row} {shortened(words.which(numbers), _LONGEST_RANGES)}"


def started_usd(table: JobTable[Any], before: Sequence[JobState]) -> Decimal:
    """What the jobs that a run has started cost, in USD, if all complete; failed ones are free.

    A row of which it is not known whether it was sent counts, unless this run has left it alone. So
    do rows that another run has started meanwhile in the same table, and those whose job was there
    before, and has failed and was replaced.

    Args:
        table: The table at the run's end.
        before: What was known of each row at its beginning, in the table's order.
    """
    begun = (RowStatus.SUBMITTING, RowStatus.PROCESSING, RowStatus.COMPLETED)
    return sum(
        (
            row.request.price_usd
            for row, state, earlier in zip(table.rows, table.states, before, strict=False)
            if state.status in begun
            and state != earlier
            and not (earlier.has_ad and state.job_id == earlier.job_id)
        ),
        Decimal(0),
    )
