"""A run of an inbox: which of its spreadsheets may run, for how much, and how each ended."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import locations
from prefect_staticadslab.campaign.files.spreadsheet import AS_IT_IS, ReadOptions
from prefect_staticadslab.campaign.inbox.day_limit import (
    DayLimit,
    DayLimitError,
    write_started_note,
)
from prefect_staticadslab.campaign.inbox.decisions import Budget
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.scan import Inbox, PendingSpreadsheet, ScanResult
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.runs.credentials import Credentials
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.image_ads import reuse_catalogue
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.table.limits import limit_for

OUTCOME_LINES: Final = 3
"""How many lines of its outcome are told of a spreadsheet; its own run has them all."""

NEXT_RUN: Final = "The next run takes it."


@dataclass(frozen=True)
class SpreadsheetOutcome:
    """How the run of one spreadsheet of an inbox ended.

    Attributes:
        outcome: How it ended.
        has_begun: Whether it ran at all, so that it has noted what it started. If not, that was
            nothing.
    """

    outcome: Outcome
    has_begun: bool = True


@dataclass
class InboxRun:
    """One run of an inbox: decides what may run, and records what became of each spreadsheet.

    Attributes:
        inbox: The folder.
        found: What is in it.
        budget: How much the run may start, and has started.
        day: How much all runs may start on a day.
        dry_run: Whether nothing is to be created or noted.
        read_options: How spreadsheets are to be read.
        outcomes: How the spreadsheets ended that were run, by their names.
        refused: Why others are not run until somebody does something, by their names.
        left: Why others are left for the next run, by their names.
    """

    inbox: Inbox
    found: ScanResult
    budget: Budget
    day: DayLimit
    dry_run: bool = False
    read_options: ReadOptions = AS_IT_IS
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # By name: what each would do, the note with what was reserved, and what was read for it.
        self._plans: dict[str, Plan] = {}
        self._reserved: dict[str, Note] = {}
        self._catalogues: dict[str, Catalogue] = {}
        # Whether a spreadsheet is finished of which rows have failed.
        self._has_final_failures = False
        self.refused |= self.found.refused
        for name in self.found.unsettled:
            self.left[name] = f"It is still being written. {NEXT_RUN}"

    @property
    def has_begun(self) -> bool:
        """Whether any spreadsheet was run, and not refused."""
        return any(each.end is not End.REFUSED for each in self.outcomes.values())

    @property
    def may_pass(self) -> bool:
        """Whether the same run can do better if it is run again.

        Not if rows have failed after all attempts: by then their spreadsheet is finished, and
        another try would find nothing to do, and call that a success.
        """
        return self.has_begun and not self._has_final_failures

    def leave_for_next_run(self, pending: PendingSpreadsheet) -> None:
        """Records that a spreadsheet is left for the next run."""
        self.left[pending.name] = NEXT_RUN

    async def decide_limit(
        self, pending: PendingSpreadsheet, credentials: Credentials
    ) -> float | None:
        """Reads a spreadsheet, looks its names up, and decides by its cost whether it may run.

        Returns:
            What its campaign may cost in all, earlier runs included, in USD. None if it may not
            run, and then why not is recorded.
        """
        prepared = await _prepare_campaign(pending, self.read_options, credentials)
        if prepared is None:
            # Its own run tells why, and starts nothing: nobody knows what that would cost.
            return 0.0
        plan = prepared.plan
        self._catalogues[pending.name] = prepared.batch.catalogue
        refusal = self.budget.refusal_if_never(plan.new_usd)
        if reason := refusal.reason if refusal else self.day.reason_never(plan.new_usd):
            self.refused[pending.name] = reason
            return None
        if reason_not_now := self.budget.reason_not_now(plan.new_usd):
            self.left[pending.name] = f"{reason_not_now} {NEXT_RUN}"
            return None
        with self._record_refusal(pending):
            self.day.check(self.inbox.results, pending.note.api, plan.new_usd)
            self._plans[pending.name] = plan
            # It is read once more, and may have grown by then.
            return limit_for(plan.total_usd)
        return None

    def attempts_for(self, pending: PendingSpreadsheet, attempts: int) -> int:
        """How many jobs a spreadsheet's run may try for an ad: `attempts`; 0 if it only collects.

        What it collects and finds failed then waits for the next run, which reserves its new ad.
        """
        plan = self._plans.get(pending.name)
        return attempts if plan is None or plan.new_usd else 0

    def note_and_reserve(self, pending: PendingSpreadsheet) -> Note | None:
        """Writes the note of a spreadsheet that is about to run, and reserves what it may start.

        A dry run writes and reserves nothing.

        Returns:
            The note for its end; None if it cannot be run, and then why not is recorded.
        """
        if self.dry_run:
            return pending.finished_note
        plan = self._plans.get(pending.name)
        new_usd = plan.new_usd if plan else Decimal(0)
        with self._record_refusal(pending):
            self._reserved[pending.name] = self.inbox.begin(pending, new_usd, self.day)
        return self._reserved.get(pending.name)

    @contextlib.contextmanager
    def _record_refusal(self, pending: PendingSpreadsheet) -> Iterator[None]:
        """Records a `CampaignError` as why a spreadsheet is not run, and does not raise it on."""
        try:
            yield
        except DayLimitError as error:
            self.left[pending.name] = str(error)
        except CampaignError as error:
            self.refused[pending.name] = str(error)

    async def run(
        self, pending: PendingSpreadsheet, call: Callable[[], Awaitable[SpreadsheetOutcome]]
    ) -> Outcome:
        """Runs a spreadsheet, and gives back what was reserved for it if it did not run at all.

        Args:
            pending: The spreadsheet.
            call: Runs it; while it does, what was read of the catalogue is not read again.
        """
        with reuse_catalogue(self._catalogues.get(pending.name, NOTHING_READ)):
            end = await call()
        if not end.has_begun and (reserved := self._reserved.get(pending.name)):
            # Then it has started nothing either.
            with self._record_refusal(pending):
                write_started_note(self.inbox.results, pending.name, reserved, Decimal(0))
        return end.outcome

    def record_outcome(self, pending: PendingSpreadsheet, outcome: Outcome) -> None:
        """Records how a spreadsheet's run ended, and counts what it started in the budget."""
        self.outcomes[pending.name] = outcome
        is_failed = outcome.end in (End.INCOMPLETE, End.REFUSED)
        if is_failed and not self.dry_run and self.inbox.is_finished(pending):
            self._has_final_failures = True
        plan = self._plans.get(pending.name)
        if plan and outcome.end is not End.REFUSED:
            self.budget = self.budget.with_started(plan.new_usd)

    async def report(self, host: Host[Any]) -> Outcome:
        """Logs what became of the spreadsheets, has the host keep it, and returns the outcome."""
        await host.keep_inbox(self.inbox.folder, self._headline(), self._messages())
        for name, reason in self.left.items():
            host.logger.warning("%s is left. %s", name, reason)
        for name, reason in self.refused.items():
            host.logger.error("%s is not run. %s", name, reason)
        for name, table in self.found.gone.items():
            host.logger.info(
                "%s is finished, and its table %s is gone. To have it again, rename it", name, table
            )
        if self.found.tables:
            host.logger.info("Taken for result tables: %s", ", ".join(self.found.tables))
        message = "\n".join([self._headline(), *self._message_lines()])
        ends = [outcome.end for outcome in self.outcomes.values()]
        if End.CANCELLED in ends:
            return Outcome(End.CANCELLED, message)
        if not self.refused and all(outcome.is_success for outcome in self.outcomes.values()):
            return Outcome(End.COMPLETED, message)
        return Outcome(End.INCOMPLETE if self.has_begun else End.REFUSED, message)

    def _headline(self) -> str:
        """How many spreadsheets stand where, in one line."""
        completed = sum(outcome.is_success for outcome in self.outcomes.values())
        counts = {
            "checked" if self.dry_run else "completed": completed,
            "not completed": len(self.outcomes) - completed,
            "not run": len(self.refused),
            "left for the next run": len(self.left),
            "finished before": len(self.found.finished),
        }
        parts = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        where = locations.redacted(self.inbox.folder)
        dry = "Dry run, nothing was created. " if self.dry_run else ""
        return f"{dry}Spreadsheets in {where}: {parts or 'none'}"

    def _message_lines(self) -> list[str]:
        """Some lines on each spreadsheet that was not finished before."""
        messages = self._messages().items()
        return [line for name, message in messages for line in _outcome_lines(name, message)]

    def _messages(self) -> dict[str, str]:
        """What became of each spreadsheet that was not finished before, in words."""
        messages = {name: outcome.message for name, outcome in self.outcomes.items()}
        if self.dry_run:
            messages |= {
                name: f"{plan.creates} of {plan.rows} ads to create, up to {plan.new_usd:.2f} USD"
                for name, plan in self._plans.items()
                if self.outcomes[name].is_success
            }
        return {**messages, **self.refused, **self.left}


async def _prepare_campaign(
    pending: PendingSpreadsheet, read_options: ReadOptions, credentials: Credentials
) -> Prepared[Campaign] | None:
    """Prepares a spreadsheet's campaign to learn its cost, and changes nothing. None if it has
    mistakes, or the API cannot be asked."""
    try:
        brief = Brief.open(pending.location, options=read_options.in_folder(pending.location))
        async with credentials.get_client(max_tries=3) as client:
            campaign = await read_campaign(brief, pending.output, [client])
            return await prepare(campaign, [client], preflight=False, dry_run=True)
    except (CampaignError, StaticAdsLabError):
        return None


def _outcome_lines(name: str, message: str) -> list[str]:
    """The first lines of a spreadsheet's message, after its name, and how many more there are."""
    first, *more = message.splitlines() or [""]
    kept = more[: OUTCOME_LINES - 1]
    hidden = len(more) - len(kept)
    rest = [f"and {hidden} more"] if hidden else []
    return [f"{name}: {first}", *(f"    {line}" for line in [*kept, *rest])]
