"""How late it is where the API is, as its answers tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

LARGEST_DIFFERENCE: Final = timedelta(days=1)
"""A clock that is further from ours than this is not believed."""


class APIClock:
    """The API's clock. Machines whose clocks are wrong agree on it.

    Attributes:
        ahead: How far it is ahead of ours; below 0 if it is behind.
        is_known: Whether the API has said how late it is; until then, ours counts.

    Example:
        ```python
        from datetime import UTC, datetime, timedelta

        from prefect_staticadslab.api.responses.api_clock import APIClock

        clock = APIClock()
        asked_at = datetime.now(UTC)
        clock.note_time(asked_at + timedelta(hours=5), asked_at)
        assert clock.is_known
        assert timedelta(hours=4) < clock.now() - datetime.now(UTC) < timedelta(hours=6)
        ```
    """

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.is_known = False

    def now(self) -> datetime:
        """The time by the API's clock, as of its last answer; by ours before there was one."""
        return datetime.now(UTC) + self.ahead

    def note_time(self, moment: datetime | None, asked_at: datetime) -> None:
        """Learns from an answer how late it was where the API is, at some moment between question
        and answer: what was known is changed by no more than that shows it to be wrong. An answer
        may have waited for hours for a computer that slept.

        Args:
            moment: What the answer says; None if it says nothing. What is off by more than
                `LARGEST_DIFFERENCE` is not believed.
            asked_at: When the question went out, by our clock.
        """
        if moment is None:
            return
        least = moment - datetime.now(UTC)
        most = max(least, moment - asked_at)
        ahead = min(max(self.ahead, least), most)
        if abs(ahead) <= LARGEST_DIFFERENCE:
            self.ahead, self.is_known = ahead, True


_shared: dict[str, APIClock] = {}


def shared_clock(base_url: str) -> APIClock:
    """This process's clock of the API at a base URL; made when it is first asked for."""
    return _shared.setdefault(base_url, APIClock())
