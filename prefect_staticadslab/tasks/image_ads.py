"""Tasks for image ads one by one: create, read, wait, watch, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.events import ImageAdEvent
from prefect_staticadslab.api.models import Account, ImageAd, ImageAdRequest
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import RETRIES, task_run_key
from prefect_staticadslab.tasks._step_task import step_task


@step_task(
    name="create-image-ad",
    description="Asks the Static Ads Lab API for an image ad. Costs money once it completes.",
    **RETRIES,
)
async def create_image_ad(
    credentials: StaticAdsLabCredentials,
    request: ImageAdRequest,
    idempotency_key: str | None = None,
) -> ImageAd:
    """Creates one image ad; it starts as `processing`.

    A retried task run never creates a second ad: its key is derived from the task run, which keeps
    its id across retries. A flow that is retried as a whole has new task runs, as have its
    subflows; give an `idempotency_key` of your own where that must not create the ad again.

    Args:
        credentials: Whose key to use.
        request: Which ad.
        idempotency_key: A key of your own instead; the same key and request within 24 hours give
            the same ad.

    Raises:
        StaticAdsLabError: See `prefect_staticadslab.api.errors`.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            ImageAdRequest, StaticAdsLabCredentials, create_image_ad, wait_for_image_ad,
        )

        @flow
        async def one_ad(credentials: StaticAdsLabCredentials, request: ImageAdRequest) -> str:
            ad = await create_image_ad(credentials, request)
            finished = await wait_for_image_ad(credentials, ad.id)
            return finished.image_url

        print(asyncio.run(one_ad(
            StaticAdsLabCredentials.from_environment(),
            ImageAdRequest(
                design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
                product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
                prompt="Iced, by the sea",
            ),
        )))
        ```

        In a flow that is not async:
        ```python
        from prefect import flow
        from prefect_staticadslab import (
            ImageAdRequest, StaticAdsLabCredentials, create_image_ad, wait_for_image_ad,
        )

        @flow
        def one_ad(credentials: StaticAdsLabCredentials, request: ImageAdRequest) -> str:
            ad = create_image_ad(credentials, request)
            return wait_for_image_ad(credentials, ad.id).image_url

        print(one_ad(
            StaticAdsLabCredentials.from_environment(),
            ImageAdRequest(
                design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
                product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
            ),
        ))
        ```
    """
    async with credentials.get_client() as client:
        created = await client.create_image_ad(
            request, idempotency_key=idempotency_key or task_run_key()
        )
    return created.image_ad


@step_task(
    name="get-image-ad", description="Reads one image ad from the Static Ads Lab API.", **RETRIES
)
async def get_image_ad(credentials: StaticAdsLabCredentials, image_ad_id: str) -> ImageAd:
    """One image ad as it is now.

    Raises:
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await client.get_image_ad(image_ad_id)


@step_task(name="list-image-ads", description="Reads all image ads that match.", **RETRIES)
async def list_image_ads(
    credentials: StaticAdsLabCredentials, filters: Mapping[str, str | bool] | None = None
) -> list[ImageAd]:
    """All image ads that match, however many pages they fill.

    Args:
        credentials: Whose key to use.
        filters: `status`, `brand_id`, `product_id`, `product_variant_id`, `design_template_id`,
            `batch_id`, `editable` and `sku_code`; all ads if None.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, list_image_ads

        @flow
        async def editable_ads(credentials: StaticAdsLabCredentials) -> list[str]:
            return [ad.id for ad in await list_image_ads(credentials, {"editable": True})]

        print(asyncio.run(editable_ads(StaticAdsLabCredentials.from_environment())))
        ```
    """
    async with credentials.get_client() as client:
        return [ad async for ad in client.list_image_ads(**(filters or {}))]


@step_task(name="get-account", description="Reads whose key this is, and its scopes.", **RETRIES)
async def get_account(credentials: StaticAdsLabCredentials) -> Account:
    """Whose key this is, and what it may do."""
    async with credentials.get_client() as client:
        return await client.get_account()


@step_task(
    name="wait-for-image-ad",
    description="Polls one image ad every four seconds until it is completed.",
    **RETRIES,
)
async def wait_for_image_ad(
    credentials: StaticAdsLabCredentials,
    image_ad_id: str,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = waiting.POLL_SECONDS,
) -> ImageAd:
    """Polls one image ad until it is completed. See `create_image_ad` for an example.

    Args:
        credentials: Whose key to use.
        image_ad_id: Which ad.
        timeout_seconds: How long to wait.
        poll_seconds: How long between two reads; at least 2.

    Raises:
        ImageAdFailedError: The job failed; it costs nothing.
        WaitTimeoutError: It still runs.
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await waiting.wait_for_image_ad(
            client, image_ad_id, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds
        )


@step_task(
    name="wait-for-image-ads",
    description="Polls many image ads, a hundred with one request, until all have ended.",
    **RETRIES,
)
async def wait_for_image_ads(
    credentials: StaticAdsLabCredentials,
    image_ad_ids: Sequence[str],
    timeout_seconds: float = waiting.BATCH_TIMEOUT_SECONDS,
    poll_seconds: float = waiting.POLL_SECONDS,
) -> list[ImageAd]:
    """Polls many image ads until each has ended, or time is up.

    Args:
        credentials: Whose key to use.
        image_ad_ids: Which ads.
        timeout_seconds: How long to wait for all of them.
        poll_seconds: How long between two rounds; at least 2.

    Returns:
        The ads in the order of `image_ad_ids`: completed, failed, or `processing` if time was up.
    """
    async with credentials.get_client() as client:
        return await waiting.wait_for_image_ads(
            client, image_ad_ids, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds
        )


@step_task(
    name="watch-image-ad",
    description="Streams one image ad's progress until it is completed.",
    **RETRIES,
)
async def watch_image_ad(
    credentials: StaticAdsLabCredentials,
    image_ad_id: str,
    on_event: Callable[[ImageAdEvent], object] | None = None,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
) -> ImageAd:
    """Streams one image ad's progress until it is completed; polls if the stream cannot be had.

    Args:
        credentials: Whose key to use.
        image_ad_id: Which ad.
        on_event: Called with each `Started`, `Progress`, `Heartbeat`, `Complete` or `Failed`;
            may be a coroutine function. None if nothing is to be called.
        timeout_seconds: How long to watch.

    Raises:
        ImageAdFailedError: The job failed; it costs nothing.
        WaitTimeoutError: It still runs.
        NotFoundError: There is none of this id.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            ImageAdRequest, Progress, StaticAdsLabCredentials, create_image_ad, watch_image_ad,
        )

        def show(event):
            if isinstance(event, Progress):
                print(event.message)

        @flow
        async def watched(credentials: StaticAdsLabCredentials, request: ImageAdRequest) -> str:
            ad = await create_image_ad(credentials, request)
            return (await watch_image_ad(credentials, ad.id, show)).image_url

        print(asyncio.run(watched(
            StaticAdsLabCredentials.from_environment(),
            ImageAdRequest(
                design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
                product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
            ),
        )))
        ```
    """
    async with credentials.get_client() as client:
        return await waiting.watch_image_ad(
            client, image_ad_id, on_event, timeout_seconds=timeout_seconds
        )


@step_task(name="delete-image-ad", description="Deletes an image ad.", **RETRIES)
async def delete_image_ad(credentials: StaticAdsLabCredentials, image_ad_id: str) -> None:
    """Deletes one image ad. What it has cost is not given back.

    Raises:
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        await client.delete_image_ad(image_ad_id)
