"""Looks at picture files, whether they are whole, and makes small ones of them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import IO, Any, Final

from prefect_staticadslab.api.web.downloads import picture_ending
from prefect_staticadslab.campaign.files.formats.cell_pictures import on_white
from prefect_staticadslab.campaign.files.images import UnsafePictureError, open_picture

THUMBNAIL_PIXELS: Final = 480
"""The longest side: sharp on the contact sheet, also on a screen with two pixels for one."""

THUMBNAIL_QUALITY: Final = 80
"""The JPEGs' quality, of 100."""

_END_BYTES: Final = 64
"""So much from its end is read of a file, to see whether that is there."""


class BrokenPictureError(Exception):
    """The file is no picture, or not all of one."""


def looks_whole(path: Path) -> bool:
    """Whether a file begins and ends like a PNG, JPEG, GIF or WebP. Most of it is not read.

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


def check_and_shrink(path: Path, thumbnail: Path, comment: str = "") -> str:
    """Decodes a picture in full, and writes a small JPEG of it.

    Takes a 4K picture 0.1 to 0.3 s and some 60 MB: do it in a thread, and few at a time.

    Args:
        path: The picture.
        thumbnail: Where the small one is written to.
        comment: What is noted in the small one: which ad it is of, whatever the file is called.

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
            small = _shrunk(picture, THUMBNAIL_PIXELS)
    except UnsafePictureError as error:
        raise BrokenPictureError(f"it {error}") from None
    except Exception as error:  # a broken file can break a decoder anywhere
        raise BrokenPictureError(f"it cannot be decoded: {error}") from None
    small.save(
        thumbnail,
        "JPEG",
        quality=THUMBNAIL_QUALITY,
        optimize=True,
        comment=comment.encode("ascii", "replace"),
    )
    return ending


def comment_of(thumbnail: IO[bytes]) -> str:
    """What `check_and_shrink` has noted in a thumbnail; "" if nothing, or if it is no picture.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with open_picture(BytesIO(thumbnail.read())) as picture:
            comment = picture.info.get("comment", b"")
            return comment.decode("ascii", "replace") if isinstance(comment, bytes) else ""
    except OSError:
        raise
    except Exception:  # a broken file can break a decoder anywhere
        return ""


def small_jpeg(content: BytesIO, pixels: int) -> bytes:
    """A picture as a JPEG whose longest side has at most so many pixels.

    Whatever the content was, what comes out is made anew of its pixels, and holds nothing else.

    Raises:
        BrokenPictureError: It is no picture, or not all of one.
    """
    try:
        with open_picture(content) as picture:
            small = _shrunk(picture, pixels)
    except UnsafePictureError as error:
        raise BrokenPictureError(f"it {error}") from None
    except Exception as error:  # a broken file can break a decoder anywhere
        raise BrokenPictureError(f"it cannot be decoded: {error}") from None
    out = BytesIO()
    small.save(out, "JPEG", quality=THUMBNAIL_QUALITY, optimize=True)
    return out.getvalue()


def _shrunk(picture: Any, pixels: int) -> Any:
    """A picture on white whose longest side has at most so many pixels. Changes the given one."""
    # Of what is whole this makes a small one before it changes the colours of it.
    picture.thumbnail((pixels, pixels), reducing_gap=2.0)
    return on_white(picture)
