"""What is raised if there is no answer."""

from __future__ import annotations

import httpx

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import APIConnectionError, APITimeoutError, NotReachedError
from prefect_staticadslab.api.responses.redactor import Redactor


def connection_error(
    error: Exception, method: str, path: str, redactor: Redactor
) -> APIConnectionError:
    """Our error for one of httpx's, to be raised, without the request, which holds the key."""
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        kind = NotReachedError
    text = redactor.redact(str(error))[: bounds.HEADER_LENGTH]
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return kind(f"{method} {redactor.redact_path(path)} got no answer ({reason})")
