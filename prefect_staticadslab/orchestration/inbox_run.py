"""A run of an inbox: what its spreadsheets may cost, and how each of them ended."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Cancelled, Completed, Failed

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import locations
from prefect_staticadslab.campaign.inbox.day_limit import DayLimit, DayLimitError, settle
from prefect_staticadslab.campaign.inbox.decisions import Budget
from prefect_staticadslab.campaign.inbox.notes import Note
from prefect_staticadslab.campaign.inbox.scan import Inbox, PendingSpreadsheet, ScanResult
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.limits import limit_for
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.orchestration.flow_outcome import REFUSED_STATE
from prefect_staticadslab.orchestration.reporting.artifacts import keep_inbox
from prefect_staticadslab.orchestration.run_campaign import already_read

TOLD_LINES: Final = 3
"""Lines that are told of a spreadsheet; its own run has them all."""

NEXT_RUN: Final = "The next run takes it."

_begun: ContextVar[set[str] | None] = ContextVar("begun", default=None)


def note_begun(output: str) -> None:
    """What a spreadsheet's own run calls first."""
    begun = _begun.get()
    if begun is not None:
        begun.add(output)


@dataclass
class InboxRun:
    """A run of an inbox.

    Attributes:
        inbox: The folder.
        found: What is in it.
        budget: What the run may start.
        day: What may be started on a day.
        dry_run: Whether it only says what it would do.
        states: How the spreadsheets ended that were run, by their names.
        refused: Why others are not run, until somebody does something.
        left: Why others are left for the next run.
    """

    inbox: Inbox
    found: ScanResult
    budget: Budget
    day: DayLimit
    dry_run: bool = False
    states: dict[str, State[Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._plans: dict[str, Plan] = {}
        self._reserved: dict[str, Note] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self._has_final_failures = False
        self.refused |= self.found.refused
        for name in self.found.unsettled:
            self.left[name] = f"It is still being written. {NEXT_RUN}"

    @property
    def has_begun(self) -> bool:
        """Whether any spreadsheet was begun."""
        return any(state.name != REFUSED_STATE for state in self.states.values())

    @property
    def may_pass(self) -> bool:
        """Whether the same run can do better if it is run again.

        Not if rows have failed after all attempts: by then their spreadsheet is finished, and
        another try would find nothing to do, and call that a success.
        """
        return self.has_begun and not self._has_final_failures

    def leave(self, waiting: PendingSpreadsheet) -> None:
        """Leaves a spreadsheet for the next run."""
        self.left[waiting.name] = NEXT_RUN

    async def allow(
        self, waiting: PendingSpreadsheet, credentials: StaticAdsLabCredentials
    ) -> float | None:
        """Whether a spreadsheet may be begun.

        Returns:
            What its campaign may cost in all, earlier runs included, in USD. None if it may not be
            begun; why is noted.
        """
        opened = await _opened(waiting, credentials)
        if opened is None:
            # Its own run tells why, and starts nothing: nobody knows what that would cost.
            return 0.0
        plan = opened.plan
        self._catalogues[waiting.name] = opened.batch.catalogue
        never = self.budget.never(plan.new_usd)
        if reason := never.reason if never else self.day.never(plan.new_usd):
            self.refused[waiting.name] = reason
            return None
        if not_now := self.budget.not_now(plan.new_usd):
            self.left[waiting.name] = f"{not_now} {NEXT_RUN}"
            return None
        with self._noted(waiting):
            self.day.check(self.inbox.results, waiting.note.api, plan.new_usd)
            self._plans[waiting.name] = plan
            # It is read once more, and may have grown by then.
            return limit_for(plan.total_usd)
        return None

    def begin(self, waiting: PendingSpreadsheet) -> Note | None:
        """Notes that a spreadsheet is run, and reserves what it may start.

        Returns:
            What is to be noted at its end; None if it cannot be run. Why is noted.
        """
        if self.dry_run:
            return waiting.finished_note
        plan = self._plans.get(waiting.name)
        new_usd = plan.new_usd if plan else Decimal(0)
        with self._noted(waiting):
            self._reserved[waiting.name] = self.inbox.begin(waiting, new_usd, self.day)
        return self._reserved.get(waiting.name)

    @contextlib.contextmanager
    def _noted(self, waiting: PendingSpreadsheet) -> Iterator[None]:
        """Notes why a spreadsheet is not run, if the body raises it."""
        try:
            yield
        except DayLimitError as error:
            self.left[waiting.name] = str(error)
        except CampaignError as error:
            self.refused[waiting.name] = str(error)

    async def run(
        self, waiting: PendingSpreadsheet, call: Callable[[], Awaitable[Any]]
    ) -> State[Any]:
        """Runs a spreadsheet in a flow run of its own, which calls `note_begun`.

        Prefect tells the runs within a run by their order. So if that is retried, it may answer
        with how an earlier try's run ended, which was another spreadsheet's.
        """
        begun: set[str] = set()
        token = _begun.set(begun)
        try:
            with already_read(self._catalogues.get(waiting.name, NOTHING_READ)):
                state: State[Any] = await call()
                while state.is_completed() and waiting.output not in begun:
                    state = await call()
        finally:
            _begun.reset(token)
        if waiting.output not in begun and (reserved := self._reserved.get(waiting.name)):
            # Then it has started nothing either.
            with self._noted(waiting):
                settle(self.inbox.results, waiting.name, reserved, Decimal(0))
        return state

    def record(self, waiting: PendingSpreadsheet, state: State[Any]) -> None:
        """Notes how a spreadsheet ended."""
        self.states[waiting.name] = state
        if state.is_failed() and not self.dry_run and self.inbox.is_finished(waiting):
            self._has_final_failures = True
        plan = self._plans.get(waiting.name)
        if plan and state.name != REFUSED_STATE:
            self.budget = self.budget.start(plan.new_usd)

    async def end(self) -> State[None]:
        """Says how it went, keeps that as an artifact, and says with which state the run ends."""
        await keep_inbox(self.inbox.folder, self._headline(), self._outcomes())
        logger = get_run_logger()
        for name, reason in self.left.items():
            logger.warning("%s is left. %s", name, reason)
        for name, reason in self.refused.items():
            logger.error("%s is not run. %s", name, reason)
        for name, table in self.found.gone.items():
            logger.info(
                "%s is finished, and its table %s is gone. To have it again, rename it", name, table
            )
        if self.found.tables:
            logger.info("Taken for result tables: %s", ", ".join(self.found.tables))
        message = "\n".join([self._headline(), *self._lines()])
        if any(state.is_cancelled() for state in self.states.values()):
            return Cancelled(message=message)
        if not self.refused and all(state.is_completed() for state in self.states.values()):
            return Completed(message=message)
        return Failed(name=None if self.has_begun else REFUSED_STATE, message=message)

    def _headline(self) -> str:
        completed = sum(state.is_completed() for state in self.states.values())
        counts = {
            "checked" if self.dry_run else "completed": completed,
            "not completed": len(self.states) - completed,
            "not run": len(self.refused),
            "left for the next run": len(self.left),
            "finished before": len(self.found.finished),
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        where = locations.redacted(self.inbox.folder)
        dry = "Dry run, nothing was created. " if self.dry_run else ""
        return f"{dry}Spreadsheets in {where}: {told or 'none'}"

    def _lines(self) -> list[str]:
        said = self._outcomes()
        return [line for name, message in said.items() for line in _told(name, message)]

    def _outcomes(self) -> dict[str, str]:
        """What became of each spreadsheet that was not finished before, in words."""
        ends = {name: state.message or str(state.name) for name, state in self.states.items()}
        if self.dry_run:
            ends |= {
                name: f"{plan.creates} of {plan.rows} ads to create, up to {plan.new_usd:.2f} USD"
                for name, plan in self._plans.items()
                if self.states[name].is_completed()
            }
        return {**ends, **self.refused, **self.left}


async def _opened(
    waiting: PendingSpreadsheet, credentials: StaticAdsLabCredentials
) -> Prepared[Campaign] | None:
    """A spreadsheet's campaign as it stands; None if it has mistakes, which its own run tells."""
    try:
        brief = Brief.open(waiting.location)
        async with credentials.get_client(max_tries=3) as client:
            campaign = await read_campaign(brief, waiting.output, [client])
            return await prepare(campaign, [client], preflight=False, dry_run=True)
    except (CampaignError, StaticAdsLabError):
        return None


def _told(name: str, message: str) -> list[str]:
    first, *more = message.splitlines() or [""]
    shown = more[: TOLD_LINES - 1]
    hidden = len(more) - len(shown)
    rest = [f"and {hidden} more"] if hidden else []
    return [f"{name}: {first}", *(f"    {line}" for line in [*shown, *rest])]
