"""A campaign's jobs: image ads, and their result table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import Account, ImageAdRequest
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.mixed_tables import check_not_simulated
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.id_check import check_ids
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.names.preflight import KeyRefusedError
from prefect_staticadslab.campaign.pipeline.adoption import adopt
from prefect_staticadslab.campaign.pipeline.batch import ParallelBatch
from prefect_staticadslab.campaign.rows.ad_rows import read_rows, request_content
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS, READ_COLUMNS
from prefect_staticadslab.campaign.rows.row_selection import (
    ALL_ROWS,
    RowSelection,
    postpone_unselected,
)
from prefect_staticadslab.campaign.rows.spellings import find_respelled
from prefect_staticadslab.campaign.table.job_state import AD_COLUMNS, RowStatus
from prefect_staticadslab.campaign.table.job_type import JobType
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.campaign.table.table_on_disk import OutputError, check_location

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

IMAGE_ADS: Final = JobType(
    "campaign",
    AD_COLUMNS,
    KNOWN_COLUMNS,
    read_rows,
    read_columns=READ_COLUMNS,
    content=request_content,
    find_respelled=find_respelled,
)
"""What sets a table of image ads apart from tables of other jobs."""


class ImageAdTable(JobTable[ImageAdRequest]):
    """A campaign's table of image ads."""

    @classmethod
    def open(
        cls,
        location: str | None,
        spreadsheet: Spreadsheet,
        job_type: JobType[ImageAdRequest] = IMAGE_ADS,
    ) -> Self:
        """Opens a table of image ads; see `JobTable.open`."""
        return super().open(location, spreadsheet, job_type)

    @classmethod
    def reopen(cls, location: str, job_type: JobType[ImageAdRequest] = IMAGE_ADS) -> Self:
        """Reopens a table of image ads; see `JobTable.reopen`."""
        return super().reopen(location, job_type)


@dataclass
class Campaign(ParallelBatch[ImageAdRequest]):
    """A campaign's spreadsheet, checked, and its result table.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
        catalogue: What was looked up of the API's catalogue; `check` adds resources to it.
        adoption: What became of rows that an interrupted run may have sent long ago; `adopt` sets
            it.
    """

    table: ImageAdTable
    catalogue: Catalogue = field(default=NOTHING_READ, kw_only=True)

    @classmethod
    def open(
        cls,
        spreadsheet: str | Brief,
        output: str,
        *,
        catalogue: Catalogue = NOTHING_READ,
        name: str = "",
        base_url: str = "",
        again: bool = False,
        selection: RowSelection = ALL_ROWS,
    ) -> Campaign:
        """Reads and checks the spreadsheet and the result table without the API; writes nothing.

        Args:
            spreadsheet: A brief; or the path or URL of a spreadsheet that says everything in ids.
            output: Where the result table is or will be: `.csv`, `.tsv`, `.xlsx` or `.parquet`;
                "" for a campaign that has a name and keeps no table.
            catalogue: What was looked up for the spreadsheet's names; see `lookup.look_up`.
            name: The campaign's name; "" for its output.
            base_url: The address of the API that will be used: a table that was made with a
                simulator is refused for any other. "" skips this check.
            again: Whether rows of a spreadsheet that is a result table get a new ad, also where
                they have one.
            selection: The rows that this run is for.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        brief = Brief.open(spreadsheet) if isinstance(spreadsheet, str) else spreadsheet
        if output or not name:
            check_output(brief, output)
        table = ImageAdTable.open(output or None, expand(brief, catalogue))
        if brief.earlier.result_positions:
            table.take_over_earlier_jobs(brief.spreadsheet, brief.location, again=again)
        if base_url:
            check_not_simulated(table, base_url)
        if selection != ALL_ROWS:
            postpone_unselected(table, selection)
        return cls(name or storage.canonical(output), table, catalogue=catalogue)

    async def check(self, client: StaticAdsLabClient, account: Account) -> int:
        """Asks the API about every id of the rows that are to be created; see `Batch.check`.

        What it finds is kept in `catalogue`.
        """
        rows = [
            row
            for _, row, state in self.table.current_rows
            if row.may_create and (state.job_id is None or state.status is RowStatus.FAILED)
        ]
        checked = await check_ids(client, account, rows, self.catalogue)
        self.catalogue = replace(self.catalogue, single=checked.resources)
        return checked.unchecked

    async def adopt(self, clients: Sequence[StaticAdsLabClient]) -> None:
        """Finds the ads of rows that may have been sent long ago; see `Batch.adopt`.

        Writes what it finds out about each of them into the table, and sets `adoption`.
        """
        try:
            api_key_hashes = frozenset(client.api_key_hash for client in clients)
            self.adoption = await adopt(clients[0], self.table, api_key_hashes=api_key_hashes)
        except StaticAdsLabError as error:
            raise KeyRefusedError(
                "Rows of an earlier run may have been sent, and the API could not be asked for "
                f"their ads: {error}"
            ) from error


def check_output(brief: Brief, output: str) -> None:
    """Raises if a spreadsheet's result table cannot be written to `output`.

    Raises:
        CampaignError: That is the spreadsheet itself, or no place for a table.
    """
    if brief.location and storage.canonical(brief.location) == storage.canonical(output):
        raise OutputError("The output is the spreadsheet itself. Choose another file name.")
    check_location(output)
