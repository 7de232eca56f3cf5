"""Pictures for the cells of a workbook: small in pixels and in bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.campaign.files.images import open_picture

LONGEST_SIDE: Final = 112
"""In CSS pixels, of which an older screen has 96 to an inch: of a picture in a cell."""

_FILE_PIXELS_PER_PIXEL: Final = 2
"""Pixels of the file for one of those: newer screens show twice as many, and people zoom in."""

_DPI: Final = 96 * _FILE_PIXELS_PER_PIXEL
_JPEG_QUALITIES: Final = (75, 50, 25)
"""What is tried, one after the other, until a picture has no more than `MOST_BYTES`."""

MOST_BYTES: Final = 16 * 1024
"""Bytes of one picture. Most have a third of that; two thousand of them can be mailed."""


@dataclass(frozen=True)
class CellPicture:
    """A picture for a cell.

    Attributes:
        content: A JPEG.
        width, height: How large it is shown, in CSS pixels.
        description: What a screen reader says of it.
    """

    content: bytes
    width: int
    height: int
    description: str = ""


def cell_picture(
    source: Path | bytes, *, description: str = "", longest_side: int = LONGEST_SIDE
) -> CellPicture | None:
    """A picture made small for a cell; None if it is no picture, or cannot be made small enough.

    Args:
        source: The file, or what is in it.
        description: What a screen reader is to say of it.
        longest_side: How large it is shown at most, in CSS pixels.
    """
    opened = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with open_picture(opened) as picture:
            box = (longest_side * _FILE_PIXELS_PER_PIXEL, longest_side * _FILE_PIXELS_PER_PIXEL)
            picture.draft("RGB", box)  # a JPEG need not be decoded at its full size
            picture.thumbnail(box, reducing_gap=2.0)
            small = on_white(picture)
    except Exception:  # a broken file can break a decoder anywhere
        return None
    for quality in _JPEG_QUALITIES:
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True, dpi=(_DPI, _DPI))
        if out.tell() <= MOST_BYTES:
            width, height = (max(1, round(side / _FILE_PIXELS_PER_PIXEL)) for side in small.size)
            return CellPicture(out.getvalue(), width, height, description)
    return None


def on_white(picture: Any) -> Any:
    """A copy of a Pillow image as JPEG can hold it: in RGB, white where it was transparent."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    ground.alpha_composite(layer)
    return ground.convert("RGB")
