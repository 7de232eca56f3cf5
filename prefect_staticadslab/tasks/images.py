"""Tasks that upload images."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_staticadslab.api.resources import Image, ImageType
from prefect_staticadslab.campaign.job_types import uploads
from prefect_staticadslab.campaign.job_types.uploads import UploadFields
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import RETRIES
from prefect_staticadslab.tasks._step_task import step_task


@step_task(name="upload-image", description="Uploads an image from a path or a URL.", **RETRIES)
async def upload_image(
    credentials: StaticAdsLabCredentials,
    location: str,
    image_type: ImageType,
    product_id: str | None = None,
    alt_text: str | None = None,
    logo_theme: str | None = None,
) -> Image:
    """Uploads one image: a PNG, JPEG, WebP or GIF of at most 15 MB.

    The same content with the same name and fields is the same image, however often it is uploaded
    within 24 hours.

    Args:
        credentials: Whose key to use.
        location: A path, an http(s) URL, or a place in an object store (`s3://`, `gs://`, `az://`).
        image_type: What it shows.
        product_id: The product that it shows.
        alt_text: What it shows, in words.
        logo_theme: `light` or `dark`, for a logo.

    Raises:
        ImageFileError: The file is not there, too large, or no such image; nothing was sent.
        BadRequestError, NotFoundError, PayloadTooLargeError: The API does not take it.

    Example:
        ```python
        import asyncio
        from PIL import Image
        from prefect import flow
        from prefect_staticadslab import (
            ImageType, StaticAdsLabCredentials, create_brand, upload_image,
        )

        Image.new("RGB", (64, 64), "teal").save("logo.png")

        @flow
        async def brand_with_logo(credentials: StaticAdsLabCredentials) -> str:
            logo = await upload_image(credentials, "logo.png", ImageType.LOGO, logo_theme="light")
            brand = await create_brand(credentials, "Tidewater Tea", logo_image_ids=[logo.id])
            return brand.id

        print(asyncio.run(brand_with_logo(StaticAdsLabCredentials.from_environment())))
        ```
    """
    fields = UploadFields(image_type, product_id, alt_text, logo_theme)
    async with credentials.get_client() as client:
        (image,) = await uploads.upload_images(client, [location], fields)
    return image


@step_task(name="upload-images", description="Uploads images from paths and URLs.", **RETRIES)
async def upload_images(
    credentials: StaticAdsLabCredentials,
    locations: Sequence[str],
    image_type: ImageType,
    product_id: str | None = None,
    logo_theme: str | None = None,
) -> list[Image]:
    """Uploads many images; see `upload_image`. All are checked before the first one is sent.

    Args:
        credentials: Whose key to use.
        locations: Paths and URLs.
        image_type: What all of them show.
        product_id: The product that all of them show.
        logo_theme: `light` or `dark`, for logos.

    Returns:
        The images in the order of `locations`. Files of the same content are uploaded once.

    Raises:
        ImageFileError: Some files cannot be uploaded; the message lists all, and nothing was sent.
        BadRequestError, NotFoundError, PayloadTooLargeError: The API does not take one.
    """
    fields = UploadFields(image_type, product_id, logo_theme=logo_theme)
    async with credentials.get_client() as client:
        return await uploads.upload_images(client, locations, fields)
