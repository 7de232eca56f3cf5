"""Pictures for the cells of a workbook: small in pixels and in bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.campaign.files.images import open_picture

LONGEST_SIDE: Final = 112
"""Pixels of a screen on which one pixel is one."""

_SHARPNESS: Final = 2
"""Pixels of the file for one of those: other screens have two, and people zoom in."""

_DPI: Final = 96 * _SHARPNESS
_QUALITIES: Final = (75, 50, 25)

MOST_BYTES: Final = 16 * 1024
"""Of one picture. Most have a third of that; two thousand of them can be mailed."""


@dataclass(frozen=True)
class CellPicture:
    """A picture for a cell.

    Attributes:
        content: A JPEG.
        width, height: How large it is shown, in pixels of a screen.
        description: What a screen reader says of it.
    """

    content: bytes
    width: int
    height: int
    description: str = ""


def cell_picture(
    source: Path | bytes, *, description: str = "", longest_side: int = LONGEST_SIDE
) -> CellPicture | None:
    """A picture as a cell can show it; None if it is no picture, or cannot be made small enough.

    Args:
        source: The file, or what is in it.
        description: What a screen reader is to say of it.
        longest_side: In pixels of a screen.
    """
    opened = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with open_picture(opened) as picture:
            box = (longest_side * _SHARPNESS, longest_side * _SHARPNESS)
            picture.draft("RGB", box)  # a JPEG need not be decoded at its full size
            picture.thumbnail(box, reducing_gap=2.0)
            small = on_white(picture)
    except Exception:  # a broken file can break a decoder anywhere
        return None
    for quality in _QUALITIES:
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True, dpi=(_DPI, _DPI))
        if out.tell() <= MOST_BYTES:
            width, height = (max(1, round(side / _SHARPNESS)) for side in small.size)
            return CellPicture(out.getvalue(), width, height, description)
    return None


def on_white(picture: Any) -> Any:
    """A picture as JPEG can hold it: without transparency, in RGB."""
    from PIL import Image

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    ground.alpha_composite(layer)
    return ground.convert("RGB")
