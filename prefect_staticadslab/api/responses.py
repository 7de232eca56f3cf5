"""From an HTTP response to what it says: the envelope, a resource, or a typed error."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import httpx
import pydantic

from prefect_staticadslab import bounds
from prefect_staticadslab.api.connection import unbounded_encoding
from prefect_staticadslab.api.errors import (
    ErrorDetail,
    OversizedAnswerError,
    StaticAdsLabError,
    UnreadableAnswerError,
    error_class,
)
from prefect_staticadslab.api.models import Resource, in_utc
from prefect_staticadslab.api.rate_limit import RateLimitHeaders

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)

_TELLING_WITHOUT_A_BODY = (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.TOO_MANY_REQUESTS)
"""A proxy's page or JSON with any other status says nothing of the request, and is tried again."""

REDACTED: Final = "sal_…"

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{}[]"))
_JSON_STRING: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
"""It always matches where it begins, even without an end, so that the search is never repeated."""


class Redactor:
    """Blots out a key in what comes back, because that goes into logs and tables.

    Example:
        ```python
        from prefect_staticadslab.api.responses import Redactor

        redactor = Redactor("sal_live_x")
        assert redactor.text("sal_live_x may not") == "sal_… may not"
        assert redactor.json('["\\u0073al_live_x"]') == '["sal_…"]'
        ```
    """

    def __init__(self, key: str) -> None:
        self._key = key
        special = {character for character in key if character in '"\\/'}
        # Only a key that is spelled with escapes needs the slow search.
        escapes = [r"u00[2-7]", *map(re.escape, special)]
        self._escape = re.compile(rf"\\(?:{'|'.join(escapes)})")
        self._escaped = re.compile("".join(map(_spellings, key)))

    def text(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._key, REDACTED)

    def json(self, text: str) -> str:
        """JSON without the key, however it is spelled there."""
        text = self.text(text)
        return self._escaped.sub(REDACTED, text) if self._escape.search(text) else text


def _spellings(character: str) -> str:
    """A pattern of what stands for a character in a JSON string."""
    escaped = rf"|\\{re.escape(character)}" if character in '"\\/' else ""
    return rf"(?:{re.escape(character)}|(?i:\\u{ord(character):04x}){escaped})"


@dataclass(frozen=True)
class APIResponse:
    """An answer as it came, without the key: all texts of it are taken from here.

    Attributes:
        http: It as httpx has it.
        body: Its JSON, or None if it has none.
        size: The bytes of its body.
    """

    http: httpx.Response
    body: Any
    size: int
    redactor: Redactor

    @classmethod
    def of(cls, response: httpx.Response, content: bytes, redactor: Redactor) -> APIResponse:
        """The response with this body."""
        try:
            body = load_json(redactor.json(content.decode("utf-8-sig")))
        except ValueError:
            body = None
        return cls(response, body, len(content), redactor)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.http.status_code

    @property
    def reason(self) -> str:
        """What stands after the status."""
        return self.redactor.text(self.http.reason_phrase)[: bounds.HEADER_LENGTH]

    def header(self, name: str) -> str:
        """A header, or an empty text."""
        text: str = self.http.headers.get(name, "")
        return self.redactor.text(text)[: bounds.HEADER_LENGTH]


def load_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: It is none, or nested deeper than `JSON_DEPTH`, or has too long a number.

    Example:
        ```python
        from prefect_staticadslab.api.responses import load_json

        assert load_json('{"id": "ia_1"}') == {"id": "ia_1"}
        ```
    """
    brackets = text.count("[") + text.count("{")
    if brackets > bounds.JSON_DEPTH and _is_too_deep(text.encode(errors="replace")):
        raise ValueError(f"JSON that is nested more than {bounds.JSON_DEPTH} deep")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def _is_too_deep(text: bytes) -> bool:
    """Takes the innermost pairs of brackets away, layer by layer, and sees what is left."""
    if _layers_left(text):
        # Brackets within strings are no layers; they are rare, and the search for them is slow.
        return bool(_layers_left(_JSON_STRING.sub(b"", text)))
    return False


def _layers_left(text: bytes) -> bytes:
    brackets = text.translate(_BRACKETS, _NO_BRACKETS)
    for left in range(bounds.JSON_DEPTH, 0, -1):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets) or b"[" * left in shorter:
            break
        brackets = shorter
    return brackets


async def body_pieces(response: httpx.Response, at_most: int) -> AsyncGenerator[bytes, None]:
    """A body in pieces, decompressed.

    Args:
        response: The answer, as a stream.
        at_most: How many bytes it may have.

    Raises:
        OversizedAnswerError: It has more.
        UnreadableAnswerError: It is compressed in a way that may fill the memory.
    """
    status, size = response.status_code, 0
    if encoding := unbounded_encoding(response):
        raise UnreadableAnswerError(
            f"The answer is compressed in a way that is not read ({status}, "
            f"{len(encoding.split(','))} encodings)",
            status=status,
        )
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > at_most:
            raise OversizedAnswerError(
                f"The answer has more than {at_most:,} bytes, and was not read ({status})",
                status=status,
            )
        yield piece


async def read_body(response: httpx.Response) -> bytes:
    """The body of an answer of the API, of at most `ANSWER_BYTES`; closes the response.

    Raises:
        UnreadableAnswerError: See `body_pieces`.
    """
    try:
        async with aclosing(body_pieces(response, bounds.ANSWER_BYTES)) as pieces:
            return b"".join([piece async for piece in pieces])
    finally:
        await response.aclose()


_ODD_ITEMS_LOGGED: Final = 3


@dataclass(frozen=True)
class Answer:
    """A successful answer without its envelope; `size` is that of its body, in bytes."""

    data: Any
    has_more: bool
    replayed: bool
    status: int
    request_id: str | None
    sent_at: datetime | None
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
    if is_empty or (response.http.is_success and "data" in body):
        return Answer(
            data=body.get("data"),
            has_more=bool(body.get("has_more", meta.get("has_more", False))),
            replayed=_is_replayed(response),
            status=response.status,
            request_id=request_id,
            sent_at=_moment(meta.get("timestamp")),
            size=response.size,
        )
    raise _error(response, body.get("error"), request_id)


def _text(value: object, at_most: int = bounds.TEXT_LENGTH) -> str:
    """A text of the API; nothing for what is none."""
    text = value if isinstance(value, str) else "" if value is None else repr(value)
    return text[:at_most]


def _moment(text: object) -> datetime | None:
    try:
        return in_utc(datetime.fromisoformat(str(text)))
    except ValueError:
        return None


def _error(response: APIResponse, error: Any, request_id: str | None) -> StaticAdsLabError:
    if not isinstance(error, dict):
        if response.status not in _TELLING_WITHOUT_A_BODY:
            return _unreadable(response, request_id)
        error = {}
    if response.http.is_success:
        return _unreadable(response, request_id)
    code = _text(error.get("code"), bounds.HEADER_LENGTH)
    details = error.get("details")
    return error_class(response.status, code)(
        _text(error.get("message")) or response.reason,
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
    odd = 0
    for item in answer.data:
        try:
            items.append(kind.model_validate(item))
        except pydantic.ValidationError as error:
            if strict:
                raise _misshapen(kind, answer, error) from None
            odd += 1
            if odd <= _ODD_ITEMS_LOGGED:
                logger.warning("%s", _misshapen(kind, answer, error))
    if odd > _ODD_ITEMS_LOGGED:
        logger.warning("So it is with %d items of this list", odd)
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
