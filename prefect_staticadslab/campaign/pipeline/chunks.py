"""How jobs are shared out between API keys, each with a rate limit of its own, in chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.campaign.pipeline.planned_job import PlannedJob

CHUNK_JOBS: Final = 100
"""How many jobs a chunk has: as many as one read of a poll, and so few enough task runs for any
Prefect server."""

_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Chunk:
    """Jobs that are brought to their ends together, as one task run.

    Attributes:
        api_key_hash: The hash of the API key that creates and follows them.
        jobs: The jobs, in the table's order.
    """

    api_key_hash: str
    jobs: list[PlannedJob]


def distribute(
    jobs: Sequence[PlannedJob], weights: Mapping[str, float], *, chunk_jobs: int = CHUNK_JOBS
) -> list[Chunk]:
    """Shares jobs out between API keys, and cuts the shares into chunks.

    Each key gets as many as its weight says, so that all come to an end together. A job that is on
    its way with one of the keys stays with that one: only there the API knows its idempotency key.

    Args:
        jobs: The jobs, in the table's order.
        weights: By the API key's hash, how many creates its rate limit allows, compared with the
            others'.
        chunk_jobs: How many jobs to put into a chunk at most.

    Returns:
        The chunks in the order of their first jobs.

    Example:
        ```python
        from prefect_staticadslab import ImageAdRequest, PlannedJob
        from prefect_staticadslab.campaign.pipeline.chunks import distribute

        request = ImageAdRequest(
            design_template_id="dt_1", brand_id="brand_1", product_id="prod_1", audience_id="aud_1"
        )
        jobs = [PlannedJob(i, request, "campaign", str(i)) for i in range(300)]
        chunks = distribute(jobs, {"one key": 100, "another": 200})
        sizes = sorted((chunk.api_key_hash, len(chunk.jobs)) for chunk in chunks)
        assert sizes == [("another", 100), ("another", 100), ("one key", 100)]
        ```
    """
    shares: dict[str, list[PlannedJob]] = {api_key_hash: [] for api_key_hash in weights}
    for job in jobs:
        api_key_hash = job.state.api_key_hash
        if api_key_hash not in shares:
            api_key_hash = min(shares, key=lambda a: (len(shares[a]) + 1) / weights[a])
        shares[api_key_hash].append(job)
    chunks = [
        Chunk(api_key_hash, share[start : start + chunk_jobs])
        for api_key_hash, share in shares.items()
        for start in range(0, len(share), chunk_jobs)
    ]
    return sorted(chunks, key=lambda chunk: chunk.jobs[0].position)


@dataclass(frozen=True)
class KeyLimiters:
    """The rate limiters of the API keys that share a campaign, by the API key's hash."""

    limiters: Mapping[str, RateLimiter]

    def weights(self) -> dict[str, float]:
        """How many creates each allows in an hour, by the API key's hash; at least 1."""
        return {
            api_key_hash: max(1, limiter.creates_within(_HOUR))
            for api_key_hash, limiter in self.limiters.items()
        }

    def seconds_for(self, creates: int) -> float:
        """In how many seconds, at the earliest, so many more creates have been sent, if each key
        has its share of them by weight."""
        weights = self.weights()
        total = sum(weights.values())
        return max(
            limiter.seconds_for(round(creates * weights[api_key_hash] / total))
            for api_key_hash, limiter in self.limiters.items()
        )
