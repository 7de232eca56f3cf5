"""A campaign's jobs: image ads, and the table that they are kept in."""

from __future__ import annotations

from typing import Final, Self

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS
from prefect_staticadslab.campaign.table.job_state import AD_COLUMNS
from prefect_staticadslab.campaign.table.job_type import JobType
from prefect_staticadslab.campaign.table.result_table import JobTable

IMAGE_ADS: Final = JobType("campaign", AD_COLUMNS, KNOWN_COLUMNS, read_rows)
"""What a campaign is made of."""


class ResultTable(JobTable[ImageAdRequest]):
    """A campaign's table of image ads."""

    @classmethod
    def open(
        cls,
        location: str | None,
        spreadsheet: Spreadsheet,
        job_type: JobType[ImageAdRequest] = IMAGE_ADS,
    ) -> Self:
        """See `JobTable.open`."""
        return super().open(location, spreadsheet, job_type)

    @classmethod
    def reopen(cls, location: str, job_type: JobType[ImageAdRequest] = IMAGE_ADS) -> Self:
        """See `JobTable.reopen`."""
        return super().reopen(location, job_type)
