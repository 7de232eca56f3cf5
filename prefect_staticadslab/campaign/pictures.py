"""Downloading a table's pictures into a folder, under names that people find again."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from prefect_staticadslab.api.downloads import PictureDownloader
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.campaign.problems import CampaignError
from prefect_staticadslab.campaign.results import ResultTable
from prefect_staticadslab.campaign.states import RowStatus

logger = logging.getLogger(__name__)

OPEN_DOWNLOADS: Final = 8


def picture_name(row: int, product_id: str, image_ad_id: str) -> str:
    """A file name with the row's number, the product and the ad.

    Example:
        ```python
        from prefect_staticadslab.campaign.pictures import picture_name

        assert picture_name(7, "prod_b2d4", "ia_91c0") == "0007-prod_b2d4-ia_91c0.png"
        ```
    """
    safe = [re.sub(r"[^\w-]", "_", part) for part in (product_id, image_ad_id)]
    return f"{row:04d}-{safe[0]}-{safe[1]}.png"


def make_folder(folder: str) -> Path:
    """A local folder for pictures, made if it is not there.

    Raises:
        CampaignError: It cannot be made.
    """
    place = Path(folder).expanduser()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CampaignError(f"There can be no folder {folder}: {error.strerror}.") from None
    return place


async def download_pictures(table: ResultTable, folder: str) -> int:
    """Downloads the completed rows' pictures, save those that are there already.

    Args:
        table: The campaign's table; `image_path` is noted in it.
        folder: A local folder, which is made if need be.

    Returns:
        How many pictures could not be had; each is logged, and the next run tries again.

    Raises:
        CampaignError: The folder cannot be made.
    """
    place = make_folder(folder)
    room = asyncio.Semaphore(OPEN_DOWNLOADS)

    async def fetch(downloader: PictureDownloader, position: int) -> bool:
        state, row = table.states[position], table.rows[position]
        name = picture_name(row.number, row.request.product_id, state.image_ad_id or "")
        path = place / name
        if not path.exists():
            async with room:
                try:
                    await downloader.download(state.image_url or "", path)
                except (StaticAdsLabError, OSError) as error:
                    logger.warning("Row %d: %s", row.number, error)
                    return False
        table.update(position, replace(state, image_path=str(Path(folder) / name)))
        return True

    async with PictureDownloader() as downloader:
        had = await asyncio.gather(
            *(
                fetch(downloader, position)
                for position, state in enumerate(table.states)
                if state.status is RowStatus.COMPLETED
            )
        )
    return had.count(False)
