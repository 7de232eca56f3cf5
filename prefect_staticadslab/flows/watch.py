"""One image ad, live: the flows that watch one and that create and watch one."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api import waiting
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.runs.one_ad import OneAdOptions, run_create_and_watch, run_watch
from prefect_staticadslab.campaign.table.limits import ONE_AD_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import refused_state, state_of
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import named_by


@dispatched
@flow(
    name="watch",
    description="Watches one image ad live until it is completed.",
    flow_run_name=named_by("watch", "image_ad_id"),
)
async def watch(
    image_ad_id: str,
    credentials: StaticAdsLabCredentials,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
) -> State[None]:
    """Watches one image ad; one that is finished already is told at once.

    Args:
        image_ad_id: Which ad, ia_….
        credentials: The API key to use.
        timeout_seconds: How long to watch. The ad goes on afterwards.

    Returns:
        Completed with the picture's URL in its message; Failed if the job failed, time was up, or
        it cannot be watched, with what was wrong in its message.
    """
    link = begin_flow()
    outcome = await run_watch(
        image_ad_id, timeout_seconds, credentials, PrefectHost(command_link=link)
    )
    link.end_state = await state_of(outcome)
    return link.end_state


@dispatched
@flow(
    name="create-and-watch",
    description="Creates one image ad and watches it live until it is completed.",
)
async def create_and_watch(
    design_template: str,
    brand: str,
    product: str,
    audience: str,
    credentials: StaticAdsLabCredentials,
    product_variant: str = "",
    prompt: str = "",
    editable: bool = False,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
    max_spend_usd: float = ONE_AD_LIMIT_USD,
) -> State[None]:
    """Creates one image ad and watches it. A retried run goes on with the same ad.

    Args:
        design_template: The template to render: its id, or a filter like `ad_format=Sale` that
            one template fits.
        brand: The brand to advertise: its name or id.
        product: A product of that brand: its name or id.
        audience: An audience of that product: its name or id.
        credentials: The API key to use.
        product_variant: A variant of that product: its name or id.
        prompt: What the picture and the copy should say.
        editable: Whether the ad can be revised later, for 4.00 USD instead of 1.00.
        timeout_seconds: How long to watch. The ad goes on afterwards.
        max_spend_usd: Create nothing if the ad would cost more than this, in USD; 0 is that nothing
            may be spent.

    Returns:
        Completed with the picture's URL in its message; Failed if the job failed, time was up, or
        nothing could be created, with what was wrong in its message.
    """
    link = begin_flow()
    try:
        check_limit(max_spend_usd)
        tries = await FlowRetries.of_this_run()
        tries.check_keys_are_known()
    except CampaignError as error:
        link.end_state = await refused_state(error)
        return link.end_state
    options = OneAdOptions(
        design_template,
        brand,
        product,
        audience,
        product_variant,
        prompt,
        editable,
        timeout_seconds,
        max_spend_usd,
    )
    outcome = await run_create_and_watch(
        options, credentials, PrefectHost(command_link=link), name=tries.name
    )
    link.end_state = tries.end_state(await state_of(outcome))
    return link.end_state


if __name__ == "__main__":
    run_as_command("watch")
