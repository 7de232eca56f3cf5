"""One image ad, live: the flows that watch one and that create and watch one."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from prefect_staticadslab import ImageAd, StaticAdsLabCredentials
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import ImageAdFailedError, StaticAdsLabError, WaitTimeoutError
from prefect_staticadslab.campaign.campaign import price_line, resolve_one_ad
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.table.limits import ONE_AD_LIMIT_USD, check_limit
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.flow_retries import FlowRetries
from prefect_staticadslab.orchestration.reporting.live import show_image_ad
from prefect_staticadslab.orchestration.reporting.log_lines import ALWAYS_SHOWN, cost_log_extra
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.orchestration.watch import flow_started

CANNOT_WATCH = "There is nothing to watch."


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
        Completed with the picture's URL in its message; Failed if the job failed or time was up.
    """
    started = flow_started()
    try:
        check_id(image_ad_id)
        started.if_interrupted = goes_on(image_ad_id)
        started.ended = await follow(image_ad_id, credentials, timeout_seconds)
    except (CampaignError, StaticAdsLabError) as error:
        started.ended = await refused_state(error, title=CANNOT_WATCH)
    else:
        started.ended = await final_state(started.ended)
    return started.ended


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
        Completed with the picture's URL in its message; Failed if the job failed or time was up.
    """
    started = flow_started()
    logger = get_run_logger()
    cells = {
        "design_template": design_template,
        "brand": brand,
        "product": product,
        "audience": audience,
        "product_variant": product_variant,
        "prompt": prompt,
        "editable": "true" if editable else "",
    }
    async with credentials.get_client() as client:
        try:
            check_limit(max_spend_usd)
            tries = await FlowRetries.of_this_run()
            tries.check_keys_are_known()
            request = await resolve_one_ad(client, cells, max_spend_usd=max_spend_usd)
            logger.info(price_line(request), extra=cost_log_extra())
            created = await waiting.create_unless_failed(client, request, tries.name)
        except (CampaignError, StaticAdsLabError) as error:
            if isinstance(error, StaticAdsLabError) and error.outcome_unknown:
                said = f"{error}. The ad may have been created."
                started.ended = await final_state(Failed(message=said))
            else:
                started.ended = await refused_state(error)
            return started.ended
    image_ad_id = created.image_ad.id
    word = "goes on" if created.replayed else "is created"
    logger.info("Image ad %s %s", image_ad_id, word, extra=ALWAYS_SHOWN)
    started.if_interrupted = goes_on(image_ad_id)
    try:
        started.ended = await follow(image_ad_id, credentials, timeout_seconds)
    except StaticAdsLabError as error:
        started.ended = Failed(message=f"{image_ad_id} cannot be watched: {error}")
    started.ended = await final_state(started.ended)
    return started.ended


async def follow(
    image_ad_id: str, credentials: StaticAdsLabCredentials, timeout_seconds: float
) -> State[None]:
    """Watches an ad to its end, and says what became of it."""
    try:
        async with credentials.get_client() as client, show_image_ad(image_ad_id) as show:
            ad = await waiting.watch_image_ad(
                client, image_ad_id, show, timeout_seconds=timeout_seconds
            )
    except ImageAdFailedError as error:
        return Failed(message=f"{error}. A failed ad costs nothing.")
    except WaitTimeoutError:
        return Failed(
            name="TimedOut",
            message=f"Time is up: {image_ad_id} is still rendered after {timeout_seconds:g} s. "
            f"{goes_on(image_ad_id)}",
        )
    return Completed(message=described(ad))


def described(ad: ImageAd) -> str:
    """A completed ad, for people."""
    size = f"{ad.width} × {ad.height} pixels" if ad.width and ad.height else "not told"
    return (
        f"Image ad {ad.id} is completed\n"
        f"Picture:  {ad.image_url}\n"
        f"Size:     {size}\n"
        f"Cost:     {ad.price_usd:.2f} USD"
    )


def goes_on(image_ad_id: str) -> str:
    """What to say of an ad that is left alone."""
    return (
        "The ad goes on, and is billed when it completes. "
        f"Watch it again: staticadslab watch {image_ad_id}"
    )


def check_id(image_ad_id: str) -> None:
    """Raises if it cannot be an image ad's id."""
    if not image_ad_id.startswith("ia_") or any(c.isspace() for c in image_ad_id):
        raise CampaignError(f"{image_ad_id!r} is not the id of an image ad; that starts with ia_.")


if __name__ == "__main__":
    run_as_command("watch")
