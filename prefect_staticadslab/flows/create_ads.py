"""Ads that are typed into the form of Prefect's UI: the flow; no spreadsheet and no file is needed.

Its command takes their prompts, or a file with them.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import ImageAdJob, TypedAd, run_campaign
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import shortened
from prefect_staticadslab.campaign.rows.form_ads import FORM_WORDS, spreadsheet_from_ads
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.run_campaign import use_words
from prefect_staticadslab.orchestration.run_names import LONGEST_NAME


def run_name() -> str:
    """The flow run's name: how many ads, and of which saved kit."""
    given = flow_run.parameters
    kit = getattr(given.get("brand_kit"), "_block_document_name", None)
    count = len(given.get("ads", []))
    return shortened(
        f"create {count} ad{'s' if count != 1 else ''}{f' with {kit}' if kit else ''}", LONGEST_NAME
    )


@dispatched
@flow(
    name="create-ads",
    description="Creates the ads that are typed into this form.",
    flow_run_name=run_name,
)
async def create_ads(
    brand_kit: ImageAdJob,
    ads: list[TypedAd],
    output: str = "",
    max_spend_usd: float = RUN_LIMIT_USD,
    attempts: int = 2,
    dry_run: bool = False,
    download_images: str = "",
) -> State[None]:
    """Creates image ads without a spreadsheet. A run that is retried goes on with the same ads.

    Args:
        brand_kit: Whose ads these are: the API key, and what is left empty below.
        ads: The ads, one by one.
        output: A table to keep besides the one in Prefect: a .csv, .tsv, .xlsx or .parquet; a path
            or a URL. None if empty. The same table goes on with the same ads.
        max_spend_usd: Create nothing if the ads, with what the table has of earlier runs, could
            cost more than this, in USD; 0 is that nothing may be spent.
        attempts: How often to try an ad whose rendering fails. A failed one is free.
        dry_run: Only check the ads and say what they would cost; see the run's log.
        download_images: A folder to download the pictures to, a path or a URL; none if empty.

    Returns:
        Completed if every ad is; Failed, with the reasons, if not.
    """
    link = begin_flow()
    tries = await FlowRetries.of_this_run()
    try:
        check_limit(max_spend_usd)
        if not output:
            tries.check_keys_are_known()
        rows = spreadsheet_from_ads(ads, brand_kit)
    except CampaignError as error:
        link.end_state = await refused_state(error)
        return link.end_state
    with use_words(FORM_WORDS):
        end = await run_campaign(
            rows,
            output,
            brand_kit.credentials,
            name="" if output else tries.name,
            max_spend_usd=max_spend_usd,
            # Without a table, a retried run knows of a failed ad only that its key was used.
            attempts=attempts if output else attempts * tries.count,
            dry_run=dry_run,
            download_images=download_images,
        )
    state = await final_state(end.state)
    link.end_state = state if output else tries.end_state(state)
    return link.end_state


if __name__ == "__main__":
    run_as_command("create-ads")
