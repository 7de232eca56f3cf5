"""What goes into the pipeline and what comes out of it, job by job, and where it is recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from prefect_staticadslab.campaign.pipeline.requests import AnyRequest
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_state import JobState


@dataclass(frozen=True)
class PlannedJob:
    """An image ad, or another paid job, to bring to its end.

    Attributes:
        position: The caller's own number for it, such as the row's place in the table.
        request: What to create.
        campaign, identity: What its idempotency keys are made of.
        state: What is known about it so far; a job that was created already is only followed.
        may_create: Whether it may be created. A job that is no longer wanted is followed to its
            end, because it is paid for, and never made again.
        persisted_elsewhere: Whether another process has marked it in the table, and will write
            nothing more of it before its end. So it may be sent more than once from different
            places, and only with the idempotency key that was written down.
        sent_by_other_run: Whether another run may have sent it before it was marked so.
    """

    position: int
    request: AnyRequest
    campaign: str
    identity: str
    state: JobState = field(default_factory=JobState)
    may_create: bool = True
    persisted_elsewhere: bool = False
    sent_by_other_run: bool = False

    def key(self, attempt: int) -> str:
        """The idempotency key of its nth create, the first being 1."""
        return idempotency_key(self.campaign, self.identity, attempt)


@dataclass(frozen=True)
class ImageAdResult:
    """What became of a planned job.

    Attributes:
        position: The planned job's.
        state: What is known about it in the end.
        replayed: Whether the API answered the create with the job of an earlier run.
        stopped_by: Why it was not created, if something stopped all creates of the key.
    """

    position: int
    state: JobState
    replayed: bool = False
    stopped_by: str | None = None


class Journal(Protocol):
    """Where the pipeline records what it knows, as it learns it: a result table, mostly."""

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Writes down that these are about to be sent, and returns once that is safely done.

        Args:
            changes: The marked state of each, by position.

        Returns:
            What is recorded of each by then: its mark, or what another run wrote before.

        Raises:
            CampaignError: It cannot be written, so nothing must be sent.
        """

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Reads what other runs have written of these.

        Returns:
            The state, by position, of each that another run has written of since the last look.

        Raises:
            CampaignError: It cannot be read.
        """

    def update(self, position: int, state: JobState) -> None:
        """Records a new state; it is written down a little later."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether a job can be this row's: false if it is another row's that still counts. One that
        was removed from the spreadsheet gives its job up."""


class NoJournal:
    """For jobs that have no table: their idempotency keys, derived anew, are record enough."""

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Writes nothing, and returns what it is given."""
        return changes

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Returns nothing: there is no other run."""
        return {}

    def update(self, position: int, state: JobState) -> None:
        """Records nothing."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Always true: it knows of no other row."""
        return True


@runtime_checkable
class RemoteJournal(Protocol):
    """The way to a journal in another process, if the pipeline's own process has none."""

    async def run_with_journal(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work` with a journal that tells the other process of everything.

        If that one says that nothing more is to be created, `work` is cancelled, and what is known
        of each job by then is its result.

        Args:
            planned: The jobs that it is about.
            work: Brings them to their ends, with the journal that it is given.
        """
