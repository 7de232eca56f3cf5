"""Image files on their way to the API: read and checked before any of them is sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.api.errors import NotFoundError, StaticAdsLabError
from prefect_staticadslab.api.resources import Image, ImageFile, ImageType
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.files.locations import redacted
from prefect_staticadslab.campaign.table.background import all_of

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

OPEN_UPLOADS: Final = 4
"""Each holds a whole file, and there may be thousands of them."""

FRESH_KEYS: Final = 3
"""How many keys an upload has; each is used up for a day once its image is deleted."""


@dataclass(frozen=True)
class UploadFields:
    """What is said about an image, besides its content.

    Attributes:
        image_type: What it shows.
        product_id: The product that it shows.
        alt_text: What it shows, in words.
        logo_theme: `light` or `dark`, for a logo.
    """

    image_type: ImageType
    product_id: str | None = None
    alt_text: str | None = None
    logo_theme: str | None = None


async def upload_images(
    client: StaticAdsLabClient, locations: Sequence[str], fields: UploadFields
) -> list[Image]:
    """Uploads image files, each content once, after all of them were read and checked.

    The files are read twice, once to check them and once to send them, so that there are never
    more than a few in memory. Their idempotency keys come from their content and `fields`: what
    is uploaded again within 24 hours is the same image, unless that was deleted since.

    Args:
        client: The client.
        locations: Paths or URLs.
        fields: What is said about all of them.

    Returns:
        The images in the order of `locations`; files of the same content have the same one.

    Raises:
        ImageFileError: Some files cannot be uploaded; the message lists all of them, and nothing
            was sent. Or an image was uploaded and deleted too often in a day.
        StaticAdsLabError: The API does not take one.
    """
    room = asyncio.Semaphore(OPEN_UPLOADS)

    async def check(location: str) -> str | ImageFileError:
        async with room:
            try:
                return (await asyncio.to_thread(read_image, location)).digest
            except ImageFileError as error:
                return error

    async def upload(location: str, digest: str) -> Image:
        async with room:
            image = await asyncio.to_thread(read_image, location)
            if image.digest != digest:
                raise ImageFileError(f"{redacted(location)} was changed while it was read.")
            return await _upload(client, image, fields)

    distinct = list(dict.fromkeys(locations))
    digest_or_error = dict(zip(distinct, await all_of(map(check, distinct)), strict=True))
    errors = [result for result in digest_or_error.values() if isinstance(result, ImageFileError)]
    if errors:
        raise ImageFileError("\n".join(map(str, errors)))
    digests = {
        place: result for place, result in digest_or_error.items() if isinstance(result, str)
    }
    place_of_digest = {digest: place for place, digest in reversed(digests.items())}
    sent = await all_of(upload(place, digest) for digest, place in place_of_digest.items())
    images = dict(zip(place_of_digest, sent, strict=True))
    return [images[digests[place]] for place in locations]


async def _upload(client: StaticAdsLabClient, image: ImageFile, fields: UploadFields) -> Image:
    """Uploads an image, unless the same was uploaded within a day and is there still.

    The API answers such an upload with the earlier image, also where that was deleted meanwhile:
    then it takes another key.

    Raises:
        ImageFileError: It was uploaded and deleted too often.
        StaticAdsLabError: It could not be uploaded.
    """
    for attempt in range(1, FRESH_KEYS + 1):
        sent = await client.send_image(
            image,
            fields.image_type,
            product_id=fields.product_id,
            alt_text=fields.alt_text,
            logo_theme=fields.logo_theme,
            idempotency_key=upload_key(image, fields, attempt),
        )
        if not sent.replayed:
            return sent.resource
        try:
            return await client.get_resource(Image, sent.resource.id)
        except NotFoundError:
            continue
        except StaticAdsLabError:
            # Not a word against it: the key may upload but not read, or the API has trouble.
            return sent.resource
    raise ImageFileError(
        f"{image.filename} was uploaded {FRESH_KEYS} times within a day, and deleted each time. "
        "Upload it again tomorrow, or by another name."
    )


def upload_key(image: ImageFile, fields: UploadFields, attempt: int = 1) -> str:
    """The idempotency key of an upload: one key stands for one body, and that holds the name.

    Args:
        image: The file.
        fields: What is said about it.
        attempt: Which of the keys: what the ones before have uploaded is gone.
    """
    key_parts: list[str | int | None] = [
        image.digest,
        image.safe_filename,
        str(fields.image_type),
        fields.product_id,
        fields.alt_text,
        fields.logo_theme,
    ]
    if attempt > 1:
        key_parts.append(attempt)
    return f"image-{hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:40]}"
