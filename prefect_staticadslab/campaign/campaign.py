"""A campaign as a whole: from a spreadsheet and an output to chunks of work, and to a summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import is_loopback
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.id_check import check_catalogue
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.pipeline.adoption import adopt
from prefect_staticadslab.campaign.pipeline.batch import ParallelBatch
from prefect_staticadslab.campaign.preflight import (
    KeyRefusedError,
    check_key,
    check_one_organization,
)
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.merge import OutputError
from prefect_staticadslab.campaign.table.result_table import check_location


@dataclass
class Campaign(ParallelBatch[ImageAdRequest]):
    """A campaign's spreadsheet, checked, and its result table.

    Attributes:
        name: What the idempotency keys are made of: a name that was given, else the output.
        table: The result table, with what earlier runs recorded.
        catalogue: What was looked up of the API's catalogue.
        adoption: What became of rows that an interrupted run may have sent long ago.
    """

    table: ResultTable
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
    ) -> Campaign:
        """Checks everything that can be checked by now, and changes nothing.

        Args:
            spreadsheet: What was read; or where a spreadsheet is that says everything in ids.
            output: Where the result table is or will be: `.csv`, `.tsv`, `.xlsx` or `.parquet`;
                "" for a campaign that has a name and keeps no table.
            catalogue: What was looked up for the spreadsheet's names; see `lookup.look_up`.
            name: The campaign's name, if not its output.
            base_url: The API that will be used, to tell a table that was made with another one.

        Raises:
            CampaignError: Something is wrong; the message lists all of it.
        """
        brief = Brief.open(spreadsheet) if isinstance(spreadsheet, str) else spreadsheet
        if output or not name:
            check_output(brief, output)
        table = ResultTable.open(output or None, expand(brief, catalogue))
        if base_url:
            _check_same_api(table, base_url)
        return cls(name or storage.canonical(output), table, catalogue=catalogue)

    def check_simulation(self) -> None:
        """Raises if the table holds real ads: a simulation must not mix its own into them.

        Raises:
            OutputError: It does.
        """
        urls = [state.image_url for state in self.table.states if state.image_url]
        if any(not _is_local(url) for url in urls):
            raise OutputError(
                f"{self.table.location} holds real ads. Choose another output for a simulation."
            )

    async def preflight(self, *clients: StaticAdsLabClient) -> Preflight:
        """Asks the API about the keys and every id of the rows that are to be created.

        Args:
            clients: One for each key that shares the campaign.

        Raises:
            KeyRefusedError: A key is not accepted, or lacks a scope; the API is out of reach; or
                the keys are of different organizations.
            SpreadsheetError: Ids are wrong; the message lists all of them.
        """
        client = clients[0]
        accounts = [await check_key(each) for each in clients]
        check_one_organization(accounts)
        account = accounts[0]
        rows = [
            row
            for _, row, state in self.table.current_rows
            if state.job_id is None or state.status is RowStatus.FAILED
        ]
        unchecked = await check_catalogue(client, account, rows, self.catalogue)
        return Preflight(account.organization_name, unchecked, client.clock_ahead)

    async def adopt(self, *clients: StaticAdsLabClient) -> None:
        """Finds the ads of rows that an interrupted run may have sent a day ago or earlier.

        Args:
            clients: One for each key that shares the campaign; the first one is asked.

        Raises:
            KeyRefusedError: The API could not be asked, so nothing must be created.
        """
        try:
            accounts = frozenset(client.key_id for client in clients)
            self.adoption = await adopt(clients[0], self.table, accounts=accounts)
        except StaticAdsLabError as error:
            raise KeyRefusedError(
                "Rows of an earlier run may have been sent, and the API could not be asked for "
                f"their ads: {error}"
            ) from error


def check_output(brief: Brief, output: str) -> None:
    """Raises if no result table of a spreadsheet can be at `output`.

    Raises:
        CampaignError: It cannot.
    """
    if brief.location and storage.canonical(brief.location) == storage.canonical(output):
        raise OutputError("The output is the spreadsheet itself. Choose another file name.")
    check_location(output)


def _check_same_api(table: ResultTable, base_url: str) -> None:
    """A simulator's pictures are on this machine; they must not pass for a real API's."""
    simulated = any(_is_local(state.image_url) for state in table.states if state.image_url)
    if simulated and not _is_local(base_url):
        raise OutputError(
            f"{table.location} was made with a simulator: its pictures are on this machine. "
            "Choose another output for the real ads."
        )


def _is_local(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


@dataclass(frozen=True)
class Preflight:
    """What the API said.

    Attributes:
        organization: Whose key it is.
        unchecked: How many ids could not be looked up cheaply.
        clock_ahead: How far the API's clock is ahead of ours.
    """

    organization: str = ""
    unchecked: int = 0
    clock_ahead: timedelta = timedelta(0)
