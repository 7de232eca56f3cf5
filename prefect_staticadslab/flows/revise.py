"""Editable ads are changed and rendered anew."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from prefect_staticadslab import ImageAdResult, StaticAdsLabCredentials
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare, run
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pictures.pictures import check_places, folder_for
from prefect_staticadslab.campaign.pipeline.api_keys import Chunk
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.chunk_tasks import opaque
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.pictures import keep_pictures
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.orchestration.run_reporter import RunReporter
from prefect_staticadslab.orchestration.watch import flow_started
from prefect_staticadslab.tasks.revisions import revise_image_ads

REFUSED = "Nothing was changed."


@dispatched
@flow(
    name="revise",
    description="Changes editable image ads, and renders them anew.",
    flow_run_name=named_by("revise", "output"),
)
async def revise(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = RUN_LIMIT_USD,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    again: bool = False,
    one_file: bool = False,
) -> State[None]:
    """Revises editable ads, or goes on with it where an earlier run of the same output stopped.

    Args:
        spreadsheet: A .csv, .tsv or .xlsx with a column `image_ad_id`, and in each row one of
            `json_patch` (RFC 6902), `node_overrides` and `current_json_tree`.
        output: The result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL.
        credentials: The API key to use.
        sheet: Which sheet of a workbook; the visible one that has the columns if empty.
        encoding: How a text file is encoded, such as cp1252, if its text leaves doubt about it.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        dry_run: Only check the changes against the ads.
        max_spend_usd: Change nothing if all of it, earlier runs included, might cost more than
            this, in USD; 0 is that nothing may be spent. What a revision costs is not documented,
            so each counts like a new editable ad, 4.00 USD.
        timeout_seconds: How long to wait for one ad before it is left for a later run.
        download_images: A folder to download the pictures to, a path or a URL; none if empty.
        again: If the spreadsheet is a result table of revisions, make them once more. Otherwise
            what it has is taken over, and only what is missing is made.
        one_file: Put small pictures into the contact sheet itself, so that it can be mailed alone.
            The pictures are downloaded for it, beside the table if no folder is named.

    Returns:
        Completed if every revision is; Failed, with the counts in its message, if not.
    """
    watch = flow_started()
    logger = get_run_logger()
    async with credentials.get_client() as client:
        try:
            check_limit(max_spend_usd)
            options = ReadOptions(sheet, encoding, visible_rows)
            revisions = Revisions.open(spreadsheet, output, options=options, again=again)
            prepared = await prepare(
                revisions, [client], max_spend_usd=max_spend_usd, dry_run=dry_run
            )
            plan = prepared.plan
            for line in plan.reading:
                logger.info(line)
            if dry_run:
                message = f"Dry run: all {plan.creates} changes fit their ads.\n{_cost(plan)}"
                return Completed(message=message)
            folder = folder_for(output, download_images, "", one_file=one_file)
            check_places(folder, output=output)
            revisions.table.save_now()
        except (CampaignError, StaticAdsLabError) as error:
            return await refused_state(error, title=REFUSED)

        logger.info(
            "%d of %d already completed; %d to revise. %s",
            plan.completed,
            plan.rows,
            plan.creates,
            _cost(plan),
        )

        async def revise_chunk(chunk: Chunk) -> list[ImageAdResult]:
            return await revise_image_ads(
                credentials, opaque(chunk.ads), timeout_seconds, opaque(revisions.table)
            )

        reporter = RunReporter(
            revisions,
            plan,
            client.limiter.seconds_for,
            spreadsheet,
            prepared.organization,
            one_file,
        )
        async with reporter.kept():
            async with reporter.progress():
                results = await run(prepared, revise_chunk, weights={client.api_key_hash: 1.0})
            pictures = await keep_pictures(
                revisions.table, folder, "", None, base_url=credentials.base_url
            )

    notes = [revisions.trouble] if revisions.trouble else []
    watch.ended = await final_state(await reporter.report(results, pictures, notes=notes))
    return watch.ended


def _cost(plan: Plan) -> str:
    return (
        "What a revision costs is not documented; as new editable ads they would be "
        f"{plan.new_usd:.2f} USD."
    )


if __name__ == "__main__":
    run_as_command("revise")
