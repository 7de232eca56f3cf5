"""Tasks for what ads are made of: reading the catalogue, and adding to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from prefect_staticadslab.api.models import MAX_IDS_PER_READ
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    CatalogueResource,
    DesignTemplate,
    Details,
    Image,
    ImageType,
    Product,
    ProductVariant,
)
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import RETRIES, task_run_key
from prefect_staticadslab.tasks._step_task import step_task

C = TypeVar("C", bound=CatalogueResource)


@step_task(name="list-brands", description="Reads all brands.", **RETRIES)
async def list_brands(credentials: StaticAdsLabCredentials) -> list[Brand]:
    """All brands that the key can see.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import StaticAdsLabCredentials, list_brands, list_products

        @flow
        async def catalogue(credentials: StaticAdsLabCredentials) -> dict[str, list[str]]:
            return {
                brand.name: [p.name for p in await list_products(credentials, brand.id)]
                for brand in await list_brands(credentials)
            }

        print(asyncio.run(catalogue(StaticAdsLabCredentials.from_environment())))
        ```
    """
    return await _list_resources(credentials, Brand)


@step_task(
    name="list-products", description="Reads all products, or those of one brand.", **RETRIES
)
async def list_products(
    credentials: StaticAdsLabCredentials, brand_id: str | None = None
) -> list[Product]:
    """All products, or those of one brand. See `list_brands` for an example."""
    return await _list_resources(credentials, Product, brand_id=brand_id)


@step_task(
    name="list-product-variants",
    description="Reads all product variants, or those of one product.",
    **RETRIES,
)
async def list_product_variants(
    credentials: StaticAdsLabCredentials, product_id: str | None = None
) -> list[ProductVariant]:
    """All product variants, or those of one product."""
    return await _list_resources(credentials, ProductVariant, product_id=product_id)


@step_task(
    name="list-audiences", description="Reads all audiences, or those of one product.", **RETRIES
)
async def list_audiences(
    credentials: StaticAdsLabCredentials, product_id: str | None = None
) -> list[Audience]:
    """All audiences, or those of one product."""
    return await _list_resources(credentials, Audience, product_id=product_id)


@step_task(name="list-images", description="Reads all images that match.", **RETRIES)
async def list_images(
    credentials: StaticAdsLabCredentials,
    product_id: str | None = None,
    image_type: ImageType | None = None,
) -> list[Image]:
    """All images, or those of one product or type."""
    return await _list_resources(credentials, Image, product_id=product_id, image_type=image_type)


@step_task(
    name="list-design-templates", description="Reads all design templates that match.", **RETRIES
)
async def list_design_templates(
    credentials: StaticAdsLabCredentials,
    status: str | None = None,
    industry: str | None = None,
    ad_format: str | None = None,
    deleted: bool | None = None,
    ids: Sequence[str] | None = None,
) -> list[DesignTemplate]:
    """All design templates that match, the vendor's public ones among them.

    Args:
        credentials: Whose key to use.
        status: `processing`, `completed` or `failed`; only a completed one can be used for an ad.
        industry: Such as `ecommerce`.
        ad_format: Such as `Sale`, `Testimonial` or `Bold`.
        deleted: True for deleted ones only, False for none of them.
        ids: Only these, in any number; one that is in it twice is read once.
    """
    filters = {"status": status, "industry": industry, "ad_format": ad_format, "deleted": deleted}
    if ids is None:
        return await _list_resources(credentials, DesignTemplate, **filters)
    distinct_ids = list(dict.fromkeys(ids))
    found: list[DesignTemplate] = []
    for start in range(0, len(distinct_ids), MAX_IDS_PER_READ):
        some_ids = ",".join(distinct_ids[start : start + MAX_IDS_PER_READ])
        found += await _list_resources(credentials, DesignTemplate, ids=some_ids, **filters)
    return found


@step_task(name="create-brand", description="Adds a brand to the catalogue.", **RETRIES)
async def create_brand(
    credentials: StaticAdsLabCredentials,
    name: str,
    description: str | None = None,
    color_palettes: list[Any] | None = None,
    fonts: list[dict[str, Any]] | None = None,
    logo_image_ids: list[str] | None = None,
    details: Details | None = None,
    idempotency_key: str | None = None,
) -> Brand:
    """Adds a brand. A retried task run never adds a second.

    Args:
        credentials: Whose key to use.
        name: What it is called.
        description: What it is, in words.
        color_palettes: Its colours, in the API's form.
        fonts: Its fonts, `[{"name": "…"}]`.
        logo_image_ids: Its logos, as uploaded images.
        details: Anything else that should steer the copy.
        idempotency_key: A key of your own instead of the task run's.

    Raises:
        BadRequestError: The API does not take it like that.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            StaticAdsLabCredentials, create_audience, create_brand, create_product,
        )

        @flow
        async def new_shop(credentials: StaticAdsLabCredentials) -> str:
            brand = await create_brand(credentials, "Tidewater Tea", "Teas from the coast")
            product = await create_product(credentials, brand.id, "Sea Fennel Infusion")
            audience = await create_audience(credentials, product.id, "Evening readers")
            return audience.id

        print(asyncio.run(new_shop(StaticAdsLabCredentials.from_environment())))
        ```
    """
    return await _create_resource(
        credentials,
        Brand,
        idempotency_key,
        name=name,
        description=description,
        color_palettes=color_palettes,
        fonts=fonts,
        logo_image_ids=logo_image_ids,
        details=details,
    )


@step_task(name="create-product", description="Adds a product to a brand.", **RETRIES)
async def create_product(
    credentials: StaticAdsLabCredentials,
    brand_id: str,
    name: str,
    description: str | None = None,
    details: Details | None = None,
    idempotency_key: str | None = None,
) -> Product:
    """Adds a product to a brand; see `create_brand`.

    Raises:
        BadRequestError, NotFoundError, UnprocessableError: The API does not take it like that.
    """
    return await _create_resource(
        credentials,
        Product,
        idempotency_key,
        brand_id=brand_id,
        name=name,
        description=description,
        details=details,
    )


@step_task(name="create-product-variant", description="Adds a variant to a product.", **RETRIES)
async def create_product_variant(
    credentials: StaticAdsLabCredentials,
    product_id: str,
    name: str,
    sort_order: int | None = None,
    image_ids: list[str] | None = None,
    idempotency_key: str | None = None,
) -> ProductVariant:
    """Adds a variant, such as "Red / Large", to a product; see `create_brand`.

    Raises:
        BadRequestError, NotFoundError, UnprocessableError: The API does not take it like that.
    """
    return await _create_resource(
        credentials,
        ProductVariant,
        idempotency_key,
        product_id=product_id,
        name=name,
        sort_order=sort_order,
        image_ids=image_ids,
    )


@step_task(name="create-audience", description="Adds an audience to a product.", **RETRIES)
async def create_audience(
    credentials: StaticAdsLabCredentials,
    product_id: str,
    name: str,
    description: str | None = None,
    details: Details | None = None,
    idempotency_key: str | None = None,
) -> Audience:
    """Adds an audience to a product; see `create_brand`.

    Raises:
        BadRequestError, NotFoundError, UnprocessableError: The API does not take it like that.
    """
    return await _create_resource(
        credentials,
        Audience,
        idempotency_key,
        product_id=product_id,
        name=name,
        description=description,
        details=details,
    )


@step_task(name="get-resource", description="Reads one resource of the catalogue.", **RETRIES)
async def get_resource(credentials: StaticAdsLabCredentials, kind: type[C], identifier: str) -> C:
    """One `Brand`, `Product`, `ProductVariant`, `Audience`, `Image` or `DesignTemplate`.

    Args:
        credentials: Whose key to use.
        kind: What it is, a class of `prefect_staticadslab.api.resources`.
        identifier: Its id.

    Raises:
        NotFoundError: There is none of this id.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            StaticAdsLabCredentials, create_brand, delete_resource, get_resource, update_resource,
        )
        from prefect_staticadslab.api.resources import Brand

        @flow
        async def rebrand(credentials: StaticAdsLabCredentials) -> str:
            brand = await create_brand(credentials, "Tidewater Tea")
            await update_resource(credentials, Brand, brand.id, {"name": "Tidewater"})
            renamed = await get_resource(credentials, Brand, brand.id)
            await delete_resource(credentials, Brand, brand.id)
            return renamed.name

        print(asyncio.run(rebrand(StaticAdsLabCredentials.from_environment())))
        ```
    """
    async with credentials.get_client() as client:
        return await client.get_resource(kind, identifier)


@step_task(name="update-resource", description="Changes a resource of the catalogue.", **RETRIES)
async def update_resource(
    credentials: StaticAdsLabCredentials,
    kind: type[C],
    identifier: str,
    fields: Mapping[str, Any],
    idempotency_key: str | None = None,
) -> C:
    """Changes these fields of a resource; images cannot be changed. See `get_resource`.

    Returns:
        The resource with its changes.

    Raises:
        BadRequestError, NotFoundError: The API does not take it like that.
    """
    async with credentials.get_client() as client:
        return await client.update_resource(
            kind, identifier, idempotency_key=idempotency_key or task_run_key(), **fields
        )


@step_task(name="delete-resource", description="Deletes a resource of the catalogue.", **RETRIES)
async def delete_resource(
    credentials: StaticAdsLabCredentials, kind: type[CatalogueResource], identifier: str
) -> None:
    """Deletes a resource; a design template can be restored. See `get_resource`.

    Raises:
        NotFoundError: There is none of this id.
        ConflictError: Something else hangs on it.
    """
    async with credentials.get_client() as client:
        await client.delete_resource(kind, identifier)


async def _list_resources(
    credentials: StaticAdsLabCredentials, kind: type[C], **filters: str | bool | None
) -> list[C]:
    """Reads all pages of a kind of resource; filters that are None are left out."""
    given = {name: value for name, value in filters.items() if value is not None}
    async with credentials.get_client() as client:
        return [resource async for resource in client.list_resources(kind, **given)]


async def _create_resource(
    credentials: StaticAdsLabCredentials, kind: type[C], key: str | None, **fields: Any
) -> C:
    """Adds a resource; without a key it uses the task run's. Fields that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    async with credentials.get_client() as client:
        return await client.create_resource(kind, idempotency_key=key or task_run_key(), **given)
