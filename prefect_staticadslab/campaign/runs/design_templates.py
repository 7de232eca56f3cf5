"""Reference ads become design templates: from options to an outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from prefect_staticadslab.api.waiting import ONE_AD_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.pictures.pictures import check_places, folder_for
from prefect_staticadslab.campaign.reports.work import TEMPLATES
from prefect_staticadslab.campaign.runs.credentials import (
    C,
    by_api_key_hash,
    clients_of,
    keys_of,
)
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.runs.pictures import keep_pictures
from prefect_staticadslab.campaign.runs.run_reporter import RunReporter
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit


@dataclass(frozen=True)
class TemplateOptions:
    """What design templates are made with; see `flows/design_templates.py` for what each says."""

    source: str
    output: str
    sheet: str = ""
    encoding: str = ""
    visible_rows: bool = False
    dry_run: bool = False
    max_spend_usd: float = RUN_LIMIT_USD
    attempts: int = 2
    wait: bool = True
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS
    download_images: str = ""
    again: bool = False
    one_file: bool = False


async def run_design_templates(options: TemplateOptions, credentials: C, host: Host[C]) -> Outcome:
    """Has a design template made from each reference ad, or goes on where an earlier run stopped.

    Args:
        options: What to do.
        credentials: The API key.
        host: Where the run runs.
    """
    try:
        check_limit(options.max_spend_usd)
        how = ReadOptions(options.sheet, options.encoding, options.visible_rows)
        batch = await asyncio.to_thread(
            TemplateBatch.open, options.source, options.output, options=how, again=options.again
        )
        credentials_by_hash = by_api_key_hash(credentials)
        seconds_for = keys_of(credentials_by_hash).seconds_for
        async with clients_of(credentials_by_hash) as clients:
            prepared = await prepare(
                batch, clients, max_spend_usd=options.max_spend_usd, dry_run=options.dry_run
            )
        plan, organization = prepared.plan, prepared.organization
        for line in plan.reading:
            host.logger.info(line)
        if options.dry_run:
            host.logger.info("Dry run, nothing is created.\n%s", plan.describe(seconds_for))
            message = plan.dry_run_message(TEMPLATES.counted(plan.creates))
            return Outcome(End.COMPLETED, message)
        folder = folder_for(options.output, options.download_images, "", one_file=options.one_file)
        check_places(folder, output=options.output)
        batch.table.save_now()
    except CampaignError as error:
        return Outcome.refused(error)

    host.logger.info(
        "%d of %d already completed; %d to create, up to %.2f USD%s",
        plan.completed,
        plan.rows,
        plan.creates,
        plan.new_usd,
        f", for {organization}" if organization else "",
    )
    reporter = RunReporter(
        host, batch, plan, seconds_for, options.source, organization, options.one_file
    )
    async with reporter.kept():
        async with reporter.progress():
            results = await host.run_chunks(
                prepared,
                credentials_by_hash,
                options.attempts,
                options.timeout_seconds,
                options.wait,
            )
        pictures = await keep_pictures(
            batch.table, folder, "", None, host.logger, base_url=credentials.base_url
        )
    return await reporter.report(results, pictures, is_created_enough=not options.wait)
