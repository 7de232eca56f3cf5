"""What a run writes for people to look at: pictures, contact sheets, and previews of plans."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prefect_staticadslab.api.errors import WebError
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.google_sheets import shown_name
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from prefect_staticadslab.campaign.pictures.downloading import FreshUrl
from prefect_staticadslab.campaign.pictures.picture_report import Pictures
from prefect_staticadslab.campaign.pictures.pictures import (
    download_pictures,
    put_pictures_into_table,
)
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.pictures.preview.preview_page import (
    check_preview,
    preview_page,
    write_preview,
)
from prefect_staticadslab.campaign.pictures.preview.template_pictures import template_pictures
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.runs.credentials import Credentials
from prefect_staticadslab.campaign.runs.host import Logger
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient


async def download_pictures_or_log(
    table: JobTable[Any],
    folder: str,
    logger: Logger,
    *,
    base_url: str,
    credentials: Credentials | None = None,
    images_zip: str = "",
    name_by: str = "",
) -> Pictures:
    """Downloads a table's pictures, or logs why that was not possible; then all count as missing.

    Args:
        table: The table. Paths, and new addresses, are noted in it; it is not saved here.
        folder: Where to.
        logger: Where to log.
        base_url: The API's address, or "". Pictures on its host and port may be asked for even if
            that is this machine, as with a simulator.
        credentials: With these the API is asked for the URL of a picture that is no longer where
            it was.
        images_zip: A ZIP for all of them, or "".
        name_by: A column of the table that the files are called after, or "".

    Returns:
        What became of the pictures.
    """
    try:
        async with contextlib.AsyncExitStack() as stack:
            fresh_url = None
            gate = WebGate.allowing(base_url)
            if credentials is not None:
                client = await stack.enter_async_context(credentials.get_client(max_tries=3))
                fresh_url = _fresh_url_from(client)
            pictures = await download_pictures(
                table,
                folder,
                images_zip=images_zip,
                name_by=name_by,
                fresh_url=fresh_url,
                gate=gate,
                log=logger.info,
            )
    except (CampaignError, WebError) as error:
        rows = [
            row.number
            for row, state in zip(table.rows, table.states, strict=True)
            if state.status is RowStatus.COMPLETED
        ]
        pictures = Pictures(folder, len(rows), missing=tuple(rows), stopped_by=str(error))
    logger.info("\n".join([pictures.line(), *pictures.notes()]))
    return pictures


async def put_pictures_in_table_or_log(table: JobTable[Any], folder: str, logger: Logger) -> None:
    """Puts downloaded pictures into the rows of a table, or logs why that was not possible.

    Args:
        table: A table that was saved; only an .xlsx has pictures.
        folder: Where this run has downloaded pictures to; "" if it has not.
        logger: Where to log.
    """
    try:
        if shown := await asyncio.to_thread(put_pictures_into_table, table, folder):
            logger.info("%d pictures are in the table's rows", shown)
    except CampaignError as error:
        logger.warning("The table has no pictures in its rows: %s", error)


def write_contact_sheet_or_log(
    table: JobTable[Any], title: str, logger: Logger, pictures: str = "", *, one_file: bool = False
) -> str | None:
    """Writes a table's contact sheet, or logs why that was not possible.

    Args:
        table: The table.
        title: What to call it.
        logger: Where to log.
        pictures: The folder that pictures were downloaded to; "" if they were not.
        one_file: Whether the sheet holds small pictures in itself.

    Returns:
        Where it is; None if it was not written, or has no place.
    """
    try:
        return write_contact_sheet(table, title, pictures, one_file=one_file)
    except CampaignError as error:
        logger.warning("There is no contact sheet: %s", error)
        return None


async def write_campaign_preview(
    location: str,
    campaign: Campaign,
    plan: Plan,
    ads: Sequence[PlannedAd],
    *,
    source: str = "",
    base_url: str = "",
) -> None:
    """Writes the page that shows every ad that a run would create.

    Args:
        location: Where to: a path or a URL.
        campaign: The campaign.
        plan: What there is to do.
        ads: The ads.
        source: Where the spreadsheet is; "" if there is none.
        base_url: Where the API is: a simulator has its pictures on this machine, where others may
            not be.

    Raises:
        CampaignError: It cannot be written there.
    """
    check_preview(location, campaign.table.location or "")
    try:
        pictures = await template_pictures(ads, WebGate.allowing(base_url) if base_url else None)
    except WebError as error:
        raise CampaignError(str(error)) from error
    title = shown_name(source) if source else campaign.title
    write_preview(location, preview_page(ads, plan, title, pictures))


def _fresh_url_from(client: StaticAdsLabClient) -> FreshUrl:
    """A function that asks the API for the current URL of an ad's picture; None if it has none."""

    async def fresh_url(image_ad_id: str) -> str | None:
        return (await client.get_image_ad(image_ad_id)).image_url

    return fresh_url
