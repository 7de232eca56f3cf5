"""A campaign from its rows to their ends: `prepare` checks all that can be checked, `run` does it.

Image ads, design templates and revisions go this way, whether a flow, a command, an inbox or a test
asks for it. What only Prefect adds, such as task runs for chunks, is passed in.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, check_output
from prefect_staticadslab.campaign.job_types.mixed_tables import check_not_simulated
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.listings import NOTHING_READ, Catalogue
from prefect_staticadslab.campaign.names.lookup import look_up
from prefect_staticadslab.campaign.names.preflight import (
    check_key,
    check_one_organization,
    translate_api_errors,
)
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES
from prefect_staticadslab.campaign.rows.row_selection import ALL_ROWS, RowSelection
from prefect_staticadslab.campaign.table.background import all_of
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.limits import BudgetError, limit_of

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

B = TypeVar("B", bound=Batch[Any])
B_co = TypeVar("B_co", bound=Batch[Any], covariant=True)

RunChunk: TypeAlias = Callable[[Chunk], Awaitable[list[ImageAdResult]]]
"""Brings a chunk to its end, wherever that is done, and returns a result for each of its jobs."""


@dataclass(frozen=True)
class Prepared(Generic[B_co]):
    """A batch that may begin, as it is read, checked and planned. Nothing is created by then.

    Attributes:
        batch: The rows and their table.
        plan: What there is to do, and what it may cost.
        clients: One for each API key; none if the API was not asked.
        organization: The name of the organization whose keys these are; "" if none was asked for.
        unchecked: How many ids were not looked up, because that would take too long.
    """

    batch: B_co
    plan: Plan
    clients: Sequence[StaticAdsLabClient] = ()
    organization: str = ""
    unchecked: int = 0

    @property
    def clock_ahead(self) -> timedelta:
        """How far the API's clock is ahead of ours, as far as a client knows."""
        return self.clients[0].clock_ahead if self.clients else timedelta(0)


async def read_campaign(
    source: Brief,
    output: str,
    clients: Sequence[StaticAdsLabClient] = (),
    *,
    name: str = "",
    known: Catalogue = NOTHING_READ,
    looks_up_ids: bool = True,
    base_url: str = "",
    again: bool = False,
    selection: RowSelection = ALL_ROWS,
) -> Campaign:
    """Opens a campaign of image ads with its table as it stands, once its names are looked up.

    It writes nothing, and creates nothing.

    Args:
        source: Its spreadsheet's rows.
        output: Where the result table is or will be; "" if the campaign has a name and keeps none.
        clients: Whom to ask for what names mean; with none, all rows must be in ids.
        name: What its idempotency keys are made of, if not the output.
        known: What was read of the catalogue a moment ago, which is not read again.
        looks_up_ids: Whether to check that a name beside an id is that resource's.
        base_url: The API that will be used, to tell a table that was made with another one.
        again: Whether rows of a spreadsheet that is a result table get a new ad, also where they
            have one.
        selection: The rows that this run is for; the others wait for a later one.

    Raises:
        CampaignError: Something is wrong; the message lists all of it.
    """
    if output or not name:
        check_output(source, output)
    if clients and source.lines:
        try:
            known = await look_up(clients[0], source, checks=looks_up_ids, known=known)
        except CampaignError:
            # What was wrong before anybody was asked comes first.
            if not source.problems:
                raise
    return Campaign.open(
        source,
        output,
        catalogue=known,
        name=name,
        base_url=base_url,
        again=again,
        selection=selection,
    )


