"""A campaign of image ads from its options to its outcome."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

import pandas as pd

from prefect_staticadslab.api.retries.key_lock import WORK_SECONDS
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import Prepared, prepare, read_campaign
from prefect_staticadslab.campaign.errors import (
    SPREADSHEET_WORDS,
    CampaignError,
    SpreadsheetError,
    Words,
)
from prefect_staticadslab.campaign.files.cells import Spreadsheet, spreadsheet_from_dataframe
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import check_table_for_pictures, prepare_places
from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
from prefect_staticadslab.campaign.pictures.preview.planned_ads import planned_ads
from prefect_staticadslab.campaign.pictures.preview.preview_page import check_preview
from prefect_staticadslab.campaign.reports.log_lines import cost_log_extra
from prefect_staticadslab.campaign.reports.plan import counted_ads, started_usd
from prefect_staticadslab.campaign.reports.progress import duration
from prefect_staticadslab.campaign.rows.row_selection import RowSelection
from prefect_staticadslab.campaign.runs.credentials import (
    C,
    by_api_key_hash,
    clients_of,
    limiters_of,
)
from prefect_staticadslab.campaign.runs.host import Host, Logger
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.runs.picture_outputs import (
    download_pictures_or_log,
    write_campaign_preview,
)
from prefect_staticadslab.campaign.runs.run_reporter import BatchOptions, RunReporter
from prefect_staticadslab.campaign.table.limits import limit_of

_known_catalogue: ContextVar[Catalogue] = ContextVar("known_catalogue", default=NOTHING_READ)
"""What `reuse_catalogue` is given, while its body runs."""


@contextlib.contextmanager
def reuse_catalogue(catalogue: Catalogue) -> Iterator[None]:
    """Campaigns that are run in the body use this catalogue, and do not read it again."""
    token = _known_catalogue.set(catalogue)
    try:
        yield
    finally:
        _known_catalogue.reset(token)


@dataclass(frozen=True, kw_only=True)
class CampaignOptions(BatchOptions):
    """What a campaign is run with, besides API keys; see `flows/campaign.py` for what each says.

    Dates are filled into its places and names by then.

    Attributes:
        source: The rows: where a spreadsheet is, or the rows themselves.
        name: What the idempotency keys are made of, if not the output.
    """

    source: str | pd.DataFrame | Spreadsheet
    name: str = ""
    max_spend_usd: float = math.inf
    attempts: int = 2
    wait: bool = True
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS
    images_zip: str = ""
    pictures_in_table: bool = False
    name_pictures_by: str = ""
    preflight: bool = True
    rows: str = ""
    first: int = 0
    preview: str = ""

    @property
    def wants_pictures(self) -> bool:
        """Whether the ZIP, the table or the contact sheet is made of downloaded pictures."""
        return bool(self.images_zip) or self.pictures_in_table or self.one_file


@dataclass(frozen=True)
class CampaignOutcome:
    """How the run of a campaign of image ads ended, and what is left of it.

    Attributes:
        outcome: How it ended.
        table: The campaign's table; None if the campaign was refused, or this was a dry run.
        started_usd: What the jobs that this run has begun cost, in USD, if all of them complete.
    """

    outcome: Outcome
    table: ImageAdTable | None = None
    started_usd: Decimal = Decimal(0)


async def run_image_ads(
    options: CampaignOptions,
    credentials: Sequence[C],
    host: Host[C],
    *,
    words: Words = SPREADSHEET_WORDS,
) -> CampaignOutcome:
    """Runs a campaign, or goes on with it where an earlier run of it stopped.

    It keeps what a campaign keeps, the table and the contact sheet, and tells its host of itself.
    Nothing is raised for rows that failed, or for a campaign that is refused: the outcome says so.

    Args:
        options: What to do.
        credentials: The API keys.
        host: Where the run runs.
        words: What people call rows and columns.

    Returns:
        How it ended, and the table.
    """
    try:
        limit_of(options.max_spend_usd)
        if options.preview:
            check_preview(options.preview, options.output)
        if options.pictures_in_table:
            check_table_for_pictures(options.output)
        brief = _read_brief(options)
        credentials_by_hash = by_api_key_hash(*credentials)
        base_url = credentials[0].base_url
        async with clients_of(credentials_by_hash) as clients:
            campaign = await read_campaign(
                brief,
                options.output,
                clients,
                name=options.name,
                known=_known_catalogue.get(),
                looks_up_ids=options.preflight,
                base_url=base_url,
                again=options.again,
                selection=RowSelection.parse(options.rows, options.first),
            )
            host.check_table(campaign.table)
            if options.name_pictures_by:
                check_naming_column(campaign.table, options.name_pictures_by)
            prepared = await prepare(
                campaign,
                clients,
                max_spend_usd=options.max_spend_usd,
                preflight=options.preflight,
                dry_run=options.dry_run,
            )
        seconds_for = limiters_of(credentials_by_hash).seconds_for
        plan = prepared.plan
        ads = planned_ads(campaign) if options.dry_run or options.preview else []
        if options.preview:
            await write_campaign_preview(
                options.preview, campaign, plan, ads, source=brief.location, base_url=base_url
            )
        if options.dry_run:
            told = "\n".join([plan.describe(seconds_for), *ad_lines(ads)])
            host.logger.info("Dry run, nothing is created.\n%s", told)
            await host.keep_plan(campaign, plan, ads, options.preview, words)
            return CampaignOutcome(
                Outcome(End.COMPLETED, plan.dry_run_message(counted_ads(len(ads))))
            )
        if folder := options.pictures_folder:
            prepare_places(folder, options.images_zip, output=options.output)
        campaign.table.save_now()
    except CampaignError as error:
        message = error.message_in(words) if isinstance(error, SpreadsheetError) else ""
        return CampaignOutcome(Outcome.refused(error, message=message))

    _log_plan(prepared, seconds_for, host.logger)
    reporter = RunReporter(
        host, prepared, seconds_for, brief.location, one_file=options.one_file, words=words
    )
    before = list(campaign.table.states)
    download = partial(
        download_pictures_or_log,
        campaign.table,
        folder,
        host.logger,
        base_url=base_url,
        credentials=credentials[0],
        images_zip=options.images_zip,
        name_by=options.name_pictures_by,
    )
    outcome = await reporter.run(
        credentials_by_hash,
        attempts=options.attempts,
        timeout_seconds=options.timeout_seconds,
        wait=options.wait,
        download_pictures=download if folder else None,
    )
    return CampaignOutcome(outcome, campaign.table, started_usd(campaign.table, before))


def _read_brief(options: CampaignOptions) -> Brief:
    """Reads the rows from wherever they are; what is wrong with some is kept in the brief."""
    match options.source:
        case str():
            return Brief.open(options.source, options=options.reading, keep_problems=True)
        case pd.DataFrame():
            return Brief.read(spreadsheet_from_dataframe(options.source), keep_problems=True)
        case _:
            return Brief.read(options.source, keep_problems=True)


def _log_plan(
    prepared: Prepared[Campaign], seconds_for: Callable[[int], float], logger: Logger
) -> None:
    """Logs what is begun, what it may cost, and what people should know of it beforehand."""
    plan = prepared.plan
    logger.info(
        "%s%s; %d to create, up to %.2f USD, in about %s%s",
        plan.rows_to_ads_sentence and f"{plan.rows_to_ads_sentence} ",
        plan.progress_text,
        plan.creates,
        plan.new_usd,
        duration(plan.expected_seconds(seconds_for)),
        f", for {prepared.organization}" if prepared.organization else "",
        extra=cost_log_extra(),
    )
    if plan.earlier_jobs:
        logger.info("%s", plan.earlier_jobs)
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
        logger.info("%d more %s", plan.postponed, plan.postponed_clause)
    for remark in plan.remarks():
        logger.info("%s", remark)
    if prepared.unchecked:
        logger.info("%d ids were not looked up: that would take too long", prepared.unchecked)
