"""Watches one image ad, or creates one and watches it: from options to an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import ImageAdFailedError, StaticAdsLabError, WaitTimeoutError
from prefect_staticadslab.api.models import ImageAd
from prefect_staticadslab.campaign.campaign import price_line, resolve_one_ad
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.reports.live import show_events
from prefect_staticadslab.campaign.reports.log_lines import ALWAYS_SHOWN, cost_log_extra
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import NOTHING_TO_WATCH, End, Outcome
from prefect_staticadslab.campaign.table.limits import ONE_AD_LIMIT_USD, check_limit

MAY_BE_CREATED: Final = (
    "Interrupted. The ad may have been created, and is billed then: look among your latest ads "
    "before you create it again."
)
"""What to say if a run is interrupted that has asked for an ad, and has no answer yet."""


@dataclass(frozen=True)
class OneAdOptions:
    """What one ad is made of, and how it is run; see `flows/watch.py` for what each says."""

    design_template: str
    brand: str
    product: str
    audience: str
    product_variant: str = ""
    prompt: str = ""
    editable: bool = False
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS
    max_spend_usd: float = ONE_AD_LIMIT_USD

    def cells(self) -> dict[str, str]:
        """The ad as the cells of a spreadsheet's row, by column."""
        return {
            "design_template": self.design_template,
            "brand": self.brand,
            "product": self.product,
            "audience": self.audience,
            "product_variant": self.product_variant,
            "prompt": self.prompt,
            "editable": "true" if self.editable else "",
        }


async def run_watch(
    image_ad_id: str, timeout_seconds: float, credentials: C, host: Host[C]
) -> Outcome:
    """Watches one image ad; one that is finished already is told at once.

    Args:
        image_ad_id: Which ad, ia_….
        timeout_seconds: How long to watch. The ad goes on afterwards.
        credentials: The API key.
        host: Where the run runs.
    """
    try:
        check_id(image_ad_id)
        host.set_interruption_message(left_alone_message(image_ad_id))
        return await _watch(image_ad_id, timeout_seconds, credentials, host)
    except (CampaignError, StaticAdsLabError) as error:
        return Outcome.refused(error, title=NOTHING_TO_WATCH)


async def run_create_and_watch(
    options: OneAdOptions, credentials: C, host: Host[C], *, name: str
) -> Outcome:
    """Creates one image ad and watches it.

    Args:
        options: Which ad.
        credentials: The API key.
        host: Where the run runs.
        name: What the ad's idempotency keys are made of: the same gives the same ad.
    """
    async with credentials.get_client() as client:
        try:
            check_limit(options.max_spend_usd)
            request = await resolve_one_ad(
                client, options.cells(), max_spend_usd=options.max_spend_usd
            )
            host.logger.info(price_line(request), extra=cost_log_extra())
            host.set_interruption_message(MAY_BE_CREATED)
            created = await waiting.create_or_reuse_ad(client, request, name)
        except (CampaignError, StaticAdsLabError) as error:
            if isinstance(error, StaticAdsLabError) and error.outcome_unknown:
                return Outcome(End.INCOMPLETE, f"{error}. The ad may have been created.")
            return Outcome.refused(error)
    image_ad_id = created.image_ad.id
    word = "goes on" if created.replayed else "is created"
    host.logger.info("Image ad %s %s", image_ad_id, word, extra=ALWAYS_SHOWN)
    host.set_interruption_message(left_alone_message(image_ad_id))
    try:
        return await _watch(image_ad_id, options.timeout_seconds, credentials, host)
    except StaticAdsLabError as error:
        return Outcome(End.INCOMPLETE, f"{image_ad_id} cannot be watched: {error}")


async def _watch(
    image_ad_id: str, timeout_seconds: float, credentials: C, host: Host[C]
) -> Outcome:
    """Watches an ad, shows its progress, and says what became of it, be it failed or too slow.

    Raises:
        StaticAdsLabError: It cannot be watched, for any other reason.
    """
    try:
        async with (
            credentials.get_client() as client,
            host.showing_ad_progress(image_ad_id) as update,
        ):
            with show_events(image_ad_id, host.logger.info, update) as show:
                ad = await waiting.watch_image_ad(
                    client, image_ad_id, show, timeout_seconds=timeout_seconds
                )
    except ImageAdFailedError as error:
        return Outcome(End.INCOMPLETE, f"{error}. A failed ad costs nothing.")
    except WaitTimeoutError:
        return Outcome(
            End.TIMED_OUT,
            f"Time is up: {image_ad_id} is still rendered after {timeout_seconds:g} s. "
            f"{left_alone_message(image_ad_id)}",
        )
    return Outcome(End.COMPLETED, completed_message(ad))


def completed_message(ad: ImageAd) -> str:
    """What to say of a completed ad: its picture, its size and its cost."""
    size = f"{ad.width} × {ad.height} pixels" if ad.width and ad.height else "not told"
    return (
        f"Image ad {ad.id} is completed\n"
        f"Picture:  {ad.image_url}\n"
        f"Size:     {size}\n"
        f"Cost:     {ad.price_usd:.2f} USD"
    )


def left_alone_message(image_ad_id: str) -> str:
    """What to say of an ad that is no longer watched: what it costs, and how to watch it again."""
    return (
        "The ad goes on, and is billed when it completes. "
        f"Watch it again: staticadslab watch {image_ad_id}"
    )


def check_id(image_ad_id: str) -> None:
    """Raises `CampaignError` if a text cannot be an image ad's id, ia_…."""
    if not image_ad_id.startswith("ia_") or any(c.isspace() for c in image_ad_id):
        raise CampaignError(f"{image_ad_id!r} is not the id of an image ad; that starts with ia_.")
