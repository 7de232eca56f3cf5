"""Reading images that are to be uploaded, and telling what is wrong with them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab import bounds
from prefect_staticadslab.api.resources import MAX_UPLOAD_BYTES, ImageFile
from prefect_staticadslab.campaign.errors import CampaignError, StorageError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.locations import Location, redacted


class ImageFileError(CampaignError):
    """An image that cannot be uploaded. The message says why, in words that follow its name."""


class UnsafePictureError(Exception):
    """A picture that is too large to be decoded. The message says why, in words after "it"."""


_decoding = threading.BoundedSemaphore(bounds.DECODED_PICTURES)
"""Held while a picture is open."""

_opening = threading.Lock()
"""Held while warnings are filtered, which is for the whole process."""

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")

_TOO_MANY: Final = f"more than the {bounds.PICTURE_PIXELS:,} pixels that are decoded"


@contextmanager
def open_picture(source: Path | BytesIO) -> Iterator[Any]:
    """Opens a picture with Pillow while the body runs; the body decodes it, if it has to.

    At most `bounds.DECODED_PICTURES` are open at once, in whatever threads, and others wait: each
    may take 160 MB when it is decoded.

    Raises:
        UnsafePictureError: It has more pixels than `bounds.PICTURE_PIXELS`.
        Exception: Pillow's, which may be any, if it is no PNG, JPEG, WebP or GIF.
    """
    from PIL import Image

    with _decoding:
        with _opening, warnings.catch_warnings():
            # Pillow's own bound, which it warns of, is higher than ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            try:
                picture = Image.open(source, formats=_FORMATS)
            except Image.DecompressionBombError:
                raise UnsafePictureError(f"has far {_TOO_MANY}") from None
        with picture:
            width, height = picture.size
            if width * height > bounds.PICTURE_PIXELS:
                raise UnsafePictureError(f"has {width} × {height} pixels, {_TOO_MANY}")
            yield picture


def read_image(location: str | Location) -> ImageFile:
    """Reads and checks an image: it is one, of a kind and size that the API takes.

    Args:
        location: A path or a URL, which `Location.typed` checks; or a `Location` that has been
            checked.

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
    text = location.text if isinstance(location, Location) else location
    try:
        # One byte more than may be sent is enough to know that it is too long.
        content = storage.read_start(location, MAX_UPLOAD_BYTES + 1)
    except StorageError as error:
        raise ImageFileError(str(error)) from None
    image = ImageFile(storage.name(text), content)
    problem = image.problem() or _decoding_problem(content)
    if problem:
        raise ImageFileError(f"{redacted(text)} {problem}")
    return image


def _decoding_problem(content: bytes) -> str | None:
    """Decodes an image to see whether that works.

    Returns:
        None if it does; else why not, in words that follow the image's name.
    """
    try:
        with open_picture(BytesIO(content)) as image:
            image.load()
    except UnsafePictureError as error:
        return f"{error}."
    except Exception as error:  # Pillow raises what it likes
        return f"is a broken image ({type(error).__name__})."
    return None
