"""From an HTTP response to what it says: the envelope, a resource, or a typed error."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import httpx
import pydantic

from prefect_staticadslab.api.errors import (
    ErrorDetail,
    StaticAdsLabError,
    UnreadableAnswerError,
    error_class,
)
from prefect_staticadslab.api.fields import Resource, in_utc
from prefect_staticadslab.api.rate_limit import RateLimitHeaders

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)

_TELLING_WITHOUT_A_BODY = (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.TOO_MANY_REQUESTS)
"""A proxy's page or JSON with any other status says nothing of the request, and is tried again."""


@dataclass(frozen=True)
class Answer:
    """A successful answer without its envelope."""

    data: Any
    has_more: bool
    replayed: bool
    status: int
    request_id: str | None
    sent_at: datetime | None


def read_answer(response: httpx.Response, body: Any) -> Answer:
    """What a response says; `body` is its JSON, or None if it has none.

    Raises:
        APIStatusError: It says no; the type is by its status.
        UnreadableAnswerError: It does not speak the API's language.
    """
    meta = body.get("meta") if isinstance(body, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    request_id = meta.get("request_id") or response.headers.get("x-request-id")
    request_id = None if request_id is None else str(request_id)
    is_empty = response.status_code == httpx.codes.NO_CONTENT
    if is_empty or (response.is_success and isinstance(body, dict) and "data" in body):
        body = body if isinstance(body, dict) else {}
        return Answer(
            data=body.get("data"),
            has_more=bool(body.get("has_more", meta.get("has_more", False))),
            replayed=_is_replayed(response),
            status=response.status_code,
            request_id=request_id,
            sent_at=_moment(meta.get("timestamp")),
        )
    raise _error(response, body, request_id)


def _moment(text: object) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(str(text)))
    except ValueError:
        return None


def _error(response: httpx.Response, body: Any, request_id: str | None) -> StaticAdsLabError:
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        if response.status_code not in _TELLING_WITHOUT_A_BODY:
            return _unreadable(response.status_code, request_id, response)
        error = {}
    if response.is_success:
        return _unreadable(response.status_code, request_id, response)
    code = str(error.get("code") or "")
    details = error.get("details")
    return error_class(response.status_code, code)(
        str(error.get("message") or response.reason_phrase),
        status=response.status_code,
        code=code,
        details=tuple(
            ErrorDetail(str(d.get("field") or ""), str(d.get("message") or ""))
            for d in (details if isinstance(details, list) else [])
            if isinstance(d, dict)
        ),
        request_id=request_id,
        retry_after=RateLimitHeaders.parse(response.headers).retry_after,
        replayed=_is_replayed(response),
    )


def _is_replayed(response: httpx.Response) -> bool:
    told: str = response.headers.get("idempotent-replayed", "")
    return told.lower() == "true"


def _unreadable(
    status: int, request_id: str | None, response: httpx.Response
) -> UnreadableAnswerError:
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    request = f", request {request_id}" if request_id else ""
    return UnreadableAnswerError(
        f"The answer was not the API's JSON, perhaps a proxy's ({status}, {kind}{request})",
        status=status,
        request_id=request_id,
    )


def parse(kind: type[R], answer: Answer) -> R:
    """The resource that an answer carries.

    Raises:
        UnreadableAnswerError: It is none.
    """
    try:
        return kind.model_validate(answer.data)
    except pydantic.ValidationError as error:
        raise _misshapen(kind, answer, error) from None


def parse_list(kind: type[R], answer: Answer, *, strict: bool = False) -> list[R]:
    """The items that make sense; one that does not must not hide the others.

    Args:
        kind: What they should be.
        answer: The answer with the list.
        strict: Whether such an item is an error all the same, because what is left out would count
            as not there.

    Raises:
        UnreadableAnswerError: There is no list; or see `strict`.
    """
    if not isinstance(answer.data, list):
        raise UnreadableAnswerError(
            f"The API's list of {kind.__name__} is none", status=answer.status
        )
    items: list[R] = []
    for item in answer.data:
        try:
            items.append(kind.model_validate(item))
        except pydantic.ValidationError as error:
            if strict:
                raise _misshapen(kind, answer, error) from None
            logger.warning("%s", _misshapen(kind, answer, error))
    return items


def _misshapen(
    kind: type[Resource], answer: Answer, error: pydantic.ValidationError
) -> UnreadableAnswerError:
    fields = ", ".join(sorted({".".join(map(str, e["loc"])) or "data" for e in error.errors()}))
    request = f", request {answer.request_id}" if answer.request_id else ""
    return UnreadableAnswerError(
        f"The API's {kind.__name__} makes no sense to us: {fields} ({answer.status}{request})",
        status=answer.status,
        request_id=answer.request_id,
    )
