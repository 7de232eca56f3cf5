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
"""How long a session waits for what, if its maker does not say."""

OPEN_CREATES: Final = 8
"""How many creates may be under way at once; the vendor's advice."""

LOST_CREATES: Final = 2 * OPEN_CREATES
"""So many creates one after another that nobody answers, each tried for minutes, are an outage."""

TEMPLATE_POLL_SHARE: Final = 0.5
"""The time between two polls of a design template, as a share of an ad's; the vendor's advice."""


class Session:
    """What all work with one key in one event loop shares.

    Args:
        client: Whom to ask.
        timing: How long is waited for what.

    Attributes:
        open_creates: Entered while a create is under way; it has room for `OPEN_CREATES`.
        submit_window: Says when a chunk may mark its rows.
        creates_waiting: How many jobs are still to be created. Polls are rarer while there are any.
        stopped_by: Why no create is sent any more; None if they are.
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
            poll_seconds=TEMPLATE_POLL_SHARE * timing.poll_seconds,
        )
        self.open_creates = asyncio.Semaphore(OPEN_CREATES)
        self.submit_window = SubmitWindow(client.limiter.creates_within)
        self.creates_waiting = 0
        self.stopped_by: str | None = None
        self._unanswered_creates = 0

    def poller_of(self, request: AnyRequest) -> Poller[Any]:
        """The poller of the jobs that such requests begin."""
        return self._template_poller if isinstance(request, DesignTemplateRequest) else self._poller

    async def close(self) -> None:
        """Stops polling, and closes the connections."""
        await self._poller.close()
        await self._template_poller.close()
        await self.client.aclose()

    def stop_creating(self, reason: str) -> None:
        """Lets no create of this session be sent from now on. The first reason is kept."""
        self.stopped_by = self.stopped_by or reason

    def _seconds_per_read(self) -> float | None:
        """How far apart reads should be while jobs wait to be created; None if none does."""
        return self.client.limiter.seconds_per_read() if self.creates_waiting else None

    def note_create_end(self, error: StaticAdsLabError | None) -> None:
        """Counts unanswered creates one after another, and stops all after `LOST_CREATES` of them.

        Args:
            error: What a create ended with that the API never answered; None if it answered.
        """
        self._unanswered_creates = 0 if error is None else self._unanswered_creates + 1
        if self._unanswered_creates >= LOST_CREATES:
            self.stop_creating(f"The API does not answer: {error}")


_sessions: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[tuple[str, str], tuple[Session, int]]
] = weakref.WeakKeyDictionary()
"""The sessions of each loop and how many use each, by base URL and the API key's hash."""


@asynccontextmanager
async def shared_session(
    api_key: str, base_url: str, timing: Timing | None = None
) -> AsyncIterator[Session]:
    """The session of this event loop for a key, made by the first to enter and closed by the last
    to leave.

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
