"""What the simulator lets in: requests of this machine's own programs, and bodies of sane size.

It listens on this machine only, and that is not enough: a web page in a browser here may send
requests to it, and with a name that leads to 127.0.0.1 may read the answers as well.
"""

from __future__ import annotations

import ipaddress
import json
import math
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_staticadslab.simulator.model.admission import APIError

MOST_BODY_BYTES: Final = 64 * 1024 * 1024
"""Of a request. Ten renders of a Figma sync, each of 4 MB in base64, fit."""

MOST_LEVELS: Final = 200
"""How deep a body may be nested: a hundred nodes below one another."""

TRUTH: Final = "/_simulator/"
"""Below this are the counters, and what moves the clock."""

_READING: Final = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Lets an application answer this machine's own programs, and no web page of another site.

    A `Host` that is not this machine's is answered with 421; an `Origin` of another site with 403,
    where something would be changed, or be told that is behind no key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None if scope["type"] == "lifespan" else _refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            error = {"error": {"code": refusal.code, "message": refusal.message}}
            await JSONResponse(error, refusal.status)(scope, receive, send)


def _refusal(scope: Scope) -> APIError | None:
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
    is_read = scope.get("method") in _READING and not scope["path"].startswith(TRUTH)
    if not is_read and any(origin != f"http://{hosts[0]}" for origin in origins):
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


async def read_body(request: Request) -> bytes:
    """A request's whole body.

    Raises:
        APIError: 413 if it has more than `MOST_BODY_BYTES`.
    """
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BODY_BYTES:
            raise APIError(
                413, "PAYLOAD_TOO_LARGE", f"A body has at most {MOST_BODY_BYTES:,} bytes."
            )
        pieces.append(piece)
    return b"".join(pieces)


def read_json(body: bytes) -> Any:
    """What a body's JSON says.

    Raises:
        APIError: 400 if it is none, or holds what could not be answered as JSON again: a number
            that is infinite or none, half of a character, more than `MOST_LEVELS` levels.
    """
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        _check_depth(value)
        if b"\\u" in body:  # the only way to half of a character
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise APIError(400, "VALIDATION_ERROR", "The body is no JSON.") from None
    return value


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(text)
    return number


def _check_depth(value: Any) -> None:
    waiting, level = [value], 0
    while waiting := [each for each in waiting if isinstance(each, dict | list)]:
        level += 1
        if level > MOST_LEVELS:
            raise ValueError("too deep")
        waiting = [
            child
            for each in waiting
            for child in (each.values() if isinstance(each, dict) else each)
        ]
