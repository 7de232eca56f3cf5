"""One ad that is named the way a spreadsheet's row names it: by ids or by names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Spreadsheet, frame_of
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.id_check import check_catalogue
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.preflight import check_key
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.columns import ID_COLUMNS
from prefect_staticadslab.campaign.table.limits import BudgetError, limit_of


class SeveralAdsError(CampaignError):
    """What was to be one ad is several."""


async def resolve_one_ad(
    client: StaticAdsLabClient, cells: Mapping[str, str], *, max_spend_usd: float = math.inf
) -> ImageAdRequest:
    """The one ad that a spreadsheet's row of these cells would make, looked up and checked.

    Args:
        client: Whom to ask.
        cells: By column, `design_template`, `brand`, `product`, `audience`, and if wanted
            `product_variant`, `prompt` and `editable`: each an id or a name, as in a spreadsheet.
        max_spend_usd: What the ad may cost, in USD; by default there is no limit.

    Raises:
        SpreadsheetError: A name or an id is wrong; the message says which, and what is there.
        SeveralAdsError: The cells stand for several ads.
        BudgetError: It would cost more than it may, or that is no limit.
        KeyRefusedError: The key is not accepted or lacks a scope, or the API is out of reach.

    Example:
        ```python
        import asyncio
        from prefect_staticadslab import StaticAdsLabCredentials
        from prefect_staticadslab.campaign.names.one_ad import resolve_one_ad

        async def main():
            async with StaticAdsLabCredentials.from_environment().get_client() as client:
                request = await resolve_one_ad(client, {
                    "design_template": "ad_format=Sale", "brand": "Harbor Roast",
                    "product": "Cold Brew Kit", "audience": "Commuters",
                    "prompt": "{product}, for {audience}",
                })
                print(request.prompt, request.price_usd)

        asyncio.run(main())
        ```
    """
    limit = limit_of(max_spend_usd)
    try:
        account = await check_key(client)
        brief = Brief.read(_one_line(cells))
        catalogue = await look_up(client, brief)
        rows = read_rows(expand(brief, catalogue))
        if len(rows) != 1:
            raise SeveralAdsError(
                f"That is {len(rows)} image ads, and this makes one. "
                "Name one of each, or put it into a spreadsheet for flows/campaign.py."
            )
        await check_catalogue(client, account, rows, catalogue)
    except SpreadsheetError as error:
        raise SpreadsheetError(_without_row(problem) for problem in error.problems) from None
    (row,) = rows
    price = row.request.price_usd
    if price > limit:
        raise BudgetError(
            f"The ad would cost {price:.2f} USD, more than the limit of {limit:.2f} USD."
        )
    return row.request


def price_line(request: ImageAdRequest) -> str:
    """What an ad costs, for people."""
    kind = "editable" if request.editable else "flat"
    return f"1 {kind} image ad: {request.price_usd:.2f} USD, billed when it completes"


def _one_line(cells: Mapping[str, str]) -> Spreadsheet:
    columns: dict[str, str] = {}
    for name, value in cells.items():
        prefix, _ = ID_COLUMNS.get(f"{name}_id", ("", ""))
        is_id = bool(prefix) and value.strip().startswith(prefix)
        columns[f"{name}_id" if is_id else name] = value
    return Spreadsheet(frame_of(list(columns), [list(columns.values())]), (FIRST_ROW,))


def _without_row(problem: Problem) -> Problem:
    # Nobody wrote a spreadsheet, so there are no rows to look for.
    return replace(problem, row=None)
