"""When to poll running jobs, and which of them: as rarely as they can be finished.

Pure decisions on times, which are seconds on any one clock that only goes on.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import Job
from prefect_staticadslab.api.retries.key_lock import WORK_SECONDS

POLL_SECONDS: Final = 4.0
"""How often a job is polled that may be finished; the vendor's advice."""

GRACE_SECONDS: Final = 5.0
"""How long a cancelled chunk waits for answers. Prefect, a service manager or a person with Ctrl-C
waits for longer."""

STALE_POLLS: Final = 4.5
"""In polls, how long a finished job may go unseen while requests have a better use."""

GUESSED_POLLS: Final = (7.0, 15.0)
"""In polls, the shortest and the longest job before anything is known; the vendor says 30 to
60 s."""

FEW_JOBS: Final = 20
"""Up to so many finished jobs the shortest one says little."""

CAUTION: Final = 0.8
CAUTION_LATER: Final = 0.95
"""The share of the shortest known job's length within which no job is expected to end: up to
`FEW_JOBS` finished ones, and later."""

_FORETELLS: Final = 0.05
"""The progress, 0 to 1, from which on a job's length can be read off it."""


@dataclass(frozen=True)
class Timing:
    """How long is waited for what, in seconds; a test waits for less.

    Attributes:
        poll_seconds: How often a job is polled that may be finished.
        grace_seconds: How long a cancelled chunk waits for the answers to what it has sent.
        work_seconds: How long the API may work on a create that another run has sent.
    """

    poll_seconds: float = POLL_SECONDS
    grace_seconds: float = GRACE_SECONDS
    work_seconds: float = WORK_SECONDS


@dataclass(frozen=True)
class JobSpan:
    """How many seconds the shortest and the longest job take, as far as is known."""

    shortest: float
    longest: float

    def including(self, seconds: float) -> JobSpan:
        """The span of these jobs and one that takes so long."""
        return JobSpan(min(self.shortest, seconds), max(self.longest, seconds))


class JobTimes:
    """How long jobs take at least and at most, learned from them as they are seen.

    Args:
        poll_seconds: How often such a job is polled that may be finished.
    """

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        shortest, longest = GUESSED_POLLS
        self._guessed = JobSpan(shortest * poll_seconds, longest * poll_seconds)
        # What the progress of running jobs foretells, and what finished ones took.
        self._foretold: JobSpan | None = None
        self._seen: JobSpan | None = None
        self._finished = 0

    @property
    def span(self) -> JobSpan:
        """The shortest time in which a job may end, with some caution, and the longest."""
        known = self._seen or self._foretold
        if known is None:
            return self._guessed
        if self._finished > FEW_JOBS:
            return JobSpan(CAUTION_LATER * known.shortest, known.longest)
        longest = self._foretold.longest if self._foretold else 0.0
        return JobSpan(CAUTION * known.shortest, max(known.longest, longest))

    def learn(self, job: Job, age: float) -> None:
        """Learns from the state of a job that was created `age` seconds ago.

        Its progress is a hint for people; here it decides nothing but when to look again.
        """
        share = job.progress.percentage if job.progress else None
        if job.is_finished:
            length = min(age, job.duration_ms / 1000 if job.duration_ms else age)
            self._seen = (self._seen or JobSpan(length, length)).including(length)
            self._finished += 1
        elif share is not None and _FORETELLS <= share <= 1:
            length = age / share
            self._foretold = (self._foretold or JobSpan(length, length)).including(length)


def next_poll(
    last_poll: float | None,
    since: Collection[float],
    span: JobSpan,
    seconds_per_read: float | None,
    poll_seconds: float = POLL_SECONDS,
) -> float:
    """The moment of the next poll, on the clock of its arguments; it may be past.

    A finished job is seen within `STALE_POLLS`. While others wait to be created, requests are
    scarce, and there is no poll sooner than that. Afterwards a poll comes as soon as the last job
    must have ended, if that is sooner, and from then on every `poll_seconds`; and the first one
    comes early, because it tells how long jobs take here.

    Args:
        last_poll: When the last poll was; None for never.
        since: When each job was created; minus infinity if nobody knows.
        span: Between how many seconds jobs take.
        seconds_per_read: How far apart reads should be that leave the limit to creates; None if no
            more jobs wait to be created.
        poll_seconds: How often such a job is polled that may be finished.

    Example:
        ```python
        from prefect_staticadslab.campaign.pipeline.poll_schedule import JobSpan, next_poll

        span = JobSpan(shortest=30, longest=60)
        assert next_poll(None, [100.0, 101.0], span, None) == 104
        assert next_poll(104, [100.0, 101.0], span, 15) == 148
        assert next_poll(148, [100.0, 101.0], span, None) == 161
        assert next_poll(160, [101.0], span, None) == 164
        ```
    """
    first, last = min(since), max(since)
    if first == -math.inf and last_poll is None:
        return first
    if last_poll is None and seconds_per_read is None:
        return first + poll_seconds
    begin = max(first + span.shortest, -math.inf if last_poll is None else last_poll)
    if seconds_per_read is not None:
        return begin + max(STALE_POLLS * poll_seconds, seconds_per_read)
    until_last = last + span.longest - begin
    return begin + min(max(poll_seconds, until_last), STALE_POLLS * poll_seconds)
