"""Fetching finished pictures from the CDN, which knows neither the key nor its rate limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import httpx

from prefect_staticadslab.api.bounds import CONNECT_SECONDS, READ_SECONDS
from prefect_staticadslab.api.catalogue import media_type
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    StaticAdsLabError,
    UnreadableAnswerError,
)
from prefect_staticadslab.api.retries import retrying

T = TypeVar("T")

ATTEMPTS: Final = 4

LARGEST_BYTES: Final = 256 * 1024 * 1024
"""A 4K PNG has some 10 MB; what does not end is no picture."""

DEAD_STATUSES: Final = frozenset((400, 401, 403, 404, 410))
"""What a CDN answers to a URL that is gone, or whose signature has expired."""

_HEAD_BYTES: Final = 12


class PictureGoneError(StaticAdsLabError):
    """The picture is no longer at this URL; the API may know another one."""


def picture_ending(head: bytes) -> str | None:
    """What a file's first 12 bytes say that it is: `.png`, `.jpg`, `.webp`, `.gif`, or nothing.

    Example:
        ```python
        from prefect_staticadslab.api.downloads import picture_ending

        assert picture_ending(b"\\xff\\xd8\\xff\\xe0........") == ".jpg"
        assert picture_ending(b"<html>Sorry") is None
        ```
    """
    return _ENDING_OF.get(media_type(head) or "")


_ENDING_OF: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
}

ENDINGS: Final = frozenset(_ENDING_OF.values())


class PictureDownloader:
    """Downloads pictures. Use it as an async context manager.

    The pictures are on another host than the API, and the key never goes there.

    Attributes:
        bytes: How many were fetched.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), follow_redirects=True
        )

    async def __aenter__(self) -> PictureDownloader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def download(self, url: str, path: Path, check: Callable[[Path], Awaitable[T]]) -> T:
        """Streams the picture at `url` to `path`, and looks at it before it counts as had.

        Args:
            url: Where it is.
            path: A temporary file; it may be there in part after an error.
            check: Raises UnreadableAnswerError if the file is no whole picture; then it is
                fetched again.

        Returns:
            What `check` does.

        Raises:
            PictureGoneError: It is not there, or no longer.
            APIConnectionError: It could not be had, after several tries.
            UnreadableAnswerError: What is there is no PNG, JPEG, WebP or GIF, or never whole.
            OSError: It could not be written.
        """
        async for attempt in retrying(
            (APIConnectionError, UnreadableAnswerError), attempts=ATTEMPTS
        ):
            with attempt:
                await self._fetch(url, path)
                return await check(path)
        raise AssertionError("a retry loop ends with an answer or an error")

    async def _fetch(self, url: str, path: Path) -> None:
        # What comes after the ? may be a signature, with which anybody could have the picture.
        shown = url.partition("?")[0]
        try:
            async with self._http.stream("GET", url) as response:
                if response.status_code in DEAD_STATUSES:
                    raise PictureGoneError(f"The picture answered {response.status_code}: {shown}")
                if not response.is_success:
                    raise APIConnectionError(
                        f"The picture answered {response.status_code}: {shown}"
                    )
                size, head = 0, b""
                with path.open("wb") as file:
                    async for block in response.aiter_bytes():
                        file.write(block)
                        size, head = size + len(block), (head + block[:_HEAD_BYTES])[:_HEAD_BYTES]
                        is_other = len(head) == _HEAD_BYTES and picture_ending(head) is None
                        if is_other or size > LARGEST_BYTES:
                            break
                self.bytes += size
                if picture_ending(head) is None or size > LARGEST_BYTES:
                    raise UnreadableAnswerError(
                        f"This is no picture: {shown}", status=response.status_code
                    )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise APIConnectionError(
                f"The picture could not be fetched ({type(error).__name__}): {shown}"
            ) from None
