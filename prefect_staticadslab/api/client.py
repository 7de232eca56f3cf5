"""The client: a method per endpoint. Those of the catalogue are in `catalogue_client`."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

import httpx

from prefect_staticadslab import bounds
from prefect_staticadslab.api.catalogue_client import CatalogueClient
from prefect_staticadslab.api.events import (
    HEARTBEAT_SECONDS,
    Complete,
    Failed,
    ImageAdEvent,
    read_events,
)
from prefect_staticadslab.api.models import (
    MAX_FIGMA_BYTES,
    MAX_FIGMA_ITEMS,
    Account,
    CreatedImageAd,
    FigmaRender,
    FigmaSyncResult,
    ImageAd,
    ImageAdRequest,
    ImageAdVersion,
    JobRecord,
    JsonTree,
    figma_batches,
)
from prefect_staticadslab.api.rate_limit import RateLimitHeaders
from prefect_staticadslab.api.responses.answer import read_answer
from prefect_staticadslab.api.responses.body import APIResponse, body_pieces, read_body
from prefect_staticadslab.api.responses.no_answer import connection_error
from prefect_staticadslab.api.responses.parsing import parse, parse_list
from prefect_staticadslab.api.transport import OnSend, encoded


class StaticAdsLabClient(CatalogueClient):
    """An asynchronous client of the Static Ads Lab API. Use it as an async context manager.

    Every request waits its turn at the key's rate limiter, has time-outs, and is repeated with the
    same idempotency key after 429, 5xx, time-outs, dropped connections and answers that are not
    JSON. What remains is raised as a `StaticAdsLabError` (see `prefect_staticadslab.api.errors`).

    Args:
        api_key: The key, `sal_…`.
        base_url: Where the API is.
        max_tries: How often a request is sent at most; refusals with 429 do not count.
        connect_seconds: How long a connection may take.
        read_seconds: How long an answer may be silent.
        create_read_seconds: The same for requests with an idempotency key.
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

    finished_ads_stream = True
    """Whether the stream of a finished ad says so; `waiting.watch_image_ad` sets it to False once
    one did not."""

    # The account

    async def get_account(self) -> Account:
        """Asks the API whose key this is, and for its scopes."""
        return parse(Account, await self._request("GET", "/v1/account"))

    # Image ads

    async def create_image_ad(
        self,
        request: ImageAdRequest,
        *,
        idempotency_key: str | None = None,
        on_send: OnSend | None = None,
    ) -> CreatedImageAd:
        """Asks for an image ad; it starts as `processing`.

        Args:
            request: Which ad.
            idempotency_key: The same key and request within 24 hours give the same ad, however
                often they are sent. Without one, a key is drawn for this call.
            on_send: Called each time right before the request goes out, after the wait for the
                rate limit. What it raises keeps the request from being sent, and comes out here.
                What it returns, if anything, is awaited, and then it is called again.

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
        return parse(ImageAd, await self._request("GET", f"/v1/image-ads/{encoded(image_ad_id)}"))

    async def get_image_ads(self, image_ad_ids: Sequence[str]) -> list[ImageAd]:
        """Many image ads, up to 100 in one request.

        Returns:
            Those that the API answered, each once, in the order of `image_ad_ids`. One that it left
            out may exist all the same.
        """
        return await self._read_many(ImageAd, "/v1/image-ads?ids=", image_ad_ids)

    def list_image_ads(self, **filters: str | bool) -> AsyncIterator[ImageAd]:
        """All image ads that match, page by page.

        Args:
            filters: `status`, `brand_id`, `product_id`, `product_variant_id`,
                `design_template_id`, `batch_id`, `editable`, `sku_code`.

        Raises:
            UnreadableAnswerError: One of them makes no sense; left out, it would count as not
                there.
        """
        return self._list_items(ImageAd, "/v1/image-ads", filters, strict=True)

    async def update_image_ad(
        self,
        image_ad_id: str,
        current_json_tree: JsonTree,
        *,
        idempotency_key: str | None = None,
        on_send: OnSend | None = None,
    ) -> CreatedImageAd:
        """Renders an editable ad anew from a tree; the ad is `processing` again.

        Args:
            image_ad_id: Which ad.
            current_json_tree: The entire tree, never a part of it.
            idempotency_key, on_send: See `create_image_ad`.

        Returns:
            The ad, and whether this is the answer to an earlier request with this key.

        Raises:
            UnprocessableError, BadRequestError, NotFoundError: The ad is flat, or the tree is none.
            ConflictError: It is being rendered; afterwards it may have another tree.
        """
        answer = await self._request(
            "PATCH",
            f"/v1/image-ads/{encoded(image_ad_id)}",
            json={"current_json_tree": current_json_tree},
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            is_create=True,
            on_send=on_send,
        )
        return CreatedImageAd(image_ad=parse(ImageAd, answer), replayed=answer.replayed)

    async def delete_image_ad(self, image_ad_id: str) -> None:
        """Deletes an ad. What it has cost is not given back.

        Raises:
            NotFoundError: There is none of this id.
        """
        await self._delete(f"/v1/image-ads/{encoded(image_ad_id)}")

    def list_image_ad_versions(self, image_ad_id: str) -> AsyncIterator[ImageAdVersion]:
        """All versions of an editable ad, page by page, in the API's order."""
        return self._list_items(
            ImageAdVersion, f"/v1/image-ads/{encoded(image_ad_id)}/versions", {}
        )

    async def get_image_ad_version(self, image_ad_id: str, version_id: str) -> ImageAdVersion:
        """One version of an editable ad.

        Raises:
            NotFoundError: There is none of this id.
        """
        path = f"/v1/image-ads/{encoded(image_ad_id)}/versions/{encoded(version_id)}"
        return parse(ImageAdVersion, await self._request("GET", path))

    async def sync_image_ads(
        self, renders: Sequence[FigmaRender], *, idempotency_key: str | None = None
    ) -> list[FigmaSyncResult]:
        """Hands in what was changed in Figma, in one request; see `models.figma_batches`.

        Args:
            renders: The ads as they are now.
            idempotency_key: See `create_image_ad`.

        Returns:
            What became of each item: some may be taken, and others not.

        Raises:
            ValueError: There are more ads, or more bytes, than one request takes.
            BadRequestError, UnprocessableError, NotFoundError: None of them was taken.
        """
        if len(list(figma_batches(renders))) > 1:
            raise ValueError(
                f"A Figma sync takes at most {MAX_FIGMA_ITEMS} ads and "
                f"{MAX_FIGMA_BYTES / 1e6:.0f} MB."
            )
        answer = await self._request(
            "POST",
            "/v1/image-ads/sync",
            json={"items": [render.model_dump() for render in renders]},
            idempotency_key=idempotency_key or str(uuid.uuid4()),
        )
        data = answer.data.get("results") if isinstance(answer.data, dict) else answer.data
        return parse_list(FigmaSyncResult, replace(answer, data=data))

    async def get_job(self, job_id: str) -> JobRecord:
        """The API's own record of a job, such as `ImageAd.job_id` names.

        Raises:
            NotFoundError: The API has no record of this id.
        """
        return parse(JobRecord, await self._request("GET", f"/v1/jobs/{encoded(job_id)}"))

    async def stream_image_ad(self, image_ad_id: str) -> AsyncGenerator[ImageAdEvent, None]:
        """The events of a running job, until it ends or the stream does.

        An answer that is the ad itself and no stream, as a finished one may give, becomes the
        event that it amounts to.

        Raises:
            APIConnectionError: The stream dropped; `APITimeoutError` if it was silent for more
                than two heartbeats.
            OversizedAnswerError: It, or one event of it, has more bytes than an ad can need.
            StaticAdsLabError: The API refused it, or answered what is neither stream nor ad.
        """
        # A stream that was opened once is not reopened here: its watcher decides what to do.
        request = self._http.build_request(
            "GET",
            f"/v1/image-ads/{encoded(image_ad_id)}",
            headers={"Accept": "text/event-stream", "Cache-Control": "no-store"},
            timeout=httpx.Timeout(2 * HEARTBEAT_SECONDS + 1, connect=bounds.CONNECT_SECONDS),
        )
        try:
            async with self.limiter.turn() as turn:
                response = await self._http.send(request)
                turn.note_answer(
                    RateLimitHeaders.parse(response.headers),
                    refused=response.status_code == httpx.codes.TOO_MANY_REQUESTS,
                )
            try:
                kind = response.headers.get("content-type", "")
                if response.is_success and "text/event-stream" in kind:
                    pieces = body_pieces(response, bounds.STREAM_BYTES)
                    async with aclosing(read_events(pieces, self._redactor.redact_json)) as events:
                        async for event in events:
                            yield event
                            if isinstance(event, Complete | Failed):
                                return
                    return
                content = await read_body(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise connection_error(error, "GET", request.url.path, self._redactor) from None
        ad = parse(ImageAd, read_answer(APIResponse.parse(response, content, self._redactor)))
        if ad.is_completed:
            yield Complete(ad.id)
        elif ad.is_failed:
            yield Failed(*_failure_of(ad))


def _failure_of(ad: ImageAd) -> tuple[str, str]:
    """The code and the message of a failed ad's error; empty texts if it has none."""
    return (ad.error.code, ad.error.message) if ad.error else ("", "")
