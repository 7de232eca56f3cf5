"""Writing a campaign's preview, for a command and for a flow run."""

from __future__ import annotations

from collections.abc import Sequence

from prefect_staticadslab.api.errors import WebError
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.google_sheets import table_name
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.pictures.preview.preview_page import (
    check_preview,
    preview_page,
    write_preview,
)
from prefect_staticadslab.campaign.pictures.preview.template_pictures import template_pictures
from prefect_staticadslab.campaign.reports.plan import Plan


async def keep_preview(
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
        location: Where to: a path or a URL; nothing is done if it is empty.
        campaign: The campaign.
        plan: What there is to do.
        ads: The ads.
        source: Where the spreadsheet is; "" if there is none.
        base_url: Where the API is: a simulator has its pictures on this machine, where others may
            not be.

    Raises:
        CampaignError: It cannot be written there.
    """
    if not location:
        return
    check_preview(location, campaign.table.location or "")
    try:
        pictures = await template_pictures(ads, WebGate.of(base_url) if base_url else None)
    except WebError as error:
        raise CampaignError(str(error)) from error
    title = table_name(source) if source else campaign.title
    write_preview(location, preview_page(ads, plan, title, pictures))
