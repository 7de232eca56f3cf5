"""The pictures of an earlier result table."""

from __future__ import annotations

import os

import pydantic
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE, BASE_URL_VARIABLE
from prefect_staticadslab.api.errors import InvalidAPIKeyError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.job_types.image_ads import ResultTable
from prefect_staticadslab.campaign.pictures.captions import check_naming_column
from prefect_staticadslab.campaign.pictures.pictures import check_places
from prefect_staticadslab.credentials import refusals
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.pictures import keep_pictures, keep_pictures_in_table
from prefect_staticadslab.orchestration.reporting.artifacts import keep_contact_sheet
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.orchestration.watch import flow_started

REFUSED = "Nothing was downloaded."


@dispatched
@flow(
    name="download-images",
    description="Downloads the pictures of an earlier campaign's result table.",
    flow_run_name=named_by("download images of", "table"),
)
async def download_images(
    table: str,
    folder: str,
    images_zip: str = "",
    credentials_block: str = "",
    name_pictures_by: str = "",
    one_file: bool = False,
) -> State[None]:
    """Downloads the pictures that a result table names, and creates nothing.

    Args:
        table: The result table of a campaign: a .csv, .tsv, .xlsx or .parquet; a path or a URL.
        folder: Where the pictures go: a path or a URL. Those that are there already stay.
        images_zip: A .zip to put all pictures into, a path or a URL; none if empty.
        credentials_block: The name of a saved credentials block. With it, or with SAL_API_KEY in
            the environment, the API is asked for pictures that are no longer at their URL. No key
            is needed for the others.
        name_pictures_by: A column that the pictures' files are called after, such as sku; if empty,
            after the row's number, the product and the ad's id.
        one_file: Put small pictures into the contact sheet itself, so that it can be mailed alone.

    Returns:
        Completed if all pictures are there, Failed if not.
    """
    watch = flow_started()
    try:
        credentials = await _credentials(credentials_block)
        opened = _open(table, folder, images_zip, name_pictures_by)
    except CampaignError as error:
        return await refused_state(error, title=REFUSED)

    lines = []
    try:
        base_url = os.environ.get(BASE_URL_VARIABLE, "")
        pictures = await keep_pictures(
            opened, folder, images_zip, credentials, base_url=base_url, name_by=name_pictures_by
        )
    finally:
        # Whatever ended it: not awaited, since a loop that shuts down would cancel that.
        try:
            opened.save_now()
        except CampaignError as error:
            get_run_logger().error("The table could not be saved: %s", error)
            lines.append(f"THE TABLE COULD NOT BE SAVED: {error}")
    await keep_pictures_in_table(opened, folder)
    contact_sheet = keep_contact_sheet(opened, storage.name(table), folder, one_file=one_file)
    saved = not lines
    lines = [pictures.line(), *pictures.notes(), *_without(opened), *lines]
    lines.append(f"Table:         {table}")
    if contact_sheet:
        lines.append(f"Contact sheet: {contact_sheet}")
    lines.append(f"Pictures:      {folder}")
    if pictures.archive:
        lines.append(f"In one file:   {pictures.archive}")
    message = "\n".join(lines)
    done = pictures.is_complete and saved
    made = Completed if done else Failed
    watch.ended = await final_state(made(message=message))
    return watch.ended


def _open(table: str, folder: str, images_zip: str, name_by: str) -> ResultTable:
    opened = ResultTable.reopen(table)
    check_naming_column(opened, name_by)
    if not folder.strip():
        raise CampaignError("Name the folder that the pictures should go to.")
    check_places(folder, images_zip)
    return opened


def _without(opened: ResultTable) -> list[str]:
    """What there is to say of rows that have no picture to download."""
    others = [
        f"{count} {status}"
        for status, count in opened.totals().counts.items()
        if count and status != "completed"
    ]
    return [f"Rows without a picture: {', '.join(others)}."] if others else []


async def _credentials(block: str) -> StaticAdsLabCredentials | None:
    """The credentials to ask with: a saved block's, else the environment's, else none."""
    try:
        if block:
            loaded = await StaticAdsLabCredentials.aload(block)
            assert isinstance(loaded, StaticAdsLabCredentials)  # noqa: S101
            return loaded
        if os.environ.get(API_KEY_VARIABLE, "").strip():
            return StaticAdsLabCredentials.from_environment()
    except pydantic.ValidationError as error:
        raise CampaignError("\n".join(refusals(error))) from None
    except (ValueError, InvalidAPIKeyError) as error:
        raise CampaignError(f"The credentials cannot be loaded: {error}") from None
    return None


if __name__ == "__main__":
    run_as_command("download")
