"""Other runs that are alive and write the same table, as far as this one can tell."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus

SIGN_SECONDS: Final = 30.0
"""How often a run whose rows others have marked, too, marks them anew. Whoever finds marks waits
for longer before it takes the run that made them for dead."""

LOOK_SECONDS: Final = 5.0
"""How often a run looks for marks of others. What is sent in the meantime, without knowing of
them, must not be sent later than the lock holds that theirs have taken."""

KNOWN_SECONDS: Final = 3 * LOOK_SECONDS
"""How long a look counts. Who was asleep for longer looks before he sends."""

LOOKED_FOR_SECONDS: Final = 60.0
"""How long the table is tried to be read for that, before nothing more is sent."""

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far two readings of the API's clock may be apart, many marks in one second included."""

ANOTHER_SECOND: Final = timedelta(seconds=1)
"""By which a mark is later than the one whose place it takes. Earlier versions read and write whole
seconds only."""


def time_of_mark(now: datetime, last: datetime | None) -> datetime:
    """When a row counts as marked that is marked now: never when it was before.

    Args:
        now: The time.
        last: When it was marked before, perhaps by a run that is alive and looks for this one.
    """
    is_just_now = last is not None and timedelta(0) <= last - now < CLOCKS_DIFFER
    return last + ANOTHER_SECOND if last is not None and is_just_now else now


class OtherRuns:
    """What other runs write of rows that this one is to send.

    A run that marks a row which another one has marked gives it another time, and so does the other
    one once it sees that. So each knows that the other is alive, and need not be told by whom.
    """

    def __init__(self) -> None:
        self._ours: set[int] = set()
        self._news: set[int] = set()
        self._owes_sign = False
        self._last_sign = -math.inf

    def marks(self, positions: Iterable[int]) -> None:
        """This run is about to send these rows."""
        self._ours.update(positions)

    def heard(
        self, position: int, theirs: JobState, last: JobState, ours: JobState, merged: JobState
    ) -> JobState:
        """What to keep of a row after reading what another run may have written.

        Args:
            position: The row's.
            theirs: What is on disk.
            last: What was there when this run last read or wrote it.
            ours: What this run knows.
            merged: What both know together.
        """
        if _word(theirs) == _word(last):
            # Of what it sends itself, no other run has said anything.
            return ours if position in self._ours else merged
        self._news.add(position)
        is_mark = theirs.status is merged.status is RowStatus.SUBMITTING
        if position not in self._ours or not is_mark or theirs.asked_at is None:
            return merged
        self._owes_sign = True
        after = theirs.asked_at + ANOTHER_SECOND
        return replace(merged, asked_at=max(after, merged.asked_at or after))

    def news_of(self, positions: Collection[int]) -> set[int]:
        """Those of these rows of which something new was read since this was last asked."""
        news = self._news.intersection(positions)
        self._news -= news
        return news

    def is_sign_due(self, now: float) -> bool:
        """Whether the table is to be written, so that others see that this run is alive.

        Args:
            now: Seconds on a clock that only goes on.
        """
        if not self._owes_sign or now - self._last_sign < SIGN_SECONDS:
            return False
        self._owes_sign, self._last_sign = False, now
        return True


def _word(state: JobState) -> tuple[object, ...]:
    return (
        state.status,
        state.attempts,
        state.job_id,
        state.idempotency_key,
        state.api_key_hash,
        state.asked_at,
    )


_ORDER: Final = {
    RowStatus.PENDING: 0,
    RowStatus.SUBMITTING: 1,
    RowStatus.PROCESSING: 2,
    RowStatus.FAILED: 3,
    RowStatus.COMPLETED: 4,
}
_REFUSED: Final = 0.5
"""Who is refused knows nothing of what another run has sent."""


def merge_states(ours: JobState, theirs: JobState) -> JobState:
    """Of what two runs know about a row, the one that is further; ours if both are as far.

    A completed ad is the end. Before that a later attempt is further than an earlier one, and
    within an attempt an ad that was answered is further than one that was only sent, and that than
    one that was refused: what two runs have sent may have been taken from one of them.
    Of two that are on their way with different keys, and of two ads, the one that was written down
    first counts, unless it failed; of two with the same key, the first time that it was used, and
    the last.

    Example:
        ```python
        from prefect_staticadslab import JobState, RowStatus
        from prefect_staticadslab.campaign.table.other_runs import merge_states

        failed = JobState(RowStatus.FAILED, job_id="ia_1", attempts=1)
        again = JobState(RowStatus.SUBMITTING, attempts=2)
        assert merge_states(failed, again) == merge_states(again, failed) == again
        ```
    """
    if ours.status is theirs.status is RowStatus.SUBMITTING and ours.attempts == theirs.attempts:
        if _keys(ours) != _keys(theirs):
            return theirs if theirs.idempotency_key else ours
        first = [s.submitted_at for s in (ours, theirs) if s.submitted_at]
        last = [s.asked_at for s in (ours, theirs) if s.asked_at]
        submitted_at, asked_at = min(first, default=None), max(last, default=None)
        if (submitted_at, asked_at) == (ours.submitted_at, ours.asked_at):
            return ours
        return replace(ours, submitted_at=submitted_at, asked_at=asked_at)
    if ours.job_id and theirs.job_id not in (None, ours.job_id) and _reach(ours) == _reach(theirs):
        return ours if theirs.job_failed else theirs
    return theirs if _progress(theirs) > _progress(ours) else ours


def _reach(state: JobState) -> tuple[bool, int]:
    return state.is_completed, state.attempts


def _keys(state: JobState) -> tuple[str | None, str | None]:
    return state.idempotency_key, state.api_key_hash


def _progress(state: JobState) -> tuple[bool, int, bool, float]:
    has_ad = state.job_id is not None
    is_refused = state.status is RowStatus.FAILED and not has_ad
    order = _REFUSED if is_refused else _ORDER[state.status]
    return state.is_completed, state.attempts, has_ad, order
