"""One image ad's progress, live: a bar on a terminal, log lines without one, and an artifact."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_run_logger

from prefect_staticadslab.api.events import Complete, Failed, ImageAdEvent, Progress
from prefect_staticadslab.campaign.progress import is_on_terminal

UPDATE_SECONDS: Final = 1.0
"""The artifact is updated no more often than this."""

LAST_UPDATE_SECONDS: Final = 5.0
"""How long Prefect's server may take to hear of the end."""

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
        from prefect_staticadslab.live import show_image_ad

        @flow
        async def story() -> None:
            async with show_image_ad("ia_91c0") as show:
                show(Progress("copy", "Writing the copy", 0.4))

        import asyncio
        asyncio.run(story())
        ```
    """
    artifact = _Artifact(image_ad_id)
    kept = asyncio.create_task(artifact.keep())
    display = _on_the_terminal if is_on_terminal() else _as_log_lines
    try:
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
                artifact.note(share, text)

            yield on_event
        artifact.end()
        await asyncio.wait((kept,), timeout=LAST_UPDATE_SECONDS)
    finally:
        kept.cancel()


@contextmanager
def _as_log_lines(_: str) -> Iterator[Show]:
    logger = get_run_logger()
    last = ""

    def show(share: float, text: str) -> None:
        nonlocal last
        if text != last:
            logger.info("%3.0f %%  %s", 100 * share, text)
        last = text

    yield show


@contextmanager
def _on_the_terminal(image_ad_id: str) -> Iterator[Show]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Display
    from rich.progress import TimeElapsedColumn as Elapsed

    text_column = TextColumn("{task.description}")
    columns = (SpinnerColumn(), BarColumn(24), TaskProgressColumn(), text_column, Elapsed())
    with Display(*columns, console=Console(stderr=True), refresh_per_second=4) as display:
        bar = display.add_task(escape(image_ad_id), total=1.0)

        def show(share: float, text: str) -> None:
            display.update(bar, completed=share, description=escape(text))

        yield show


@dataclass
class _Artifact:
    """The ad's progress in Prefect: one artifact, kept up to date in the background."""

    image_ad_id: str
    _latest: tuple[float, str] = (0.0, "Watching")
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, share: float, text: str) -> None:
        self._latest = share, text
        self._changed.set()

    def end(self) -> None:
        self._ended.set()
        self._changed.set()

    async def keep(self) -> None:
        slug = re.sub(r"[^a-z0-9]+", "-", self.image_ad_id.lower()).strip("-")
        artifact: UUID | None = None
        sent: tuple[float, str] | None = None
        try:
            while not self._ended.is_set() or sent != self._latest:
                self._changed.clear()
                if sent != self._latest:
                    sent = share, text = self._latest
                    said = f"{self.image_ad_id}: {text}"
                    if artifact is None:
                        artifact = await acreate_progress_artifact(
                            100 * share, key=f"image-ad-{slug}", description=said
                        )
                    else:
                        await aupdate_progress_artifact(artifact, 100 * share, description=said)
                    await _at_most(UPDATE_SECONDS, self._ended)
                elif not self._ended.is_set():
                    await self._changed.wait()
        except Exception as error:
            get_run_logger().warning("Prefect's server did not keep the progress: %r", error)


async def _at_most(seconds: float, ended: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return
