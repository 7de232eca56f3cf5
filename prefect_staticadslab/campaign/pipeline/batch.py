"""A batch of paid jobs: a table of them, cut into chunks of work, and their results taken in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from prefect_staticadslab.api.models import Account, ImageAdRequest
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.names.preflight import NEEDED_SCOPES
from prefect_staticadslab.campaign.pipeline.adoption import Adoption
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.chunks import CHUNK_ADS, Chunk, distribute
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, PlannedJob
from prefect_staticadslab.campaign.pipeline.requests import DesignTemplateRequest
from prefect_staticadslab.campaign.table.idempotency import campaign_id
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.job_type import Q
from prefect_staticadslab.campaign.table.result_table import JobTable

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

B = TypeVar("B", ImageAdRequest, DesignTemplateRequest)


@dataclass
class Batch(ABC, Generic[Q]):
    """A table of paid jobs.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
        adoption: What became of rows that an interrupted run may have sent long ago.
        troubles: What kept the run from going on, a sentence each.
    """

    scopes: ClassVar[Sequence[str]] = NEEDED_SCOPES
    """What a key must be good for."""

    name: str
    table: JobTable[Q]
    adoption: Adoption = field(default_factory=Adoption)
    troubles: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What people call it: its table's name, or its own."""
        return storage.name(self.table.location or self.name)

    async def check(self, client: StaticAdsLabClient, account: Account) -> int:
        """Asks the API whether the rows that are to be begun can be.

        Returns:
            How many of their ids could not be looked up cheaply.

        Raises:
            SpreadsheetError: Some cannot; the message lists all of them.
            StaticAdsLabError, KeyRefusedError: The API could not be asked.
        """
        return 0

    async def adopt(self, clients: Sequence[StaticAdsLabClient]) -> None:
        """Finds out about rows that an interrupted run may have sent a day ago or earlier.

        Args:
            clients: One for each API key; the first one is asked.

        Raises:
            KeyRefusedError: The API could not be asked, so nothing must be created.
        """

    @abstractmethod
    def rounds(
        self,
        clients: Sequence[StaticAdsLabClient],
        weights: Mapping[str, float],
        most: int | None,
    ) -> AsyncIterator[list[Chunk]]:
        """Chunks that can be brought to their end side by side, round after round.

        Args:
            clients: One for each API key.
            weights: How to share rows out between the keys; see `distribute`.
            most: About how many chunks a round may have; None for any number.
        """

    async def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Notes the results of chunks, which may come from another process."""
        for result in results:
            self.table.update(result.position, result.state)


class ParallelBatch(Batch[B]):
    """A batch of jobs that are begun and followed independently of one another."""

    async def rounds(
        self,
        clients: Sequence[StaticAdsLabClient],
        weights: Mapping[str, float],
        most: int | None,
    ) -> AsyncIterator[list[Chunk]]:
        """All chunks at once; see `Batch.rounds`."""
        if chunks := self.chunks(weights, most=most):
            yield chunks

    def chunks(
        self, weights: Mapping[str, float] | None = None, *, most: int | None = None
    ) -> list[Chunk]:
        """The jobs of this run that are not completed, in the table's order, in chunks.

        Of rows that were removed or not selected, only jobs that are being rendered.

        Args:
            weights: How to share them out between keys; see `distribute`. None for a single key.
            most: About how many chunks there may be: with more rows, each has several hundreds.
                None for any number.
        """
        campaign = campaign_id(self.name)
        planned = [
            PlannedJob(
                position, row.request, campaign, row.identity, state, may_create=row.may_create
            )
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if position not in self.adoption.held
            and (not state.is_completed if row.may_create else state.status is RowStatus.PROCESSING)
        ]
        hundreds = math.ceil(len(planned) / CHUNK_ADS / most) if most else 1
        return distribute(planned, weights or {"": 1.0}, chunk_ads=CHUNK_ADS * max(1, hundreds))


async def mark_as_sent(table: JobTable[Any], chunk: Chunk, now: datetime) -> Chunk:
    """Writes down that a chunk is about to be sent, by somebody who cannot write it himself.

    Args:
        table: The chunk's table.
        chunk: The chunk.
        now: The time, by the API's clock.

    Returns:
        The chunk, with what another run wrote down of it by then.

    Raises:
        CampaignError: It cannot be written, so nothing must be sent.
    """
    marked = [ad for ad in map(Attempt, chunk.ads) if ad.needs_create]
    for ad in marked:
        ad.begin(now, chunk.api_key_hash)
    known = await table.before_send({ad.position: ad.state for ad in marked})
    # With its mark, an ad counts as one that may exist: the chunk may be sent by a worker that
    # is lost, and then by another one, which is refused.
    ads = [
        replace(plan, state=known[plan.position], persisted_elsewhere=True)
        if plan.position in known
        else plan
        for plan in chunk.ads
    ]
    return replace(chunk, ads=ads)
