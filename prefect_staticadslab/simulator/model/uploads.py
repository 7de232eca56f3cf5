"""Uploaded files: what counts as an image, its thumbnails, and how the API answers it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prefect_staticadslab.simulator.model.errors import APIError, not_valid

MOST_BYTES: Final = 15 * 1024 * 1024
"""Of an uploaded file."""

THUMBNAILS: Final = {"small": 150, "medium": 400, "large": 800}
"""The longest side of each, in pixels."""

MOST_PIXELS: Final = 40_000_000
"""Of an image: five times a 4K ad, and 160 MB once it is decoded."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
"""What Pillow may open: other formats need further decoders, and EPS even starts Ghostscript."""

_decoding: Final = threading.Lock()
"""Held while an image is decoded: one at a time is enough for a simulator, and for its memory."""


@dataclass(frozen=True)
class Upload:
    """An image that was uploaded."""

    filename: str
    content: bytes
    format: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        """The content's SHA-256."""
        return hashlib.sha256(self.content).hexdigest()


def read_image(filename: str, content: bytes, field: str = "file") -> Upload:
    """Reads a file as an image.

    Raises:
        APIError: 413 if it has more than 15 MB or too many pixels, 400 if it is no image.
    """
    from PIL import Image

    if len(content) > MOST_BYTES:
        raise APIError(413, "PAYLOAD_TOO_LARGE", "The file has more than 15 MB.")
    try:
        with _decoding, Image.open(io.BytesIO(content), formats=FORMATS) as image:
            kind, (width, height) = str(image.format).lower(), image.size
            if width * height > MOST_PIXELS:
                raise _too_many_pixels()
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except APIError:
        raise
    except Exception:  # Pillow raises what it likes
        raise not_valid((field, "is no png, jpeg, webp or gif")) from None
    return Upload(filename, content, kind, width, height)


def _too_many_pixels() -> APIError:
    """A 413."""
    message = f"The image has more than {MOST_PIXELS:,} pixels."
    return APIError(413, "PAYLOAD_TOO_LARGE", message)


def decode_image(text: object, field: str) -> Upload:
    """Reads base64 as an image.

    Raises:
        APIError: 400 if it is none.
    """
    try:
        content = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise not_valid((field, "is no base64")) from None
    return read_image("render", content, field)


def thumbnail(content: bytes, longest: int) -> bytes:
    """An image as WebP, with at most so many pixels on its longest side."""
    from PIL import Image

    with _decoding, Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
        small.thumbnail((longest, longest))
    out = io.BytesIO()
    small.save(out, "WEBP")
    return out.getvalue()


def image_resource(identifier: str, upload: Upload, fields: Mapping[str, Any]) -> dict[str, Any]:
    """An image as the API answers it, without its dates."""
    sources = {f"thumbnail_{name}_src": f"/files/{identifier}/{name}" for name in THUMBNAILS}
    return {
        "id": identifier,
        "src": f"/files/{identifier}",
        "width": upload.width,
        "height": upload.height,
        "format": upload.format,
        "size_bytes": len(upload.content),
        "alt_text": fields.get("alt_text"),
        "image_type": fields.get("image_type"),
        "is_ai_generated": False,
        "logo_theme": fields.get("logo_theme"),
        "product_id": fields.get("product_id"),
        **sources,
    }
