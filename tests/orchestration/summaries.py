"""Summaries of tables that no run has written."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.reports.summary import Summary, summarize


def summary_of(table: ImageAdTable, words: Words = SPREADSHEET_WORDS, **known: Any) -> Summary:
    """How a run would have ended that has left this table."""
    usual = {"already_completed": 0, "spent_before_usd": Decimal(0), "seconds": 1.0}
    return summarize(
        Campaign("summer", table), [], contact_sheet=None, words=words, **{**usual, **known}
    )
