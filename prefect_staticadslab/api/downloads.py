"""Fetching finished pictures from the CDN, which knows neither the key nor its rate limit."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx

from prefect_staticadslab.api.base_client import CONNECT_SECONDS, READ_SECONDS
from prefect_staticadslab.api.errors import APIConnectionError, UnreadableAnswerError
from prefect_staticadslab.api.retries import retrying

ATTEMPTS: Final = 4

_SIGNATURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"GIF8")


class PictureDownloader:
    """Downloads pictures. Use it as an async context manager.

    The pictures are on another host than the API, and the key never goes there.
    """

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), follow_redirects=True
        )

    async def __aenter__(self) -> PictureDownloader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def download(self, url: str, path: Path) -> None:
        """Streams the picture at `url` to `path`, which appears only once it is whole.

        Raises:
            APIConnectionError: It could not be had, after several tries.
            UnreadableAnswerError: What is there is no PNG, JPEG, WebP or GIF.
            OSError: It could not be written.
        """
        async for attempt in retrying(
            (APIConnectionError, UnreadableAnswerError), attempts=ATTEMPTS
        ):
            with attempt:
                await self._download_once(url, path)

    async def _download_once(self, url: str, path: Path) -> None:
        partial = path.with_name(path.name + ".part")
        try:
            async with self._http.stream("GET", url) as response:
                if not response.is_success:
                    raise APIConnectionError(f"The picture answered {response.status_code}: {url}")
                with partial.open("wb") as file:
                    async for block in response.aiter_bytes():
                        file.write(block)
            with partial.open("rb") as file:
                if not file.read(8).startswith(_SIGNATURES):
                    raise UnreadableAnswerError(
                        f"This is no picture: {url}", status=response.status_code
                    )
            partial.replace(path)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise APIConnectionError(
                f"The picture could not be fetched ({type(error).__name__}): {url}"
            ) from None
        finally:
            partial.unlink(missing_ok=True)
