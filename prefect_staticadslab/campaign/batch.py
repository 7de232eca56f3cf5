"""A batch of paid jobs: a table of them, cut into chunks of work, and their results taken in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.keys import Chunk, deal
from prefect_staticadslab.campaign.planned import ImageAdResult, PlannedAd
from prefect_staticadslab.campaign.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.results import JobTable
from prefect_staticadslab.campaign.rows import campaign_id
from prefect_staticadslab.campaign.states import RowStatus
from prefect_staticadslab.campaign.underway import AdUnderWay

B = TypeVar("B", ImageAdRequest, DesignTemplateRequest)


@dataclass
class Batch(Generic[B]):
    """A table of jobs that are begun and followed independently of one another.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
    """

    name: str
    table: JobTable[B]

    @property
    def held(self) -> Mapping[int, str]:
        """Rows to leave alone, because nobody can say what became of them, and why."""
        return {}

    def chunks(self, weights: Mapping[str, float] | None = None) -> list[Chunk]:
        """The rows that are not completed, in the table's order, a hundred at a time.

        Args:
            weights: How to share them out between keys; see `deal`. None for a single key.
        """
        campaign = campaign_id(self.name)
        planned = [
            PlannedAd(position, row.request, campaign, row.identity, state, wanted=not row.gone)
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if position not in self.held
            and (state.status is RowStatus.PROCESSING if row.gone else not state.is_completed)
        ]
        return deal(planned, weights or {"": 1.0})

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
        marked = [ad for ad in map(AdUnderWay, chunk.ads) if ad.wants_create]
        for ad in marked:
            ad.begin_attempt(now, chunk.account)
        known = await self.table.before_send({ad.position: ad.state for ad in marked})
        # With its mark, an ad counts as one that may exist: the chunk may be sent by a worker that
        # is lost, and then by another one, which is refused.
        ads = [
            replace(plan, state=known[plan.position], marked=True)
            if plan.position in known
            else plan
            for plan in chunk.ads
        ]
        return replace(chunk, ads=ads)

    def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Notes the results of chunks, which may come from another process."""
        for result in results:
            self.table.update(result.position, result.state)
