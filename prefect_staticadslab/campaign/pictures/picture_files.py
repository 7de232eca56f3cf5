"""Looking at picture files: are they whole, and what do they look like when small?"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from prefect_staticadslab.api.web.downloads import picture_ending
from prefect_staticadslab.campaign.files.formats.cell_pictures import on_white
from prefect_staticadslab.campaign.files.images import UnsafePictureError, open_picture

THUMBNAIL_PIXELS: Final = 480
"""The longest side: sharp on the contact sheet, also on a screen with two pixels for one."""

THUMBNAIL_QUALITY: Final = 80

_END_BYTES: Final = 64


class BrokenPictureError(Exception):
    """The file is no picture, or not all of one."""


def looks_whole(path: Path) -> bool:
    """Whether a file begins and ends like a picture. Quick: most of it is not read.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        size = file.seek(0, 2)
        file.seek(max(0, size - _END_BYTES))
        end = file.read()
    match picture_ending(head):
        case ".png":
            return b"IEND" in end
        case ".jpg":
            return b"\xff\xd9" in end
        case ".gif":
            return end.endswith(b";")
        case ".webp":
            return size >= int.from_bytes(head[4:8], "little") + 8
        case _:
            return False


def check_and_shrink(path: Path, thumbnail: Path) -> str:
    """Decodes a picture in full, and writes a small JPEG of it.

    Takes a 4K picture 0.1 to 0.3 s and some 60 MB: do it in a thread, and few at a time.

    Args:
        path: The picture.
        thumbnail: Where the small one goes.

    Returns:
        The ending that its content asks for, such as `.png`.

    Raises:
        BrokenPictureError: It is no picture, or not all of one.
        OSError: The small one cannot be written.
    """
    with path.open("rb") as file:
        ending = picture_ending(file.read(12))
    if ending is None:
        raise BrokenPictureError("it is no PNG, JPEG, WebP or GIF")
    try:
        with open_picture(path) as picture:
            # A PNG's checksums; decoding alone passes over some of them.
            picture.verify()
        with open_picture(path) as picture:
            picture.load()
            # Of what is whole this makes a small one before it changes the colours of it.
            picture.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), reducing_gap=2.0)
            small = on_white(picture)
    except UnsafePictureError as error:
        raise BrokenPictureError(f"it {error}") from None
    except Exception as error:  # a broken file can break a decoder anywhere
        raise BrokenPictureError(f"it cannot be decoded: {error}") from None
    small.save(thumbnail, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return ending
