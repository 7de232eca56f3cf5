"""The catalogue as tables, and additions to it from a table."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.runs.catalogue import CatalogueOptions, run_catalogue
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import state_of
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import run_name as named


def run_name() -> str:
    """The flow run's name: what it writes, the catalogue or else the starter."""
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
    link = begin_flow()
    options = CatalogueOptions(output, create, dry_run, starter)
    link.end_state = await state_of(await run_catalogue(options, credentials, PrefectHost()))
    return link.end_state


if __name__ == "__main__":
    run_as_command("catalog")
