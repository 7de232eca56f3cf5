"""Other runs that are alive and write the same table, as far as this one can tell."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from prefect_staticadslab.campaign.table.job_state import (
    JobState,
    RowStatus,
    second_ads,
    with_second_ads,
)

SIGN_SECONDS: Final = 30.0
"""The least time between two writes that only show other runs that this one is alive, by marks
with new times. Whoever finds marks waits for longer before it takes the run that made them for
dead."""

LOOK_SECONDS: Final = 5.0
"""How often a run reads the table for marks of other runs. What is sent in the meantime, without
knowing of them, must not be sent later than the API's lock holds that their creates have taken."""

KNOWN_SECONDS: Final = 3 * LOOK_SECONDS
"""How long after such a read a run may send. After a longer pause, as of a machine that was asleep,
it reads the table first."""

LOOKED_FOR_SECONDS: Final = 60.0
"""How long a table that cannot be read is tried again for that, before nothing more is sent."""

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""How far two readings of the API's clock may be apart, many marks in one second included."""

ANOTHER_SECOND: Final = timedelta(seconds=1)
"""By which a mark is later than the one whose place it takes. Earlier versions read and write whole
seconds only."""


def time_of_mark(now: datetime, last: datetime | None) -> datetime:
    """The time to write into a row's mark (`asked_at`), so that it differs from the last mark's.

    Args:
        now: The time, by the API's clock.
        last: The row's last mark, perhaps of another run that is alive; None if it had none.

    Returns:
        `now`; or a second after `last`, if that is `now` or up to `CLOCKS_DIFFER` later.
    """
    is_just_now = last is not None and timedelta(0) <= last - now < CLOCKS_DIFFER
    return last + ANOTHER_SECOND if last is not None and is_just_now else now


class OtherRuns:
    """Remembers which rows this run marks, and what other runs were seen to write of any row.

    A run that marks a row which another run has marked gives it another time, and so does the other
    run once it reads that. So each knows that the other is alive, without knowing which run it is.
    Rows are given by their positions in the table.
    """

    def __init__(self) -> None:
        self._marked_here: set[int] = set()
        self._decided_here: set[int] = set()
        self._in_other_words: set[int] = set()
        self._news: set[int] = set()
        self._must_show_alive = False
        self._last_shown_alive = -math.inf  # by a monotonic clock, in seconds

    def note_own_marks(self, positions: Iterable[int]) -> list[int]:
        """Notes that this run is about to mark these rows, and to send them.

        Returns:
            Those of them that it may mark: not the ones that `state_to_send` keeps from being sent.
        """
        own = [position for position in positions if position not in self._in_other_words]
        self._marked_here.update(own)
        return own

    def note_own_decision(self, position: int) -> None:
        """Notes that this run has taken back what the table says of a row, such as that it may have
        been sent: that is no news as long as no other run writes it anew."""
        self._decided_here.add(position)

    def note_other_words(self, position: int) -> None:
        """Notes that another run asks for a row in other words than those this run planned it in:
        it writes a number or a date differently."""
        self._in_other_words.add(position)

    def state_to_send(self, position: int, state: JobState) -> JobState:
        """A row's state by which this run sends it, or not: pending, so that it is not sent, if
        another run asks for it in other words, and there is no ad. A key is for the same words."""
        is_left = position in self._in_other_words and not state.has_ad
        return JobState(attempts=state.attempts) if is_left else state

    def note_read(
        self, position: int, theirs: JobState, last: JobState, ours: JobState, merged: JobState
    ) -> JobState:
        """Notes whether another run wrote a row since `last`, now that the table was read.

        Args:
            position: The row's.
            theirs: The row's state on disk.
            last: Its state there when this run last read or wrote the table.
            ours: What this run knows of it.
            merged: What both know together; see `merge_states`.

        Returns:
            The state to keep of the row: `ours` if this run marks it, or has decided what became
            of it, and nobody else wrote it; else `merged`, with a later mark if another run has
            marked it, too.
        """
        if _compared_fields(theirs) == _compared_fields(last):
            # Of what it sends or decides itself, no other run has said anything.
            is_own = position in self._marked_here or position in self._decided_here
            return ours if is_own else merged
        self._news.add(position)
        is_mark = theirs.status is merged.status is RowStatus.SUBMITTING
        if position not in self._marked_here or not is_mark or theirs.asked_at is None:
            return merged
        self._must_show_alive = True
        after = theirs.asked_at + ANOTHER_SECOND
        return replace(merged, asked_at=max(after, merged.asked_at or after))

    def pop_news(self, positions: Collection[int]) -> set[int]:
        """Those of these rows that other runs have written, each reported only once."""
        news = self._news.intersection(positions)
        self._news -= news
        return news

    def pop_due_sign(self, now: float) -> bool:
        """Whether the table is to be written now, to show other runs that this one is alive.

        If so, that counts as done: it is false again until another run marks one of its rows anew.

        Args:
            now: Seconds on a monotonic clock.
        """
        if not self._must_show_alive or now - self._last_shown_alive < SIGN_SECONDS:
            return False
        self._must_show_alive, self._last_shown_alive = False, now
        return True


