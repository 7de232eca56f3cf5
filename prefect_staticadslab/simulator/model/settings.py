"""How a simulator behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DAY_SECONDS: Final = 24 * 3600.0
LOCK_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Settings:
    """How the simulator behaves.

    Attributes:
        speed: How many times faster than the API jobs and heartbeats are.
        rate_limit: Requests per window and key.
        rate_window_seconds: The length of the rolling window.
        wallet_usd: What can be spent.
        failure_rate: Share of jobs that fail on their own.
        key_seconds: How long an idempotency key is remembered.
        lock_seconds: How long a request that is being answered keeps its idempotency key from
            others, whatever the speed: on a busy machine an answer may take a second.
        answer_seconds: How long a create takes to be answered, whatever the speed.
        fault_rate: Share of requests that meet with a fault, drawn from `chance.FAULTS`.
        picture_fault_rate: Share of pictures' downloads that do, drawn from
            `chance.PICTURE_FAULTS`.
        four_k: Whether pictures of ads have the pixels and the megabytes of real ones; drawing one
            takes seconds.
        more_brands: Brands there are besides the four that are always there.
        earlier_ads: Whether there are some finished ads, always with the same ids.
        seed: Of everything random.
    """

    speed: float = 1.0
    rate_limit: int = 100
    rate_window_seconds: float = 60.0
    wallet_usd: float = 10_000.0
    failure_rate: float = 0.0
    key_seconds: float = DAY_SECONDS
    lock_seconds: float = LOCK_SECONDS
    answer_seconds: float = 0.0
    fault_rate: float = 0.0
    picture_fault_rate: float = 0.0
    four_k: bool = False
    more_brands: int = 0
    earlier_ads: bool = False
    seed: int = 0
