"""Reference ads become design templates."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.waiting import ONE_AD_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.runs.design_templates import (
    TemplateOptions,
    run_design_templates,
)
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import state_of
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import named_by
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
    link = begin_flow()
    options = TemplateOptions(
        source=source,
        output=output,
        sheet=sheet,
        encoding=encoding,
        visible_rows=visible_rows,
        dry_run=dry_run,
        max_spend_usd=max_spend_usd,
        attempts=attempts,
        wait=wait,
        timeout_seconds=timeout_seconds,
        download_images=download_images,
        again=again,
        one_file=one_file,
    )
    host = PrefectHost(make_design_templates)
    link.end_state = await state_of(await run_design_templates(options, credentials, host))
    return link.end_state


if __name__ == "__main__":
    run_as_command("design-templates")
