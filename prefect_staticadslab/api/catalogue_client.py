"""The client's half for the catalogue: a method per endpoint of what ads are made of."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from prefect_staticadslab.api.connection.upload import Upload
from prefect_staticadslab.api.errors import APIStatusError
from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.api.resources import (
    ENDPOINTS,
    CatalogueResource,
    CreatedDesignTemplate,
    DesignTemplate,
    Image,
    ImageFile,
    ImageType,
)
from prefect_staticadslab.api.responses.parsing import parse
from prefect_staticadslab.api.transport import OnSend, Transport, encoded

C = TypeVar("C", bound=CatalogueResource)

_NO_SUCH_MEDIA_TYPE: Final = 415


@dataclass(frozen=True)
class Created(Generic[C]):
    """The answer to an addition to the catalogue.

    Attributes:
        resource: What was added, as it was then.
        replayed: Whether this is an earlier request's answer; what it added may be gone by now.
    """

    resource: C
    replayed: bool


class CatalogueClient(Transport):
    """The endpoints of brands, products, variants, audiences, images and design templates."""

    _templates_want_addresses = False
    """Whether this API has refused a file for a design template, and asked for an address."""

    # All kinds

    async def get_resource(self, kind: type[C], identifier: str) -> C:
        """Reads one `Brand`, `Product`, `ProductVariant`, `Audience`, `Image` or `DesignTemplate`.

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
        return self._list_items(kind, ENDPOINTS[kind], filters)

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
        """Does what `create_resource` does, and also tells whether an earlier request with this key
        had the same answer."""
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
            NotFoundError: There is none of this id; a try of this call that was not answered has
                not deleted it, either.
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
            BadRequestError, NotFoundError, PayloadTooLargeError, UnprocessableError: The API
                does not take it.
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
        """Does what `upload_image` does, and also tells whether an earlier request with this key
        had the same answer."""
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
            upload=_as_upload(image),
            idempotency_key=idempotency_key or str(uuid.uuid4()),
        )
        return Created(parse(Image, answer), answer.replayed)

    async def create_design_template(
        self,
        reference: ImageFile | str,
        *,
        idempotency_key: str | None = None,
        on_send: OnSend | None = None,
    ) -> CreatedDesignTemplate:
        """Has a design template made from a reference ad; it starts as `processing`.

        The body is not documented: a file goes as multipart in `file`, and an address as JSON in
        `reference_image_url`. If the API refuses a file and asks for an address, the file is
        uploaded as an image of the catalogue, and the template is made from its address; from then
        on, this client does so at once.

        Args:
            reference: An image file, or the address of an image that the API can fetch.
            idempotency_key, on_send: See `create_image_ad`.

        Raises:
            InsufficientBalanceError: The wallet is empty.
            BadRequestError, PayloadTooLargeError, UnprocessableError: The API does not take it.
        """
        key = idempotency_key or str(uuid.uuid4())
        if isinstance(reference, str):
            return await self._create_template(
                key, on_send, json={"reference_image_url": reference}
            )
        if not self._templates_want_addresses:
            try:
                return await self._create_template(key, on_send, upload=_as_upload(reference))
            except APIStatusError as error:
                if not _asks_for_address(error):
                    raise
            self._templates_want_addresses = True
        # Other bodies, and so other keys; the first one's request was refused.
        image = await self.upload_image(reference, ImageType.OTHER, idempotency_key=f"{key}-image")
        return await self._create_template(
            f"{key}-address", on_send, json={"reference_image_url": image.src}
        )

    async def _create_template(
        self, key: str, on_send: OnSend | None, **body: Any
    ) -> CreatedDesignTemplate:
        """Sends one create of a design template.

        Args:
            key: The idempotency key.
            on_send: See `create_image_ad`.
            body: The request's `json` or `upload`; see `_request`.
        """
        answer = await self._request(
            "POST",
            ENDPOINTS[DesignTemplate],
            idempotency_key=key,
            is_create=True,
            on_send=on_send,
            **body,
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
        """Many design templates, up to 100 in one request: those that the API answered, each once,
        in the order of the ids; see `get_image_ads`."""
        path = f"{ENDPOINTS[DesignTemplate]}?ids="
        return await self._read_many(DesignTemplate, path, design_template_ids)

    async def restore_design_template(
        self, design_template_id: str, *, idempotency_key: str | None = None
    ) -> DesignTemplate:
        """Brings a deleted design template back; `list_resources(…, deleted=True)` lists those.

        Raises:
            NotFoundError: There is none of this id.
        """
        path = f"{ENDPOINTS[DesignTemplate]}/{encoded(design_template_id)}"
        key = idempotency_key or str(uuid.uuid4())
        answer = await self._request("POST", f"{path}/restore", idempotency_key=key)
        return parse(DesignTemplate, answer)

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


def _as_upload(image: ImageFile) -> Upload:
    """An image file as a request's body; nothing is sent yet."""
    kind = image.media_type or "application/octet-stream"
    return Upload(image.safe_filename, image.content, kind)


def _asks_for_address(error: APIStatusError) -> bool:
    """Whether this is the error of an API that was sent a file, has certainly made nothing of it,
    and wants an address instead."""
    if error.outcome_unknown:
        return False
    names = {detail.field for detail in error.details}
    return error.status == _NO_SUCH_MEDIA_TYPE or "reference_image_url" in names
