"""One image ad's progress, live: a bar on a terminal, log lines without one, and an artifact."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from prefect.logging import get_run_logger

from prefect_staticadslab.api.events import ImageAdEvent
from prefect_staticadslab.campaign.reports.live import show_events
from prefect_staticadslab.orchestration.reporting.progress import ProgressUpdate, progress_artifact

LONGEST_KEY: Final = 100
"""Characters of an ad's id in the artifact's key."""

UPDATE_SECONDS: Final = 1.0
"""The artifact is updated no more often than this."""


@asynccontextmanager
async def show_image_ad(image_ad_id: str) -> AsyncIterator[Callable[[ImageAdEvent], None]]:
    """Shows an ad's progress while the body runs; gives what its events are to be passed to.

    It is shown in a bar or in log lines, and kept in an artifact. Whatever is wrong with Prefect's
    server is logged once, and is no reason to fail.

    Example:
        ```python
        from prefect import flow
        from prefect_staticadslab import Progress, StaticAdsLabCredentials
        from prefect_staticadslab.orchestration.reporting.live import show_image_ad

        @flow
        async def story() -> None:
            async with show_image_ad("ia_91c0") as show:
                show(Progress("copy", "Writing the copy", 0.4))

        import asyncio
        asyncio.run(story())
        ```
    """
    async with image_ad_artifact(image_ad_id) as update:
        with show_events(image_ad_id, _log_info, update) as show:
            yield show


def _log_info(line: str) -> None:
    """Logs a line in the present flow run or task run."""
    get_run_logger().info(line)


@asynccontextmanager
async def image_ad_artifact(image_ad_id: str) -> AsyncIterator[ProgressUpdate]:
    """Keeps an artifact with an ad's progress while the body runs; gives what it is updated with.

    See `progress_artifact`.
    """
    key_part = re.sub(r"[^a-z0-9]+", "-", image_ad_id.lower())[:LONGEST_KEY].strip("-")
    artifact = progress_artifact(
        f"image-ad-{key_part}", f"{image_ad_id}: Watching", every_seconds=UPDATE_SECONDS
    )
    async with artifact as update:
        yield update
