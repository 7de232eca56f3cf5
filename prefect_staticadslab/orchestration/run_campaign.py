"""A campaign within a flow run: from rows, however somebody wrote them, to their result table."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import pandas as pd
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import Campaign, Preflight, check_output
from prefect_staticadslab.campaign.errors import (
    SPREADSHEET_WORDS,
    CampaignError,
    SpreadsheetError,
    Words,
)
from prefect_staticadslab.campaign.files.cells import Spreadsheet, spreadsheet_of
from prefect_staticadslab.campaign.files.date_patterns import fill_in, moment_of
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.pictures.pictures import check_places, folder_for
from prefect_staticadslab.campaign.reports.progress import duration
from prefect_staticadslab.campaign.table.limits import limit_of
from prefect_staticadslab.campaign.table.merge import OutputError
from prefect_staticadslab.campaign.table.plan import Plan, started_usd
from prefect_staticadslab.campaign.table.result_table import ResultTable
from prefect_staticadslab.cli.console import if_cost_is_untold
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.orchestration.chunk_tasks import (
    ChunkTasks,
    by_account,
    clients_of,
    keys_of,
)
from prefect_staticadslab.orchestration.flow_outcome import refused
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.pictures import keep_pictures
from prefect_staticadslab.orchestration.reporting.contents import TABLE_ROWS
from prefect_staticadslab.orchestration.run_reporter import RunReporter

_read_before: ContextVar[Catalogue] = ContextVar("read_before", default=NOTHING_READ)


@contextlib.contextmanager
def already_read(catalogue: Catalogue) -> Iterator[None]:
    """Has campaigns that are run in the body not ask again for what was read a moment ago."""
    token = _read_before.set(catalogue)
    try:
        yield
    finally:
        _read_before.reset(token)


NOTHING_CREATED: Final = "Dry run: nothing was created."


@dataclass(frozen=True)
class CampaignResult:
    """How a campaign's run ended.

    Attributes:
        state: The state that the flow run should end with.
        table: The campaign's table; None if the campaign was refused, or this was a dry run.
        started_usd: What this run has started, in USD, if all of it completes.
    """

    state: State[None]
    table: ResultTable | None = None
    started_usd: Decimal = Decimal(0)

    def to_frame(self) -> pd.DataFrame:
        """The result table: the input's columns, then `status`, `image_ad_id`, `image_url` and the
        others that `docs/campaign.md` lists; dtype `object`, a line per ad.

        Raises:
            CampaignError: There is none. The message says why.
        """
        if self.table is None:
            raise CampaignError(self.state.message or "There is no result table.")
        return self.table.to_frame()


async def run_campaign(
    source: str | pd.DataFrame | Spreadsheet,
    output: str,
    credentials: StaticAdsLabCredentials,
    *,
    more_credentials: Sequence[StaticAdsLabCredentials] = (),
    name: str = "",
    sheet: str = "",
    dry_run: bool = False,
    max_spend_usd: float = math.inf,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    images_zip: str = "",
    preflight: bool = True,
    time_zone: str | None = None,
    words: Words = SPREADSHEET_WORDS,
) -> CampaignResult:
    """Runs a campaign, or goes on with it where an earlier run of it stopped. Call it in a flow.

    It keeps what a campaign keeps, the table, the contact sheet and artifacts, and sends its
    events. Nothing is raised for rows that failed: the result says what became of each.

    Args:
        source: The rows: where a spreadsheet is, or a DataFrame with a spreadsheet's columns. What
            is wrong with a row of a DataFrame is told as if it were saved as a spreadsheet.
        output: Where the result table is or will be. If empty, none is kept: `name` must then be
            what no other campaign is called, and there are at most 100 ads.
        credentials, more_credentials: The API keys.
        name: What the idempotency keys are made of, if not the output.
        max_spend_usd: Nothing is created if the whole campaign, earlier runs included, could cost
            more than this. By default there is no limit; 0 is that nothing may be spent.
        sheet, dry_run, attempts, wait, timeout_seconds, download_images, images_zip, preflight: See
            `flows/campaign.py`.
        time_zone: Fills the date into all places and names, as the clocks of this zone show it
            when the flow run was to start: in `{date}` and the other placeholders of
            `campaign.patterns`. It stays the same if the run is retried, or the flow that calls
            it. None leaves braces alone.
        words: What people call rows and columns.

    Raises:
        UnfinishedError: It was refused for what may pass, and Prefect is to run the flow again.

    Example:
        ```python
        import asyncio

        import pandas as pd
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, run_campaign

        @flow
        async def two_ads(credentials: StaticAdsLabCredentials) -> list[str]:
            rows = pd.DataFrame(
                {
                    "design_template": "ad_format=Sale; aspect_ratio=4:5",
                    "brand": "Harbor Roast",
                    "product": "Cold Brew Kit",
                    "audience": "Commuters",
                    "prompt": ["Iced, by the sea", "Hot, by the fire"],
                }
            )
            result = await run_campaign(rows, "results.csv", credentials, max_spend_usd=8)
            return result.to_frame()["image_url"].tolist()

        urls = asyncio.run(two_ads(StaticAdsLabCredentials.from_environment()))
        assert len(urls) >= 2
        ```
    """
    logger = get_run_logger()
    try:
        limit_of(max_spend_usd)
        if time_zone is not None:
            scheduled = (await FlowRetries.of_this_run()).scheduled or flow_run.scheduled_start_time
            moment = moment_of(scheduled, time_zone)
            source = fill_in(source, moment) if isinstance(source, str) else source
            output, name, download_images, images_zip = (
                fill_in(pattern, moment) for pattern in (output, name, download_images, images_zip)
            )
        match source:
            case str():
                brief = Brief.open(source, sheet=sheet)
            case pd.DataFrame():
                brief = Brief.read(spreadsheet_of(source))
            case _:
                brief = Brief.read(source)
        if output or not name:
            check_output(brief, output)
        accounts = by_account(credentials, *more_credentials)
        keys = keys_of(accounts)
        async with clients_of(accounts) as clients:
            current = Campaign.open(
                brief,
                output,
                catalogue=await look_up(
                    clients[0], brief, checks=preflight, known=_read_before.get()
                ),
                name=name,
                base_url=credentials.base_url,
            )
            _check_is_kept(current.table)
            plan = Plan.of(current.table)
            plan.check_budget(max_spend_usd)
            asked = await current.preflight(*clients) if preflight else Preflight()
            if dry_run:
                logger.info("Dry run, nothing is created.\n%s", plan.describe(keys.seconds_for))
                return CampaignResult(Completed(message=NOTHING_CREATED))
            await current.adopt(*clients)
        plan = Plan.of(current.table)
        folder = folder_for(output, download_images, images_zip)
        check_places(folder, images_zip, output=output)
        current.table.save_now()
    except CampaignError as error:
        message = error.message_in(words) if isinstance(error, SpreadsheetError) else ""
        return CampaignResult(await refused(error, message=message, is_last_word=False))

    logger.info(
        "%s%d of %d already completed; %d to create, up to %.2f USD, in about %s%s",
        plan.expansion and f"{plan.expansion} ",
        plan.completed,
        plan.rows,
        plan.creates,
        plan.new_usd,
        duration(plan.expected_seconds(keys.seconds_for)),
        f", for {asked.organization}" if asked.organization else "",
        extra=if_cost_is_untold(),
    )
    if gone := current.table.removed:
        logger.info(
            "%s of %s no longer in the spreadsheet; kept after the others",
            "1 ad" if gone == 1 else f"{gone} ads",
            output,
        )
    if asked.unchecked:
        logger.info("%d ids were not looked up: that would take too long", asked.unchecked)
    run = RunReporter(
        current,
        plan,
        keys.seconds_for,
        brief.location,
        asked.organization,
    )
    before = list(current.table.states)
    async with run.kept():
        async with run.progress():
            results = await ChunkTasks(
                current, accounts, attempts, timeout_seconds, wait, asked.clock_ahead
            ).run()
        pictures = await keep_pictures(current.table, folder, images_zip, credentials)
    state = await run.report(results, pictures, is_created_enough=not wait)
    return CampaignResult(state, current.table, started_usd(current.table, before))


def _check_is_kept(table: ResultTable) -> None:
    if table.location is None and len(table.rows) > TABLE_ROWS:
        raise OutputError(
            f"These are {len(table.rows)} ads, and Prefect keeps {TABLE_ROWS} rows of a table. "
            "Name an output for it."
        )
