"""A progress artifact: one, created once, and kept up to date in the background."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_run_logger

from prefect_staticadslab.campaign.reports.progress import seconds_to_next_update
from prefect_staticadslab.orchestration.reporting.contents import without_markup

LAST_UPDATE_SECONDS: Final = 5.0
"""How long Prefect's server may take to hear of the end."""

ProgressUpdate = Callable[[float, str], None]
"""Takes how much is done, between 0 and 1, and what is being done."""


@asynccontextmanager
async def progress_artifact(
    key: str, begin: str, *, every_seconds: float
) -> AsyncIterator[ProgressUpdate]:
    """Creates a progress artifact, and keeps it up to date while the body runs.

    It gives the function that updates it, which returns at once: the server is told in the
    background. Whatever is wrong with Prefect's server is logged once, and is no reason to fail.

    Args:
        key: The artifact's key: lower case letters, digits and dashes.
        begin: What it says until the first update.
        every_seconds: It is updated no more often than this, and less often the longer it takes:
            each update is an event, which Prefect's server keeps.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab.orchestration.reporting.progress import progress_artifact

        @flow
        async def story() -> None:
            async with progress_artifact("a-story", "It begins", every_seconds=1) as update:
                update(0.4, "Once upon a time")

        asyncio.run(story())
        ```
    """
    artifact = _ProgressArtifact(key, every_seconds, (0.0, begin))
    keeping = asyncio.create_task(artifact.keep_up_to_date())
    try:
        yield artifact.update
        artifact.end()
        await asyncio.wait((keeping,), timeout=LAST_UPDATE_SECONDS)
    finally:
        keeping.cancel()


@dataclass
class _ProgressArtifact:
    """A progress artifact with what the server is still to be told.

    Attributes:
        key, every_seconds: See `progress_artifact`.
        latest: The latest progress: how much is done, between 0 and 1, and what is being done.
    """

    key: str
    every_seconds: float
    latest: tuple[float, str]
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, share: float, text: str) -> None:
        """Notes the progress, for `keep_up_to_date` to tell the server."""
        self.latest = share, text
        self._changed.set()

    def end(self) -> None:
        """Has `keep_up_to_date` tell the server the latest progress, and return."""
        self._ended.set()
        self._changed.set()

    async def keep_up_to_date(self) -> None:
        """Creates the artifact on the server, and updates it as there is news, until `end`. If that
        fails, it logs why, and returns."""
        started = time.monotonic()
        artifact: UUID | None = None
        sent: tuple[float, str] | None = None
        try:
            while not self._ended.is_set() or sent != self.latest:
                self._changed.clear()
                if sent != self.latest:
                    sent = share, text = self.latest
                    if artifact is None:
                        artifact = await acreate_progress_artifact(
                            100 * share, key=self.key, description=without_markup(text)
                        )
                    else:
                        await aupdate_progress_artifact(
                            artifact, 100 * share, description=without_markup(text)
                        )
                    elapsed = time.monotonic() - started
                    await _wait_for_end(
                        seconds_to_next_update(self.every_seconds, elapsed), self._ended
                    )
                elif not self._ended.is_set():
                    await self._changed.wait()
        except Exception as error:
            get_run_logger().warning("Prefect's server did not keep the progress: %r", error)


async def _wait_for_end(seconds: float, ended: asyncio.Event) -> None:
    """Waits until `ended` is set, but no longer than so many seconds."""
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return
