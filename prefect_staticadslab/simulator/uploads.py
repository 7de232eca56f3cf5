"""Uploaded files: what is taken for an image, and where it is served."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import urlopen

from prefect_staticadslab.simulator.admission import Refusal, not_valid

LARGEST: Final = 15 * 1024 * 1024
THUMBNAILS: Final = {"small": 150, "medium": 400, "large": 800}
FETCH_SECONDS: Final = 5.0


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
        Refusal: 413 if it has more than 15 MB, 400 if it is no image.
    """
    from PIL import Image

    if len(content) > LARGEST:
        raise Refusal(413, "PAYLOAD_TOO_LARGE", "The file has more than 15 MB.")
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            kind, (width, height) = str(image.format).lower(), image.size
    except Exception:  # Pillow raises what it likes
        raise not_valid((field, "is no image")) from None
    if kind not in ("png", "jpeg", "webp", "gif"):
        raise not_valid((field, f"is a {kind}; only png, jpeg, webp and gif are taken"))
    return Upload(filename, content, kind, width, height)


def decoded(text: object, field: str) -> Upload:
    """Takes base64 for an image.

    Raises:
        Refusal: 400 if it is none.
    """
    try:
        content = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        raise not_valid((field, "is no base64")) from None
    return read_image("render", content, field)


def fetched(url: object) -> Upload:
    """Fetches an image that is served on this machine; the simulator goes nowhere else.

    Raises:
        Refusal: 422 if it cannot be had, 400 if it is no address or no image.
    """
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise not_valid(("reference_image_url", "must be the address of an image"))
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost"):
        raise Refusal(
            422, "UNREACHABLE_IMAGE", "The simulator fetches from this machine only; upload a file."
        )
    try:
        with urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - http(s), see above
            content: bytes = answer.read(LARGEST + 1)
    except OSError as error:
        message = f"The image could not be fetched: {error}"
        raise Refusal(422, "UNREACHABLE_IMAGE", message) from None
    name = parts.path.rpartition("/")[2] + parts.query
    return read_image(name, content, "reference_image_url")


def thumbnail(content: bytes, longest: int) -> bytes:
    """A smaller PNG of an image."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
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
