"""The client: a method per endpoint."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import (
    BadRequestError,
    NotFoundError,
    OversizedAnswerError,
)
from prefect_staticadslab.api.events import (
    HEARTBEAT_SECONDS,
    Complete,
    Failed,
    ImageAdEvent,
    read_events,
)
from prefect_staticadslab.api.models import (
    MAX_FIGMA_ITEMS,
    MAX_IDS_PER_READ,
    Account,
    CreatedImageAd,
    FigmaRender,
    ImageAd,
    ImageAdRequest,
    ImageAdVersion,
    Job,
    JsonTree,
)
from prefect_staticadslab.api.rate_limit import RateLimitHeaders
from prefect_staticadslab.api.resources import (
    ENDPOINTS,
    CatalogueResource,
    CreatedDesignTemplate,
    DesignTemplate,
    Image,
    ImageFile,
    ImageType,
)
from prefect_staticadslab.api.responses import (
    Reply,
    body_pieces,
    parse,
    parse_list,
    read_answer,
    read_body,
)
from prefect_staticadslab.api.transport import BaseClient, Upload, encoded

C = TypeVar("C", bound=CatalogueResource)
J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Created(Generic[C]):
    """The answer to an addition to the catalogue.

    Attributes:
        resource: What was added, as it was then.
        replayed: Whether this is an earlier request's answer; what it added may be gone by now.
    """

    resource: C
    replayed: bool


class StaticAdsLabClient(BaseClient):
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
        return parse(ImageAd, await self._request("GET", f"/v1/image-ads/{encoded(image_ad_id)}"))

    async def get_image_ads(self, image_ad_ids: Sequence[str]) -> list[ImageAd]:
        """Many image ads, up to 100 in one request.

        Returns:
            Those that the API answered, in any order and each once. One that it left out may
            exist all the same.
        """
        return await self._read_many(ImageAd, "/v1/image-ads?ids=", image_ad_ids)

    async def _read_many(self, kind: type[J], path: str, identifiers: Sequence[str]) -> list[J]:
        ids = list(dict.fromkeys(identifiers))
        found: dict[str, J] = {}
        for start in range(0, len(ids), MAX_IDS_PER_READ):
            for job in await self._read_batch(kind, path, ids[start : start + MAX_IDS_PER_READ]):
                found[job.id] = job
        return [found[i] for i in ids if i in found]

    async def _read_batch(self, kind: type[J], path: str, ids: list[str]) -> list[J]:
        # How many ids fit is not documented; and one bad id, or one huge tree, must not hide the
        # others.
        try:
            answer = await self._request("GET", path + ",".join(encoded(i) for i in ids))
        except (BadRequestError, NotFoundError, OversizedAnswerError):
            if len(ids) == 1:
                return []
            middle = len(ids) // 2
            halves = ids[:middle], ids[middle:]
            return [job for half in halves for job in await self._read_batch(kind, path, half)]
        return parse_list(kind, answer)

    def list_image_ads(self, **filters: str | bool) -> AsyncIterator[ImageAd]:
        """All image ads that match, page by page; one that makes no sense is an error here.

        Args:
            filters: `status`, `brand_id`, `product_id`, `product_variant_id`,
                `design_template_id`, `batch_id`, `editable`, `sku_code`.
        """
        return self._pages(ImageAd, "/v1/image-ads", filters, strict=True)

    async def update_image_ad(
        self,
        image_ad_id: str,
        current_json_tree: JsonTree,
        *,
        idempotency_key: str | None = None,
        on_send: Callable[[], None] | None = None,
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
            body_ages=True,
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
        return self._pages(ImageAdVersion, f"/v1/image-ads/{encoded(image_ad_id)}/versions", {})

    async def get_image_ad_version(self, image_ad_id: str, version_id: str) -> ImageAdVersion:
        """One version of an editable ad.

        Raises:
            NotFoundError: There is none of this id.
        """
        path = f"/v1/image-ads/{encoded(image_ad_id)}/versions/{encoded(version_id)}"
        return parse(ImageAdVersion, await self._request("GET", path))

    async def sync_image_ads(
        self, renders: Sequence[FigmaRender], *, idempotency_key: str | None = None
    ) -> list[ImageAd]:
        """Hands in what was changed in Figma, up to ten ads in one request.

        Raises:
            ValueError: There are more than ten.
            BadRequestError, UnprocessableError, NotFoundError: An ad cannot be synchronized.
        """
        if len(renders) > MAX_FIGMA_ITEMS:
            raise ValueError(f"A Figma sync takes at most {MAX_FIGMA_ITEMS} ads.")
        answer = await self._request(
            "POST",
            "/v1/image-ads/sync",
            json={"items": [render.model_dump() for render in renders]},
            idempotency_key=idempotency_key or str(uuid.uuid4()),
        )
        return parse_list(ImageAd, answer)

    async def stream_image_ad(self, image_ad_id: str) -> AsyncGenerator[ImageAdEvent, None]:
        """The events of a running job, until it ends or the stream does.

        An answer that is the ad itself and no stream, as a finished one may give, becomes the
        event that it amounts to.

        Raises:
            APIConnectionError: The stream dropped; `APITimeoutError` if it was silent for more
                than two heartbeats.
            OversizedAnswerError: It, or one event of it, has more bytes than an ad can need.
            StaticAdsLabError: The stream was refused.
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
                response = await self._http.send(request, stream=True)
                turn.answered(
                    RateLimitHeaders.parse(response.headers),
                    refused=response.status_code == httpx.codes.TOO_MANY_REQUESTS,
                )
            try:
                kind = response.headers.get("content-type", "")
                if response.is_success and "text/event-stream" in kind:
                    pieces = body_pieces(response, bounds.STREAM_BYTES)
                    async with aclosing(read_events(pieces, self._redactor.json)) as events:
                        async for event in events:
                            yield event
                            if isinstance(event, Complete | Failed):
                                return
                    return
                content = await read_body(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._no_answer(error, "GET", request.url.path) from None
        ad = parse(ImageAd, read_answer(Reply.of(response, content, self._redactor)))
        if ad.is_completed:
            yield Complete(ad.id)
        elif ad.is_failed:
            yield Failed(*_reason(ad))

    # The catalogue

    async def get_resource(self, kind: type[C], identifier: str) -> C:
        """One `Brand`, `Product`, `ProductVariant`, `Audience`, `Image` or `DesignTemplate`.

        Raises:
            NotFoundError: There is none of this id.
        """
        path = f"{ENDPOINTS[kind]}/{encoded(identifier)}"
        return parse(kind, await self._request("GET", path))

    def list_resources(self, kind: type[C], **filters: str | bool) -> AsyncIterator[C]:
        """All resources of a kind that match, page by page.

        Args:
            kind: `Brand`, `Product`, `ProductVariant`, `Audience`, `Image` or `DesignTemplate`.
            filters: `brand_id` for products; `product_id` for product variants, audiences and
                images, and `image_type` for these; `status`, `industry`, `ad_format`, `deleted`
                and `ids` for design templates.
        """
        return self._pages(kind, ENDPOINTS[kind], filters)

    async def create_resource(
        self, kind: type[C], *, idempotency_key: str | None = None, **fields: Any
    ) -> C:
        """Adds a `Brand`, `Product`, `ProductVariant` or `Audience` to the catalogue.

        Args:
            kind: What to add.
            idempotency_key: The same key and fields within 24 hours give the same resource.
            fields: Its fields, such as `name` and, of a product, `brand_id`.

        Raises:
            BadRequestError, NotFoundError, UnprocessableError: The API does not take it like that.
        """
        sent = await self.send_resource(kind, idempotency_key=idempotency_key, **fields)
        return sent.resource

    async def send_resource(
        self, kind: type[C], *, idempotency_key: str | None = None, **fields: Any
    ) -> Created[C]:
        """Does what `create_resource` does, and tells whether the key was answered before."""
        key = idempotency_key or str(uuid.uuid4())
        answer = await self._request("POST", ENDPOINTS[kind], json=fields, idempotency_key=key)
        return Created(parse(kind, answer), answer.replayed)

    async def update_resource(
        self,
        kind: type[C],
        identifier: str,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> C:
        """Changes these fields of a resource; images cannot be changed.

        Raises:
            BadRequestError, NotFoundError: The API does not take it like that.
        """
        answer = await self._request(
            "PATCH",
            f"{ENDPOINTS[kind]}/{encoded(identifier)}",
            json=fields,
            idempotency_key=idempotency_key or str(uuid.uuid4()),
        )
        return parse(kind, answer)

    async def delete_resource(self, kind: type[C], identifier: str) -> None:
        """Deletes a resource.

        Raises:
            NotFoundError: There is none of this id.
            ConflictError: Something else hangs on it.
        """
        await self._delete(f"{ENDPOINTS[kind]}/{encoded(identifier)}")

    # Images and design templates

    async def upload_image(
        self,
        image: ImageFile,
        image_type: ImageType,
        *,
        product_id: str | None = None,
        alt_text: str | None = None,
        logo_theme: str | None = None,
        idempotency_key: str | None = None,
    ) -> Image:
        """Uploads an image of at most 15 MB: PNG, JPEG, WebP or GIF.

        Args:
            image: The file.
            image_type: What it shows.
            product_id: The product that it shows.
            alt_text: What it shows, in words.
            logo_theme: `light` or `dark`, for a logo.
            idempotency_key: The same key and file within 24 hours give the same image.

        Raises:
            BadRequestError, PayloadTooLargeError: The API does not take the file.
        """
        sent = await self.send_image(
            image,
            image_type,
            product_id=product_id,
            alt_text=alt_text,
            logo_theme=logo_theme,
            idempotency_key=idempotency_key,
        )
        return sent.resource

    async def send_image(
        self,
        image: ImageFile,
        image_type: ImageType,
        *,
        product_id: str | None = None,
        alt_text: str | None = None,
        logo_theme: str | None = None,
        idempotency_key: str | None = None,
    ) -> Created[Image]:
        """Does what `upload_image` does, and tells whether the key was answered before."""
        fields = {
            "image_type": str(image_type),
            "product_id": product_id,
            "alt_text": alt_text,
            "logo_theme": logo_theme,
        }
        answer = await self._request(
            "POST",
            ENDPOINTS[Image],
            form={name: value for name, value in fields.items() if value is not None},
            upload=_upload(image),
            idempotency_key=idempotency_key or str(uuid.uuid4()),
        )
        return Created(parse(Image, answer), answer.replayed)

    async def create_design_template(
        self,
        reference: ImageFile | str,
        *,
        idempotency_key: str | None = None,
        on_send: Callable[[], None] | None = None,
    ) -> CreatedDesignTemplate:
        """Has a design template made from a reference ad; it starts as `processing`.

        The body is not documented: a file goes as multipart in `file`, and an address as JSON in
        `reference_image_url`.

        Args:
            reference: An image file, or the address of an image that the API can fetch.
            idempotency_key, on_send: See `create_image_ad`.

        Raises:
            InsufficientBalanceError: The wallet is empty.
            BadRequestError, PayloadTooLargeError, UnprocessableError: The API does not take it.
        """
        by_url = isinstance(reference, str)
        answer = await self._request(
            "POST",
            ENDPOINTS[DesignTemplate],
            json={"reference_image_url": reference} if by_url else None,
            upload=None if isinstance(reference, str) else _upload(reference),
            idempotency_key=idempotency_key or str(uuid.uuid4()),
            is_create=True,
            on_send=on_send,
        )
        template = parse(DesignTemplate, answer)
        return CreatedDesignTemplate(design_template=template, replayed=answer.replayed)

    async def get_design_template(self, design_template_id: str) -> DesignTemplate:
        """One design template as it is now.

        Raises:
            NotFoundError: There is none of this id.
        """
        return await self.get_resource(DesignTemplate, design_template_id)

    async def get_design_templates(
        self, design_template_ids: Sequence[str]
    ) -> list[DesignTemplate]:
        """Many design templates, up to 100 in one request; see `get_image_ads`."""
        path = f"{ENDPOINTS[DesignTemplate]}?ids="
        return await self._read_many(DesignTemplate, path, design_template_ids)

    async def update_design_template(
        self,
        design_template_id: str,
        current_json_tree: JsonTree,
        *,
        change_summary: str | None = None,
        idempotency_key: str | None = None,
    ) -> DesignTemplate:
        """Gives a design template another tree.

        Args:
            design_template_id: Which one.
            current_json_tree: The entire tree, never a part of it.
            change_summary: What was changed, in at most 500 characters.
            idempotency_key: See `create_image_ad`.

        Raises:
            BadRequestError, NotFoundError: The tree is none, or there is no such template.
        """
        summary = {} if change_summary is None else {"change_summary": change_summary}
        return await self.update_resource(
            DesignTemplate,
            design_template_id,
            current_json_tree=current_json_tree,
            idempotency_key=idempotency_key,
            **summary,
        )

    async def _delete(self, path: str) -> None:
        try:
            await self._request("DELETE", path)
        except NotFoundError as error:
            # If an earlier try was not answered, it was that one which deleted it.
            if not error.outcome_unknown:
                raise


def _upload(image: ImageFile) -> Upload:
    kind = image.media_type or "application/octet-stream"
    return Upload(image.safe_filename, image.content, kind)


def _reason(ad: ImageAd) -> tuple[str, str]:
    return (ad.error.code, ad.error.message) if ad.error else ("", "")
