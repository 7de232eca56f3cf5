"""Where a run runs: who is told of it besides its table, and how its chunks are brought to ends.

A process of its own tells its log, and works on the chunks itself. What Prefect adds, such as task
runs, artifacts and events, is a host that is made from this one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeAlias

from prefect_staticadslab.campaign.campaign import Prepared, run
from prefect_staticadslab.campaign.errors import Words
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.runs.credentials import C, keys_of, run_chunk
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.merge import OutputError
from prefect_staticadslab.campaign.table.result_table import JobTable

Logger: TypeAlias = logging.Logger | logging.LoggerAdapter[Any]

RUN_LOGGER: Final = "prefect_staticadslab.run"
"""The logger that hears of runs which Prefect has nothing to do with."""

KEEP_SECONDS: Final = 30.0
"""How long a host may take to keep what people look at."""

ProgressUpdate: TypeAlias = Callable[[float, str], None]
"""Takes a share between 0 and 1, and what is being done."""


class Host(Generic[C]):
    """A process that runs something by itself.

    Attributes:
        table_place: What people call the place of a table that has no output.
    """

    table_place: str = ""

    @property
    def logger(self) -> Logger:
        """Where the run's lines go."""
        return logging.getLogger(RUN_LOGGER)

    def check_table(self, table: JobTable[Any]) -> None:
        """Raises if a table cannot be kept.

        Raises:
            OutputError: It has no place, and the host has none for it either.
        """
        if table.location is None:
            raise OutputError("Name an output: without Prefect there is no other place for it.")

    async def run_chunks(
        self,
        prepared: Prepared[Batch[Any]],
        credentials: Mapping[str, C],
        attempts: int,
        timeout_seconds: float,
        wait: bool,
    ) -> list[ImageAdResult]:
        """Brings all rows to their ends, and their results into the table. Returns them.

        Args:
            prepared: What is to be run; its table is on disk.
            credentials: The keys that share it, by the API key's hash.
            attempts, timeout_seconds, wait: See `generate_image_ads`.
        """

        async def run_here(chunk: Chunk) -> list[ImageAdResult]:
            return await run_chunk(
                credentials[chunk.api_key_hash],
                chunk.ads,
                attempts,
                timeout_seconds,
                wait,
                prepared.batch.table,
            )

        return await run(prepared, run_here, weights=keys_of(credentials).weights())

    def say_if_interrupted(self, message: str) -> None:
        """Hears what to say from now on if the run is interrupted."""

    def started(self, batch: Batch[Any], plan: Plan, organization: str) -> None:
        """Hears that a batch begins to be created."""

    def row_failed(
        self, batch: Batch[Any], row: CampaignRow[Any], state: JobState, words: Words
    ) -> None:
        """Hears that a row failed."""

    def ended(self, batch: Batch[Any], ending: str, summary: Summary) -> None:
        """Hears that a batch is at its end: completed, created, incomplete or interrupted."""

    @asynccontextmanager
    async def progress(self, batch: Batch[Any], begin: str) -> AsyncIterator[ProgressUpdate]:
        """Keeps how far a batch is while the body runs.

        Args:
            batch: The batch.
            begin: What to say until then.
        """
        yield lambda _share, _text: None

    async def keep_plan(
        self, batch: Campaign, plan: Plan, ads: Sequence[PlannedAd], preview: str, words: Words
    ) -> None:
        """Keeps a dry run's plan."""

    async def keep_summary(
        self, batch: Batch[Any], summary: Summary, *, within_seconds: float = KEEP_SECONDS
    ) -> bool:
        """Keeps how a batch ended, with its rows. Returns whether that is kept."""
        return False

    async def keep_table(self, batch: Batch[Any], summary: Summary, source: str) -> None:
        """Hears that a batch's table was written, of a spreadsheet at `source`."""

    async def keep_inbox(self, folder: str, headline: str, outcomes: Mapping[str, str]) -> None:
        """Keeps how an inbox's run went.

        Args:
            folder: The inbox.
            headline: The counts.
            outcomes: What became of each spreadsheet, by its name.
        """

    @asynccontextmanager
    async def watching(self, image_ad_id: str) -> AsyncIterator[ProgressUpdate]:
        """Keeps how far one ad is while the body runs."""
        yield lambda _share, _text: None
