"""Campaigns of several processes on one key, on a clock that jumps: minutes pass in milliseconds.

Each has its own limiter, and learns of the others only from what the server's headers say. Limiter
and poll schedule are the product's; what lies between them is as much of it as is needed here.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Final

from prefect_staticadslab import ImageAd
from prefect_staticadslab.api.models.jobs import JobProgress
from prefect_staticadslab.api.rate_limit import RateLimitHeaders, RateLimitState
from prefect_staticadslab.campaign.pipeline.poll_schedule import (
    POLL_SECONDS,
    JobSpan,
    JobTimes,
    next_poll,
)
from prefect_staticadslab.campaign.pipeline.session import OPEN_CREATES

WINDOW: Final = 60.0
JOB_SECONDS: Final = (30.0, 60.0)
IDS_PER_READ: Final = 100
PREFLIGHT: Final = 5
"""Requests before the first create."""

Latency = tuple[float, float]
Steps = Generator[float, None, None]
"""What somebody does, and between its steps how many seconds pass."""


class Server:
    """Admits so many requests in any rolling window, and says where it stands, as the API does.

    Attributes:
        admitted: When requests were let in.
        refused: How many were not.
    """

    def __init__(self, limit: int = 100, window: float = WINDOW) -> None:
        self.admitted: list[float] = []
        self.refused = 0
        self._limit = limit
        self._window = window
        self._used: deque[float] = deque()

    def ask(self, now: float) -> tuple[bool, RateLimitHeaders]:
        """Counts a request, and says whether it is let in."""
        while self._used and self._used[0] <= now - self._window:
            self._used.popleft()
        is_admitted = len(self._used) < self._limit
        if is_admitted:
            self._used.append(now)
            self.admitted.append(now)
        self.refused += not is_admitted
        wait = float(max(1, math.ceil(self._used[0] + self._window - now)))
        return is_admitted, RateLimitHeaders(
            limit=self._limit,
            remaining=max(0, self._limit - len(self._used)),
            reset=wait,
            retry_after=None if is_admitted else wait,
        )


@dataclass
class Campaign:
    """One process's campaign, and what came of it.

    Attributes:
        rows: How many ads it creates.
        start: When it begins.
        created: When each create was let in.
        requests: How many requests it took.
        delays: How long each finished ad went unseen.
        seen: When its last ad was seen.
    """

    rows: int
    start: float
    created: list[float] = field(default_factory=list)
    requests: int = 0
    delays: list[float] = field(default_factory=list)
    seen: float = 0.0
    state: RateLimitState = field(default_factory=RateLimitState)
    unsent: int = 0
    waiting: int = 0
    running: dict[int, tuple[float, float]] = field(default_factory=dict)
    times: JobTimes = field(default_factory=JobTimes)


class World:
    """A server, campaigns, and what time it is; all that happens comes from the seed.

    Args:
        latency: How many seconds at least and at most an answer is on its way, there and back.
        seed: Of everything.
    """

    def __init__(self, latency: Latency, seed: int, limit: int = 100) -> None:
        self.now = 0.0
        self.server = Server(limit)
        self.campaigns: list[Campaign] = []
        self._latency = latency
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Steps]] = []

    def add(self, rows: int, start: float = 0.0) -> Campaign:
        """A process that begins a campaign of so many rows."""
        campaign = Campaign(rows, start, unsent=rows, waiting=rows)
        self.campaigns.append(campaign)
        self._do(self._prepare(campaign), start)
        return campaign

    def run(self) -> None:
        """Lets time pass until all campaigns are done."""
        while self._due:
            self.now, _, steps = heapq.heappop(self._due)
            assert self.now < 36_000, "it never ends"
            try:
                self._do(steps, next(steps))
            except StopIteration:
                continue

    def _do(self, steps: Steps, after: float = 0.0) -> None:
        heapq.heappush(self._due, (self.now + after, next(self._numbers), steps))

    def _prepare(self, campaign: Campaign) -> Steps:
        for _ in range(PREFLIGHT):
            yield from self._request(campaign)
        for _ in range(OPEN_CREATES):
            self._do(self._create(campaign))
        self._do(self._poll(campaign))

    def _create(self, campaign: Campaign) -> Steps:
        while campaign.unsent:
            campaign.unsent -= 1
            at_server = yield from self._request(campaign, create=True)
            campaign.created.append(at_server)
            campaign.waiting -= 1
            ends = at_server + self._chance.uniform(*JOB_SECONDS)
            campaign.running[len(campaign.created)] = (self.now, ends)

    def _poll(self, campaign: Campaign) -> Steps:
        last: float | None = None
        while campaign.waiting or campaign.running:
            since = [began for began, _ in campaign.running.values()]
            per_read = campaign.state.seconds_per_read() if campaign.waiting else None
            span = campaign.times.span
            due = next_poll(last, since, span, per_read) if since else math.inf
            if due > self.now:
                yield min(due - self.now, POLL_SECONDS / 4)
                continue
            ids = self._may_be_finished(campaign, None if last is None else span)
            last = self.now
            for first in range(0, len(ids), IDS_PER_READ):
                yield from self._read(campaign, ids[first : first + IDS_PER_READ])

    def _may_be_finished(self, campaign: Campaign, span: JobSpan | None) -> list[int]:
        return [
            i
            for i, (began, _) in campaign.running.items()
            if span is None or began + span.shortest <= self.now
        ]

    def _read(self, campaign: Campaign, ids: list[int]) -> Steps:
        at_server = yield from self._request(campaign)
        for i in ids:
            began, ends = campaign.running[i]
            done = ends <= at_server
            share = min(1.0, (at_server - began) / (ends - began))
            campaign.times.learn(_ad(ends - began, None if done else share), self.now - began)
            if done:
                del campaign.running[i]
                campaign.delays.append(self.now - ends)
                campaign.seen = self.now

    def _request(
        self, campaign: Campaign, *, create: bool = False
    ) -> Generator[float, None, float]:
        """Asks until it is let in, as the limiter lets it, and gives the time when it was."""
        state = campaign.state
        while True:
            delay = state.delay(self.now, create=create)
            if delay > 0:
                # As long as `RateLimiter` sleeps.
                yield 0.02 if math.isinf(delay) else min(max(delay, 0.005), 0.25)
                continue
            started = state.note_start(self.now, create=create)
            campaign.requests += 1
            yield self._chance.uniform(*self._latency) / 2
            arrived = self.now
            is_admitted, headers = self.server.ask(arrived)
            yield self._chance.uniform(*self._latency) / 2
            state.note_answer(self.now, headers, started, create=create, refused=not is_admitted)
            if is_admitted:
                return arrived


def _ad(seconds: float, share: float | None) -> ImageAd:
    """A job that is finished, or so far on its way."""
    if share is None:
        return ImageAd.model_construct(id="ia_1", status="failed", duration_ms=seconds * 1000)
    return ImageAd.model_construct(id="ia_1", progress=JobProgress(percentage=share))
