"""From an HTTP response to what it says: the envelope, or a typed error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import (
    BILLING_URL,
    ErrorDetail,
    InsufficientBalanceError,
    StaticAdsLabError,
    UnreadableAnswerError,
    error_class,
)
from prefect_staticadslab.api.models import in_utc
from prefect_staticadslab.api.rate_limit import RateLimitHeaders
from prefect_staticadslab.api.responses.body import APIResponse

_TELLING_WITHOUT_A_BODY = (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.TOO_MANY_REQUESTS)
"""A proxy's page or JSON with any other status says nothing of the request, and is tried again."""

_TOPS: Final = {"data", "deleted", "results"}
"""What an answer has at its top: the envelope's `data`; and two endpoints answer without it."""

_TOP_UP: Final = ("top_up_url", "topUpUrl", "topup_url")

_URL: Final = re.compile(r"https://[\w.~:/?#@!$&*+,;=%-]{1,180}[\w/=#&-]", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """A successful answer without its envelope; `size` is that of its body, in bytes."""

    data: Any
    has_more: bool
    replayed: bool
    status: int
    request_id: str | None
    size: int


def read_answer(response: APIResponse) -> Answer:
    """What a response says.

    Raises:
        APIStatusError: It says no; the type is by its status.
        UnreadableAnswerError: It does not speak the API's language.
    """
    body = response.body if isinstance(response.body, dict) else {}
    meta = body.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    told = _text(meta.get("request_id"), bounds.HEADER_LENGTH)
    request_id = told or response.header("x-request-id") or None
    is_empty = response.status == httpx.codes.NO_CONTENT
    if is_empty or (response.http.is_success and _TOPS & body.keys()):
        return Answer(
            data=body.get("data", body),
            has_more=bool(body.get("has_more", meta.get("has_more", False))),
            replayed=_is_replayed(response),
            status=response.status,
            request_id=request_id,
            size=response.size,
        )
    raise _error(response, body.get("error"), request_id)


def _text(value: object, at_most: int = bounds.TEXT_LENGTH) -> str:
    """A text of the API; nothing for what is none."""
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text[:at_most]


def told_time(response: APIResponse) -> datetime | None:
    """When the API answered, by its own clock; None if what answered does not say that as it does.

    A proxy's page may be of any age.
    """
    meta = response.body.get("meta") if isinstance(response.body, dict) else None
    return _moment(meta.get("timestamp")) if isinstance(meta, dict) else None


def _moment(text: object) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(str(text)))
    except ValueError:
        return None


def _error(response: APIResponse, error: Any, request_id: str | None) -> StaticAdsLabError:
    """The error that a refusal is, with what its body says of it, each part cut to its bound."""
    if not isinstance(error, dict):
        if response.status not in _TELLING_WITHOUT_A_BODY:
            return _unreadable(response, request_id)
        error = {}
    if response.http.is_success:
        return _unreadable(response, request_id)
    code = _text(error.get("code"), bounds.HEADER_LENGTH)
    message = _text(error.get("message")) or response.reason
    details = error.get("details")
    failure = error_class(response.status, code)(
        message,
        status=response.status,
        code=code,
        details=tuple(
            ErrorDetail(_text(d.get("field"), bounds.HEADER_LENGTH), _text(d.get("message")))
            for d in (details if isinstance(details, list) else [])[: bounds.DETAILS]
            if isinstance(d, dict)
        ),
        request_id=request_id,
        retry_after=RateLimitHeaders.parse(response.http.headers).retry_after,
        replayed=_is_replayed(response),
    )
    if isinstance(failure, InsufficientBalanceError):
        failure.top_up_url = _top_up_url(error, message)
    return failure


def _top_up_url(error: Mapping[str, Any], message: str) -> str:
    """Where the API says that the wallet is topped up; the places are the vendor's cookbook's."""
    details = error.get("details")
    told = [
        where.get(name) for where in (error, details) if isinstance(where, dict) for name in _TOP_UP
    ]
    urls = (_URL.search(text) for text in (*told, message) if isinstance(text, str))
    return next((url[0] for url in urls if url), BILLING_URL)


def _is_replayed(response: APIResponse) -> bool:
    return response.header("idempotent-replayed").lower() == "true"


def _unreadable(response: APIResponse, request_id: str | None) -> UnreadableAnswerError:
    kind = response.header("content-type").partition(";")[0] or "no content type"
    request = f", request {request_id}" if request_id else ""
    return UnreadableAnswerError(
        f"The answer was not the API's JSON, perhaps a proxy's ({response.status}, {kind}"
        f"{request})",
        status=response.status,
        request_id=request_id,
    )
