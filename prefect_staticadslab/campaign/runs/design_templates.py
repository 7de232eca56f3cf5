"""Has design templates made from reference ads: from options to an outcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from prefect_staticadslab.api.waiting import ONE_AD_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.pictures.pictures import prepare_places
from prefect_staticadslab.campaign.reports.job_words import TEMPLATES
from prefect_staticadslab.campaign.runs.credentials import (
    C,
    by_api_key_hash,
    clients_of,
    limiters_of,
)
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import End, Outcome
from prefect_staticadslab.campaign.runs.picture_outputs import download_pictures_or_log
from prefect_staticadslab.campaign.runs.run_reporter import BatchOptions, RunReporter
from prefect_staticadslab.campaign.table.limits import check_limit


@dataclass(frozen=True, kw_only=True)
class TemplateOptions(BatchOptions):
    """What design templates are made with; see `flows/design_templates.py` for what each says."""

    source: str
    attempts: int = 2
    wait: bool = True
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS


async def run_design_templates(options: TemplateOptions, credentials: C, host: Host[C]) -> Outcome:
    """Has a design template made from each reference ad, or goes on where an earlier run stopped.

    Args:
        options: What to do.
        credentials: The API key.
        host: Where the run runs.
    """
    try:
        check_limit(options.max_spend_usd)
        batch = await asyncio.to_thread(
            TemplateBatch.open,
            options.source,
            options.output,
            options=options.reading,
            again=options.again,
        )
        credentials_by_hash = by_api_key_hash(credentials)
        seconds_for = limiters_of(credentials_by_hash).seconds_for
        async with clients_of(credentials_by_hash) as clients:
            prepared = await prepare(
                batch, clients, max_spend_usd=options.max_spend_usd, dry_run=options.dry_run
            )
        plan, organization = prepared.plan, prepared.organization
        for line in plan.reading_lines:
            host.logger.info(line)
        if options.dry_run:
            host.logger.info("Dry run, nothing is created.\n%s", plan.describe(seconds_for))
            message = plan.dry_run_message(TEMPLATES.counted(plan.creates))
            return Outcome(End.COMPLETED, message)
        if folder := options.pictures_folder:
            prepare_places(folder, output=options.output)
        batch.table.save_now()
    except CampaignError as error:
        return Outcome.refused(error)

    host.logger.info(
        "%s; %d to create, up to %.2f USD%s",
        plan.progress_text,
        plan.creates,
        plan.new_usd,
        f", for {organization}" if organization else "",
    )
    reporter = RunReporter(host, prepared, seconds_for, options.source, one_file=options.one_file)
    download = partial(
        download_pictures_or_log, batch.table, folder, host.logger, base_url=credentials.base_url
    )
    return await reporter.run(
        credentials_by_hash,
        attempts=options.attempts,
        timeout_seconds=options.timeout_seconds,
        wait=options.wait,
        download_pictures=download if folder else None,
    )
