"""Puts a table's pictures into a folder, under names that people find again, and into its rows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.api.web.downloads import PictureDownloader
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.formats.cell_pictures import CellPicture, cell_picture
from prefect_staticadslab.campaign.files.locations import file_below, folder_of
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.downloading import Downloads, FreshUrl
from prefect_staticadslab.campaign.pictures.folder import (
    THUMBNAILS,
    PictureFolder,
    thumbnail_name,
)
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.picture_zip import check_zip, keep_zip
from prefect_staticadslab.campaign.reports.progress import progress_display
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.result_table import JobTable

logger = logging.getLogger(__name__)

TABLE_PICTURES: Final = 5_000
"""Pictures in one table. With 6 kB each it has 30 MB then, and half of what is read again."""

THUMBNAIL_BYTES: Final = 1024 * 1024
"""A thumbnail with more is left out of the table."""

OPEN_THUMBNAILS: Final = 8
"""Thumbnails that are read at once; in an object store each takes a while. One has some 30 kB."""


def prepare_places(folder: str, images_zip: str = "", *, output: str = "") -> None:
    """Makes the folder for pictures if it is not there, and checks that these can be kept.

    Args:
        folder, images_zip: See `download_pictures`.
        output: The table. The folder that is called after it must be this program's, and no link.

    Raises:
        CampaignError: Pictures cannot be kept there; the message says why.
    """
    if images_zip:
        check_zip(images_zip)
    if folder and folder == pictures_folder_of(output):
        storage.check_own_folder(folder)
    if folder:
        with PictureFolder.open(folder):
            pass


def check_table_for_pictures(output: str) -> None:
    """Raises if a table of this name can have no pictures in its rows.

    Raises:
        CampaignError: It is no .xlsx.
    """
    if storage.suffix(output) != ".xlsx":
        raise CampaignError(
            f"Only an .xlsx has pictures in its rows, and the output is {output or 'no file'}. "
            "Name an output that ends in .xlsx, or leave out --pictures-in-table."
        )


def pictures_folder_of(output: str) -> str:
    """The folder beside a table that is for its pictures if no other is named."""
    return storage.with_ending(output, "-pictures")


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

    A small JPEG of each is kept in the folder `thumbnails` within the folder.

    Args:
        table: The campaign's table. Each picture's path is written to its `image_path`.
        folder: A folder, here or in an object store; it is made if need be.
        images_zip: A ZIP to put all pictures into, here or behind a URL; none if empty.
        name_by: A column of the table that the files are called after; "" for the row's number, the
            product and the ad's id. Pictures that have other names are renamed.
        fresh_url: Called once for each picture that is no longer at its URL. What it returns is
            written to the table's `image_url`.
        gate: Which web addresses may be asked; by default, any but those of this machine itself.
        log: Where log lines about the progress go, if this is no terminal.

    Returns:
        What became of them. A picture that could not be had is logged, and the next run tries
        again.

    Raises:
        CampaignError: The folder cannot be made, or there is no such column.
    """
    if name_by:
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


def put_pictures_into_table(table: JobTable[Any], folder: str = "") -> int:
    """Writes an .xlsx once more, with a small picture in each row whose picture was downloaded.

    It takes some 5 ms for each picture: to be done once the run has ended, and in a thread.

    Args:
        table: A table that was saved.
        folder: The folder that this run has downloaded the pictures to; "" if it has not. Besides
            it, only what lies below the table's own folder is shown: a table may name any file.

    Returns:
        How many different pictures it has now; 0 if it was not written, as there are none or it is
        no .xlsx.

    Raises:
        CampaignError: The table cannot be written.
    """
    if table.location is None or storage.suffix(table.location) != ".xlsx":
        return 0
    folders = [folder_of(table.location), *filter(None, [folder])]
    states = [s for s in table.states if s.is_completed and s.image_path]
    if len(states) > TABLE_PICTURES:
        logger.warning(
            "Only the first %d of %d pictures are in the table's rows: it would become too large.",
            TABLE_PICTURES,
            len(states),
        )
    paths = list(dict.fromkeys(s.image_path or "" for s in states[:TABLE_PICTURES]))
    with ThreadPoolExecutor(OPEN_THUMBNAILS, "thumbnails") as pool:
        made = pool.map(lambda path: _read_cell_picture(path, folders), paths)
        pictures = {path: picture for path, picture in zip(paths, made, strict=True) if picture}
    if not pictures:
        return 0

    def picture_of(state: JobState) -> CellPicture | None:
        return pictures.get(state.image_path or "") if state.is_completed else None

    table.save_with_pictures(picture_of)
    return len(pictures)


def _read_cell_picture(image_path: str, folders: Sequence[str]) -> CellPicture | None:
    """A downloaded picture in the size of a cell, made of the thumbnail beside it.

    None if there is no thumbnail that can be read, or it is below none of the folders.

    Args:
        image_path: The picture, as the table says it.
        folders: The folders whose pictures may be shown.
    """
    small = thumbnail_name(storage.name(image_path) or "-")
    description = f"Picture {storage.name(image_path)}"
    if storage.is_url(image_path):
        place = storage.join(storage.join(image_path.rpartition("/")[0], THUMBNAILS), small)
        if not any(place.startswith(f"{folder.rstrip('/')}/") for folder in folders):
            return None
        try:
            content = storage.read_bytes(place, most=THUMBNAIL_BYTES, what="a thumbnail")
        except CampaignError:
            return None
        return cell_picture(content, description=description)
    place = str(Path(image_path).parent / THUMBNAILS / small)
    found = filter(None, (file_below(place, folder) for folder in folders))
    path = next(found, None)
    if path is None or path.stat().st_size > THUMBNAIL_BYTES:
        return None
    return cell_picture(path, description=description)
