"""A batch of paid jobs: a table of them, cut into chunks of work, and their results taken in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pipeline.adoption import Adoption
from prefect_staticadslab.campaign.pipeline.api_keys import CHUNK_ADS, Chunk, distribute
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.table.idempotency import campaign_id
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.job_type import Q
from prefect_staticadslab.campaign.table.result_table import JobTable

B = TypeVar("B", ImageAdRequest, DesignTemplateRequest)


@dataclass
class Batch(Generic[Q]):
    """A table of paid jobs.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
        adoption: What became of rows that an interrupted run may have sent long ago.
    """

    name: str
    table: JobTable[Q]
    adoption: Adoption = field(default_factory=Adoption)

    @property
    def title(self) -> str:
        """What people call it: its table's name, or its own."""
        return storage.name(self.table.location or self.name)

    def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Notes the results of chunks, which may come from another process."""
        for result in results:
            self.table.update(result.position, result.state)


class ParallelBatch(Batch[B]):
    """A batch of jobs that are begun and followed independently of one another."""

    def chunks(
        self, weights: Mapping[str, float] | None = None, *, most: int | None = None
    ) -> list[Chunk]:
        """The rows that are not completed, in the table's order, a hundred at a time.

        Args:
            weights: How to share them out between keys; see `distribute`. None for a single key.
            most: About how many chunks there may be: with more rows, each has several hundreds.
                None for any number.
        """
        campaign = campaign_id(self.name)
        planned = [
            PlannedJob(
                position, row.request, campaign, row.identity, state, may_create=not row.removed
            )
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if position not in self.adoption.held
            and (state.status is RowStatus.PROCESSING if row.removed else not state.is_completed)
        ]
        hundreds = math.ceil(len(planned) / CHUNK_ADS / most) if most else 1
        return distribute(planned, weights or {"": 1.0}, chunk_ads=CHUNK_ADS * max(1, hundreds))

    async def mark(self, chunk: Chunk, now: datetime) -> Chunk:
        """Writes down that a chunk is about to be sent, by somebody who cannot write it himself.

        Args:
            chunk: The chunk.
            now: The time, by the API's clock.

        Returns:
            The chunk, with what another run wrote down of it by then.

        Raises:
            CampaignError: It cannot be written, so nothing must be sent.
        """
        marked = [ad for ad in map(Attempt, chunk.ads) if ad.needs_create]
        for ad in marked:
            ad.begin(now, chunk.account)
        known = await self.table.before_send({ad.position: ad.state for ad in marked})
        # With its mark, an ad counts as one that may exist: the chunk may be sent by a worker that
        # is lost, and then by another one, which is refused.
        ads = [
            replace(plan, state=known[plan.position], persisted_elsewhere=True)
            if plan.position in known
            else plan
            for plan in chunk.ads
        ]
        return replace(chunk, ads=ads)
