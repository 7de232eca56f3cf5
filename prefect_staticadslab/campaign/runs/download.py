"""Downloads the pictures of an earlier result table: from options to an outcome."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from prefect_staticadslab.api.connection import BASE_URL_VARIABLE
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import prepare_places
from prefect_staticadslab.campaign.runs.credentials import Credentials
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import NOTHING_DOWNLOADED, End, Outcome
from prefect_staticadslab.campaign.runs.picture_outputs import (
    download_pictures_or_log,
    put_pictures_in_table_or_log,
    write_contact_sheet_or_log,
)


@dataclass(frozen=True)
class DownloadOptions:
    """What pictures are downloaded with; see `flows/download.py` for what each says."""

    table: str
    folder: str
    images_zip: str = ""
    name_pictures_by: str = ""
    one_file: bool = False

    def open_table(self) -> ImageAdTable:
        """Opens the result table, once it is checked that its pictures can be downloaded like this.

        Raises:
            CampaignError: It cannot be read, or they cannot.
        """
        opened = ImageAdTable.reopen(self.table)
        if self.name_pictures_by:
            check_naming_column(opened, self.name_pictures_by)
        if not self.folder.strip():
            raise CampaignError("Name the folder that the pictures should go to.")
        prepare_places(self.folder, self.images_zip)
        return opened


async def run_download(
    options: DownloadOptions, credentials: Credentials | None, host: Host[Any]
) -> Outcome:
    """Downloads the pictures that a result table names, and creates no ad.

    Their paths are noted in the table, which is saved, and its contact sheet is written.

    Args:
        options: What to do.
        credentials: The API key, if there is one.
        host: Where the run runs.
    """
    try:
        opened = options.open_table()
    except CampaignError as error:
        return Outcome.refused(error, title=NOTHING_DOWNLOADED)

    lines = []
    try:
        pictures = await download_pictures_or_log(
            opened,
            options.folder,
            host.logger,
            base_url=credentials.base_url if credentials else os.environ.get(BASE_URL_VARIABLE, ""),
            credentials=credentials,
            images_zip=options.images_zip,
            name_by=options.name_pictures_by,
        )
    finally:
        # Whatever ended it: not awaited, since a loop that shuts down would cancel that.
        try:
            opened.save_now()
        except CampaignError as error:
            host.logger.error("The table could not be saved: %s", error)
            lines.append(f"THE TABLE COULD NOT BE SAVED: {error}")
    await put_pictures_in_table_or_log(opened, options.folder, host.logger)
    contact_sheet = write_contact_sheet_or_log(
        opened,
        storage.name(options.table),
        host.logger,
        options.folder,
        one_file=options.one_file,
    )
    saved = not lines
    lines = [pictures.line(), *pictures.notes(), *_rows_without_picture(opened), *lines]
    lines.append(f"Table:         {options.table}")
    if contact_sheet:
        lines.append(f"Contact sheet: {contact_sheet}")
    lines.append(f"Pictures:      {options.folder}")
    if pictures.archive:
        lines.append(f"In one file:   {pictures.archive}")
    done = pictures.is_complete and saved
    return Outcome(End.COMPLETED if done else End.INCOMPLETE, "\n".join(lines))


def _rows_without_picture(opened: ImageAdTable) -> list[str]:
    """A line that counts the rows that are not completed, by status; nothing if all are."""
    others = [
        f"{count} {status}"
        for status, count in opened.totals().counts.items()
        if count and status != "completed"
    ]
    return [f"Rows without a picture: {', '.join(others)}."] if others else []
