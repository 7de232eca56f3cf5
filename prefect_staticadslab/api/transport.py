"""What every request of the client goes through: limits, time-outs, retries, and one parser."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from prefect_staticadslab import __version__, bounds
from prefect_staticadslab.api.connection import (
    ACCEPT_ENCODING,
    DEFAULT_BASE_URL,
    check_api_key,
    check_base_url,
    hash_api_key,
)
from prefect_staticadslab.api.connection.http_client import HTTPClient
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    NotFoundError,
    NotReachedError,
    OversizedAnswerError,
    PayloadTooLargeError,
    UnprocessableError,
)
from prefect_staticadslab.api.models import MAX_IDS_PER_READ, PAGE_SIZE, Job, Resource
from prefect_staticadslab.api.rate_limit import RateLimiter, RateLimitHeaders, Turn, shared_limiter
from prefect_staticadslab.api.responses.answer import Answer, answered_at, read_answer
from prefect_staticadslab.api.responses.api_clock import shared_clock
from prefect_staticadslab.api.responses.body import APIResponse, read_body
from prefect_staticadslab.api.responses.parsing import parse_list
from prefect_staticadslab.api.responses.redactor import Redactor
from prefect_staticadslab.api.retries.key_lock import KeyLock, shared_key_locks
from prefect_staticadslab.api.retries.policy import DEFAULT_MAX_TRIES, RetryPolicy
from prefect_staticadslab.api.retries.tries import retrying

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)
J = TypeVar("J", bound=Job)

OnSend: TypeAlias = Callable[[], Awaitable[None] | None]
"""Called before each sending; and once more after what it returns, which is awaited off turn."""

_sleep = asyncio.sleep

_REFUSED_BATCH: Final = (
    BadRequestError,
    NotFoundError,
    OversizedAnswerError,
    PayloadTooLargeError,
    UnprocessableError,
)
"""What a read of many ids may be answered because of one of them, or of their number."""


@dataclass(frozen=True)
class Upload:
    """A file in a multipart body.

    Attributes:
        filename: Its name, without folders.
        content: Its bytes.
        media_type: Such as `image/png`.
    """

    filename: str
    content: bytes
    media_type: str


class Transport:
    """Sends requests for `StaticAdsLabClient`, which knows what they are about."""

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        max_tries: int = DEFAULT_MAX_TRIES,
        connect_seconds: float = bounds.CONNECT_SECONDS,
        read_seconds: float = bounds.READ_SECONDS,
        create_read_seconds: float = bounds.CREATE_READ_SECONDS,
        limiter: RateLimiter | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        api_key = check_api_key(api_key)
        self.base_url = check_base_url(base_url)
        self.api_key_hash = hash_api_key(api_key)
        self.limiter = limiter or shared_limiter(self.base_url, self.api_key_hash)
        self._redactor = Redactor(api_key)
        self._max_tries = max_tries
        self._ids_per_read = MAX_IDS_PER_READ
        self._key_locks = shared_key_locks(self.base_url, self.api_key_hash)
        self._create_timeout = httpx.Timeout(create_read_seconds, connect=connect_seconds)
        self._timeout = httpx.Timeout(read_seconds, connect=connect_seconds)
        self._clock = shared_clock(self.base_url)
        self._http = HTTPClient(
            self.base_url,
            {
                "X-API-Key": api_key,
                "Accept": "application/json",
                "Accept-Encoding": ACCEPT_ENCODING,
                "User-Agent": f"prefect-staticadslab/{__version__}",
            },
            self._timeout,
            transport,
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def clock_ahead(self) -> timedelta:
        """How far the API's clock is ahead of ours."""
        return self._clock.ahead

    def now(self) -> datetime:
        """The time by the API's clock, as of its last answer; by ours before there was one."""
        return self._clock.now()

    async def ask_the_time(self) -> None:
        """Has the API say how late it is, if it has not yet. A refusal is an answer, too.

        Raises:
            StaticAdsLabError: It cannot be reached.
        """
        if not self._clock.is_known:
            with suppress(APIStatusError):
                await self._request("GET", "/v1/account")

    def key_lock(self, idempotency_key: str) -> KeyLock:
        """What keeps requests with this key apart; all clients of a process share it."""
        return self._key_locks.lock_for(idempotency_key)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _pages(
        self, kind: type[R], path: str, filters: Mapping[str, str | bool], *, strict: bool = False
    ) -> AsyncIterator[R]:
        """Reads a list page by page; raises if that does not end. See `list_resources`."""
        params: dict[str, str] = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in filters.items()
        }
        params["limit"] = str(PAGE_SIZE)
        size = 0
        for _ in range(bounds.PAGES):
            answer = await self._request("GET", path, params=params)
            size += answer.size
            if size > bounds.LIST_BYTES:
                break
            page = parse_list(kind, answer, strict=strict)
            for item in page:
                yield item
            last: str = getattr(page[-1], "id", "") if page else ""
            if not answer.has_more or not last or params.get("starting_after") == last:
                return
            params["starting_after"] = last
        raise OversizedAnswerError(
            f"The list {path} has no end: it was left after {bounds.PAGES:,} pages or "
            f"{bounds.LIST_BYTES:,} bytes",
            status=answer.status,
        )

    async def _read_many(self, kind: type[J], path: str, identifiers: Sequence[str]) -> list[J]:
        """Those of the jobs that the API answers, in the order of their ids."""
        ids = list(dict.fromkeys(identifiers))
        found: dict[str, J] = {}
        start = 0
        while start < len(ids):
            batch = ids[start : start + self._ids_per_read]
            jobs, _ = await self._read_batch(kind, path, batch)
            found |= {job.id: job for job in jobs}
            start += len(batch)
        return [found[i] for i in ids if i in found]

    async def _read_batch(self, kind: type[J], path: str, ids: list[str]) -> tuple[list[J], bool]:
        """Those of the jobs that the API answers, and whether it took all ids in one request.

        How many fit is not documented, so a request that is refused is cut in halves; and one bad
        id, or one huge tree, must not hide the others. Halves that are both taken show that there
        were too many ids, and from then on as many are sent.
        """
        try:
            answer = await self._request("GET", path + ",".join(encoded(i) for i in ids))
        except _REFUSED_BATCH:
            if len(ids) == 1:
                return [], False
            middle = len(ids) // 2
            first, first_fits = await self._read_batch(kind, path, ids[:middle])
            second, second_fits = await self._read_batch(kind, path, ids[middle:])
            if first_fits and second_fits:
                self._ids_per_read = min(self._ids_per_read, len(ids) - middle)
            return first + second, False
        return parse_list(kind, answer), True

    async def _delete(self, path: str) -> None:
        try:
            await self._request("DELETE", path)
        except NotFoundError as error:
            # If an earlier try was not answered, it was that one which deleted it.
            if not error.outcome_unknown:
                raise

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        upload: Upload | None = None,
        idempotency_key: str | None = None,
        is_create: bool = False,
        on_send: OnSend | None = None,
    ) -> Answer:
        """Sends a request until it is answered.

        Args:
            method, path, params: What to ask for.
            json: The body.
            form, upload: The body instead, as multipart.
            idempotency_key: See the API's guide; for POST and PATCH.
            is_create: Whether it begins a job; polls have a reserve of the limit beside these.
            on_send: What it raises keeps it from being sent; waiting for it takes no try.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        files, upload_seconds = None, 0.0
        if upload is not None:
            files = {"file": (upload.filename, upload.content, upload.media_type)}
            # One key stands for one body, so a repeat must be the same byte for byte: a boundary
            # that is drawn each time would make it another one.
            boundary = hashlib.sha256(upload.content).hexdigest()
            upload_seconds = len(upload.content) / bounds.UPLOAD_BYTES_PER_SECOND
            headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        try:
            request = self._http.build_request(
                *(method, path),
                params=params,
                json=json,
                data=form,
                files=files,
                headers=headers,
                timeout=self._create_timeout if idempotency_key else self._timeout,
            )
        except httpx.InvalidURL as error:
            raise self._no_answer(error, method, path) from None
        policy = RetryPolicy(
            self._max_tries,
            key_lock=self._key_locks.lock_for(idempotency_key) if idempotency_key else None,
            upload_seconds=upload_seconds,
        )
        async for this_try in retrying(policy):
            with this_try:
                async with self._turn(policy, on_send, create=is_create) as turn:
                    policy.note_sent()
                    seconds = bounds.REQUEST_SECONDS + upload_seconds
                    answer = await self._send_once(request, path, turn, seconds)
                policy.note_ended()
                told = answer.status, answer.request_id
                logger.debug("%s %s: %s, request %s", method, path, *told)
                return answer
        raise AssertionError("a retry loop ends with an answer or an error")

    @asynccontextmanager
    async def _turn(
        self, policy: RetryPolicy, on_send: OnSend | None, *, create: bool
    ) -> AsyncIterator[Turn]:
        """A turn at the rate limit; when it comes, neither lock nor `on_send` is in its way."""
        while True:
            if delay := policy.delay():
                await _sleep(delay)
            first = None
            async with self.limiter.turn(create=create) as turn:
                turn.not_sent = True
                if not policy.delay() and (on_send is None or (first := on_send()) is None):
                    turn.not_sent = False
                    yield turn
                    return
            if first is not None:
                await first

    async def _send_once(
        self, request: httpx.Request, path: str, turn: Turn, seconds: float
    ) -> Answer:
        """Sends a request, and reads what comes within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.send(request)
                turn.note_answer(
                    RateLimitHeaders.parse(response.headers),
                    refused=response.status_code == httpx.codes.TOO_MANY_REQUESTS,
                )
                content = await read_body(response)
        except TimeoutError:
            raise APITimeoutError(
                f"{request.method} {self._shown(path)} was not answered in full within "
                f"{seconds:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`: httpx's error holds the request, and that the key.
            raise self._no_answer(error, request.method, path) from None
        answer = APIResponse.parse(response, content, self._redactor)
        self._clock.note_time(answered_at(answer))
        return read_answer(answer)

    def _no_answer(self, error: Exception, method: str, path: str) -> APIConnectionError:
        """What an httpx error amounts to, without the request in it, which holds the key."""
        kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
            kind = NotReachedError
        text = self._redactor.redact(str(error))[: bounds.HEADER_LENGTH]
        reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        return kind(f"{method} {self._shown(path)} got no answer ({reason})")

    def _shown(self, path: str) -> str:
        """A path for a message."""
        return self._redactor.redact(path.partition("?")[0])[: bounds.HEADER_LENGTH]


def encoded(identifier: str) -> str:
    """An id as a part of a path."""
    return quote(identifier, safe="")
