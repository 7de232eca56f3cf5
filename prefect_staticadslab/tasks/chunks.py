"""The task for many image ads: a chunk of requests in, results out."""

from __future__ import annotations

from collections.abc import Sequence

from prefect.cache_policies import NO_CACHE

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.pipeline.planned_job import (
    ImageAdResult,
    Journal,
    PlannedJob,
    RemoteJournal,
)
from prefect_staticadslab.campaign.runs.credentials import run_chunk
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import task_run_key
from prefect_staticadslab.tasks._step_task import step_task


@step_task(
    name="generate-image-ads",
    description="Creates a chunk of image ads, follows them in batches and collects the results.",
    cache_policy=NO_CACHE,
)
async def generate_image_ads(
    credentials: StaticAdsLabCredentials,
    requests: Sequence[ImageAdRequest | PlannedJob],
    attempts: int = 2,
    timeout_seconds: float = waiting.BATCH_TIMEOUT_SECONDS,
    wait: bool = True,
    journal: Journal | RemoteJournal | None = None,
    idempotency_key: str | None = None,
) -> list[ImageAdResult]:
    """Creates a chunk of image ads and follows them. One ad's failure is that ad's alone.

    Chunks that are awaited in one event loop share their client, rate limit and polls.

    A retried task run never creates an ad twice: the keys are derived from the task run, which
    keeps its id across retries. A flow that is retried as a whole has new task runs, as have its
    subflows; give an `idempotency_key` of your own where that must not create the ads again.

    Args:
        credentials: Whose key to use.
        requests: Which ads; at most 100 of them make a good chunk. A campaign gives `PlannedJob`s,
            which say how far each ad is and what its idempotency keys are made of.
        attempts: How many jobs to try for an ad; a failed job is free.
        timeout_seconds: How long to follow one ad. Afterwards it stays `processing`.
        wait: Whether to follow the ads, or to end once they are created.
        journal: Where to write down what becomes known, as it does. Only within this process,
            unless it is a `RemoteJournal`.
        idempotency_key: What the keys of requests are derived from, with their positions, instead
            of the task run: the same within 24 hours gives the same ads, as long as the requests
            and their order are the same. `PlannedJob`s have keys of their own.

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
                    design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
                    product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
                    prompt=prompt,
                )
                for prompt in ("Iced, by the sea", "Hot, by the fire")
            ]
            results = await generate_image_ads(credentials, requests)
            return [result.state.image_url for result in results]

        print(asyncio.run(two_prompts(StaticAdsLabCredentials.from_environment())))
        ```
    """
    key_base = idempotency_key or task_run_key()
    planned = [
        each
        if isinstance(each, PlannedJob)
        else PlannedJob(position, each, campaign=key_base, identity=str(position))
        for position, each in enumerate(requests)
    ]
    return await run_chunk(credentials, planned, attempts, timeout_seconds, wait, journal)
