"""Reading images that are to be uploaded, and telling what is wrong with them."""

from __future__ import annotations

import io

from prefect_staticadslab.api.catalogue import MAX_UPLOAD_BYTES, ImageFile
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage


class ImageFileError(CampaignError):
    """An image that cannot be uploaded. The message says why, in words that follow its name."""


def read_image(location: str) -> ImageFile:
    """Reads and checks an image: it is one, of a kind and size that the API takes.

    Args:
        location: A path, or any fsspec URL.

    Raises:
        ImageFileError: It cannot be read, is no image, or has more than 15 MB.

    Example:
        ```python
        from pathlib import Path
        from prefect_staticadslab.campaign.files.images import ImageFileError, read_image

        Path("notes.png").write_text("Hello")
        try:
            read_image("notes.png")
        except ImageFileError as error:
            assert str(error) == "notes.png is no PNG, JPEG, WebP or GIF."
        ```
    """
    try:
        # One byte more than may be sent is enough to know that it is too long.
        content = storage.read_bytes(location, at_most=MAX_UPLOAD_BYTES + 1)
    except storage.StorageError as error:
        raise ImageFileError(str(error)) from None
    image = ImageFile(storage.name(location), content)
    problem = image.problem() or _broken(content)
    if problem:
        raise ImageFileError(f"{storage.shown(location)} {problem}")
    return image


def _broken(content: bytes) -> str | None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except Exception as error:  # Pillow raises what it likes
        return f"is a broken image ({type(error).__name__})."
    return None
