"""What goes into the pipeline and what comes out of it: one ad at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from prefect_staticadslab.api.models import Job
from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.campaign.job_types.json_trees import fingerprint
from prefect_staticadslab.campaign.pipeline.submit import AnyRequest
from prefect_staticadslab.campaign.rows.ad_rows import idempotency_key
from prefect_staticadslab.campaign.table.job_state import JobState, Mark, RowStatus


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

    def key(self, attempt: int, mark: Mark | None = None) -> str:
        """The idempotency key of an attempt, the first being 1.

        Args:
            attempt: Which attempt.
            mark: What the attempt was begun with.
        """
        if mark is None:
            return idempotency_key(self.campaign, self.identity, attempt)
        return idempotency_key(mark.campaign, mark.identity, attempt)


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

    def update(self, position: int, state: JobState) -> None:
        """This is now known."""

    def assign_job(self, position: int, image_ad_id: str) -> bool:
        """Whether an ad can be this one's: false if it is another's already."""


def seen(state: JobState, job: Job, *, is_revision: bool = False) -> JobState:
    """What is known about a row once its job looks like this.

    Args:
        state: What was known.
        job: The job.
        is_revision: Whether it was begun by a revision, of which nobody knows what it costs.
    """
    facts = {**state.facts, **_facts(job)}
    if is_revision and job.current_json_tree is not None:
        # What the API keeps of the tree that was sent; it may write it in another way.
        facts["kept_tree"] = fingerprint(job.current_json_tree)
    state = replace(state, job_id=job.id, error=None, mark=None, facts=facts)
    if job.is_completed:
        return replace(
            state,
            status=RowStatus.COMPLETED,
            image_url=job.picture_url,
            cost_usd=None if is_revision else job.price_usd,
            width=job.width,
            height=job.height,
            completed_at=job.completed_at or datetime.now(UTC),
        )
    if job.is_failed:
        reason = f"{job.error.message} ({job.error.code})" if job.error else "The job failed."
        return replace(
            state,
            status=RowStatus.FAILED,
            error=reason,
            cost_usd=Decimal(0),
            completed_at=job.completed_at or datetime.now(UTC),
        )
    return replace(state, status=RowStatus.PROCESSING)


def _facts(job: Job) -> dict[str, str]:
    if not isinstance(job, DesignTemplate):
        return {}
    known = {
        "reference_image_url": job.reference_image_url,
        "aspect_ratio": job.aspect_ratio,
        "industry": job.industry,
        "ad_format": job.ad_format,
    }
    return {name: value for name, value in known.items() if value}
