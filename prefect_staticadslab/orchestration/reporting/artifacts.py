"""What a run leaves in Prefect for people to look at: its summary, its table, its pictures.

Artifacts are kept whole in the server's database, so they are short and point to the table.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import Coroutine, Mapping
from typing import Any, Final
from urllib.parse import unquote

from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.orchestration.flow_retries import RUN_NAME
from prefect_staticadslab.orchestration.reporting import contents
from prefect_staticadslab.orchestration.reporting.table_facts import costs_by_brand, row_facts

LONGEST_KEY: Final = 60
"""Characters of an artifact's key that are made of a name; a card shows two lines of it."""

ARTIFACT_SECONDS: Final = 30.0
"""How long Prefect's server may take to keep a run's artifacts."""


async def keep_artifacts(
    batch: Batch[Any], summary: Summary, *, within_seconds: float = ARTIFACT_SECONDS
) -> bool:
    """Keeps the summary, some of the table's rows and the pictures as artifacts, or logs why not.

    Their keys are the same for all runs of a campaign, so Prefect shows what became of it.

    Returns:
        Whether all are kept. If not, some may be.
    """
    return await try_to_keep(create_artifacts(batch, summary), within_seconds)


async def create_artifacts(batch: Batch[Any], summary: Summary) -> None:
    """Creates a run's artifacts, with no pictures if there are none; see `keep_artifacts`.

    Raises:
        Exception: Whatever Prefect's client raises.
    """
    await acreate_markdown_artifact(
        key=artifact_key(batch, "summary"),
        markdown=contents.summary_markdown(summary, costs_by_brand(batch.table)),
        description=contents.without_markup(summary.headline()),
    )
    facts = row_facts(batch.table)
    rows = contents.table_rows(batch.table, facts, summary.words)
    await acreate_table_artifact(
        key=artifact_key(batch, "table"),
        table=rows,
        description=contents.table_description(batch.table, len(rows), summary.words),
    )
    if gallery := contents.gallery_markdown(batch.table, facts, summary.words):
        await acreate_markdown_artifact(
            key=artifact_key(batch, "pictures"),
            markdown=gallery,
            description=contents.pictures_description(batch.table, batch.title),
        )


async def keep_inbox(folder: str, headline: str, outcomes: Mapping[str, str]) -> None:
    """Keeps how an inbox's run went as an artifact, or logs why that is not possible.

    Args:
        folder: The inbox.
        headline: The counts, which stand above it.
        outcomes: What to say of each spreadsheet, by its name.
    """

    async def create_summary() -> None:
        await acreate_markdown_artifact(
            key=f"{readable_key('inbox', storage.canonical(folder).rstrip('/'))}-summary",
            markdown=contents.inbox_markdown(outcomes),
            description=contents.without_markup(headline),
        )

    await try_to_keep(create_summary(), ARTIFACT_SECONDS)


async def try_to_keep(creating: Coroutine[Any, Any, object], within_seconds: float) -> bool:
    """Awaits what creates artifacts, or logs why it did not succeed within so many seconds. Returns
    whether it did."""
    # The tables are saved: whatever is wrong with Prefect's server is no reason to fail now.
    try:
        async with asyncio.timeout(within_seconds):
            await creating
    except Exception as error:
        get_run_logger().warning("Prefect's server did not keep the artifacts: %r", error)
        return False
    return True


def artifact_key(batch: Batch[Any], part: str) -> str:
    """The key of one of a campaign's artifacts, which is their name in the UI.

    It is the same in all runs of a campaign. Two campaigns may have the same: then Prefect shows
    the artifacts of both as one's, and each run's page those of that run. Ads that keep no table
    go by what their run is called.
    """
    name = batch.name
    if batch.table.location is None and name.startswith(RUN_NAME):
        name = flow_run.name or name
    return f"{readable_key(batch.table.job_type.name, name)}-{part}"


def readable_key(prefix: str, name: str) -> str:
    """A key of an artifact, as Prefect takes one, by the words that people know a place by.

    It is made of the prefix and the name, of a URL its folder and its file without the extension. A
    digest is added only where characters are lost that may tell two names apart.

    Example:
        ```python
        from prefect_staticadslab.orchestration.reporting.artifacts import readable_key

        key = readable_key("campaign", "file:///ads/spring/Caf%C3%A9%20sale.csv")
        assert key == "campaign-spring-cafe-sale"
        assert readable_key("campaign", "Summer sale") == "campaign-summer-sale"
        ```
    """
    text = name
    if "://" in name:
        # A URL's query may hold a signature, and its host a password.
        text = unquote(re.split("[?#]", name)[0].partition("://")[2]).rpartition("@")[2]
    last_two = "-".join(text.split("/")[-2:]) if "://" in name else text
    stem = re.sub(r"\.(csv|tsv|xlsx|parquet)$", "", last_two.casefold())
    plain = "".join(c for c in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(c))
    readable = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    is_lossy = len(readable) > LONGEST_KEY or any(c.isalnum() and not c.isascii() for c in plain)
    digest = hashlib.sha256(name.encode()).hexdigest()[:8] if is_lossy or not readable else ""
    return "-".join(filter(None, (prefix, readable[:LONGEST_KEY].strip("-"), digest)))
