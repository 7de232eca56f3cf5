"""One image ad's progress, live: a bar on a terminal, log lines without one, and an artifact."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from prefect.logging import get_run_logger

from prefect_staticadslab.api.events import Complete, Failed, ImageAdEvent, Progress
from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.reports.progress import is_on_terminal
from prefect_staticadslab.orchestration.reporting.progress import progress_artifact

LONGEST_KEY: Final = 100
LONGEST_TEXT: Final = 200
"""Characters of an ad's id in the artifact's key, and of what the API says that it does."""

UPDATE_SECONDS: Final = 1.0
"""The artifact is updated no more often than this."""

Show = Callable[[float, str], None]
"""Shows a share between 0 and 1, and what is being done."""


@asynccontextmanager
async def show_image_ad(image_ad_id: str) -> AsyncIterator[Callable[[ImageAdEvent], None]]:
    """Shows an ad's progress while the body runs; gives what its events are to be passed to.

    Whatever is wrong with Prefect's server is logged once, and is no reason to fail.

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
    key_part = re.sub(r"[^a-z0-9]+", "-", image_ad_id.lower())[:LONGEST_KEY].strip("-")
    artifact = progress_artifact(
        f"image-ad-{key_part}", f"{image_ad_id}: Watching", every_seconds=UPDATE_SECONDS
    )
    display = _show_on_terminal if is_on_terminal() else _log_progress
    async with artifact as update:
        with display(image_ad_id) as show:
            share = 0.0

            def on_event(event: ImageAdEvent) -> None:
                nonlocal share
                match event:
                    case Progress():
                        share = share if event.percentage is None else event.percentage
                        text = event.message or event.step
                    case Complete():
                        share, text = 1.0, "Completed"
                    case Failed():
                        text = "Failed"
                    case _:
                        return
                show(share, text)
                update(share, f"{image_ad_id}: {text}")

            yield on_event


@contextmanager
def _log_progress(_: str) -> Iterator[Show]:
    """A function that logs each new text with its share."""
    logger = get_run_logger()
    last = ""

    def show(share: float, text: str) -> None:
        nonlocal last
        if text != last:
            logger.info("%3.0f %%  %s", 100 * share, text)
        last = text

    yield show


@contextmanager
def _show_on_terminal(image_ad_id: str) -> Iterator[Show]:
    """A function that updates a progress bar on the terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Display
    from rich.progress import TimeElapsedColumn as Elapsed

    text_column = TextColumn("{task.description}")
    columns = (SpinnerColumn(), BarColumn(24), TaskProgressColumn(), text_column, Elapsed())
    with Display(*columns, console=Console(stderr=True), refresh_per_second=4) as display:
        bar = display.add_task(escape(visible(shortened(image_ad_id))), total=1.0)

        def show(share: float, text: str) -> None:
            text = escape(visible(shortened(text, LONGEST_TEXT)))
            display.update(bar, completed=share, description=text, refresh=True)

        yield show
