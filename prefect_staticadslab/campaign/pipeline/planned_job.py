"""What goes into the pipeline and what comes out of it: one ad at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from prefect_staticadslab.campaign.pipeline.requests import AnyRequest
from prefect_staticadslab.campaign.table.idempotency import idempotency_key
from prefect_staticadslab.campaign.table.job_state import JobState


@dataclass(frozen=True)
class PlannedJob:
    """One ad, or another paid job, to bring to its end.

    Attributes:
        position: The caller's own number for it, such as the row's place in the table.
        request: What to create.
        campaign, identity: What its idempotency keys are made of.
        state: What is known about it so far; an ad that was created already is only followed.
        may_create: Whether it may be created. An ad that is no longer wanted is followed to its
            end, because it is paid for, and never made again.
        persisted_elsewhere: Whether somebody else has written down that it is about to be sent,
            and will write down nothing more before its end. So it may be sent more than once from
            different places, and only under the key that was written down.
    """

    position: int
    request: AnyRequest
    campaign: str
    identity: str
    state: JobState = field(default_factory=JobState)
    may_create: bool = True
    persisted_elsewhere: bool = False

    def key(self, attempt: int) -> str:
        """The idempotency key of an attempt, the first being 1."""
        return idempotency_key(self.campaign, self.identity, attempt)


@dataclass(frozen=True)
class ImageAdResult:
    """What became of a planned ad.

    Attributes:
        position: The planned ad's.
        state: What is known about it in the end.
        replayed: Whether the API answered the create from an earlier run.
        stopped_by: Why it was not created, if something stopped all creates of the key.
    """

    position: int
    state: JobState
    replayed: bool = False
    stopped_by: str | None = None


class Journal(Protocol):
    """Where the pipeline writes down what it knows, as it learns it."""

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """These are about to be sent; returns once that is safely written down.

        Returns:
            What is known of each by then: another run may have been faster.

        Raises:
            CampaignError: It cannot be written, so nothing must be sent.
        """

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """What is known by now of those of these that another run has written something of.

        Raises:
            CampaignError: It cannot be read.
        """

    def update(self, position: int, state: JobState) -> None:
        """This is now known."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether an ad can be this one's: false if it is another's already."""


class NoJournal:
    """For ads that nobody keeps a table of: their derived keys are record enough."""

    async def before_send(self, changes: Mapping[int, JobState]) -> Mapping[int, JobState]:
        """Nothing to write, and nobody who is faster."""
        return changes

    async def look(self, positions: Collection[int]) -> Mapping[int, JobState]:
        """Nobody who writes."""
        return {}

    def update(self, position: int, state: JobState) -> None:
        """Nothing to write."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Nobody knows."""
        return True


@runtime_checkable
class RemoteJournal(Protocol):
    """The way to a journal in another process, which the pipeline's own process has not."""

    async def keep(
        self,
        planned: Sequence[PlannedJob],
        work: Callable[[Journal], Awaitable[list[ImageAdResult]]],
    ) -> list[ImageAdResult]:
        """Does `work`, whose journal tells the other process of everything.

        Where that one says that nothing more is to be created, `work` is cancelled, and what is
        known of each job by then is its result.

        Args:
            planned: The jobs that it is about.
            work: Brings them to their ends, with the journal that it is given.
        """
