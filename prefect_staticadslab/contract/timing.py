"""How long things are waited for."""

from __future__ import annotations

from dataclasses import dataclass

from prefect_staticadslab.api.waiting import ONE_AD_TIMEOUT_SECONDS, POLL_SECONDS


@dataclass(frozen=True)
class Timing:
    """How long things are waited for, in seconds.

    Attributes:
        stream_seconds: For what the stream of a finished ad says. Two heartbeats, and some more.
        poll_seconds: Between two polls of the ad that is made.
        ad_seconds: For that ad.
    """

    stream_seconds: float = 40.0
    poll_seconds: float = POLL_SECONDS
    ad_seconds: float = ONE_AD_TIMEOUT_SECONDS
