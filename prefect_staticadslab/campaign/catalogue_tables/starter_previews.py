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
"""Templates with a picture. A page with more of them is for nobody to look through."""

OPEN_PREVIEWS: Final = 4
LOST_PREVIEWS: Final = 2 * OPEN_PREVIEWS
"""So many in a row that cannot be had are an outage."""


async def read_previews(
    templates: Sequence[DesignTemplate], gate: WebGate | None = None
) -> dict[str, CellPicture]:
    """Downloads the templates' previews, and makes them small; by the templates' ids.

    A picture that cannot be had is logged, and is missing: the spreadsheet works without it.

    Args:
        templates: The first 200 are asked for.
        gate: Which web addresses may be asked; by default, any but those of this machine itself.
    """
    waiting = iter([t for t in templates if t.preview_url][:PREVIEWS])
    with tempfile.TemporaryDirectory(prefix="previews-", ignore_cleanup_errors=True) as folder:
        async with PictureDownloader(gate) as downloader:
            previews = _Previews(downloader, Path(folder))
            await all_of(previews.read(waiting) for _ in range(OPEN_PREVIEWS))
    return previews.pictures


class _Previews:
    """Downloads previews, and gives up once nobody answers."""

    def __init__(self, downloader: PictureDownloader, folder: Path) -> None:
        self._downloader = downloader
        self._folder = folder
        self._lost_in_a_row = 0
        self.pictures: dict[str, CellPicture] = {}

    async def read(self, waiting: Iterator[DesignTemplate]) -> None:
        for template in waiting:
            if self._lost_in_a_row >= LOST_PREVIEWS:
                return
            try:
                await self._read_one(template)
                self._lost_in_a_row = 0
            except (StaticAdsLabError, OSError) as error:
                self._lost_in_a_row += 1
                logger.warning("The preview of %s is left out: %s", template.id, error)

    async def _read_one(self, template: DesignTemplate) -> None:
        file = self._folder / template.id.replace("/", "_")[:100]

        async def shrink(path: Path) -> CellPicture | None:
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
