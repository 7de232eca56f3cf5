"""Tasks for revisions of editable ads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prefect.cache_policies import NO_CACHE

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import ConflictError, IdempotencyConflictError
from prefect_staticadslab.api.models import ImageAd, JsonTree
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.runs.credentials import run_chunk
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import TRANSIENT_ERRORS, retries_on, task_run_key
from prefect_staticadslab.tasks._step_task import step_task


class NotEditableError(CampaignError):
    """The ad is flat. Only editable ones can be revised."""


@step_task(
    name="revise-image-ad",
    description="Changes the tree of an editable image ad, which is then rendered anew.",
    **retries_on(*TRANSIENT_ERRORS, ConflictError),
)
async def revise_image_ad(
    credentials: StaticAdsLabCredentials,
    image_ad_id: str,
    change: Callable[[JsonTree], JsonTree],
    idempotency_key: str | None = None,
) -> ImageAd:
    """Revises one editable ad, which is `processing` again afterwards.

    The API takes entire trees only, so the present one is read and changed. A retried task run
    never changes it twice: its key is derived from the task run, which keeps its id across
    retries. A flow that is retried as a whole has new task runs, as have its subflows; give an
    `idempotency_key` of your own where that must not change the ad again.

    If this key has already changed the ad to another tree, nothing is changed.

    Args:
        credentials: Whose key to use.
        image_ad_id: Which ad.
        change: From the ad's present tree to the one to render; `apply_patch` and
            `apply_overrides` of `prefect_staticadslab.campaign.job_types.json_trees` make such
            trees.
        idempotency_key: A key of your own instead of the task run's; within 24 hours it changes
            the ad once, whatever `change` says.

    Returns:
        The ad as it is after the change.

    Raises:
        NotEditableError: It is a flat ad, or has no tree yet; nothing was sent.
        ConflictError: It is being rendered at this moment; the task tries again later.
        StaticAdsLabError: See `prefect_staticadslab.api.errors`.

    Example:
        ```python
        import asyncio
        from functools import partial
        from prefect import flow
        from prefect_staticadslab import (
            ImageAdRequest, StaticAdsLabCredentials, create_image_ad, revise_image_ad,
            wait_for_image_ad,
        )
        from prefect_staticadslab.campaign.job_types.json_trees import apply_patch

        new_headline = partial(apply_patch, operations=[
            {"op": "replace", "path": "/children/0/name", "value": "Headline, revised"},
        ])

        @flow
        async def second_thoughts(credentials: StaticAdsLabCredentials) -> list[str]:
            request = ImageAdRequest(
                design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
                product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
                editable=True,
            )
            ad = await create_image_ad(credentials, request)
            first = await wait_for_image_ad(credentials, ad.id)
            await revise_image_ad(credentials, ad.id, new_headline)
            second = await wait_for_image_ad(credentials, ad.id)
            return [first.image_url, second.image_url]

        print(asyncio.run(second_thoughts(StaticAdsLabCredentials.from_environment())))
        ```
    """
    async with credentials.get_client() as client:
        ad = await client.get_image_ad(image_ad_id)
        if not ad.is_editable:
            raise NotEditableError(f"{image_ad_id} is a flat ad; only editable ones are revised.")
        if not ad.is_finished:
            # Whose rendering this is, an earlier try's or another's, shows once it has ended.
            raise ConflictError(
                f"{image_ad_id} is being rendered at this moment", status=409, code="CONFLICT"
            )
        if ad.current_json_tree is None:
            raise NotEditableError(f"{image_ad_id} has no tree yet; it is {ad.status}.")
        try:
            revised = await client.update_image_ad(
                image_ad_id,
                change(ad.current_json_tree),
                idempotency_key=idempotency_key or task_run_key(),
            )
        except IdempotencyConflictError:
            # Another tree under this key: an earlier try of this task run was taken.
            return await client.get_image_ad(image_ad_id)
        return revised.image_ad


@step_task(
    name="revise-image-ads",
    description="Sends a round of revisions, one for each ad, and follows them in batches.",
    cache_policy=NO_CACHE,
)
async def revise_image_ads(
    credentials: StaticAdsLabCredentials,
    planned: Sequence[PlannedJob],
    timeout_seconds: float = waiting.BATCH_TIMEOUT_SECONDS,
    journal: Journal | None = None,
) -> list[ImageAdResult]:
    """Sends a new tree for each ad, and follows the ads until they are rendered.

    Each is tried once, and always followed; otherwise the arguments and the results are those of
    `generate_image_ads`.
    """
    # One attempt: after a failed rendering nobody but `Revisions` knows which tree to send.
    return await run_chunk(credentials, planned, 1, timeout_seconds, True, journal)
