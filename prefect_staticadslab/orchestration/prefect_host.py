"""A flow run as the place where a campaign runs: task runs, artifacts, events and assets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.campaign import Prepared
from prefect_staticadslab.campaign.errors import Words
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.runs.host import KEEP_SECONDS, Host, Logger, ProgressUpdate
from prefect_staticadslab.campaign.runs.run_reporter import PROGRESS_SECONDS
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.orchestration.chunk_tasks import ChunkTask, ChunkTasks
from prefect_staticadslab.orchestration.command_link import CommandLink
from prefect_staticadslab.orchestration.reporting.artifacts import (
    artifact_key,
    keep_artifacts,
    keep_inbox,
)
from prefect_staticadslab.orchestration.reporting.assets import keep_asset
from prefect_staticadslab.orchestration.reporting.contents import TABLE_ROWS
from prefect_staticadslab.orchestration.reporting.events import (
    emit_ended,
    emit_failure,
    emit_started,
)
from prefect_staticadslab.orchestration.reporting.live import image_ad_artifact
from prefect_staticadslab.orchestration.reporting.plan_artifact import keep_plan
from prefect_staticadslab.orchestration.reporting.progress import progress_artifact
from prefect_staticadslab.tasks import generate_image_ads

IN_PREFECT: Final = "among this run's artifacts in Prefect"


@dataclass(frozen=True)
class PrefectHost(Host[StaticAdsLabCredentials]):
    """The flow run that this is called in.

    Attributes:
        task: The task that takes a chunk.
        command_link: The link to the command that runs the flow; None if there is none.
    """

    table_place = IN_PREFECT

    task: ChunkTask = generate_image_ads
    command_link: CommandLink | None = None

    @property
    def logger(self) -> Logger:
        """The run's logger, whose lines go to Prefect's server as well."""
        return get_run_logger()

    def set_interruption_message(self, message: str) -> None:
        """Has the flow's command, if there is one, print this if it is interrupted from now on."""
        if self.command_link is not None:
            self.command_link.if_interrupted = message

    def check_table(self, table: JobTable[Any]) -> None:
        """Checks that a table without a place is small enough for an artifact.

        Raises:
            OutputError: It has more than `TABLE_ROWS` rows.
        """
        if table.location is None and len(table.rows) > TABLE_ROWS:
            raise OutputError(
                f"These are {len(table.rows)} ads, and Prefect keeps {TABLE_ROWS} rows of a table. "
                "Name an output for it."
            )

    async def run_chunks(
        self,
        prepared: Prepared[Batch[Any]],
        credentials: Mapping[str, StaticAdsLabCredentials],
        attempts: int,
        timeout_seconds: float,
        wait: bool,
    ) -> list[ImageAdResult]:
        """Brings all rows to their ends in task runs; see `Host.run_chunks` and `ChunkTasks`."""
        return await ChunkTasks(
            prepared, credentials, attempts, timeout_seconds, wait, self.task
        ).run()

    def on_start(self, batch: Batch[Any], plan: Plan, organization: str) -> None:
        """Emits the event that a batch begins to be created."""
        emit_started(batch, plan, organization)

    def on_row_failed(
        self, batch: Batch[Any], row: CampaignRow[Any], state: JobState, words: Words
    ) -> None:
        """Emits the event that a row failed."""
        emit_failure(batch, row, state, words)

    def on_end(self, batch: Batch[Any], ending: str, summary: Summary) -> None:
        """Emits the event of how a batch ended."""
        emit_ended(batch, ending, summary)

    @asynccontextmanager
    async def showing_progress(
        self, batch: Batch[Any], begin: str
    ) -> AsyncIterator[ProgressUpdate]:
        """Keeps an artifact with how far a batch is; gives what it is updated with."""
        key = artifact_key(batch, "progress")
        async with progress_artifact(key, begin, every_seconds=PROGRESS_SECONDS) as update:
            yield update

    async def keep_plan(
        self, batch: Campaign, plan: Plan, ads: Sequence[PlannedAd], preview: str, words: Words
    ) -> None:
        """Keeps a dry run's plan as an artifact."""
        await keep_plan(batch, plan, ads, preview, words)

    async def keep_summary(
        self, batch: Batch[Any], summary: Summary, *, within_seconds: float = KEEP_SECONDS
    ) -> bool:
        """Keeps how a batch ended, with its rows and pictures, as artifacts. Returns whether that
        succeeded; if not, it is logged."""
        return await keep_artifacts(batch, summary, within_seconds=within_seconds)

    async def on_table_written(self, batch: Batch[Any], summary: Summary, source: str) -> None:
        """Tells Prefect of a batch's table as an asset that was made of the one at `source`."""
        await keep_asset(batch, summary, source)

    async def keep_inbox(self, folder: str, headline: str, outcomes: Mapping[str, str]) -> None:
        """Keeps how an inbox's run went as an artifact."""
        await keep_inbox(folder, headline, outcomes)

    @asynccontextmanager
    async def showing_ad_progress(self, image_ad_id: str) -> AsyncIterator[ProgressUpdate]:
        """Keeps an artifact with how far one ad is; gives what it is updated with."""
        async with image_ad_artifact(image_ad_id) as update:
            yield update
