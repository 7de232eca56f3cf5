"""The pictures of an earlier result table."""

from __future__ import annotations

import os

import pydantic
from prefect import flow
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.api.errors import InvalidAPIKeyError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.runs.download import DownloadOptions, run_download
from prefect_staticadslab.campaign.runs.outcome import NOTHING_DOWNLOADED
from prefect_staticadslab.credentials import validation_messages
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import refused_state, state_of
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import named_by


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
    link = begin_flow()
    options = DownloadOptions(table, folder, images_zip, name_pictures_by, one_file)
    try:
        credentials = await _optional_credentials(credentials_block)
    except CampaignError as error:
        link.end_state = await refused_state(error, title=NOTHING_DOWNLOADED)
        return link.end_state
    link.end_state = await state_of(await run_download(options, credentials, PrefectHost()))
    return link.end_state


async def _optional_credentials(block: str) -> StaticAdsLabCredentials | None:
    """The credentials to ask the API with: a saved block's, else the environment's, else None.

    Args:
        block: The saved block's name, or "".

    Raises:
        CampaignError: They cannot be loaded, or cannot be right.
    """
    try:
        if block:
            loaded = await StaticAdsLabCredentials.aload(block)
            assert isinstance(loaded, StaticAdsLabCredentials)  # noqa: S101
            return loaded
        if os.environ.get(API_KEY_VARIABLE, "").strip():
            return StaticAdsLabCredentials.from_environment()
    except pydantic.ValidationError as error:
        raise CampaignError("\n".join(validation_messages(error))) from None
    except (ValueError, InvalidAPIKeyError) as error:
        raise CampaignError(f"The credentials cannot be loaded: {error}") from None
    return None


if __name__ == "__main__":
    run_as_command("download")
