"""What a run leaves in Prefect for people to look at: its summary, its table, its pictures.

Artifacts are kept whole in the server's database, so they are short and point to the table.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.orchestration.reporting import contents

ARTIFACT_SECONDS: Final = 30.0
"""How long Prefect's server may take to keep a run's artifacts."""


def keep_contact_sheet(
    table: JobTable[Any], title: str, pictures: str = "", *, one_file: bool = False
) -> str | None:
    """Writes the contact sheet and returns where, or logs why that was not possible."""
    try:
        return write_contact_sheet(table, title, pictures, one_file=one_file)
    except CampaignError as error:
        get_run_logger().warning("There is no contact sheet: %s", error)
        return None


async def keep_artifacts(
    batch: Batch[Any], summary: Summary, *, within_seconds: float = ARTIFACT_SECONDS
) -> bool:
    """Keeps the summary, the table's first rows and the pictures, or logs why that is not possible.

    Their keys are the same for all runs of a campaign, so Prefect shows what became of it.

    Returns:
        Whether they are kept.
    """
    return await _try_to_keep(create_artifacts(batch, summary), within_seconds)


async def create_artifacts(batch: Batch[Any], summary: Summary) -> None:
    """Creates a run's artifacts; see `keep_artifacts`."""
    await acreate_markdown_artifact(
        key=artifact_key(batch, "summary"),
        markdown=contents.summary_markdown(summary),
        description=contents.without_markup(f"Static Ads Lab: {summary.headline()}"),
    )
    rows = contents.table_rows(batch.table)
    await acreate_table_artifact(
        key=artifact_key(batch, "table"),
        table=rows,
        description=contents.table_description(batch.table, len(rows)),
    )
    if gallery := contents.gallery_markdown(batch.table):
        await acreate_markdown_artifact(
            key=artifact_key(batch, "pictures"),
            markdown=gallery,
            description=f"Static Ads Lab: the pictures of {contents.without_markup(batch.title)}",
        )


async def keep_inbox(folder: str, headline: str, outcomes: Mapping[str, str]) -> None:
    """Keeps how an inbox's run went, or logs why that is not possible.

    Args:
        folder: The inbox.
        headline: The counts.
        outcomes: What became of each spreadsheet, by its name.
    """

    async def create() -> None:
        await acreate_markdown_artifact(
            key=f"{artifact_key_base('inbox', storage.canonical(folder).rstrip('/'))}-summary",
            markdown=contents.inbox_markdown(outcomes),
            description=contents.without_markup(f"Static Ads Lab: {headline}"),
        )

    await _try_to_keep(create(), ARTIFACT_SECONDS)


async def _try_to_keep(creating: Coroutine[Any, Any, object], within_seconds: float) -> bool:
    # The tables are saved: whatever is wrong with Prefect's server is no reason to fail now.
    try:
        async with asyncio.timeout(within_seconds):
            await creating
    except Exception as error:
        get_run_logger().warning("Prefect's server did not keep the artifacts: %r", error)
        return False
    return True


def artifact_key(batch: Batch[Any], part: str) -> str:
    """The key of one of a campaign's artifacts: lower case, digits and dashes, unique to it."""
    return f"{campaign_key(batch)}-{part}"


def campaign_key(batch: Batch[Any]) -> str:
    """A campaign's key in Prefect: readable, and the same in all of its runs."""
    return artifact_key_base(batch.table.job_type.name, batch.name)


def artifact_key_base(prefix: str, name: str) -> str:
    """Lower case letters, digits and dashes, not too many, that differ where names do.

    Example:
        ```python
        from prefect_staticadslab.orchestration.reporting.artifacts import artifact_key_base

        assert artifact_key_base("campaign", "file:///ads/Sale.csv").startswith("campaign-sale-csv-")
        ```
    """
    readable = re.sub(r"[^a-z0-9]+", "-", name.rsplit("/", 1)[-1].lower()).strip("-")[:40]
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return "-".join(part for part in (prefix, readable.strip("-"), digest) if part)
