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

_TOP_UP_FIELDS: Final = ("top_up_url", "topUpUrl", "topup_url")

_HTTPS_URL: Final = re.compile(r"https://[\w.~:/?#@!$&*+,;=%-]{1,180}[\w/=#&-]", re.ASCII)


@dataclass(frozen=True)
class Answer:
    """A successful answer without its envelope.

    Attributes:
        data: What the envelope holds; the whole body, if that has none.
        has_more: Whether a list goes on after this page.
        replayed: Whether this is the answer that an earlier request with the same key had.
        status: The HTTP status.
        request_id: What support asks for; None if the answer has none.
        size: The bytes of the body.
    """

    data: Any
    has_more: bool
    replayed: bool
    status: int
    request_id: str | None
    size: int


def read_answer(response: APIResponse) -> Answer:
    """What a successful response says.

    Raises:
        APIStatusError: It says no; the type is by its status.
        UnreadableAnswerError: It is not the API's JSON.
    """
    body = response.body if isinstance(response.body, dict) else {}
    meta = body.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    in_body = _bounded_text(meta.get("request_id"), bounds.HEADER_LENGTH)
    request_id = in_body or response.header("x-request-id") or None
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
    raise _refusal_error(response, body.get("error"), request_id)


def _bounded_text(value: object, at_most: int = bounds.TEXT_LENGTH) -> str:
    """A field of the API's as text, cut to so many characters; empty for null."""
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text[:at_most]


def answered_at(response: APIResponse) -> datetime | None:
    """When the API answered, by its own clock; None if there is no time in an envelope, or that of
    an earlier request's answer.

    Only the API puts it there: a proxy's page may be of any age.
    """
    if _is_replayed(response):
        return None
    meta = response.body.get("meta") if isinstance(response.body, dict) else None
    return _parse_moment(meta.get("timestamp")) if isinstance(meta, dict) else None


def _parse_moment(text: object) -> datetime | None:
    """An ISO 8601 time, in UTC if it names no zone; None for anything else."""
    try:
        return in_utc(datetime.fromisoformat(str(text)))
    except ValueError:
        return None


def _refusal_error(response: APIResponse, error: Any, request_id: str | None) -> StaticAdsLabError:
    """The error for a response that is no successful answer, to be raised.

    Args:
        response: The response.
        error: The `error` of its body: an object where it is a refusal of the API's, whose texts
            are taken over, each cut to its bound; else None or nonsense.
        request_id: What support asks for.
    """
    if not isinstance(error, dict):
        if response.status not in _TELLING_WITHOUT_A_BODY:
            return _unreadable_error(response, request_id)
        error = {}
    if response.http.is_success:
        return _unreadable_error(response, request_id)
    code = _bounded_text(error.get("code"), bounds.HEADER_LENGTH)
    message = _bounded_text(error.get("message")) or response.reason
    failure = error_class(response.status, code)(
        message,
        status=response.status,
        code=code,
        details=_error_details(error.get("details")),
        request_id=request_id,
        retry_after=RateLimitHeaders.parse(response.http.headers).retry_after,
        replayed=_is_replayed(response),
    )
    if isinstance(failure, InsufficientBalanceError):
        failure.top_up_url = _top_up_url(error, message)
    return failure


def _error_details(entries: object) -> tuple[ErrorDetail, ...]:
    """The entries of an error's `details` that are objects, of the first `bounds.DETAILS`."""
    return tuple(
        ErrorDetail(
            _bounded_text(entry.get("field"), bounds.HEADER_LENGTH),
            _bounded_text(entry.get("message")),
        )
        for entry in (entries if isinstance(entries, list) else [])[: bounds.DETAILS]
        if isinstance(entry, dict)
    )


def _top_up_url(error: Mapping[str, Any], message: str) -> str:
    """Where the wallet is topped up: the first https address in the fields that the vendor's
    cookbook names, or in the message; else `BILLING_URL`."""
    details = error.get("details")
    told = [
        place.get(name)
        for place in (error, details)
        if isinstance(place, dict)
        for name in _TOP_UP_FIELDS
    ]
    urls = (_HTTPS_URL.search(text) for text in (*told, message) if isinstance(text, str))
    return next((url[0] for url in urls if url), BILLING_URL)


def _is_replayed(response: APIResponse) -> bool:
    """Whether the API answers as it did to an earlier request with the same idempotency key."""
    return response.header("idempotent-replayed").lower() == "true"


def _unreadable_error(response: APIResponse, request_id: str | None) -> UnreadableAnswerError:
    """The error for a body that is not the API's JSON; its message names status and media type."""
    kind = response.header("content-type").partition(";")[0] or "no content type"
    request = f", request {request_id}" if request_id else ""
    return UnreadableAnswerError(
        f"The answer was not the API's JSON, perhaps a proxy's ({response.status}, {kind}"
        f"{request})",
        status=response.status,
        request_id=request_id,
    )
