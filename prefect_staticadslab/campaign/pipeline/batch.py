"""A batch of paid jobs: a table of them, its chunks, and their results written into it."""

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
from prefect_staticadslab.campaign.pipeline.chunks import CHUNK_JOBS, Chunk, distribute
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
        adoption: What became of rows that an interrupted run may have sent long ago; see `adopt`.
        troubles: What kept the run from going on, a sentence each.
    """

    scopes: ClassVar[Sequence[str]] = NEEDED_SCOPES
    """What an API key must be allowed to do."""

    name: str
    table: JobTable[Q]
    adoption: Adoption = field(default_factory=Adoption)
    troubles: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What people call it: its table's name, or its own."""
        return storage.name(self.table.location or self.name)

    async def check(self, client: StaticAdsLabClient, account: Account) -> int:
        """Asks the API whether the rows that are to be begun can be. By default, asks nothing.

        Args:
            client: Whom to ask.
            account: Whose API key the client has.

        Returns:
            How many of their ids were not looked up, because that would take too long.

        Raises:
            SpreadsheetError: Some cannot; the message lists all of them.
            StaticAdsLabError, KeyRefusedError: The API could not be asked.
        """
        return 0

    async def adopt(self, clients: Sequence[StaticAdsLabClient]) -> None:
        """Settles rows that an interrupted run may have sent a day ago or earlier: finds their jobs
        and writes them into the table, or holds the rows back; `adoption` says so. By default,
        nothing.

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
        """Chunks that can be brought to their ends side by side, round after round.

        The next round is asked for once the results of the last were given to `collect`.

        Args:
            clients: One for each API key.
            weights: How to share rows out between the keys; see `distribute`.
            most: About how many chunks a round may have; None for any number.
        """

    async def collect(self, results: Sequence[ImageAdResult]) -> None:
        """Writes the results of chunks, which may come from another process, into the table."""
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
        """The jobs that this run is to bring to their ends, in the table's order, in chunks.

        Args:
            weights: How to share them out between keys; see `distribute`. None for a single key.
            most: About how many chunks there may be: with more rows, each has several hundreds.
                None for any number.
        """
        jobs = self._jobs_to_do()
        hundreds = math.ceil(len(jobs) / CHUNK_JOBS / most) if most else 1
        return distribute(jobs, weights or {"": 1.0}, chunk_jobs=CHUNK_JOBS * max(1, hundreds))

    def _jobs_to_do(self) -> list[PlannedJob]:
        """What is not completed, but for rows that `adoption` holds back; and of rows that were
        removed or not selected, only jobs that are being rendered."""
        campaign = campaign_id(self.name)
        return [
            PlannedJob(
                position, row.request, campaign, row.identity, state, may_create=row.may_create
            )
            for position, (row, state) in enumerate(
                zip(self.table.rows, self.table.states, strict=True)
            )
            if position not in self.adoption.held
            and (not state.is_completed if row.may_create else state.status is RowStatus.PROCESSING)
        ]


async def mark_chunk(table: JobTable[Any], chunk: Chunk, now: datetime) -> Chunk:
    """Marks the rows of a chunk in the table, for a worker that sends it and has no table.

    Args:
        table: The chunk's table.
        chunk: The chunk.
        now: The time, by the API's clock.

    Returns:
        The chunk, whose jobs have their marks, or what another run wrote down of them by then.

    Raises:
        CampaignError: It cannot be written, so nothing must be sent.
    """
    attempts = [attempt for attempt in map(Attempt, chunk.jobs) if attempt.needs_create]
    for attempt in attempts:
        attempt.mark(now, chunk.api_key_hash)
    known = await table.before_send({attempt.position: attempt.state for attempt in attempts})
    marked: dict[int, PlannedJob] = {}
    for attempt in attempts:
        attempt.update_from_table(known[attempt.position])
        # With its mark, a job counts as one that may exist: the chunk may be sent by a worker that
        # is lost, and then by another one, which is refused. But only what another run may have
        # sent before has to wait until the API has done with it.
        marked[attempt.position] = replace(
            attempt.plan,
            state=attempt.state,
            persisted_elsewhere=True,
            # What is left to another run, which asks for it in other words, is pending.
            may_create=attempt.is_submitting or attempt.state.has_ad,
            sent_by_other_run=attempt.seconds_since_other_run_sent(now) is not None,
        )
    return replace(chunk, jobs=[marked.get(plan.position, plan) for plan in chunk.jobs])
