"""Small pictures of the design templates, to be held by a page that goes alone."""

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
"""Of the templates that make most ads; each has some 30 kB in the page."""

_AT_ONCE: Final = 4
"""A picture that is decoded takes some 60 MB."""


async def template_pictures(
    ads: Sequence[PlannedAd], gate: WebGate | None = None
) -> Mapping[str, bytes]:
    """A small JPEG of each template's preview, by the template's id.

    What cannot be had is logged and left out: a page without it is better than none.

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

    async def work(folder: Path, downloader: PictureDownloader, wanted: Iterator[str]) -> None:
        for number, identifier in enumerate(wanted):
            place = folder / f"{id(work)}-{number}"
            try:
                pictures[identifier] = await _small_picture(urls[identifier], downloader, place)
            except (StaticAdsLabError, OSError) as error:
                logger.warning("The preview of %s could not be had: %s", identifier, error)

    with tempfile.TemporaryDirectory() as name:
        async with PictureDownloader(gate) as downloader:
            folders = [Path(name) / str(number) for number in range(_AT_ONCE)]
            for folder in folders:
                folder.mkdir()
            await all_of(work(folder, downloader, wanted) for folder in folders)
    return pictures


async def _small_picture(url: str, downloader: PictureDownloader, folder: Path) -> bytes:
    file, small = folder.with_suffix(".picture"), folder.with_suffix(".small")

    async def check(path: Path) -> None:
        try:
            await asyncio.to_thread(check_and_shrink, path, small)
        except BrokenPictureError as error:
            raise UnreadableAnswerError(f"The picture is broken, {error}", status=200) from None

    try:
        await downloader.download(url, file, check)
        return small.read_bytes()
    finally:
        file.unlink(missing_ok=True)
        small.unlink(missing_ok=True)
