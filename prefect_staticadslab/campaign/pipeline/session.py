"""What all work with one key in one event loop shares: client, room for creates, polls."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import hash_api_key
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing
from prefect_staticadslab.campaign.pipeline.poller import Poller
from prefect_staticadslab.campaign.pipeline.requests import AnyRequest, DesignTemplateRequest
from prefect_staticadslab.campaign.pipeline.submit_window import SubmitWindow

TIMING = Timing()
"""What sessions wait for that are told nothing else."""

OPEN_CREATES: Final = 8
"""Creates under way at once; the vendor's advice."""

LOST_CREATES: Final = 2 * OPEN_CREATES
"""So many creates one after another that nobody answers, each tried for minutes, are an outage."""
TEMPLATE_SHARE: Final = 0.5
"""Of the time between two polls of an ad; the vendor's advice."""


class Session:
    """What all work with one key in one event loop shares.

    Args:
        client: Whom to ask.
        timing: How long is waited for what.
    """

    def __init__(self, client: StaticAdsLabClient, timing: Timing) -> None:
        self.client = client
        self.timing = timing
        self._poller = Poller(
            client.get_image_ads,
            client.get_image_ad,
            self._seconds_per_read,
            poll_seconds=timing.poll_seconds,
        )
        self._template_poller = Poller(
            client.get_design_templates,
            client.get_design_template,
            self._seconds_per_read,
            poll_seconds=TEMPLATE_SHARE * timing.poll_seconds,
        )
        self.open_creates = asyncio.Semaphore(OPEN_CREATES)
        self.submit_window = SubmitWindow(client.limiter.creates_within)
        self.creates_waiting = 0
        self.stopped_by: str | None = None
        self._lost_creates = 0

    def poller_of(self, request: AnyRequest) -> Poller[Any]:
        """Who follows the jobs of such requests."""
        return self._template_poller if isinstance(request, DesignTemplateRequest) else self._poller

    async def close(self) -> None:
        """Stops polling, and closes the connections."""
        await self._poller.close()
        await self._template_poller.close()
        await self.client.aclose()

    def stop_creating(self, reason: str) -> None:
        """From now on no create of this session is sent. The first reason counts."""
        self.stopped_by = self.stopped_by or reason

    def _seconds_per_read(self) -> float | None:
        return self.client.limiter.seconds_per_read() if self.creates_waiting else None

    def count_create(self, error: StaticAdsLabError | None) -> None:
        """Counts creates that were never answered; an API that is away is not asked for hours."""
        self._lost_creates = 0 if error is None else self._lost_creates + 1
        if self._lost_creates >= LOST_CREATES:
            self.stop_creating(f"The API does not answer: {error}")


_sessions: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[tuple[str, str], tuple[Session, int]]
] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def shared_session(
    api_key: str, base_url: str, timing: Timing | None = None
) -> AsyncIterator[Session]:
    """The session of this event loop for a key; the last one to leave closes it.

    Args:
        api_key, base_url: Whose it is. The key goes nowhere but to the API.
        timing: How long is waited for what, if it is made now; by default `TIMING`.
    """
    sessions = _sessions.setdefault(asyncio.get_running_loop(), {})
    name = (base_url, hash_api_key(api_key))
    if name in sessions:
        session, users = sessions[name]
    else:
        session, users = Session(StaticAdsLabClient(api_key, base_url), timing or TIMING), 0
    sessions[name] = (session, users + 1)
    try:
        yield session
    finally:
        session, users = sessions[name]
        if users > 1:
            sessions[name] = (session, users - 1)
        else:
            del sessions[name]
            await session.close()
