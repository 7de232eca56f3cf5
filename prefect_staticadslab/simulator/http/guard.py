"""Who is let in: this machine's own programs, and no web page of another site.

It listens on this machine only, and that is not enough: a web page in a browser here may send
requests to it, and with a name that leads to 127.0.0.1 may read the answers as well.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_staticadslab.simulator.http.answers import error_response
from prefect_staticadslab.simulator.model.errors import APIError

CONTROL: Final = "/_simulator/"
"""Below this, no API key is asked for: the counters, and what puts the clock forward."""

_READ_METHODS: Final = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Lets an application answer this machine's own programs, and no web page of another site.

    A `Host` that is not this machine's is answered with 421. An `Origin` of another site is
    answered with 403 if the request changes something, or reads what no API key protects.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = None if scope["type"] == "lifespan" else _refusal(scope)
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await error_response(error)(scope, receive, send)


def _refusal(scope: Scope) -> APIError | None:
    """The error, 421 or 403, of a request that is not let in; None if it is let in."""
    headers = Headers(scope=scope)
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_this_machine(hosts[0]):
        return APIError(
            421,
            "NOT_THIS_MACHINE",
            "The simulator answers as 127.0.0.1, localhost or [::1] only. "
            "Put one of them into the address.",
        )
    origins = headers.getlist("origin")
    is_open = scope.get("method") in _READ_METHODS and not scope["path"].startswith(CONTROL)
    if not is_open and any(origin != f"http://{hosts[0]}" for origin in origins):
        return APIError(403, "ANOTHER_SITE", "The simulator takes nothing from other web sites.")
    return None


def _is_this_machine(host: str) -> bool:
    """Whether a `Host` header names this machine's loopback, with whatever port."""
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname or "", parts.port
        if parts.netloc != host or "@" in host:
            return False
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
