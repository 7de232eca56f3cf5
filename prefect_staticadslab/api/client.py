"""The client: a method per endpoint, and one place through which every request goes."""

from __future__ import annotations

import asyncio
import json as json_module
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
import httpx_sse

from prefect_staticadslab._version import __version__
from prefect_staticadslab.api.answers import Answer, parse, parse_list, read_answer
from prefect_staticadslab.api.connection import (
    DEFAULT_BASE_URL,
    check_api_key,
    check_base_url,
    key_id,
)
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    APITimeoutError,
    BadRequestError,
    NotFoundError,
)
from prefect_staticadslab.api.events import (
    HEARTBEAT_SECONDS,
    Complete,
    Failed,
    ImageAdEvent,
    parse_event,
)
from prefect_staticadslab.api.models import (
    ENDPOINTS,
    MAX_IDS_PER_READ,
    Account,
    CatalogueResource,
    CreatedImageAd,
    ImageAd,
    ImageAdRequest,
    Resource,
)
from prefect_staticadslab.api.rate_limit import RateLimiter, RateLimitHeaders, shared_limiter
from prefect_staticadslab.api.retries import DEFAULT_ATTEMPTS, RetryPolicy, retrying

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Resource)
C = TypeVar("C", bound=CatalogueResource)

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 30.0
"""A create is answered at once, with the job still to run; half a minute is a dead connection."""

REQUEST_SECONDS: Final = 90.0
"""A whole request; an answer that trickles in is never silent."""

CLOCKS_DIFFER: Final = timedelta(days=1)
"""A clock that is further from ours than this is none."""

PAGE_SIZE: Final = 100

REDACTED: Final = "sal_…"


