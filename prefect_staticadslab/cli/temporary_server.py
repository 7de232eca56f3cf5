"""The server that Prefect starts for a process without one: only that process gets in.

Prefect itself leaves it open: whoever has an account on the machine, and any web page in a browser
of it, may read saved keys from it while a command runs.
"""

from __future__ import annotations

import functools
import secrets
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ANALYTICS_ENABLED,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)

STARTUP_SECONDS: Final = 180
"""The first start on a slow machine takes longer than Prefect's 20 s."""

NO_ORIGIN: Final = "https://nobody.invalid"
"""An origin that no web page has: names below .invalid lead nowhere, ever (RFC 2606)."""

SECRET_BYTES: Final = 32


def closed_temporary_server() -> AbstractContextManager[Any]:
    """Has Prefect start its temporary server closed, if it is to start one in the `with` block.

    A server of one's own, which PREFECT_API_URL names here or in Prefect's active profile, has a
    key of its own, and that stays as it is.
    """
    if PREFECT_API_URL.value():
        return nullcontext()
    return temporary_settings(
        {
            PREFECT_SERVER_API_AUTH_STRING: _secret(),
            PREFECT_API_AUTH_STRING: _secret(),
            PREFECT_SERVER_CORS_ALLOWED_ORIGINS: NO_ORIGIN,
            PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: STARTUP_SECONDS,
            PREFECT_SERVER_ANALYTICS_ENABLED: False,
        }
    )


@functools.cache
def _secret() -> str:
    """One for this process, as there is one server for it. The child gets it in its environment,
    which only the same user can read, never on its command line."""
    return f"staticadslab:{secrets.token_urlsafe(SECRET_BYTES)}"
