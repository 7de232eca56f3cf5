"""Faults, as networks, proxies and overloaded servers have them; for tests of clients."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from prefect_staticadslab.simulator.http.answers import error_response
from prefect_staticadslab.simulator.model.admission.rate_window import exceeded
from prefect_staticadslab.simulator.model.clock import now
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI

PICTURES: Final = "/pictures/"
"""Below this is what would be a CDN, and not the API."""

SLOW_SECONDS: Final = 0.3
"""How long a slow request is held back, at the API's own speed."""

_CODES: Final = {
    "500": "INTERNAL_ERROR",
    "503": "SERVICE_UNAVAILABLE",
}
_PROXY_PAGE: Final = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class Faults:
    """Puts faults between an application and its clients, as often as its settings say."""

    def __init__(self, app: ASGIApp, api: SimulatedAPI) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or has the fault happen to it that is due."""
        match self._draw_fault(scope):
            case None:
                await self._app(scope, receive, send)
            case "slow":
                await asyncio.sleep(SLOW_SECONDS / self._api.settings.speed)
                await self._app(scope, receive, send)
            case "dropped before":
                await _drop(scope)
            case "dropped after":
                await self._app(scope, receive, _discard)
                await _drop(scope)
            case "cut":
                await self._app(scope, receive, _first_half(send))
                await _drop(scope)
            case "HTML before":
                await HTMLResponse(_PROXY_PAGE, 502)(scope, receive, send)
            case "HTML after":
                await self._app(scope, receive, _discard)
                await HTMLResponse(_PROXY_PAGE, 502)(scope, receive, send)
            case "HTML page":
                await HTMLResponse(_PROXY_PAGE)(scope, receive, send)
            case fault:
                await error_response(self._error_of(fault, scope))(scope, receive, send)

    def _error_of(self, fault: str, scope: Scope) -> APIError:
        """The error answer of a fault that is a status; the API's has rate-limit headers."""
        if scope["path"].startswith(PICTURES):
            return APIError(int(fault), _CODES[fault], "Simulated.")
        api_key = Headers(scope=scope).get("x-api-key", "")
        headers = self._api.rate_headers(api_key, now())
        if fault == "429":
            return exceeded(headers | {"RateLimit-Reset": "1"}, 1)
        return APIError(int(fault), _CODES[fault], "Simulated.", headers=headers)

    def _draw_fault(self, scope: Scope) -> str | None:
        """Draws what happens to a request, one of `chance.FAULTS`; None if nothing does."""
        if scope["type"] != "http":
            return None
        if scope["path"].startswith(PICTURES):
            return self._api.draw_picture_fault()
        return self._api.draw_fault() if scope["path"].startswith("/v1/") else None


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the connection in the scope, so that a fault can break it off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Has the application called with `transport` in its scope, for this connection."""
        super().connection_made(transport)
        app: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "transport": transport}, receive, send)

        self.app = with_transport


async def _drop(scope: Scope) -> None:
    """Aborts the connection, so that its client gets no further byte."""
    scope["transport"].abort()
    # Time for uvicorn to notice, or it would answer with a 500 of its own.
    await asyncio.sleep(0.01)


async def _discard(_message: Message) -> None:
    """Sends nothing: the client does not get this part of the answer."""


def _first_half(send: Send) -> Send:
    """A `send` that passes on the head of an answer and half of its first piece, and no more."""
    cut = False

    async def send_first_half(message: Message) -> None:
        nonlocal cut
        if message["type"] == "http.response.start":
            await send(message)
        elif not cut:
            cut = True
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})

    return send_first_half
