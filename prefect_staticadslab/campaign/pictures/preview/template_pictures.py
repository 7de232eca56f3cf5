"""Small pictures of the design templates, for a page that has them in itself."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError, UnreadableAnswerError
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.api.web.downloads import PictureDownloader
from prefect_staticadslab.campaign.pictures.picture_files import (
    BrokenPictureError,
    check_and_shrink,
)
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.table.background import all_of

logger = logging.getLogger(__name__)

MOST_PICTURES: Final = 200
"""Pictures in a page, of the templates that make most ads; each has some 30 kB there."""

_AT_ONCE: Final = 4
"""Downloads at once: a picture that is decoded takes some 60 MB."""


async def template_pictures(
    ads: Sequence[PlannedAd], gate: WebGate | None = None
) -> Mapping[str, bytes]:
    """Downloads the templates' previews, and gives a small JPEG of each by the template's id.

    One that cannot be had is logged and left out: a page without it is better than none. Nothing is
    left on disk.

    Args:
        ads: The ads that would be created.
        gate: Which web addresses may be asked; by default, any but those of this machine itself.
    """
    uses = Counter(ad.template_id for ad in ads if ad.template_picture)
    urls = {ad.template_id: ad.template_picture for ad in ads}
    wanted = iter([identifier for identifier, _ in uses.most_common(MOST_PICTURES)])
    pictures: dict[str, bytes] = {}
    if not uses:
        return pictures

    async def download_wanted(
        folder: Path, downloader: PictureDownloader, wanted: Iterator[str]
    ) -> None:
        """Takes templates from an iterator that several calls share, and downloads the picture of
        each into `pictures`."""
        for number, identifier in enumerate(wanted):
            place = folder / str(number)
            try:
                pictures[identifier] = await _download_small(urls[identifier], downloader, place)
            except (StaticAdsLabError, OSError) as error:
                logger.warning("The preview of %s could not be had: %s", identifier, error)

    with tempfile.TemporaryDirectory() as name:
        async with PictureDownloader(gate) as downloader:
            folders = [Path(name) / str(number) for number in range(_AT_ONCE)]
            for folder in folders:
                folder.mkdir()
            await all_of(download_wanted(folder, downloader, wanted) for folder in folders)
    return pictures


async def _download_small(url: str, downloader: PictureDownloader, path: Path) -> bytes:
    """Downloads a picture, and gives a small JPEG of it.

    Args:
        url: Where the picture is.
        downloader: What downloads it.
        path: A path without an ending, where two files are written for the time being.

    Raises:
        StaticAdsLabError, OSError: The picture could not be had.
    """
    file, small = path.with_suffix(".picture"), path.with_suffix(".small")

    async def make_small(path: Path) -> None:
        try:
            await asyncio.to_thread(check_and_shrink, path, small)
        except BrokenPictureError as error:
            raise UnreadableAnswerError(f"The picture is broken, {error}", status=200) from None

    try:
        await downloader.download(url, file, make_small)
        return small.read_bytes()
    finally:
        file.unlink(missing_ok=True)
        small.unlink(missing_ok=True)
