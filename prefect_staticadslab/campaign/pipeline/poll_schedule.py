"""When to ask for running ads, and for which: as rarely as they can be finished.

Pure decisions on times, which are seconds on any one clock that only goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import Job
from prefect_staticadslab.api.retries.key_lock import WORK_SECONDS

POLL_SECONDS: Final = 4.0
"""How often an ad is asked for that may be finished; the vendor's advice."""

GRACE_SECONDS: Final = 5.0
"""Prefect, a service manager or a person with Ctrl-C waits for longer."""

STALE_POLLS: Final = 4.5
"""In polls, how long a finished ad may go unseen while others still wait to be created."""

GUESSED_POLLS: Final = 5.0
"""In polls, the shortest job before anything is known; the vendor says 30 to 60 s."""

CAUTION: Final = 0.8
"""Of the shortest job that was seen or that its progress foretells: others may be shorter."""

_FORETELLS: Final = 0.05
"""The progress, 0 to 1, from which on a job's length can be read off it."""


@dataclass(frozen=True)
class Timing:
    """How long is waited for what, in seconds; a test waits for less.

    Attributes:
        poll_seconds: How often an ad is asked for that may be finished.
        grace_seconds: How long a cancelled chunk waits for the answers to what it has sent.
        work_seconds: How long the API may work on a create that another run has sent.
    """

    poll_seconds: float = POLL_SECONDS
    grace_seconds: float = GRACE_SECONDS
    work_seconds: float = WORK_SECONDS


class JobTimes:
    """How long jobs take at least, learned from them as they are seen.

    Args:
        poll_seconds: How often such a job is asked for that may be finished.
    """

    def __init__(self, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._shortest: float | None = None
        self._foretold: float | None = None

    @property
    def shortest(self) -> float:
        """Seconds within which no job ends, as far as anybody knows."""
        known = self._shortest if self._shortest is not None else self._foretold
        return GUESSED_POLLS * self._poll_seconds if known is None else CAUTION * known

    def saw(self, ad: Job, age: float) -> None:
        """Learns from an ad that was created `age` seconds ago.

        Its progress is a hint for people; here it decides nothing but when to look again.
        """
        share = ad.progress.percentage if ad.progress else None
        if ad.is_finished:
            length = min(age, ad.duration_ms / 1000 if ad.duration_ms else age)
            self._shortest = min(length, self._shortest or length)
        elif share is not None and _FORETELLS <= share <= 1:
            self._foretold = min(age / share, self._foretold or age / share)


def next_poll(
    last_poll: float | None,
    since: Iterable[float],
    shortest: float,
    seconds_per_read: float | None,
    poll_seconds: float = POLL_SECONDS,
) -> float:
    """When to poll next.

    While others wait to be created, requests are scarce: a finished ad is seen within
    `STALE_POLLS`, and not sooner. Afterwards there is a poll every `poll_seconds` for as long as
    any ad may be finished. The first poll comes early: it tells how long jobs take here.

    Args:
        last_poll: When the last poll was; None for never.
        since: When each ad was created; minus infinity if nobody knows.
        shortest: Within how many seconds no job ends.
        seconds_per_read: How far apart reads should be that leave the limit to creates; None if no
            more ads wait to be created.
        poll_seconds: How often such a job is asked for that may be finished.

    Example:
        ```python
        from prefect_staticadslab.campaign.pipeline.poll_schedule import next_poll

        assert next_poll(None, [100.0, 101.0], 30, 15) == 104
        assert next_poll(104, [100.0, 101.0], 30, None) == 130
        assert next_poll(104, [100.0, 101.0], 30, 15) == 148
        assert next_poll(130, [100.0, 101.0], 30, None) == 134
        ```
    """
    first, interval = min(since), poll_seconds
    if last_poll is None:
        return first + interval
    if seconds_per_read is not None:
        return max(last_poll, first + shortest) + max(STALE_POLLS * interval, seconds_per_read)
    return max(last_poll + interval, first + shortest)
