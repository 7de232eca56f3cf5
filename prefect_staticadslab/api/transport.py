"""What every request of the client goes through: limits, time-outs, retries, and one parser."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
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
from prefect_staticadslab.api.connection.upload import Upload
from prefect_staticadslab.api.errors import (
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    NotFoundError,
    OversizedAnswerError,
    PayloadTooLargeError,
    UnprocessableError,
)
from prefect_staticadslab.api.models import MAX_IDS_PER_READ, PAGE_SIZE, Job, Resource
from prefect_staticadslab.api.rate_limit import RateLimiter, RateLimitHeaders, Turn, shared_limiter
from prefect_staticadslab.api.responses.answer import Answer, answered_at, read_answer
from prefect_staticadslab.api.responses.api_clock import shared_clock
from prefect_staticadslab.api.responses.body import APIResponse, read_body
from prefect_staticadslab.api.responses.no_answer import connection_error
from prefect_staticadslab.api.responses.parsing import parse_list
from prefect_staticadslab.api.responses.redactor import Redactor
from prefect_staticadslab.api.retries.key_lock import KeyLock, shared_key_locks
from prefect_staticadslab.api.retries.policy import DEFAULT_MAX_TRIES, RetryPolicy
from prefect_staticadslab.api.retries.tries import retrying

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)
J = TypeVar("J", bound=Job)

OnSend: TypeAlias = Callable[[], Awaitable[None] | None]
"""Called right before each sending. What it raises keeps the request from being sent. If it returns
something, the turn at the rate limit is given up, that is awaited, and it is called again."""

_sleep = asyncio.sleep

_REFUSED_BATCH: Final = (
    BadRequestError,
    NotFoundError,
    OversizedAnswerError,
    PayloadTooLargeError,
    UnprocessableError,
)
"""What a read of many ids may be answered because of one of them, or of their number."""


class Transport:
    """Sends requests for `StaticAdsLabClient`, which knows the endpoints; its arguments are there.

    Attributes:
        base_url: Where the API is.
        api_key_hash: What stands for the key, which itself is not kept; see `hash_api_key`.
        limiter: Whose turns all requests wait for.
    """

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
        # How many ids one request takes, as far as answers have shown it.
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

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def clock_ahead(self) -> timedelta:
        """How far the API's clock is ahead of ours."""
        return self._clock.ahead

    def now(self) -> datetime:
        """The time by the API's clock, as of its last answer; by ours before there was one."""
        return self._clock.now()

    async def ask_the_time(self) -> None:
        """Asks for the account, if the API has not yet said how late it is, so that `now` goes by
        its clock. A refusal says that, too.

        Raises:
            StaticAdsLabError: It cannot be reached.
        """
        if not self._clock.is_known:
            with suppress(APIStatusError):
                await self._request("GET", "/v1/account")

    def key_lock(self, idempotency_key: str) -> KeyLock:
        """What keeps requests with this key apart: one lock for all clients of this process, made
        when it is first asked for."""
        return self._key_locks.lock_for(idempotency_key)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _list_items(
        self, kind: type[R], path: str, filters: Mapping[str, str | bool], *, strict: bool = False
    ) -> AsyncIterator[R]:
        """Reads a list page by page, and yields its items. See `list_resources`.

        Args:
            kind, strict: See `parse_list`.
            path: The list's endpoint.
            filters: Parameters of the query.

        Raises:
            OversizedAnswerError: The list has more than `bounds.PAGES` or `bounds.LIST_BYTES`.
        """
        params: dict[str, str] = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in filters.items()
        } | {"limit": str(PAGE_SIZE)}
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
        """Those of the jobs that the API answers, each once, in the order of `identifiers`.

        `path` is all of the address up to the ids.
        """
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
        """Reads jobs of `ids` in one request, or in halves and so on if that is refused.

        How many fit is not documented, so a request that is refused is cut in halves; and one bad
        id, or one huge tree, must not hide the others. Halves that are both taken show that there
        were too many ids, and `_ids_per_read` becomes as many as a half has.

        Returns:
            Those of the jobs that the API answers, and whether it took all ids in one request.
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
        """Deletes what is at a path.

        Raises:
            NotFoundError: Nothing is there, and no earlier try can have deleted it.
        """
        try:
            await self._request("DELETE", path)
        except NotFoundError as error:
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
        """Sends a request, again and again after errors that may pass, until it is answered.

        Args:
            method, path, params: What to ask for.
            json: The body.
            form, upload: The body instead, as multipart.
            idempotency_key: See the API's guide; for POST and PATCH.
            is_create: Whether it begins a job, and leaves a part of the rate limit to reads.
            on_send: See `OnSend`; waiting for it takes no try.

        Returns:
            The successful answer.

        Raises:
            StaticAdsLabError: The last try's error, or one that no other try can help.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        if upload is not None:
            headers["Content-Type"] = upload.content_type
        try:
            request = self._http.build_request(
                *(method, path),
                params=params,
                json=json,
                data=form,
                files=upload.files if upload else None,
                headers=headers,
                timeout=self._create_timeout if idempotency_key else self._timeout,
            )
        except httpx.InvalidURL as error:
            raise connection_error(error, method, path, self._redactor) from None
        upload_seconds = upload.seconds if upload else 0.0
        policy = RetryPolicy(
            self._max_tries,
            key_lock=self._key_locks.lock_for(idempotency_key) if idempotency_key else None,
            upload_seconds=upload_seconds,
        )
        async for this_try in retrying(policy):
            with this_try:
                async with self._turn_to_send(policy, on_send, create=is_create) as turn:
                    policy.note_sent()
                    seconds = bounds.REQUEST_SECONDS + upload_seconds
                    answer = await self._send_once(request, path, turn, seconds)
                policy.note_ended()
                logged = method, path, answer.status, answer.request_id
                logger.debug("%s %s: %s, request %s", *logged)
                return answer
        raise AssertionError("a retry loop ends with an answer or an error")

    @asynccontextmanager
    async def _turn_to_send(
        self, policy: RetryPolicy, on_send: OnSend | None, *, create: bool
    ) -> AsyncIterator[Turn]:
        """Waits for a turn at the rate limit in which the key's lock allows the request, and calls
        `on_send` in it; if that has something to await, or the lock does not, for another turn."""
        while True:
            if delay := policy.delay():
                await _sleep(delay)
            not_yet = None
            async with self.limiter.turn(create=create) as turn:
                turn.not_sent = True
                if not policy.delay() and (on_send is None or (not_yet := on_send()) is None):
                    turn.not_sent = False
                    yield turn
                    return
            if not_yet is not None:
                await not_yet

    async def _send_once(
        self, request: httpx.Request, path: str, turn: Turn, seconds: float
    ) -> Answer:
        """Sends a request, reads its answer, and tells the turn and the API's clock what it says.

        Raises:
            APITimeoutError: It is not there in full within so many seconds.
            StaticAdsLabError: There is none, or it is no successful one.
        """
        asked_at = datetime.now(UTC)
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
                f"{request.method} {self._redactor.redact_path(path)} was not answered in full "
                f"within {seconds:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # `from None`: httpx's error holds the request, and that the key.
            raise connection_error(error, request.method, path, self._redactor) from None
        answer = APIResponse.parse(response, content, self._redactor)
        self._clock.note_time(answered_at(answer), asked_at)
        return read_answer(answer)


def encoded(identifier: str) -> str:
    """An id as a part of a path or a query, percent-encoded; slashes, too."""
    return quote(identifier, safe="")
