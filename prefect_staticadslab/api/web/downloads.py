"""Fetching finished pictures from the CDN, which knows neither the key nor its rate limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeVar

from prefect_staticadslab import bounds
from prefect_staticadslab.api.errors import (
    APIConnectionError,
    StaticAdsLabError,
    UnreadableAnswerError,
    WebError,
)
from prefect_staticadslab.api.resources import media_type
from prefect_staticadslab.api.retries.tries import retrying
from prefect_staticadslab.api.web import WebAnswer, WebGate, ask, redacted, web_client

T = TypeVar("T")

MAX_TRIES: Final = 4

DEAD_STATUSES: Final = frozenset((400, 401, 403, 404, 410))
"""What a CDN answers to a URL that is gone, or whose signature has expired."""

_HEAD_BYTES: Final = 12


class PictureGoneError(StaticAdsLabError):
    """The picture is no longer at this URL; the API may know another one."""


def picture_ending(head: bytes) -> str | None:
    """What a file's first 12 bytes say that it is: `.png`, `.jpg`, `.webp`, `.gif`, or nothing.

    Example:
        ```python
        from prefect_staticadslab.api.web.downloads import picture_ending

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

    Args:
        gate: What may be asked; by default, anything but this machine itself.

    Attributes:
        bytes: How many were fetched.

    Raises:
        WebError: Proxies or certificates that the environment names cannot be used.
    """

    def __init__(self, gate: WebGate | None = None) -> None:
        self.bytes = 0
        self._gate = WebGate.of() if gate is None else gate
        self._http = web_client(self._gate)

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
            ForbiddenAddressError: See `WebGate.check`; it is not tried again.
            PictureGoneError: It is not there, or no longer.
            APIConnectionError: It could not be had, after several tries.
            UnreadableAnswerError: What is there is no PNG, JPEG, WebP or GIF, or never whole.
            OSError: It could not be written.
        """
        async for this_try in retrying(
            (APIConnectionError, UnreadableAnswerError), max_tries=MAX_TRIES
        ):
            with this_try:
                await self._fetch(url, path)
                return await check(path)
        raise AssertionError("a retry loop ends with an answer or an error")

    async def _fetch(self, url: str, path: Path) -> None:
        """Writes what is at an address into a file, in one try.

        Raises:
            PictureGoneError: It is no longer there.
            APIConnectionError: It could not be fetched, which may be otherwise the next time.
            UnreadableAnswerError: What is there is no picture.
        """
        try:
            async with ask(self._http, url, self._gate) as answer:
                if answer.status in DEAD_STATUSES:
                    raise PictureGoneError(f"The picture answered {answer.status}: {redacted(url)}")
                if not answer.response.is_success:
                    raise APIConnectionError(
                        f"The picture answered {answer.status}: {redacted(url)}"
                    )
                await self._write(answer, path, redacted(url))
        except WebError as error:
            raise APIConnectionError(f"The picture could not be fetched: {error}") from None

    async def _write(self, answer: WebAnswer, path: Path, where: str) -> None:
        """Writes an answer into a file as it comes; one that does not begin like a picture is left
        at once.

        Raises:
            UnreadableAnswerError: It is no picture.
        """
        head, is_picture = b"", False
        with path.open("wb") as file:
            async with aclosing(answer.pieces(bounds.PICTURE_BYTES)) as pieces:
                async for piece in pieces:
                    file.write(piece)
                    self.bytes += len(piece)
                    head += piece[: _HEAD_BYTES - len(head)]
                    is_picture = picture_ending(head) is not None
                    if len(head) == _HEAD_BYTES and not is_picture:
                        break
        if not is_picture:
            raise UnreadableAnswerError(f"This is no picture: {where}", status=answer.status)
