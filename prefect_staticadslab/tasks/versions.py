"""Tasks for what becomes of editable ads: their versions, and what is changed in Figma."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from prefect_staticadslab.api.models import (
    FigmaRender,
    FigmaSyncResult,
    ImageAdVersion,
    figma_batches,
)
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import RETRIES, task_run_key
from prefect_staticadslab.tasks._step_task import step_task


@step_task(
    name="list-image-ad-versions",
    description="Reads all versions of an editable image ad.",
    **RETRIES,
)
async def list_image_ad_versions(
    credentials: StaticAdsLabCredentials, image_ad_id: str
) -> list[ImageAdVersion]:
    """All versions of an editable ad, in the API's order.

    Raises:
        NotFoundError: There is no ad of this id.
    """
    async with credentials.get_client() as client:
        return [version async for version in client.list_image_ad_versions(image_ad_id)]


@step_task(
    name="get-image-ad-version",
    description="Reads one version of an editable image ad.",
    **RETRIES,
)
async def get_image_ad_version(
    credentials: StaticAdsLabCredentials, image_ad_id: str, version_id: str
) -> ImageAdVersion:
    """One version of an editable ad.

    Raises:
        NotFoundError: There is no ad or version of this id.
    """
    async with credentials.get_client() as client:
        return await client.get_image_ad_version(image_ad_id, version_id)


@step_task(
    name="sync-image-ads",
    description="Hands in image ads that were changed in Figma, ten with one request.",
    **RETRIES,
)
async def sync_image_ads(
    credentials: StaticAdsLabCredentials,
    renders: Sequence[FigmaRender],
    idempotency_key: str | None = None,
) -> list[FigmaSyncResult]:
    """Hands in any number of ads that were changed in Figma, in batches, one after another.

    A retried task run hands in no batch twice: the keys come from the task run and from what is
    in the batch. A later run may hand in the same again, which undoes what came in between.

    Args:
        credentials: Whose key to use.
        renders: The ads as they are now; an ad that is in it twice is handed in twice, in order.
        idempotency_key: What the batches' keys come from, instead of the task run.

    Returns:
        What became of each ad: some may be taken, and others not.

    Raises:
        ValueError: An ad is larger than a request may be; none was handed in.
        BadRequestError, UnprocessableError, NotFoundError: An ad cannot be synchronized; the
            batches before its own are handed in.

    Example:
        ```python
        import asyncio, base64
        from prefect import flow
        from prefect_staticadslab import FigmaRender, StaticAdsLabCredentials, sync_image_ads

        @flow
        async def hand_in(
            credentials: StaticAdsLabCredentials, renders: list[FigmaRender]
        ) -> list[str]:
            synced = await sync_image_ads(credentials, renders)
            return [f"{one.id}: {one.error.message}" for one in synced if one.error]

        print(asyncio.run(hand_in(StaticAdsLabCredentials.from_environment(), [])))
        ```
    """
    key_base = idempotency_key or task_run_key()
    batches = list(figma_batches(renders))
    synced: list[FigmaSyncResult] = []
    async with credentials.get_client() as client:
        start = 0
        for batch in batches:
            synced += await client.sync_image_ads(
                batch, idempotency_key=f"{key_base}-{start}-{_batch_digest(batch)}"
            )
            start += len(batch)
    return synced


def _batch_digest(renders: Sequence[FigmaRender]) -> str:
    """What stands for the content of a batch in its idempotency key."""
    content = json.dumps([render.model_dump() for render in renders], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]
