"""Uploaded files: what is taken for an image, and where it is served."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import socket
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from prefect_staticadslab.simulator.model.admission import APIError, not_valid

LARGEST: Final = 15 * 1024 * 1024
THUMBNAILS: Final = {"small": 150, "medium": 400, "large": 800}

MOST_PIXELS: Final = 40_000_000
"""Of an image: five times a 4K ad, and 160 MB once it is decoded."""

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
"""What is opened at all: others would be given to further decoders, EPS to Ghostscript."""

FETCH_SECONDS: Final = 5.0
"""In all, however slowly it comes."""

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
        return hashlib.sha256(self.content).hexdigest()


def read_image(filename: str, content: bytes, field: str = "file") -> Upload:
    """Takes a file for an image.

    Raises:
        APIError: 413 if it has more than 15 MB or too many pixels, 400 if it is no image.
    """
    from PIL import Image

    if len(content) > LARGEST:
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
    message = f"The image has more than {MOST_PIXELS:,} pixels."
    return APIError(413, "PAYLOAD_TOO_LARGE", message)


def decoded(text: object, field: str) -> Upload:
    """Takes base64 for an image.

    Raises:
        APIError: 400 if it is none.
    """
    try:
        content = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise not_valid((field, "is no base64")) from None
    return read_image("render", content, field)


def fetched(url: object) -> Upload:
    """Fetches an image that is served on this machine; the simulator goes nowhere else.

    Raises:
        APIError: 422 if it cannot be had, 400 if it is no address or no image.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise not_valid(("reference_image_url", "must be the address of an image"))
    try:
        parts = urlsplit(url)
        if parts.hostname not in ("127.0.0.1", "localhost"):
            raise _unreachable("The simulator fetches from this machine only; upload a file.")
        content = _read(parts)
    except (OSError, ValueError, HTTPException) as error:
        raise _unreachable(f"The image could not be fetched: {error}") from None
    name = parts.path.rpartition("/")[2] + parts.query
    return read_image(name, content, "reference_image_url")


def _unreachable(message: str) -> APIError:
    return APIError(422, "UNREACHABLE_IMAGE", message)


def _read(parts: SplitResult) -> bytes:
    """What is at an address of this machine, redirects and proxies left aside; never more than a
    byte too many.

    Raises:
        OSError, ValueError, HTTPException: It cannot be had.
    """
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=FETCH_SECONDS)
    connection.connect()
    # A server that sends a byte now and then would keep to any time-out for one of them.
    too_slow = threading.Timer(FETCH_SECONDS, connection.sock.shutdown, [socket.SHUT_RDWR])
    too_slow.daemon = True
    too_slow.start()
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            raise OSError(f"{answer.status} {answer.reason}")
        return answer.read(LARGEST + 1)
    finally:
        too_slow.cancel()
        connection.close()


def thumbnail(content: bytes, longest: int) -> bytes:
    """A smaller PNG of an image."""
    from PIL import Image

    with _decoding, Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
        small.thumbnail((longest, longest))
    out = io.BytesIO()
    small.save(out, "PNG")
    return out.getvalue()


def image_resource(identifier: str, upload: Upload, fields: dict[str, Any]) -> dict[str, Any]:
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
        "image_type": fields["image_type"],
        "is_ai_generated": False,
        "logo_theme": fields.get("logo_theme"),
        "product_id": fields.get("product_id"),
        **sources,
    }
