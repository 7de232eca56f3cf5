"""One task per step of the API, and `generate_image_ads` for a chunk of them.

All are async tasks: `await` them in async flows, `.submit()` or `.map()` them in either kind (with
`prefect.unmapped(credentials)`). None is cached, because two equal requests are two ads.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task, exponential_backoff

from prefect_staticadslab.api import jobs
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    ConflictError,
    RateLimitError,
    ServerError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.events import ImageAdEvent
from prefect_staticadslab.api.models import ImageAd, ImageAdRequest
from prefect_staticadslab.campaign.pipeline import generate
from prefect_staticadslab.campaign.planned import ImageAdResult, Journal, PlannedAd
from prefect_staticadslab.campaign.session import shared_session
from prefect_staticadslab.credentials import StaticAdsLabCredentials

_PASSING = (
    APIConnectionError,
    ConflictError,
    UnreadableAnswerError,
    ServerError,
    RateLimitError,
)


async def _may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task's failure is one that may pass; a 4xx or a failed job is not."""
    outcome = await state.aresult(raise_on_failure=False)
    return isinstance(outcome, _PASSING)


# Beyond the client's own retries, which take about a minute: an outage of a quarter of an hour.
_RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=30),
    "retry_jitter_factor": 0.2,
    "retry_condition_fn": _may_pass,
    "cache_policy": NO_CACHE,
}


@task(
    name="create-image-ad",
    description="Asks the Static Ads Lab API for an image ad. Costs money once it completes.",
    **_RETRIES,
)
async def create_image_ad(
    credentials: StaticAdsLabCredentials,
    request: ImageAdRequest,
    idempotency_key: str | None = None,
) -> ImageAd:
    """Creates one image ad; it starts as `processing`.

    A retried task run never creates a second ad: its key is derived from the task run, which keeps
    its id across retries. A flow that is retried as a whole has new task runs; give an
    `idempotency_key` of your own where that must not create the ad again.

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
                design_template_id="dt_5fa077e4b271", brand_id="brand_c885714db369",
                product_id="prod_7026c8a50871", audience_id="aud_7751a288bf5a",
                prompt="Iced, by the sea",
            ),
        )))
        ```
    """
    async with credentials.get_client() as client:
        created = await client.create_image_ad(
            request, idempotency_key=idempotency_key or f"task-run-{_run_id()}"
        )
    return created.image_ad


@task(
    name="get-image-ad", description="Reads one image ad from the Static Ads Lab API.", **_RETRIES
)
async def get_image_ad(credentials: StaticAdsLabCredentials, image_ad_id: str) -> ImageAd:
    """One image ad as it is now.

    Raises:
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await client.get_image_ad(image_ad_id)


@task(
    name="wait-for-image-ad",
    description="Polls one image ad every four seconds until it is completed.",
    **_RETRIES,
)
async def wait_for_image_ad(
    credentials: StaticAdsLabCredentials,
    image_ad_id: str,
    timeout_seconds: float = jobs.ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = jobs.POLL_SECONDS,
) -> ImageAd:
    """Waits for one image ad. See `create_image_ad` for an example.

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
        return await jobs.wait_for_image_ad(
            client, image_ad_id, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds
        )


@task(
    name="wait-for-image-ads",
    description="Polls many image ads, a hundred with one request, until all have ended.",
    **_RETRIES,
)
async def wait_for_image_ads(
    credentials: StaticAdsLabCredentials,
    image_ad_ids: Sequence[str],
    timeout_seconds: float = jobs.BATCH_TIMEOUT_SECONDS,
    poll_seconds: float = jobs.POLL_SECONDS,
) -> list[ImageAd]:
    """Waits for many image ads.

    Args:
        credentials: Whose key to use.
        image_ad_ids: Which ads.
        timeout_seconds: How long to wait for all of them.
        poll_seconds: How long between two rounds; at least 2.

    Returns:
        The ads in the order of `image_ad_ids`: completed, failed, or `processing` if time was up.
    """
    async with credentials.get_client() as client:
        return await jobs.wait_for_image_ads(
            client, image_ad_ids, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds
        )


