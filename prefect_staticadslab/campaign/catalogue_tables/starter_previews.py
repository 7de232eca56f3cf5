"""Pictures of design templates for a spreadsheet to start from."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.api.web.downloads import PictureDownloader
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import PREVIEW_SIDE
from prefect_staticadslab.campaign.files.formats.cell_pictures import CellPicture, cell_picture
from prefect_staticadslab.campaign.table.background import all_of

logger = logging.getLogger(__name__)

PREVIEWS: Final = 200
"""The most templates with a picture: nobody looks through a page with more."""

OPEN_PREVIEWS: Final = 4
"""Pictures that are downloaded at once."""

LOST_PREVIEWS: Final = 2 * OPEN_PREVIEWS
"""If so many downloads fail one after the other, no more are tried."""


async def read_previews(
    templates: Sequence[DesignTemplate], gate: WebGate | None = None
) -> dict[str, CellPicture]:
    """Downloads the templates' previews and makes them small. Returns them by the templates' ids.

    A picture that cannot be downloaded or decoded is logged and left out: the spreadsheet works
    without it.

    Args:
        templates: The templates; only the first 200 that have a preview are asked for.
        gate: Which web addresses may be asked; by default, any but those of this machine itself.
    """
    templates_left = iter([t for t in templates if t.preview_url][:PREVIEWS])
    with tempfile.TemporaryDirectory(prefix="previews-", ignore_cleanup_errors=True) as folder:
        async with PictureDownloader(gate) as downloader:
            previews = _PreviewDownloads(downloader, Path(folder))
            await all_of(previews.download_all(templates_left) for _ in range(OPEN_PREVIEWS))
    return previews.pictures


class _PreviewDownloads:
    """Downloads previews until too many fail one after the other.

    Args:
        downloader: What downloads them.
        folder: A folder for the files, which are removed once they were made small.

    Attributes:
        pictures: The small pictures that were downloaded by now, by their templates' ids.
    """

    def __init__(self, downloader: PictureDownloader, folder: Path) -> None:
        self._downloader = downloader
        self._folder = folder
        self._failed_one_after_another = 0
        self.pictures: dict[str, CellPicture] = {}

    async def download_all(self, templates: Iterator[DesignTemplate]) -> None:
        """Downloads previews into `pictures`, until the iterator is used up or too many fail.

        Several calls may share one iterator and download side by side. What fails is logged.
        """
        for template in templates:
            if self._failed_one_after_another >= LOST_PREVIEWS:
                return
            try:
                await self._download_one(template)
                self._failed_one_after_another = 0
            except (StaticAdsLabError, OSError) as error:
                self._failed_one_after_another += 1
                logger.warning("The preview of %s is left out: %s", template.id, error)

    async def _download_one(self, template: DesignTemplate) -> None:
        """Downloads a preview, makes it small, and puts it into `pictures`.

        One that cannot be decoded is logged.

        Raises:
            StaticAdsLabError, OSError: It could not be downloaded.
        """
        file = self._folder / template.id.replace("/", "_")[:100]

        async def shrink(path: Path) -> CellPicture | None:
            """A small picture of a downloaded file; None if it cannot be decoded."""
            return await asyncio.to_thread(
                cell_picture,
                path,
                description=f"Preview of {template.id}",
                longest_side=PREVIEW_SIDE,
            )

        try:
            picture = await self._downloader.download(template.preview_url or "", file, shrink)
        finally:
            file.unlink(missing_ok=True)
        if picture is None:
            logger.warning("The preview of %s is left out: it cannot be decoded.", template.id)
        else:
            self.pictures[template.id] = picture
