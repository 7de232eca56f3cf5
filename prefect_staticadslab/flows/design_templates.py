"""Reference ads become design templates."""

from __future__ import annotations

import asyncio

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.waiting import ONE_AD_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.pictures.pictures import check_places, folder_for
from prefect_staticadslab.campaign.reports.work import TEMPLATES
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.chunk_tasks import (
    ChunkTasks,
    by_api_key_hash,
    clients_of,
    keys_of,
)
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.pictures import keep_pictures
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.orchestration.run_reporter import RunReporter
from prefect_staticadslab.orchestration.watch import flow_started
from prefect_staticadslab.tasks.design_templates import make_design_templates


@dispatched
@flow(
    name="design-templates",
    description="Turns reference ads into design templates.",
    flow_run_name=named_by("design templates", "output"),
)
async def design_templates(
    source: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = RUN_LIMIT_USD,
    attempts: int = 2,
    wait: bool = True,
    timeout_seconds: float = ONE_AD_TIMEOUT_SECONDS,
    download_images: str = "",
    again: bool = False,
    one_file: bool = False,
) -> State[None]:
    """Has a design template made from each reference ad, or goes on where an earlier run stopped.

    Args:
        source: A folder of reference ads (.png, .jpg, .webp, .gif; at most 15 MB each), or a
            spreadsheet with a column `reference` of paths or addresses.
        output: The result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL.
        credentials: The API key to use.
        sheet: Which sheet of a workbook; the visible one that has the columns if empty.
        encoding: How a text file is encoded, such as cp1252, if its text leaves doubt about it.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        dry_run: Only check the pictures, and say what it would cost.
        max_spend_usd: Create nothing if all of it, earlier runs included, could cost more than
            this, in USD; 0 is that nothing may be spent.
        attempts: How often to try a template that fails. A failed one is free.
        wait: Wait for the templates. Otherwise end once all are created; a later run of the same
            output collects them.
        timeout_seconds: How long to wait for one template.
        download_images: A folder to download the previews to, a path or a URL; none if empty.
        again: If the source is a result table of design templates, make them once more. Otherwise
            what it has is taken over, and only what is missing is made.
        one_file: Put small pictures into the contact sheet itself, so that it can be mailed alone.
            The previews are downloaded for it, beside the table if no folder is named.

    Returns:
        Completed if every template is, or, without waiting, if every one is created; else Failed.
    """
    watch = flow_started()
    logger = get_run_logger()
    try:
        check_limit(max_spend_usd)
        options = ReadOptions(sheet, encoding, visible_rows)
        batch = await asyncio.to_thread(
            TemplateBatch.open, source, output, options=options, again=again
        )
        credentials_by_hash = by_api_key_hash(credentials)
        seconds_for = keys_of(credentials_by_hash).seconds_for
        async with clients_of(credentials_by_hash) as clients:
            prepared = await prepare(batch, clients, max_spend_usd=max_spend_usd, dry_run=dry_run)
        plan, organization = prepared.plan, prepared.organization
        for line in plan.reading:
            logger.info(line)
        if dry_run:
            logger.info("Dry run, nothing is created.\n%s", plan.describe(seconds_for))
            message = plan.dry_run_message(TEMPLATES.counted(plan.creates))
            return Completed(message=message)
        folder = folder_for(output, download_images, "", one_file=one_file)
        check_places(folder, output=output)
        batch.table.save_now()
    except CampaignError as error:
        return await refused_state(error)

    logger.info(
        "%d of %d already completed; %d to create, up to %.2f USD%s",
        plan.completed,
        plan.rows,
        plan.creates,
        plan.new_usd,
        f", for {organization}" if organization else "",
    )
    reporter = RunReporter(batch, plan, seconds_for, source, organization, one_file)
    async with reporter.kept():
        async with reporter.progress():
            tasks = ChunkTasks(
                prepared,
                credentials_by_hash,
                attempts,
                timeout_seconds,
                wait,
                task=make_design_templates,
            )
            results = await tasks.run()
        pictures = await keep_pictures(batch.table, folder, "", None, base_url=credentials.base_url)
    watch.ended = await final_state(
        await reporter.report(results, pictures, is_created_enough=not wait)
    )
    return watch.ended


if __name__ == "__main__":
    run_as_command("design-templates")