@task(
    name="watch-image-ad",
    description="Streams one image ad's progress until it is completed.",
    **_RETRIES,
)
async def watch_image_ad(
    credentials: StaticAdsLabCredentials,
    image_ad_id: str,
    on_event: Callable[[ImageAdEvent], object] | None = None,
    timeout_seconds: float = jobs.ONE_AD_TIMEOUT_SECONDS,
) -> ImageAd:
    """Watches one image ad live, by Server-Sent Events; polls if the stream cannot be had.

    Args:
        credentials: Whose key to use.
        image_ad_id: Which ad.
        on_event: Called with each `Started`, `Progress`, `Heartbeat`, `Complete` or `Failed`;
            may be a coroutine function.
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
                design_template_id="dt_5fa077e4b271", brand_id="brand_c885714db369",
                product_id="prod_7026c8a50871", audience_id="aud_7751a288bf5a",
            ),
        )))
        ```
    """
    async with credentials.get_client() as client:
        return await jobs.watch_image_ad(
            client, image_ad_id, on_event, timeout_seconds=timeout_seconds
        )


@task(
    name="generate-image-ads",
    description="Creates a chunk of image ads, follows them in batches and collects the results.",
    cache_policy=NO_CACHE,
)
async def generate_image_ads(
    credentials: StaticAdsLabCredentials,
    requests: Sequence[ImageAdRequest | PlannedAd],
    attempts: int = 2,
    timeout_seconds: float = jobs.BATCH_TIMEOUT_SECONDS,
    wait: bool = True,
    journal: Journal | None = None,
) -> list[ImageAdResult]:
    """From a chunk of requests to results. One ad's failure is that ad's alone.

    Chunks that are awaited in one event loop share their client, rate limit and polls.

    Args:
        credentials: Whose key to use.
        requests: Which ads; at most 100 of them make a good chunk. A campaign gives `PlannedAd`s,
            which say how far each ad is and what its idempotency keys are made of.
        attempts: How many jobs to try for an ad; a failed job is free.
        timeout_seconds: How long to follow one ad. Afterwards it stays `processing`.
        wait: Whether to follow the ads, or to end once they are created.
        journal: Where to write down what becomes known, as it does; only within this process.

    Returns:
        A result for each request, in the same order.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            ImageAdRequest, StaticAdsLabCredentials, generate_image_ads,
        )

        @flow
        async def two_prompts(credentials: StaticAdsLabCredentials) -> list[str]:
            requests = [
                ImageAdRequest(
                    design_template_id="dt_5fa077e4b271", brand_id="brand_c885714db369",
                    product_id="prod_7026c8a50871", audience_id="aud_7751a288bf5a", prompt=prompt,
                )
                for prompt in ("Iced, by the sea", "Hot, by the fire")
            ]
            results = await generate_image_ads(credentials, requests)
            return [result.state.image_url for result in results]

        print(asyncio.run(two_prompts(StaticAdsLabCredentials.from_environment())))
        ```
    """
    run_id = _run_id()
    planned = [
        each
        if isinstance(each, PlannedAd)
        else PlannedAd(position, each, campaign=f"task-run-{run_id}", identity=str(position))
        for position, each in enumerate(requests)
    ]
    return await _run_chunk(credentials, planned, attempts, timeout_seconds, wait, journal)


async def _run_chunk(
    credentials: StaticAdsLabCredentials,
    planned: Sequence[PlannedAd],
    attempts: int,
    timeout_seconds: float,
    wait: bool,
    journal: Journal | None,
) -> list[ImageAdResult]:
    """Takes a chunk of paid jobs through the session that all of this key share in this loop."""
    api_key = credentials.api_key.get_secret_value()
    async with shared_session(api_key, credentials.base_url) as session:
        return await generate(
            session,
            planned,
            journal=journal,
            attempts=attempts,
            timeout_seconds=timeout_seconds,
            wait=wait,
        )


def _run_id() -> str:
    """The task run's id, the same in all its retries; without a run, one that is drawn."""
    return str(task_run.id or uuid.uuid4())