def _compared_fields(state: JobState) -> tuple[object, ...]:
    """The fields of a state by which a run sees that another one wrote it."""
    return (
        state.status,
        state.attempts,
        state.job_id,
        state.idempotency_key,
        state.api_key_hash,
        state.asked_at,
    )


_STATUS_RANK: Final = {
    RowStatus.PENDING: 0,
    RowStatus.SUBMITTING: 1,
    RowStatus.PROCESSING: 2,
    RowStatus.FAILED: 3,
    RowStatus.COMPLETED: 4,
}
"""How far a row is in one attempt."""
_REFUSED_RANK: Final = 0.5
"""Of a create that was refused: that says nothing of what another run has sent."""


def merge_states(ours: JobState, theirs: JobState) -> JobState:
    """The one of two runs' states of a row that is further; ours if both are as far.

    A completed ad is the end. Before that a later attempt is further than an earlier one, and
    within an attempt an ad that was answered is further than one that was only sent, and that than
    one that was refused: what two runs have sent may have been taken from one of them.
    Of two that are on their way with different keys, and of two ads, the one that was written down
    first counts, unless it failed; of two with the same key, the first time that it was used, and
    the last. The second ads that either names stay named.

    Example:
        ```python
        from prefect_staticadslab import JobState, RowStatus
        from prefect_staticadslab.campaign.table.other_runs import merge_states

        failed = JobState(RowStatus.FAILED, job_id="ia_1", attempts=1)
        again = JobState(RowStatus.SUBMITTING, attempts=2)
        assert merge_states(failed, again) == merge_states(again, failed) == again
        ```
    """
    others = [*second_ads(ours), *second_ads(theirs)]
    merged = _further_state(ours, theirs)
    return with_second_ads(merged, others) if others else merged


def _further_state(ours: JobState, theirs: JobState) -> JobState:
    """The one of two states that counts, as `merge_states` says, whatever second ads they name."""
    if ours.status is theirs.status is RowStatus.SUBMITTING and ours.attempts == theirs.attempts:
        if _marked_with(ours) != _marked_with(theirs):
            return theirs if theirs.idempotency_key else ours
        first = [s.submitted_at for s in (ours, theirs) if s.submitted_at]
        last = [s.asked_at for s in (ours, theirs) if s.asked_at]
        submitted_at, asked_at = min(first, default=None), max(last, default=None)
        if (submitted_at, asked_at) == (ours.submitted_at, ours.asked_at):
            return ours
        return replace(ours, submitted_at=submitted_at, asked_at=asked_at)
    have_two_jobs = ours.job_id and theirs.job_id not in (None, ours.job_id)
    if have_two_jobs and _completion_and_attempts(ours) == _completion_and_attempts(theirs):
        return ours if theirs.job_failed else theirs
    return theirs if _progress(theirs) > _progress(ours) else ours


def _completion_and_attempts(state: JobState) -> tuple[bool, int]:
    """What decides which of two jobs is a row's, before anything else does."""
    return state.is_completed, state.attempts


def _marked_with(state: JobState) -> tuple[str | None, str | None]:
    """The idempotency key and the hash of the API key that a row was marked with, if recorded."""
    return state.idempotency_key, state.api_key_hash


def _progress(state: JobState) -> tuple[bool, int, bool, float]:
    """How far a row is, to be compared: completed, attempts, has a job, rank of its status."""
    has_job = state.job_id is not None
    is_refused = state.status is RowStatus.FAILED and not has_job
    rank = _REFUSED_RANK if is_refused else _STATUS_RANK[state.status]
    return (*_completion_and_attempts(state), has_job, rank)
