"""How a run ended, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.pipeline.adoption import Adoption
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.failures import Cause, group_failures
from prefect_staticadslab.campaign.table.job_state import RowStatus

LISTED_FAILURES: Final = 5
"""How many causes of failures a summary names; the table has them all."""


@dataclass(frozen=True)
class Summary:
    """How a run ended: its counts and costs, and all that texts for people say of it.

    Attributes:
        rows: How many rows the run was for.
        counts: How many of them have each status.
        already_completed: How many rows earlier runs had completed.
        spent_before_usd: What the table's ads had cost before this run, in USD.
        replayed: How many creates the API answered with the job of an earlier run.
        unsent: How many rows are still to be created.
        unsent_usd: What these will cost, in USD.
        cost_usd: What the table's ads have cost, earlier runs included, in USD.
        seconds: How long this run took.
        output: Where the table is.
        contact_sheet: Where the contact sheet is, if there is one.
        pictures: The folder of the downloaded pictures, if any were asked for.
        pictures_missing: How many pictures could not be downloaded.
        stopped_by: What stopped all creates, if something did.
        is_interrupted: Whether the run was stopped from outside.
        failures: What failed rows, the most frequent cause first.
        adoption: What became of rows that an interrupted run may have sent long ago.
        is_cost_known: Whether the table says what such jobs cost.
        selected_by: The options that selected the rows; "" if all of them were.
        postponed: How many rows were not selected and are still to be created.
        postponed_rendering: How many rows were not selected, and an earlier run has created them.
        words: What people call the rows.
    """

    rows: int
    unsent: int
    unsent_usd: Decimal
    counts: dict[RowStatus, int]
    already_completed: int
    spent_before_usd: Decimal
    replayed: int
    cost_usd: Decimal
    seconds: float
    output: str
    contact_sheet: str | None = None
    pictures: str | None = None
    pictures_missing: int = 0
    stopped_by: str | None = None
    is_interrupted: bool = False
    failures: tuple[Cause, ...] = ()
    adoption: Adoption = field(default_factory=Adoption)
    is_cost_known: bool = True
    selected_by: str = ""
    postponed: int = 0
    postponed_rendering: int = 0
    words: Words = SPREADSHEET_WORDS

    @property
    def completed(self) -> int:
        """How many rows that the run was for have their picture."""
        return self.counts[RowStatus.COMPLETED]

    @property
    def is_complete(self) -> bool:
        """Whether every row that the run was for is completed."""
        return self.completed == self.rows

    @property
    def is_created(self) -> bool:
        """Whether every row that the run was for has an ad that is completed or on its way."""
        return self.completed + self.counts[RowStatus.PROCESSING] == self.rows

    def headline(self) -> str:
        """One sentence: the counts, the cost and the time."""
        before = self.spent_before_usd
        this_run = f" in all, {self.cost_usd - before:.2f} of it in this run" if before else ""
        cost = f", {self.cost_usd:.2f} USD{this_run}" if self.is_cost_known else ""
        others = ", ".join(
            f"{count} {status}"
            for status, count in self.counts.items()
            if count and status is not RowStatus.COMPLETED
        )
        rows = f"selected {self.words.rows}" if self.selected_by else self.words.rows
        later = ""
        if self.postponed:
            wait = "waits" if self.postponed == 1 else "wait"
            later = f"; {self.postponed} more {wait} for a run without {self.selected_by}"
        return (
            f"{self.completed} of {self.rows} {rows} completed"
            f"{f' ({others})' if others else ''}{cost}, {self.seconds:.1f} s{later}"
        )

    def notes(self) -> list[str]:
        """The sentences of `remarks`, and the most frequent causes of failures."""
        failures = [f"{each.ads} × {each.message}" for each in self.failures[:LISTED_FAILURES]]
        return [*self.remarks(), *failures]

    def remarks(self) -> list[str]:
        """Sentences about what the headline leaves out, besides failures: what stopped the run,
        what is left for the next one, and what earlier runs had done."""
        notes = []
        if self.stopped_by:
            notes.append(
                f"Creating stopped: {self.stopped_by} {self._rows_are(self.unsent)} left, which "
                f"will cost up to {self.unsent_usd:.2f} USD; once that is mended, the next run "
                "goes on."
            )
        if self.is_interrupted:
            notes.append(
                f"The run was interrupted. {self._rows_are(self.unsent)} left, which will "
                f"cost up to {self.unsent_usd:.2f} USD; the next run goes on."
            )
        if rendering := self.counts[RowStatus.PROCESSING] + self.postponed_rendering:
            notes.append(f"{self._rows_are(rendering)} rendering; the next run collects them.")
        if self.already_completed:
            notes.append(f"{self.already_completed} were completed by an earlier run.")
        if self.replayed:
            notes.append(f"{self.replayed} creates were answered from an earlier run.")
        if self.adoption.looked_for:
            notes.append(
                f"{self.adoption.looked_for} {self.words.rows} may have been sent by an earlier "
                f"run: {self.adoption.found} were found and adopted."
            )
        if self.adoption.held:
            notes.append(
                f"{self._rows_are(len(self.adoption.held))} left alone, because nobody can say "
                "which ad is theirs; see their errors in the table."
            )
        if self.pictures_missing:
            notes.append(
                f"{self.pictures_missing} pictures could not be downloaded; "
                "the next run tries again."
            )
        return notes

    def _rows_are(self, count: int) -> str:
        """The beginning of a sentence: `1 row is`, `3 rows are`."""
        return f"1 {self.words.row} is" if count == 1 else f"{count} {self.words.rows} are"


def summarize(
    batch: Batch[Any],
    results: Sequence[ImageAdResult],
    *,
    already_completed: int,
    spent_before_usd: Decimal,
    seconds: float,
    contact_sheet: str | None,
    pictures: str = "",
    pictures_missing: int = 0,
    words: Words = SPREADSHEET_WORDS,
) -> Summary:
    """How a run ended, by its table as it is now; nothing is written.

    Args:
        batch: What was run.
        results: The results of its chunks.
        already_completed: How many rows were completed before the run.
        spent_before_usd: What the table's ads had cost before the run, in USD.
        seconds: How long it took.
        contact_sheet: Where the contact sheet is, if there is one.
        pictures: The folder of the pictures; "" if none were asked for.
        pictures_missing: How many could not be downloaded.
        words: What people call the rows.
    """
    table, totals = batch.table, batch.table.totals()
    return Summary(
        rows=totals.rows,
        unsent=totals.unsent,
        unsent_usd=totals.unsent_usd,
        adoption=batch.adoption,
        is_cost_known="cost_usd" in table.job_type.columns,
        counts=dict(totals.counts),
        already_completed=already_completed,
        spent_before_usd=spent_before_usd,
        replayed=sum(result.replayed for result in results),
        cost_usd=totals.cost_usd,
        seconds=seconds,
        output=table.location or "",
        contact_sheet=contact_sheet,
        pictures=pictures or None,
        pictures_missing=pictures_missing,
        stopped_by=next((r.stopped_by for r in results if r.stopped_by), None),
        failures=group_failures(line for line in table.current_rows if line[1].may_create),
        selected_by=table.selected_by,
        postponed=totals.postponed,
        postponed_rendering=totals.postponed_rendering,
        words=words,
    )
