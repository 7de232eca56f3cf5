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
from prefect_staticadslab.campaign.runs.credentials import C, limiters_of, run_chunk
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError

Logger: TypeAlias = logging.Logger | logging.LoggerAdapter[Any]

RUN_LOGGER: Final = "prefect_staticadslab.run"
"""The logger of runs that Prefect has nothing to do with."""

KEEP_SECONDS: Final = 30.0
"""How long a host may take to keep a summary."""

ProgressUpdate: TypeAlias = Callable[[float, str], None]
"""To be called with the share that is done, between 0 and 1, and a line on what is being done."""


class Host(Generic[C]):
    """A process that runs something by itself, and logs what it does.

    What it is told besides, and what it is to show or keep, comes to nothing here; Prefect's host
    makes events, artifacts and assets of it.

    Attributes:
        table_place: What people call the place of a table that has no output.
    """

    table_place: str = ""

    @property
    def logger(self) -> Logger:
        """The logger that the run's lines go to."""
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
        """Brings all rows to their ends, and writes their results into the table.

        Args:
            prepared: What is to be run; its table is on disk.
            credentials: The keys that share it, by the API key's hash.
            attempts, timeout_seconds, wait: See `generate_image_ads`.

        Returns:
            What became of each row that there was something to do for.
        """

        async def run_here(chunk: Chunk) -> list[ImageAdResult]:
            return await run_chunk(
                credentials[chunk.api_key_hash],
                chunk.jobs,
                attempts,
                timeout_seconds,
                wait,
                prepared.batch.table,
            )

        return await run(prepared, run_here, weights=limiters_of(credentials).weights())

    def set_interruption_message(self, message: str) -> None:
        """Is told what to say from now on if the run is interrupted."""

    def on_start(self, batch: Batch[Any], plan: Plan, organization: str) -> None:
        """Is told that a batch begins to be created."""

    def on_row_failed(
        self, batch: Batch[Any], row: CampaignRow[Any], state: JobState, words: Words
    ) -> None:
        """Is told that a row failed; `words` say what people call rows."""

    def on_end(self, batch: Batch[Any], ending: str, summary: Summary) -> None:
        """Is told that a batch is at its end: completed, created, incomplete or interrupted."""

    @asynccontextmanager
    async def showing_progress(
        self, batch: Batch[Any], begin: str
    ) -> AsyncIterator[ProgressUpdate]:
        """Shows how far a batch is while the body runs, which is given what tells it that.

        Args:
            batch: The batch.
            begin: The line to show until the body tells one.
        """
        yield lambda _share, _text: None

    async def keep_plan(
        self, batch: Campaign, plan: Plan, ads: Sequence[PlannedAd], preview: str, words: Words
    ) -> None:
        """Keeps the plan of a dry run for people to look at.

        Args:
            batch: The campaign.
            plan: What it would do and cost.
            ads: The ads that it would create.
            preview: Where a page that shows them was written; "" if none was.
            words: What people call the rows.
        """

    async def keep_summary(
        self, batch: Batch[Any], summary: Summary, *, within_seconds: float = KEEP_SECONDS
    ) -> bool:
        """Keeps how a batch ended, with its rows, for people to look at.

        Returns:
            Whether that is kept, for which there are `within_seconds`.
        """
        return False

    async def on_table_written(self, batch: Batch[Any], summary: Summary, source: str) -> None:
        """Is told that a batch's table was written, from a spreadsheet at `source`."""

    async def keep_inbox(self, folder: str, headline: str, outcomes: Mapping[str, str]) -> None:
        """Keeps how an inbox's run went, for people to look at.

        Args:
            folder: The inbox.
            headline: How many spreadsheets stand where, in one line.
            outcomes: What became of each spreadsheet, in words, by its name.
        """

    @asynccontextmanager
    async def showing_ad_progress(self, image_ad_id: str) -> AsyncIterator[ProgressUpdate]:
        """Shows how far one ad is while the body runs, which is given what tells it that."""
        yield lambda _share, _text: None