class StaticAdsLabClient:
    """An asynchronous client of the Static Ads Lab API. Use it as an async context manager.

    Every request waits its turn at the key's rate limiter, has time-outs, and is repeated with the
    same idempotency key after 429, 5xx, time-outs, dropped connections and answers that are not
    JSON. What remains is raised as a `StaticAdsLabError` (see `prefect_staticadslab.api.errors`).

    Args:
        api_key: The key, `sal_…`.
        base_url: Where the API is.
        attempts: How often a request is sent at most; refusals with 429 do not count.
        connect_seconds: How long a connection may take.
        read_seconds: How long an answer may be silent.
        limiter: The rate limiter; by default the one that all clients of this process share for
            this key and base URL.
        transport: An httpx transport, for tests.

    Raises:
        APIConnectionError: A proxy or certificates that the environment names cannot be used.
        InvalidAPIKeyError, InvalidBaseURLError: See `prefect_staticadslab.api.connection`.

    Example:
        ```python
        import asyncio, os
        from prefect_staticadslab import StaticAdsLabClient

        async def main():
            async with StaticAdsLabClient(
                os.environ["SAL_API_KEY"], os.environ["SAL_BASE_URL"]
            ) as client:
                account = await client.get_account()
                print(account.organization_name)

        asyncio.run(main())
        ```
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        attempts: int = DEFAULT_ATTEMPTS,
        connect_seconds: float = CONNECT_SECONDS,
        read_seconds: float = READ_SECONDS,
        limiter: RateLimiter | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        api_key = check_api_key(api_key)
        self.base_url = check_base_url(base_url)
        self.limiter = limiter or shared_limiter(self.base_url, api_key)
        self.key_id = key_id(api_key)
        self._api_key = api_key
        self._attempts = attempts
        self.clock_ahead = timedelta(0)
        try:
            self._http = httpx.AsyncClient(
                base_url=self.base_url,
                headers={
                    "X-API-Key": api_key,
                    "Accept": "application/json",
                    "User-Agent": f"prefect-staticadslab/{__version__}",
                },
                timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
                transport=transport,
            )
        except (ImportError, OSError, ValueError) as error:
            # Proxies and certificates are taken from the environment.
            raise APIConnectionError(f"No HTTP client can be set up here: {error}") from None

    def __repr__(self) -> str:
        return f"StaticAdsLabClient(base_url={self.base_url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def now(self) -> datetime:
        """The time by the API's clock, as of its last answer; by ours before there was one."""
        return datetime.now(UTC) + self.clock_ahead

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    # The account

    async def get_account(self) -> Account:
        """Whose key this is, and its scopes."""
        return parse(Account, await self._request("GET", "/v1/account"))

    # Image ads

    async def create_image_ad(
        self,
        request: ImageAdRequest,
        *,
        idempotency_key: str | None = None,
        on_send: Callable[[], None] | None = None,
    ) -> CreatedImageAd:
        """Asks for an image ad; it starts as `processing`.

        Args:
            request: Which ad.
            idempotency_key: The same key and request within 24 hours give the same ad, however
                often they are sent. Without one, a key is drawn for this call.
            on_send: Called each time right before the request goes out, after the wait for the
                rate limit. What it raises keeps the request from being sent, and comes out here.

        Raises:
            InsufficientBalanceError: The wallet is empty.
            BadRequestError, NotFoundError, UnprocessableError: The request cannot succeed.
            StaticAdsLabError: See `prefect_staticadslab.api.errors`. After anything that is
                "retried" there, nobody knows whether the ad was created: ask again with the key.
        """
        answer = await self._request(
            "POST",
            "/v1/image-ads",
            json=request.body(),
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            is_create=True,
            on_send=on_send,
        )
        return CreatedImageAd(image_ad=parse(ImageAd, answer), replayed=answer.replayed)

    async def get_image_ad(self, image_ad_id: str) -> ImageAd:
        """One image ad as it is now.

        Raises:
            NotFoundError: There is none of this id.
        """
        return parse(ImageAd, await self._request("GET", f"/v1/image-ads/{_quoted(image_ad_id)}"))

    async def get_image_ads(self, image_ad_ids: Sequence[str]) -> list[ImageAd]:
        """Many image ads, up to 100 in one request.

        Returns:
            Those that the API answered, in any order and each once. One that it left out may
            exist all the same.
        """
        ids = list(dict.fromkeys(image_ad_ids))
        found: dict[str, ImageAd] = {}
        for start in range(0, len(ids), MAX_IDS_PER_READ):
            for ad in await self._read_batch(ids[start : start + MAX_IDS_PER_READ]):
                found[ad.id] = ad
        return [found[i] for i in ids if i in found]

    async def _read_batch(self, ids: list[str]) -> list[ImageAd]:
        # How many ids fit is not documented; and one bad id must not hide the others.
        try:
            answer = await self._request(
                "GET", "/v1/image-ads?ids=" + ",".join(_quoted(i) for i in ids)
            )
        except (BadRequestError, NotFoundError):
            if len(ids) == 1:
                return []
            middle = len(ids) // 2
            return [*await self._read_batch(ids[:middle]), *await self._read_batch(ids[middle:])]
        return parse_list(ImageAd, answer)

    def list_image_ads(self, **filters: str | bool) -> AsyncIterator[ImageAd]:
        """All image ads that match, page by page; one that makes no sense is an error here.

        Args:
            filters: `status`, `brand_id`, `product_id`, `product_variant_id`,
                `design_template_id`, `batch_id`, `editable`, `sku_code`.
        """
        return self._pages(ImageAd, "/v1/image-ads", filters)

    async def stream_image_ad(self, image_ad_id: str) -> AsyncIterator[ImageAdEvent]:
        """The events of a running job, until it ends or the stream does.

        An answer that is the ad itself and no stream, as a finished one may give, becomes the
        event that it amounts to.

        Raises:
            APIConnectionError: The stream dropped; `APITimeoutError` if it was silent for more
                than two heartbeats.
            StaticAdsLabError: The stream was refused.
        """
        # A stream that was opened once is not reopened here: its watcher decides what to do.
        request = self._http.build_request(
            "GET",
            f"/v1/image-ads/{_quoted(image_ad_id)}",
            headers={"Accept": "text/event-stream", "Cache-Control": "no-store"},
            timeout=httpx.Timeout(2 * HEARTBEAT_SECONDS + 1, connect=CONNECT_SECONDS),
        )
        try:
            async with self.limiter.turn() as turn:
                response = await self._http.send(request, stream=True)
                turn.answered(
                    RateLimitHeaders.parse(response.headers),
                    refused=response.status_code == httpx.codes.TOO_MANY_REQUESTS,
                )
            try:
                kind = response.headers.get("content-type", "")
                if response.is_success and "text/event-stream" in kind:
                    async for sse in httpx_sse.EventSource(response).aiter_sse():
                        event = parse_event(sse.event, sse.data)
                        if event is not None:
                            yield event
                        if isinstance(event, Complete | Failed):
                            return
                    return
                await response.aread()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise _connection_error(error, "GET", request.url.path) from None
        ad = parse(ImageAd, self._read(response))
        if ad.is_completed:
            yield Complete(ad.id)
        elif ad.is_failed:
            yield Failed(*_reason(ad))

    # The catalogue

    async def get_resource(self, kind: type[C], identifier: str) -> C:
        """One `Brand`, `Product`, `ProductVariant`, `Audience` or `DesignTemplate`.

        Raises:
            NotFoundError: There is none of this id.
        """
        path = f"{ENDPOINTS[kind]}/{_quoted(identifier)}"
        return parse(kind, await self._request("GET", path))

    def list_resources(self, kind: type[C], **filters: str) -> AsyncIterator[C]:
        """All resources of a kind that match, page by page.

        Args:
            kind: `Brand`, `Product`, `ProductVariant`, `Audience` or `DesignTemplate`.
            filters: `brand_id` for products; `product_id` for product variants and audiences;
                `status`, `industry`, `ad_format` and `ids` for design templates.
        """
        return self._pages(kind, ENDPOINTS[kind], filters)

    async def _pages(
        self, kind: type[R], path: str, filters: Mapping[str, str | bool]
    ) -> AsyncIterator[R]:
        params: dict[str, str] = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in filters.items()
        }
        params["limit"] = str(PAGE_SIZE)
        while True:
            answer = await self._request("GET", path, params=params)
            page = parse_list(kind, answer, strict=kind is ImageAd)
            for item in page:
                yield item
            last: str = getattr(page[-1], "id", "") if page else ""
            if not answer.has_more or not last or params.get("starting_after") == last:
                return
            params["starting_after"] = last

    # Every request

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        idempotency_key: str | None = None,
        is_create: bool = False,
        on_send: Callable[[], None] | None = None,
    ) -> Answer:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        policy = RetryPolicy(self._attempts)
        async for attempt in retrying(policy):
            with attempt:
                async with self.limiter.turn(create=is_create) as turn:
                    if on_send is not None:
                        try:
                            on_send()
                        except BaseException:
                            turn.not_sent = True
                            raise
                    try:
                        async with asyncio.timeout(REQUEST_SECONDS):
                            response = await self._http.request(
                                method, path, params=params, json=json, headers=headers
                            )
                    except TimeoutError:
                        raise APITimeoutError(
                            f"{method} {path.partition('?')[0]} was not answered in full within "
                            f"{REQUEST_SECONDS:g} s"
                        ) from None
                    except httpx.HTTPError as error:
                        # `from None`: httpx's error holds the request, and that the key.
                        raise _connection_error(error, method, path) from None
                    turn.answered(
                        RateLimitHeaders.parse(response.headers),
                        refused=response.status_code == httpx.codes.TOO_MANY_REQUESTS,
                    )
                answer = self._read(response)
                self._set_clock(answer.sent_at)
                logger.debug(
                    "%s %s: %s, request %s", method, path, answer.status, answer.request_id
                )
                return answer
        raise AssertionError("a retry loop ends with an answer or an error")

    def _set_clock(self, sent_at: datetime | None) -> None:
        if sent_at is not None:
            ahead = sent_at - datetime.now(UTC)
            if abs(ahead) <= CLOCKS_DIFFER:
                self.clock_ahead = ahead

    def _read(self, response: httpx.Response) -> Answer:
        """The envelope of an answer, or the error that it amounts to.

        What comes back goes into logs and tables, so a key that is quoted in it is blotted out.
        """
        content = response.content.replace(self._api_key.encode(), REDACTED.encode())
        try:
            body = json_module.loads(content)
        except (ValueError, RecursionError):
            body = None
        return read_answer(response, body)


def _quoted(identifier: str) -> str:
    return quote(identifier, safe="")


def _connection_error(error: httpx.HTTPError, method: str, path: str) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    path = path.partition("?")[0]
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return kind(f"{method} {path} got no answer ({reason})")


def _reason(ad: ImageAd) -> tuple[str, str]:
    return (ad.error.code, ad.error.message) if ad.error else ("", "")
