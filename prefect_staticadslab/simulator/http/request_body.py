"""What a request's body holds: JSON, or a form's fields and files, of sane size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from prefect_staticadslab.simulator.model.errors import APIError

MOST_BODY_BYTES: Final = 15 * 1024 * 1024
"""Of a request, of whatever kind: JSON, or a form with all that is around its file."""

MOST_LEVELS: Final = 200
"""How deep a body may be nested: a hundred nodes below one another."""


@dataclass(frozen=True)
class Sent:
    """A request's body, read but not yet held against a model.

    Attributes:
        body: Its JSON, or its form's fields; None if it has no body.
        files: The files of its form, by field: name and content.
        is_form: Whether it is a form.
    """

    body: Any = None
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    is_form: bool = False


async def read_body(request: Request) -> Sent:
    """Reads a request's body, which is empty for other methods than POST and PATCH.

    Raises:
        APIError: 413 if it is too large, 400 if it is neither JSON nor a form.
    """
    if request.method not in ("POST", "PATCH"):
        return Sent()
    body = await _read_bytes(request)
    if not body:
        return Sent()
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return Sent(_read_json(body))
    fields, files = {}, {}
    try:
        async with _request_with_body(request, body).form(max_part_size=MOST_BODY_BYTES) as form:
            for name, value in form.items():
                if isinstance(value, UploadFile):
                    files[name] = (value.filename or "", await value.read())
                else:
                    fields[name] = value
    except HTTPException as error:
        raise APIError(400, "VALIDATION_ERROR", f"The form is broken: {error.detail}") from None
    return Sent(fields, files, is_form=True)


def _request_with_body(request: Request, body: bytes) -> Request:
    """The same request with its body in memory, since a stream can be read only once."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


async def _read_bytes(request: Request) -> bytes:
    """A request's whole body.

    Raises:
        APIError: 413 if it has more than `MOST_BODY_BYTES`.
    """
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MOST_BODY_BYTES:
            message = f"The body has more than {MOST_BODY_BYTES:,} bytes."
            raise APIError(413, "PAYLOAD_TOO_LARGE", message)
        pieces.append(piece)
    return b"".join(pieces)


def _read_json(body: bytes) -> Any:
    """What a body's JSON says.

    Raises:
        APIError: 400 if it is none, or holds what could not be answered as JSON again: a number
            that is infinite or none, half of a character, more than `MOST_LEVELS` levels.
    """
    try:
        value = json.loads(body, parse_constant=_reject_constant, parse_float=_finite_float)
        _check_depth(value)
        if b"\\u" in body:  # the only way to half of a character
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise APIError(400, "VALIDATION_ERROR", "The body is no JSON.") from None
    return value


def _reject_constant(name: str) -> Any:
    """Raises ValueError for `NaN` and `Infinity`, which Python reads and JSON does not have."""
    raise ValueError(name)


def _finite_float(text: str) -> float:
    """A number of the body; ValueError for one as large as `1e999`."""
    if math.isinf(number := float(text)):
        raise ValueError(text)
    return number


def _check_depth(value: Any) -> None:
    """Raises ValueError if objects and lists are nested more than `MOST_LEVELS` deep."""
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
