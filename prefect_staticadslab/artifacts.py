"""What a campaign leaves behind besides its table: summary in Prefect, and contact sheet."""

from __future__ import annotations

import asyncio
import hashlib
import html
import re
from typing import Any, Final

from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.batch import Batch
from prefect_staticadslab.campaign.gallery.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.results import JobTable
from prefect_staticadslab.campaign.states import RowStatus
from prefect_staticadslab.campaign.summary import Summary

LISTED_ROWS: Final = 20
"""Artifacts are kept whole in the server's database, so they are short and point to the table."""

_LONGEST_CELL: Final = 200

ARTIFACT_SECONDS: Final = 30.0
"""How long Prefect's server may take to keep the summary."""


async def keep_summary(campaign: Batch[Any], summary: Summary) -> None:
    """Creates the summary's artifact, or logs why that was not possible."""
    # The table is saved: whatever is wrong with Prefect's server is no reason to fail now.
    try:
        async with asyncio.timeout(ARTIFACT_SECONDS):
            await create_summary_artifact(campaign, summary)
    except Exception as error:
        get_run_logger().warning("Prefect's server did not keep the summary: %r", error)


def keep_contact_sheet(table: JobTable[Any], title: str) -> str | None:
    """Writes the contact sheet and returns where, or logs why that was not possible."""
    try:
        return write_contact_sheet(table, title)
    except CampaignError as error:
        get_run_logger().warning("There is no contact sheet: %s", error)
        return None


async def create_summary_artifact(campaign: Batch[Any], summary: Summary) -> None:
    """Keeps a campaign's summary as an artifact; its key is the same for all runs of a campaign."""
    await acreate_markdown_artifact(
        key=artifact_key(campaign.name),
        markdown=summary_markdown(campaign, summary),
        description=f"Static Ads Lab: {summary.headline()}",
    )


def artifact_key(campaign: str) -> str:
    """A key as Prefect wants it, lower case and dashes, that differs where campaigns do.

    Example:
        ```python
        from prefect_staticadslab.artifacts import artifact_key

        assert artifact_key("file:///ads/Summer Sale.csv").startswith("campaign-summer-sale-csv-")
        ```
    """
    slug = re.sub(r"[^a-z0-9]+", "-", campaign.rsplit("/", 1)[-1].lower()).strip("-")[:40]
    digest = hashlib.sha256(campaign.encode()).hexdigest()[:8]
    return "-".join(part for part in ("campaign", slug, digest) if part)


def summary_markdown(campaign: Batch[Any], summary: Summary) -> str:
    """The summary in Markdown. What comes from a cell or from the API is escaped."""
    facts = [
        ("Rows", str(summary.rows)),
        *((str(status).capitalize(), str(count)) for status, count in summary.counts.items()),
        ("Cost", f"{summary.cost_usd:.2f} USD"),
        ("Time", f"{summary.seconds:.1f} s"),
        ("Table", summary.output),
        ("Contact sheet", summary.contact_sheet or ""),
        ("Pictures", summary.pictures or ""),
    ]
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in facts if value not in ("", "0")]
    lines += ["", *(f"- {_cell(note)}" for note in summary.notes())]
    table = campaign.table
    open_rows = [
        f"| {row.number} | {state.status} | {_cell(state.image_ad_id or '')} "
        f"| {_cell(state.error or '')} |"
        for _, row, state in table.wanted
        if state.status is not RowStatus.COMPLETED
    ]
    if open_rows:
        lines += ["", "| Row | Status | Id | Error |", "|---|---|---|---|"]
        lines += open_rows[:LISTED_ROWS]
        if len(open_rows) > LISTED_ROWS:
            lines += ["", f"and {len(open_rows) - LISTED_ROWS} more in the table."]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text for a Markdown table: one line, no markup, not too long."""
    text = " ".join(text.split())
    text = text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", html.escape(text))