async def prepare(
    batch: B,
    clients: Sequence[StaticAdsLabClient] = (),
    *,
    max_spend_usd: float = math.inf,
    preflight: bool = True,
    dry_run: bool = False,
) -> Prepared[B]:
    """Checks a batch as far as it can be, and settles what an interrupted run has left open.

    That is written into the table, which is not saved here; see `Batch.adopt`.

    Args:
        batch: The rows and their table.
        clients: One for each API key that shares them; with none, the API is not asked.
        max_spend_usd: What all of it may cost, earlier runs included, in USD; infinity is no limit.
        preflight: Whether to ask the API about the keys and the rows.
        dry_run: Whether nothing is to be begun, so that nothing needs to be settled.

    Raises:
        BudgetError: It could cost more than `max_spend_usd`.
        OutputError: The table was made with a simulator, and the API is the real one.
        KeyRefusedError: A key is not accepted, or lacks a scope; the API is out of reach; or the
            keys are of different organizations.
        SpreadsheetError: Rows are wrong; the message lists all of them.
        StaticAdsLabError: The API could not be asked about rows.
    """
    if clients:
        check_not_simulated(batch.table, clients[0].base_url)
    plan = Plan.of(batch.table)
    plan.check_budget(max_spend_usd)
    organization, unchecked = "", 0
    if preflight and clients:
        accounts = [await check_key(client, batch.scopes) for client in clients]
        if len(accounts) > 1:
            check_one_organization(accounts)
        organization = accounts[0].organization_name
        unchecked = await batch.check(clients[0], accounts[0])
    if clients and not dry_run:
        may_be_sent = any(s.status is RowStatus.SUBMITTING for s in batch.table.states)
        if plan.to_create or may_be_sent:
            # What is marked, and whether a key has expired, goes by the API's clock.
            with translate_api_errors(clients[0]):
                await clients[0].ask_the_time()
        if may_be_sent:
            await batch.adopt(clients)
            plan = Plan.of(batch.table)
    return Prepared(batch, plan, clients, organization, unchecked)


async def run(
    prepared: Prepared[Batch[Any]],
    run_chunk: RunChunk,
    *,
    weights: Mapping[str, float],
    most_chunks: int | None = None,
) -> list[ImageAdResult]:
    """Brings every row to its end, and the table up to date with it.

    The table must be on disk by then (`save_now`), and be kept there meanwhile (`checkpoints`).

    Args:
        prepared: What `prepare` gave.
        run_chunk: Brings a chunk to its end.
        weights: By the API key's hash, how many creates its rate limit allows, compared with the
            others'.
        most_chunks: About how many chunks there may be at once; None for any number.

    Returns:
        What became of each row that there was something to do for.
    """
    batch = prepared.batch
    results: list[ImageAdResult] = []

    async def run_and_collect(chunk: Chunk) -> list[ImageAdResult]:
        """Runs a chunk, and has the batch write its results into the table."""
        done = await run_chunk(chunk)
        await batch.collect(done)
        return done

    async for chunks in batch.rounds(prepared.clients, weights, most_chunks):
        for done in await all_of(run_and_collect(chunk) for chunk in chunks):
            results += done
        if any(result.stopped_by for result in results):
            break
    return results


ONE_AD: Final = "one ad"
"""The name of a campaign that is only checked, so that no idempotency key is made of it."""


class SeveralAdsError(CampaignError):
    """What was to be one ad is several."""


async def resolve_one_ad(
    client: StaticAdsLabClient, cells: Mapping[str, str], *, max_spend_usd: float = math.inf
) -> ImageAdRequest:
    """Looks up and checks the one ad that a spreadsheet's row of these cells would make.

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
        from prefect_staticadslab.campaign.campaign import resolve_one_ad

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
        brief = Brief.read(_spreadsheet_of(cells), keep_problems=True)
        campaign = await read_campaign(brief, "", [client], name=ONE_AD)
        rows = campaign.table.rows
        if len(rows) != 1:
            raise SeveralAdsError(
                f"That is {len(rows)} image ads, and this makes one. "
                "Name one of each, or put it into a spreadsheet for `staticadslab campaign`."
            )
        await campaign.check(client, account)
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
    """What kind of ad it is and what it costs, for people."""
    return f"1 {request.job_name} image ad: {request.price_usd:.2f} USD, billed when it completes"


def _spreadsheet_of(cells: Mapping[str, str]) -> Spreadsheet:
    """A spreadsheet of one row; an id (`brand_…`) in the column `brand` is put into `brand_id`."""
    columns = dict(cells)
    for kind in RESOURCE_TYPES:
        if columns.get(kind.name, "").strip().startswith(kind.prefix):
            columns[kind.id_column] = columns.pop(kind.name)
    return Spreadsheet(tuple(columns), [list(columns.values())], (FIRST_ROW,))


def _without_row(problem: Problem) -> Problem:
    # Nobody wrote a spreadsheet, so there are no rows to look for.
    return replace(problem, row=None)
