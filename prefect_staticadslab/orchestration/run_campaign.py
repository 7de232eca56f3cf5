"""A campaign within a flow run: from rows, however somebody wrote them, to their result table."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal

import pandas as pd
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed

from prefect_staticadslab.api.retries.key_lock import WORK_SECONDS
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.errors import (
    SPREADSHEET_WORDS,
    CampaignError,
    SpreadsheetError,
    Words,
)
from prefect_staticadslab.campaign.files.cells import Spreadsheet, spreadsheet_of
from prefect_staticadslab.campaign.files.conditional_writes import use_lock
from prefect_staticadslab.campaign.files.date_patterns import fill_in, moment_of
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import (
    check_places,
    check_table_for_pictures,
    folder_for,
)
from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
from prefect_staticadslab.campaign.pictures.preview.planned_ads import planned_ads
from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview
from prefect_staticadslab.campaign.reports.plan import counted_ads, started_usd
from prefect_staticadslab.campaign.reports.progress import duration
from prefect_staticadslab.campaign.rows.row_selection import RowSelection
from prefect_staticadslab.campaign.table.limits import limit_of
from prefect_staticadslab.campaign.table.merge import OutputError
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.orchestration.chunk_tasks import (
    ChunkTasks,
    by_api_key_hash,
    clients_of,
    keys_of,
)
from prefect_staticadslab.orchestration.flow_outcome import refused_state
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.log_lines import cost_log_extra
from prefect_staticadslab.orchestration.pictures import keep_pictures
from prefect_staticadslab.orchestration.preview import keep_preview
from prefect_staticadslab.orchestration.reporting.contents import TABLE_ROWS
from prefect_staticadslab.orchestration.reporting.plan_artifact import keep_plan
from prefect_staticadslab.orchestration.run_reporter import RunReporter
from prefect_staticadslab.tasks._dispatch import sync_or_async
from prefect_staticadslab.tasks._table_lock import table_lock

_read_before: ContextVar[Catalogue] = ContextVar("read_before", default=NOTHING_READ)


@contextlib.contextmanager
def reuse_catalogue(catalogue: Catalogue) -> Iterator[None]:
    """Campaigns that are run in the body use this catalogue, and do not read it again."""
    token = _read_before.set(catalogue)
    try:
        yield
    finally:
        _read_before.reset(token)


_words: ContextVar[Words] = ContextVar("words", default=SPREADSHEET_WORDS)


@contextlib.contextmanager
def use_words(words: Words) -> Iterator[None]:
    """Campaigns that are run in the body call rows and columns by these words."""
    token = _words.set(words)
    try:
        yield
    finally:
        _words.reset(token)


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


@sync_or_async
async def run_campaign(
    source: str | pd.DataFrame | Spreadsheet,
    output: str,
    credentials: StaticAdsLabCredentials,
    *,
    more_credentials: Sequence[StaticAdsLabCredentials] = (),
    name: str = "",
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = math.inf,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    images_zip: str = "",
    pictures_in_table: bool = False,
    name_pictures_by: str = "",
    one_file: bool = False,
    preflight: bool = True,
    again: bool = False,
    time_zone: str | None = None,
    rows: str = "",
    first: int = 0,
    preview: str = "",
) -> CampaignResult:
    """Runs a campaign, or goes on with it where an earlier run of it stopped. Call it in a flow:
    in one that is async, await it.

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
        sheet, encoding, visible_rows, dry_run, attempts, wait, timeout_seconds, download_images,
            images_zip, pictures_in_table, preflight, again, rows, first, preview: See
            `flows/campaign.py`; and so name_pictures_by and one_file.
        time_zone: Fills the date into all places and names, as the clocks of this zone show it
            when the flow run was to start: in `{date}` and the other placeholders of
            `files.date_patterns`. It stays the same if the run is retried, or the flow that calls
            it. None leaves braces alone.

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

        In a flow that is not async, leave out `async` and `await`:
        ```python
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, run_campaign

        @flow
        def nightly(spreadsheet: str, credentials: StaticAdsLabCredentials) -> str:
            result = run_campaign(spreadsheet, "nightly.csv", credentials, max_spend_usd=30)
            return result.state.message

        print(nightly("examples/names.csv", StaticAdsLabCredentials.from_environment()))
        ```
    """
    logger = get_run_logger()
    use_lock(table_lock)
    try:
        limit_of(max_spend_usd)
        if time_zone is not None:
            scheduled = (await FlowRetries.of_this_run()).scheduled or flow_run.scheduled_start_time
            moment = moment_of(scheduled, time_zone)
            source = fill_in(source, moment) if isinstance(source, str) else source
            output, name, download_images, images_zip, preview = (
                fill_in(pattern, moment)
                for pattern in (output, name, download_images, images_zip, preview)
            )
        check_preview(preview, output)
        if pictures_in_table:
            check_table_for_pictures(output)
        brief = _read_brief(source, ReadOptions(sheet, encoding, visible_rows))
        credentials_by_hash = by_api_key_hash(credentials, *more_credentials)
        async with clients_of(credentials_by_hash) as clients:
            campaign = await read_campaign(
                brief,
                output,
                clients,
                name=name,
                known=_read_before.get(),
                looks_up_ids=preflight,
                base_url=credentials.base_url,
                again=again,
                selection=RowSelection.of(rows, first),
            )
            _check_fits_artifact(campaign.table)
            check_naming_column(campaign.table, name_pictures_by)
            prepared = await prepare(
                campaign,
                clients,
                max_spend_usd=max_spend_usd,
                preflight=preflight,
                dry_run=dry_run,
            )
        seconds_for = keys_of(credentials_by_hash).seconds_for
        plan = prepared.plan
        ads = planned_ads(campaign) if dry_run or preview else []
        await keep_preview(
            preview, campaign, plan, ads, source=brief.location, base_url=credentials.base_url
        )
        if dry_run:
            told = "\n".join([plan.describe(seconds_for), *ad_lines(ads)])
            logger.info("Dry run, nothing is created.\n%s", told)
            await keep_plan(campaign, plan, ads, preview, _words.get())
            message = plan.dry_run_message(counted_ads(len(ads)))
            return CampaignResult(Completed(message=message))
        folder = folder_for(
            output,
            download_images,
            images_zip,
            pictures_in_table=pictures_in_table,
            one_file=one_file,
        )
        check_places(folder, images_zip, output=output)
        campaign.table.save_now()
    except CampaignError as error:
        message = error.message_in(_words.get()) if isinstance(error, SpreadsheetError) else ""
        return CampaignResult(await refused_state(error, message=message, is_last_word=False))

    _log_plan(prepared, seconds_for)
    reporter = RunReporter(
        campaign,
        prepared.plan,
        seconds_for,
        brief.location,
        prepared.organization,
        one_file=one_file,
        words=_words.get(),
    )
    before = list(campaign.table.states)
    async with reporter.kept():
        async with reporter.progress():
            results = await ChunkTasks(
                prepared, credentials_by_hash, attempts, timeout_seconds, wait
            ).run()
        pictures = await keep_pictures(
            campaign.table, folder, images_zip, credentials, name_by=name_pictures_by
        )
    state = await reporter.report(results, pictures, is_created_enough=not wait)
    return CampaignResult(state, campaign.table, started_usd(campaign.table, before))


def _read_brief(source: str | pd.DataFrame | Spreadsheet, options: ReadOptions) -> Brief:
    match source:
        case str():
            return Brief.open(source, options=options, keep_problems=True)
        case pd.DataFrame():
            return Brief.read(spreadsheet_of(source), keep_problems=True)
        case _:
            return Brief.read(source, keep_problems=True)


def _log_plan(prepared: Prepared[Campaign], seconds_for: Callable[[int], float]) -> None:
    logger, plan = get_run_logger(), prepared.plan
    logger.info(
        "%s%d of %d already completed; %d to create, up to %.2f USD, in about %s%s",
        plan.expansion and f"{plan.expansion} ",
        plan.completed,
        plan.rows,
        plan.creates,
        plan.new_usd,
        duration(plan.expected_seconds(seconds_for)),
        f", for {prepared.organization}" if prepared.organization else "",
        extra=cost_log_extra(),
    )
    if plan.earlier_ads:
        logger.info("%s", plan.earlier_ads)
    if plan.unanswered:
        logger.info(
            "%s have been sent by an earlier run; asked for with the same keys, after %g s if that "
            "run may have ended just now",
            "1 ad may" if plan.unanswered == 1 else f"{plan.unanswered} ads may",
            WORK_SECONDS,
        )
    if plan.removed:
        logger.info(
            "%s of %s no longer in the spreadsheet; kept after the others",
            "1 ad" if plan.removed == 1 else f"{plan.removed} ads",
            prepared.batch.table.location,
        )
    if plan.postponed:
        logger.info("%d more %s", plan.postponed, plan.waiting)
    for remark in plan.remarks():
        logger.info("%s", remark)
    if prepared.unchecked:
        logger.info("%d ids were not looked up: that would take too long", prepared.unchecked)


def _check_fits_artifact(table: ResultTable) -> None:
    if table.location is None and len(table.rows) > TABLE_ROWS:
        raise OutputError(
            f"These are {len(table.rows)} ads, and Prefect keeps {TABLE_ROWS} rows of a table. "
            "Name an output for it."
        )
