"""A file as the body of a request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from prefect_staticadslab import bounds


@dataclass(frozen=True)
class Upload:
    """A file in a multipart body, as its field `file`.

    Attributes:
        filename: Its name, without folders.
        content: Its bytes.
        media_type: Such as `image/png`.
    """

    filename: str
    content: bytes
    media_type: str

    @property
    def files(self) -> dict[str, tuple[str, bytes, str]]:
        """httpx's `files` of the request."""
        return {"file": (self.filename, self.content, self.media_type)}

    @property
    def content_type(self) -> str:
        """The request's `Content-Type`, whose boundary goes by the content.

        One idempotency key stands for one body, so a repeat must be the same byte for byte: a
        boundary that is drawn each time would make it another one.
        """
        boundary = hashlib.sha256(self.content).hexdigest()
        return f"multipart/form-data; boundary={boundary}"

    @property
    def seconds(self) -> float:
        """How long it may take to arrive."""
        return len(self.content) / bounds.UPLOAD_BYTES_PER_SECOND
