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
from prefect_staticadslab.api.web import WebAnswer, WebGate, open_web, redacted_url, web_client

T = TypeVar("T")

MAX_TRIES: Final = 4
"""How often a picture is fetched at most."""

DEAD_STATUSES: Final = frozenset((400, 401, 403, 404, 410))
"""What a CDN answers to a URL that is gone, or whose signature has expired."""

_HEAD_BYTES: Final = 12
"""How many bytes `picture_ending` goes by."""


class PictureGoneError(StaticAdsLabError):
    """The picture is no longer at this URL; the API may know another one."""


def picture_ending(head: bytes) -> str | None:
    """The ending of a picture's name by its first 12 bytes: `.png`, `.jpg`, `.webp` or `.gif`; None
    if they are those of no picture.

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
        bytes: How many it has written, those of tries that failed included.

    Raises:
        WebError: Proxies or certificates that the environment names cannot be used.
    """

    def __init__(self, gate: WebGate | None = None) -> None:
        self.bytes = 0
        self._gate = WebGate.allowing() if gate is None else gate
        self._http = web_client(self._gate)

    async def __aenter__(self) -> PictureDownloader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def download(self, url: str, path: Path, check: Callable[[Path], Awaitable[T]]) -> T:
        """Writes the picture at `url` to the file `path`, and has it checked; after errors that may
        pass, it does so again.

        Args:
            url: Where it is.
            path: A temporary file; it may be there in part after an error.
            check: Given `path`; raises UnreadableAnswerError if that is no whole picture, which is
                fetched again then.

        Returns:
            What `check` returned.

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
                await self._fetch_once(url, path)
                return await check(path)
        raise AssertionError("a retry loop ends with an answer or an error")

    async def _fetch_once(self, url: str, path: Path) -> None:
        """Writes what is at an address into a file, in one try.

        Raises:
            PictureGoneError: It is no longer there.
            APIConnectionError: It could not be fetched, which may go otherwise the next time.
            UnreadableAnswerError: What is there is no picture.
        """
        try:
            async with open_web(self._http, url, self._gate) as answer:
                if answer.status in DEAD_STATUSES:
                    raise PictureGoneError(
                        f"The picture answered {answer.status}: {redacted_url(url)}"
                    )
                if not answer.response.is_success:
                    raise APIConnectionError(
                        f"The picture answered {answer.status}: {redacted_url(url)}"
                    )
                await self._write(answer, path, redacted_url(url))
        except WebError as error:
            raise APIConnectionError(f"The picture could not be fetched: {error}") from None

    async def _write(self, answer: WebAnswer, path: Path, where: str) -> None:
        """Writes an answer's body into a file as it comes, and counts its bytes; one that does not
        begin like a picture is not read to its end.

        Args:
            answer: The answer.
            path: The file, which is written over.
            where: The address for a message.

        Raises:
            UnreadableAnswerError: It is no picture.
            WebError: It breaks off, or has more than `bounds.PICTURE_BYTES`.
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
