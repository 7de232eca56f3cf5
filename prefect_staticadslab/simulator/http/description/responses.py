"""What a call's answers look like in an OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from prefect_staticadslab.simulator.http.operation import Operation
from prefect_staticadslab.simulator.model.resources.envelopes import ErrorAnswer

HEADERS: Final = "#/components/headers/"
RESPONSES: Final = "#/components/responses/"

_COUNT: Final = {"type": "integer", "minimum": 0}

RATE_LIMIT_HEADERS: Final = {
    "RateLimit-Limit": {"description": "Requests in a window.", "schema": _COUNT},
    "RateLimit-Remaining": {"description": "Requests that are left in it.", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until it has room again.", "schema": _COUNT},
}

_ERRORS: Final = {
    400: ("Invalid", "Something that was sent does not fit, or is missing."),
    401: ("Unauthorized", "The API key is missing or unknown."),
    402: ("InsufficientBalance", "The wallet does not cover it."),
    403: ("Forbidden", "The API key lacks the scope."),
    404: ("NotFound", "It does not exist."),
    409: ("Conflict", "It is there already, is not ready, or its idempotency key is in use."),
    413: ("TooLarge", "The body has more than 15 MB."),
    422: ("Unprocessable", "An id is of something else, or what is named does not fit together."),
    429: ("TooManyRequests", "There were too many requests in this window."),
    500: ("ServerError", "The server has made a mistake."),
    503: ("Unavailable", "The server cannot answer at this moment."),
}
"""By status: what an error is called in the document, and when it is answered."""

_ALWAYS: Final = (401, 403, 429, 500, 503)


def success_response(call: Operation, schemas: str) -> dict[str, Any]:
    """The answer of a call that succeeds."""
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": schemas + call.response_model.__name__}}
    }
    if call.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    headers = _rate_limit_headers()
    if call.method in ("POST", "PATCH"):
        headers["Idempotent-Replayed"] = {"schema": {"type": "string", "const": "true"}}
    return {"description": "It is done.", "headers": headers, "content": content}


def refusals(call: Operation) -> dict[str, Any]:
    """The answers of a call that is refused or fails, by status."""
    return {str(status): {"$ref": RESPONSES + _ERRORS[status][0]} for status in _statuses(call)}


def error_responses(schemas: str) -> dict[str, Any]:
    """All that calls answer instead of data, by name."""
    return {name: _error_response(status, schemas) for status, (name, _) in _ERRORS.items()}


def _statuses(call: Operation) -> list[int]:
    """The statuses that a call may be answered with, besides the one of its success."""
    statuses = set(_ALWAYS)
    if "{id}" in call.path:
        statuses |= {404, 422}
    if call.query:
        statuses |= {400, 422}
    if call.method in ("POST", "PATCH"):
        statuses |= {400, 404, 409, 413, 422}
    if call.method == "DELETE":
        statuses.add(409)
    if call.status == 202:
        statuses.add(402)
    return sorted(statuses)


def _error_response(status: int, schemas: str) -> dict[str, Any]:
    headers = _rate_limit_headers()
    if status == 429:
        headers["Retry-After"] = {"schema": {"type": "integer", "minimum": 1}}
    schema = {"$ref": schemas + ErrorAnswer.__name__}
    return {
        "description": _ERRORS[status][1],
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _rate_limit_headers() -> dict[str, Any]:
    return {name: {"$ref": HEADERS + name} for name in RATE_LIMIT_HEADERS}
