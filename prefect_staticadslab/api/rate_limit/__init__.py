"""How many requests may go now, and how long the next one has to wait."""

from prefect_staticadslab.api.rate_limit.headers import RateLimitHeaders
from prefect_staticadslab.api.rate_limit.limiter import RateLimiter, Turn, shared_limiter
from prefect_staticadslab.api.rate_limit.window import RateLimitState

__all__ = ["RateLimitHeaders", "RateLimitState", "RateLimiter", "Turn", "shared_limiter"]
