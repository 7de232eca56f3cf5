"""Writes the catalogue into tables, and adds to it from a table: from options to an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.catalogue_tables.additions import (
    Additions,
    count_by_type,
    plan_additions,
    types_to_read,
)
from prefect_staticadslab.campaign.catalogue_tables.creation import (
    AdditionsOutcome,
    create_additions,
)
from prefect_staticadslab.campaign.catalogue_tables.report import (
    COLUMNS,
    CatalogueContent,
    check_report,
    read_catalogue,
    table_name,
    tables,
    write_report,
)
from prefect_staticadslab.campaign.catalogue_tables.rows import ResourceRow, read_resource_rows
from prefect_staticadslab.campaign.catalogue_tables.starter import (
    STARTER_TYPES,
    StarterError,
    starter_of,
)
from prefect_staticadslab.campaign.catalogue_tables.starter_previews import read_previews
from prefect_staticadslab.campaign.catalogue_tables.starter_workbook import (
    check_starter,
    write_starter,
)
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.names.preflight import check_key
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import End, Outcome

if TYPE_CHECKING:
    from prefect_staticadslab.api.client import StaticAdsLabClient

NOTHING_CREATED: Final = "Dry run: nothing was created."


@dataclass(frozen=True)
class CatalogueOptions:
    """What is done with the catalogue; see `flows/catalog.py` for what each says."""

    output: str
    create: str = ""
    dry_run: bool = False
    starter: str = ""

    def check_and_read_rows(self) -> list[ResourceRow]:
        """Checks that the outputs can be written, and reads the rows that are to be added.

        Raises:
            CampaignError: An output cannot be written, or the rows are wrong.
        """
        if not self.output and not self.starter:
            raise StarterError("Name a file or folder for the catalogue, or a file to start from.")
        if self.output:
            check_report(self.output)
        if self.starter:
            check_starter(self.starter)
        return read_resource_rows(self.create) if self.create else []


async def run_catalogue(options: CatalogueOptions, credentials: C, host: Host[C]) -> Outcome:
    """Creates first what a table adds to the catalogue, and then writes the catalogue into tables.

    Args:
        options: What to do.
        credentials: The API key.
        host: Where the run runs.

    Returns:
        How it ended; INCOMPLETE if something was created, and what follows failed.
    """
    output, starter = options.output, options.starter
    lines: list[str] = []
    outcome = AdditionsOutcome()
    try:
        wanted = options.check_and_read_rows()
        async with credentials.get_client() as client:
            if options.create:
                additions = await check_and_plan(client, wanted)
                if options.dry_run:
                    return Outcome(End.COMPLETED, f"{additions.describe()}\n{NOTHING_CREATED}")
                host.logger.info(additions.describe())
                outcome = await create_additions(client, additions)
                lines += _additions_report(additions, outcome)
            content = await _read_needed(client, output, starter)
        if starter:
            lines += await _write_starter(content, starter, credentials.base_url)
        frames = tables(content) if output else {}
        if output:
            write_report(output, frames)
    except (CampaignError, StaticAdsLabError) as error:
        if outcome.created:
            lines.append(f"The catalogue was not written: {error}")
            return Outcome(End.INCOMPLETE, "\n".join(lines))
        return Outcome.refused(error)
    lines += [f"{name.replace('_', ' ') + ':':18} {len(frame)}" for name, frame in frames.items()]
    if output and content.unreadable:
        left_out = ", ".join(table_name(kind).replace("_", " ") for kind in content.unreadable)
        lines.append(f"Left out, as the key has no scope to read them: {left_out}")
        host.logger.warning(lines[-1])
    places = (("Catalogue:", output), ("To start from:", starter))
    lines += [f"{name:18} {place}" for name, place in places if place]
    return Outcome(End.INCOMPLETE if outcome.failed else End.COMPLETED, "\n".join(lines))


async def _read_needed(client: StaticAdsLabClient, output: str, starter: str) -> CatalogueContent:
    """Checks the API key, and reads of the catalogue what is to be written."""
    needed = sorted({kind.scope for kind in STARTER_TYPES}) if starter else ()
    account = await check_key(client, scopes=needed)
    return await read_catalogue(client, account, tuple(COLUMNS) if output else STARTER_TYPES)


async def _write_starter(content: CatalogueContent, place: str, base_url: str) -> Sequence[str]:
    """Writes a spreadsheet to start from. Returns lines on what is not in it."""
    starter = starter_of(content)
    templates = [choice.template for choice in starter.templates]
    previews = await read_previews(templates, WebGate.allowing(base_url))
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    await asyncio.to_thread(write_starter, place, starter, previews, day=day)
    return [f"Too many for the drop-downs, and left out: {what}" for what in starter.left_out]


async def check_and_plan(client: StaticAdsLabClient, wanted: list[ResourceRow]) -> Additions:
    """Checks the API key, reads the catalogue, and plans what a table's rows add to it.

    Raises:
        CampaignError: The key is refused, or the rows do not fit the catalogue.
        StaticAdsLabError: The catalogue could not be read.
    """
    kinds = types_to_read(wanted)
    writes = {row.resource_type.scope.replace(":read", ":write") for row in wanted}
    account = await check_key(client, scopes=sorted({kind.scope for kind in kinds} | writes))
    return plan_additions(wanted, await read_catalogue(client, account, kinds))


def _additions_report(additions: Additions, outcome: AdditionsOutcome) -> list[str]:
    """Lines on what was added to the catalogue, what was there already, and what failed."""
    lines = [f"Created: {count_by_type([each.row.resource_type for each, _ in outcome.created])}"]
    if additions.present:
        kinds = [row.resource_type for row, _ in additions.present]
        lines.append(f"There already, and left alone: {count_by_type(kinds)}")
    lines += [
        f"Row {each.row.row_number}: the {each} was not created: {reason}"
        for each, reason in outcome.failed
    ]
    return lines
