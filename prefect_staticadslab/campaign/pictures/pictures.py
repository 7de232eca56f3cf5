"""Downloading a table's pictures into a folder, under names that people find again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.api.web.downloads import PictureDownloader
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.downloading import Downloads, FreshUrl
from prefect_staticadslab.campaign.pictures.folder import PictureFolder
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.picture_zip import check_zip, keep_zip
from prefect_staticadslab.campaign.reports.progress import progress_display
from prefect_staticadslab.campaign.table.result_table import JobTable

logger = logging.getLogger(__name__)


def check_places(folder: str, images_zip: str = "", *, output: str = "") -> None:
    """Raises if pictures cannot be kept there; makes the folder if it is not there.

    Args:
        folder, images_zip: See `download_pictures`.
        output: The table. A folder that is called after it is this program's own, and no link.

    Raises:
        CampaignError: The message says why.
    """
    if images_zip:
        check_zip(images_zip)
    if folder and folder == beside(output):
        storage.check_own_folder(folder)
    if folder:
        with PictureFolder.open(folder):
            pass


def folder_for(output: str, folder: str, images_zip: str, *, one_file: bool = False) -> str:
    """Where pictures go: what was asked for; beside the table if only a ZIP, or a page with the
    pictures in it, was; or nowhere."""
    return folder or (beside(output) if images_zip or one_file else "")


def beside(output: str) -> str:
    """The folder of pictures that is called after a table."""
    return storage.sibling(output, "-pictures")


async def download_pictures(
    table: JobTable[Any],
    folder: str,
    *,
    images_zip: str = "",
    name_by: str = "",
    fresh_url: FreshUrl | None = None,
    gate: WebGate | None = None,
    log: Callable[[str], None] = logger.info,
) -> Pictures:
    """Downloads the completed rows' pictures, save those that are there already.

    Beside each, in the folder `thumbnails`, a small JPEG of it is kept.

    Args:
        table: The campaign's table; `image_path` is noted in it.
        folder: A folder, here or in an object store; it is made if need be.
        images_zip: A ZIP to put all pictures into, here or behind a URL; none if empty.
        name_by: A column of the table that the files are called after; "" for the row's number, the
            product and the ad's id. Pictures that have other names are renamed.
        fresh_url: Asked once for each picture that is no longer at its URL. `image_url` is
            changed to what it answers.
        gate: Which web addresses may be asked; by default, any but those of this machine itself.
        log: Where log lines about the progress go, if this is no terminal.

    Returns:
        What became of them. A picture that could not be had is logged, and the next run tries
        again.

    Raises:
        CampaignError: The folder cannot be made, or there is no such column.
    """
    check_naming_column(table, name_by)
    with PictureFolder.open(folder) as picture_folder:
        async with PictureDownloader(gate) as downloader:
            downloads = Downloads(table, picture_folder, downloader, fresh_url, name_by)
            async with progress_display(downloads, log):
                await downloads.run()
        pictures = downloads.tally()
        if images_zip:
            try:
                await keep_zip(images_zip, picture_folder, downloads.names())
                pictures = replace(pictures, archive=images_zip)
            except CampaignError as error:
                logger.warning("%s", error)
                pictures = replace(pictures, archive_error=str(error))
    return pictures
