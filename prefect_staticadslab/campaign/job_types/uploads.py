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
"""Files that are checked or uploaded at once: each is held in memory as a whole."""

FRESH_KEYS: Final = 3
"""How many keys an upload has; each is used up for a day once its image is deleted."""


@dataclass(frozen=True)
class UploadFields:
    """What the API is told about an image, besides its content.

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
        client: The client of the API key to upload with.
        locations: Paths or URLs.
        fields: What the API is told about each of them.

    Returns:
        The images in the order of `locations`; files of the same content have the same one.

    Raises:
        ImageFileError: Some files cannot be uploaded; the message lists all of them, and nothing
            was sent. Or an image was uploaded and deleted too often in a day.
        StaticAdsLabError: The API does not take one.
    """
    open_uploads = asyncio.Semaphore(OPEN_UPLOADS)

    async def read_digest(location: str) -> str | ImageFileError:
        """The digest of a file's content, or the error if it cannot be uploaded."""
        async with open_uploads:
            try:
                return (await asyncio.to_thread(read_image, location)).digest
            except ImageFileError as error:
                return error

    async def upload(location: str, digest: str) -> Image:
        """Reads a file again and uploads it; raises if it was changed since."""
        async with open_uploads:
            image = await asyncio.to_thread(read_image, location)
            if image.digest != digest:
                raise ImageFileError(f"{redacted(location)} was changed while it was read.")
            return await _upload_image(client, image, fields)

    distinct = list(dict.fromkeys(locations))
    digest_or_error = dict(zip(distinct, await all_of(map(read_digest, distinct)), strict=True))
    errors = [result for result in digest_or_error.values() if isinstance(result, ImageFileError)]
    if errors:
        raise ImageFileError("\n".join(map(str, errors)))
    digests = {
        location: result for location, result in digest_or_error.items() if isinstance(result, str)
    }
    first_location = {digest: location for location, digest in reversed(digests.items())}
    sent = await all_of(upload(location, digest) for digest, location in first_location.items())
    images = dict(zip(first_location, sent, strict=True))
    return [images[digests[location]] for location in locations]


async def _upload_image(
    client: StaticAdsLabClient, image: ImageFile, fields: UploadFields
) -> Image:
    """Uploads an image, or finds the one that the same upload made within the last 24 hours.

    The API answers such an upload with the earlier image, also if that was deleted meanwhile: then
    the image is uploaded with the next key.

    Raises:
        ImageFileError: It was uploaded and deleted too often.
        StaticAdsLabError: It could not be uploaded.
    """
    for key_number in range(1, FRESH_KEYS + 1):
        sent = await client.send_image(
            image,
            fields.image_type,
            product_id=fields.product_id,
            alt_text=fields.alt_text,
            logo_theme=fields.logo_theme,
            idempotency_key=upload_key(image, fields, key_number),
        )
        if not sent.replayed:
            return sent.resource
        try:
            return await client.get_resource(Image, sent.resource.id)
        except NotFoundError:
            continue
        except StaticAdsLabError:
            # That does not say that it is gone: the API key may have no scope to read it, or the
            # API has trouble.
            return sent.resource
    raise ImageFileError(
        f"{image.filename} was uploaded {FRESH_KEYS} times within a day, and deleted each time. "
        "Upload it again tomorrow, or by another name."
    )


def upload_key(image: ImageFile, fields: UploadFields, key_number: int = 1) -> str:
    """The idempotency key of an upload, from all that its body holds, the file's name included.

    Args:
        image: The file.
        fields: What the API is told about it.
        key_number: Which of the upload's keys, from 1 to `FRESH_KEYS`: the next one is used once
            what the ones before have uploaded is deleted.
    """
    key_parts: list[str | int | None] = [
        image.digest,
        image.safe_filename,
        str(fields.image_type),
        fields.product_id,
        fields.alt_text,
        fields.logo_theme,
    ]
    if key_number > 1:
        key_parts.append(key_number)
    return f"image-{hashlib.sha256(json.dumps(key_parts).encode()).hexdigest()[:40]}"
