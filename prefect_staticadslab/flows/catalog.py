"""The catalogue as tables, and additions to it from a table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.catalogue_tables.creation import (
    Additions,
    Outcome,
    count_by_type,
    create_additions,
    plan_additions,
    types_to_read,
)
from prefect_staticadslab.campaign.catalogue_tables.report import (
    COLUMNS,
    CatalogueContent,
    check_report,
    plural,
    read_catalogue,
    tables,
    write_report,
)
from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow, read_resource_rows
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    STARTER_KINDS,
    StarterError,
    starter_of,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_previews import read_previews
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    check_starter,
    write_starter,
)
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.preflight import check_key
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import final_state, refused_state
from prefect_staticadslab.orchestration.run_names import run_name as named
from prefect_staticadslab.orchestration.watch import flow_started

NOTHING_CREATED = "Dry run: nothing was created."


def run_name() -> str:
    """What a run is called: by what it writes."""
    given = flow_run.parameters
    return named("catalog", str(given.get("output") or given.get("starter", "")))


@dispatched
@flow(
    name="catalog",
    description="Writes the catalogue into tables, and adds to it what a table wants.",
    flow_run_name=run_name,
)
async def catalog(
    output: str,
    credentials: StaticAdsLabCredentials,
    create: str = "",
    dry_run: bool = False,
    starter: str = "",
) -> State[None]:
    """Writes all brands, products, variants, audiences, design templates and images into tables.

    Args:
        output: An .xlsx with a sheet for each, or a folder with a .csv each; a path or a URL. Only
            an earlier catalogue is overwritten. It may be empty if there is a starter.
        credentials: The API key to use.
        create: A table of what to add first, if it is not there yet: a .csv or .tsv with a column
            `kind`, or an .xlsx with a sheet for each kind; a path or a URL. None if empty.
        dry_run: Only check the table, and say what would be added.
        starter: An .xlsx to write, to start a campaign from: drop-downs with the account's own
            brands, products, variants, audiences and templates, and two example rows. None if
            empty. One that is there is left alone.

    Returns:
        Completed, or Failed if something could not be added.
    """
    started = flow_started()
    logger = get_run_logger()
    lines: list[str] = []
    outcome = Outcome()
    try:
        wanted = _check(output, create, starter)
        async with credentials.get_client() as client:
            if create:
                additions = await plan(client, wanted)
                if dry_run:
                    said = f"{additions.describe()}\n{NOTHING_CREATED}"
                    started.ended = Completed(message=said)
                    return started.ended
                logger.info(additions.describe())
                outcome = await create_additions(client, additions)
                lines += said_of(additions, outcome)
            content = await read(client, output, starter)
        if starter:
            lines += await write_campaign_to_start_from(content, starter, credentials.base_url)
        frames = tables(content) if output else {}
        if output:
            write_report(output, frames)
    except (CampaignError, StaticAdsLabError) as error:
        if outcome.created:
            lines.append(f"The catalogue was not written: {error}")
            started.ended = await final_state(Failed(message="\n".join(lines)))
        else:
            started.ended = await refused_state(error)
        return started.ended
    lines += [f"{name.replace('_', ' ') + ':':18} {len(frame)}" for name, frame in frames.items()]
    if output and content.unreadable:
        left_out = ", ".join(plural(kind).replace("_", " ") for kind in content.unreadable)
        lines.append(f"Left out, as the key has no scope to read them: {left_out}")
        logger.warning(lines[-1])
    places = (("Catalogue:", output), ("To start from:", starter))
    lines += [f"{name:18} {place}" for name, place in places if place]
    made = Failed if outcome.failed else Completed
    started.ended = await final_state(made(message="\n".join(lines)))
    return started.ended


def _check(output: str, create: str, starter: str) -> list[ResourceRow]:
    """Raises if something cannot be written; returns what is to be added."""
    if not output and not starter:
        raise StarterError("Name a file or folder for the catalogue, or a file to start from.")
    if output:
        check_report(output)
    if starter:
        check_starter(starter)
    return read_resource_rows(create) if create else []


async def read(client: StaticAdsLabClient, output: str, starter: str) -> CatalogueContent:
    """Reads of the catalogue what is to be written."""
    needed = sorted({kind.scope for kind in STARTER_KINDS}) if starter else ()
    account = await check_key(client, scopes=needed)
    return await read_catalogue(client, account, tuple(COLUMNS) if output else STARTER_KINDS)


async def write_campaign_to_start_from(
    content: CatalogueContent, place: str, base_url: str
) -> Sequence[str]:
    """Writes a spreadsheet to start from. Returns what there is to say of it."""
    starter = starter_of(content)
    templates = [choice.template for choice in starter.templates]
    previews = await read_previews(templates, WebGate.of(base_url))
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    await asyncio.to_thread(write_starter, place, starter, previews, day=day)
    return [f"Too many for the drop-downs, and left out: {what}" for what in starter.left_out]


async def plan(client: StaticAdsLabClient, wanted: list[ResourceRow]) -> Additions:
    """What a table's rows add to the catalogue as it is."""
    kinds = types_to_read(wanted)
    writes = {row.kind.scope.replace(":read", ":write") for row in wanted}
    account = await check_key(client, scopes=sorted({kind.scope for kind in kinds} | writes))
    return plan_additions(wanted, await read_catalogue(client, account, kinds))


def said_of(additions: Additions, outcome: Outcome) -> list[str]:
    """What became of a table, for people."""
    lines = [f"Created: {count_by_type([each.row.kind for each, _ in outcome.created])}"]
    if additions.present:
        kinds = [row.kind for row, _ in additions.present]
        lines.append(f"There already, and left alone: {count_by_type(kinds)}")
    lines += [
        f"Row {each.row.row}: the {each} was not created: {reason}"
        for each, reason in outcome.failed
    ]
    return lines


if __name__ == "__main__":
    run_as_command("catalog")
