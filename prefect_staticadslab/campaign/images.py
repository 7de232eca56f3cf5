"""Image files on their way to the API: read and checked before any of them is sent."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.catalogue import Image, ImageFile, ImageType
from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.campaign import storage
from prefect_staticadslab.campaign.concurrency import all_of
from prefect_staticadslab.campaign.problems import CampaignError

OPEN_UPLOADS: Final = 4
"""Each holds a whole file, and there may be thousands of them."""


class ImageFileError(CampaignError):
    """Image files that cannot be uploaded; nothing was sent.

    Attributes:
        problems: What is wrong with each of them, in the order in which they were given.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


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


def read_image(location: str) -> ImageFile:
    """Reads an image from a path, or from any URL that fsspec knows.

    Raises:
        ImageFileError: It is not there, is larger than 15 MB, or is no whole PNG, JPEG, WebP or
            GIF.

    Example:
        ```python
        from pathlib import Path
        from PIL import Image
        from prefect_staticadslab.campaign.images import ImageFileError, read_image

        Image.new("RGB", (8, 8), "teal").save("logo.png")
        assert read_image("logo.png").media_type == "image/png"

        Path("broken.png").write_bytes(Path("logo.png").read_bytes()[:40])
        try:
            read_image("broken.png")
        except ImageFileError as error:
            assert str(error) == "broken.png is a broken image, or not a whole one."
        ```
    """
    try:
        content = storage.read_bytes(location)
    except storage.StorageError as error:
        raise ImageFileError([str(error)]) from None
    image = ImageFile(storage.name(location), content)
    problem = image.problem() or _broken(content)
    if problem is not None:
        raise ImageFileError([f"{storage.shown(location)} {problem}"])
    return image


def _broken(content: bytes) -> str | None:
    import PIL.Image

    try:
        with warnings.catch_warnings():
            # How many pixels are too many is for the API to say.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            with PIL.Image.open(io.BytesIO(content)) as picture:
                picture.verify()
    except PIL.Image.DecompressionBombError:
        return None
    except Exception:  # a broken file can break Pillow anywhere
        return "is a broken image, or not a whole one."
    return None


async def upload_images(
    client: StaticAdsLabClient, locations: Sequence[str], fields: UploadFields
) -> list[Image]:
    """Uploads image files, each content once, after all of them were read and checked.

    The files are read twice, once to check them and once to send them, so that there are never
    more than a few in memory. Their idempotency keys come from their content and `fields`: what
    is uploaded again within 24 hours is the same image.

    Args:
        client: The client.
        locations: Paths or URLs.
        fields: What is said about all of them.

    Returns:
        The images in the order of `locations`; files of the same content have the same one.

    Raises:
        ImageFileError: Some files cannot be uploaded; the message lists all of them, and nothing
            was sent.
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
                raise ImageFileError([f"{storage.shown(location)} was changed while it was read."])
            return await client.upload_image(
                image,
                fields.image_type,
                product_id=fields.product_id,
                alt_text=fields.alt_text,
                logo_theme=fields.logo_theme,
                idempotency_key=upload_key(image, fields),
            )

    wanted = list(dict.fromkeys(locations))
    checked = dict(zip(wanted, await all_of(map(check, wanted)), strict=True))
    wrong = [found for found in checked.values() if isinstance(found, ImageFileError)]
    if wrong:
        raise ImageFileError([problem for error in wrong for problem in error.problems])
    digests = {place: found for place, found in checked.items() if isinstance(found, str)}
    first = {digest: place for place, digest in reversed(digests.items())}
    sent = await all_of(upload(place, digest) for digest, place in first.items())
    images = dict(zip(first, sent, strict=True))
    return [images[digests[place]] for place in locations]


def upload_key(image: ImageFile, fields: UploadFields) -> str:
    """The idempotency key of an upload: one key stands for one body, and that holds the name."""
    said = [
        image.digest,
        image.safe_filename,
        str(fields.image_type),
        fields.product_id,
        fields.alt_text,
        fields.logo_theme,
    ]
    return f"image-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:40]}"
