"""The server that Prefect starts for a process without one, closed to all other processes.

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
    """In the `with` block, a temporary server that Prefect starts asks for this process's secret.

    Where PREFECT_API_URL is set, here or in Prefect's active profile, Prefect starts none, and no
    setting is changed.
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
    """The temporary server's user and password: the same at each call, as a process has one server.

    Prefect hands it to the server in its environment, which only the same user can read, never on
    its command line.
    """
    return f"staticadslab:{secrets.token_urlsafe(SECRET_BYTES)}"
