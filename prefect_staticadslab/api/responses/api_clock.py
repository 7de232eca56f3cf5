"""How late it is where the API is, as its answers tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

CLOCKS_DIFFER: Final = timedelta(days=1)
"""A clock that is further from ours than this is none."""


class APIClock:
    """The API's clock. Machines whose clocks are wrong agree on it.

    Attributes:
        ahead: How far it is ahead of ours.
        is_known: Whether the API has said how late it is; until then, ours counts.

    Example:
        ```python
        from datetime import UTC, datetime, timedelta

        from prefect_staticadslab.api.responses.api_clock import APIClock

        clock = APIClock()
        clock.learn(datetime.now(UTC) + timedelta(hours=5))
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

    def learn(self, moment: datetime | None) -> None:
        """Takes what an answer of this moment said; None if it said nothing."""
        if moment is None:
            return
        ahead = moment - datetime.now(UTC)
        if abs(ahead) <= CLOCKS_DIFFER:
            self.ahead, self.is_known = ahead, True


_shared: dict[str, APIClock] = {}


def shared_clock(base_url: str) -> APIClock:
    """The one clock that this process knows of the API at a base URL."""
    return _shared.setdefault(base_url, APIClock())
