"""Editable ads are changed and rendered anew: from options to an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pictures.pictures import check_places, folder_for
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import NOTHING_CHANGED, End, Outcome
from prefect_staticadslab.campaign.runs.pictures import keep_pictures
from prefect_staticadslab.campaign.runs.run_reporter import RunReporter
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD, check_limit

ONE_ATTEMPT: Final = 1
"""After a failed rendering nobody but `Revisions` knows which tree to send."""


@dataclass(frozen=True)
class RevisionOptions:
    """What ads are revised with; see `flows/revise.py` for what each says."""

    spreadsheet: str
    output: str
    sheet: str = ""
    encoding: str = ""
    visible_rows: bool = False
    dry_run: bool = False
    max_spend_usd: float = RUN_LIMIT_USD
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS
    download_images: str = ""
    again: bool = False
    one_file: bool = False


async def run_revisions(options: RevisionOptions, credentials: C, host: Host[C]) -> Outcome:
    """Revises editable ads, or goes on with it where an earlier run of the same output stopped.

    Args:
        options: What to do.
        credentials: The API key.
        host: Where the run runs.
    """
    async with credentials.get_client() as client:
        try:
            check_limit(options.max_spend_usd)
            how = ReadOptions(options.sheet, options.encoding, options.visible_rows)
            revisions = Revisions.open(
                options.spreadsheet, options.output, options=how, again=options.again
            )
            prepared = await prepare(
                revisions,
                [client],
                max_spend_usd=options.max_spend_usd,
                dry_run=options.dry_run,
            )
            plan = prepared.plan
            for line in plan.reading:
                host.logger.info(line)
            if options.dry_run:
                message = f"Dry run: all {plan.creates} changes fit their ads.\n{_cost(plan)}"
                return Outcome(End.COMPLETED, message)
            folder = folder_for(
                options.output, options.download_images, "", one_file=options.one_file
            )
            check_places(folder, output=options.output)
            revisions.table.save_now()
        except (CampaignError, StaticAdsLabError) as error:
            return Outcome.refused(error, title=NOTHING_CHANGED)

        host.logger.info(
            "%d of %d already completed; %d to revise. %s",
            plan.completed,
            plan.rows,
            plan.creates,
            _cost(plan),
        )
        reporter = RunReporter(
            host,
            revisions,
            plan,
            client.limiter.seconds_for,
            options.spreadsheet,
            prepared.organization,
            options.one_file,
        )
        async with reporter.kept():
            async with reporter.progress():
                results = await host.run_chunks(
                    prepared,
                    {client.api_key_hash: credentials},
                    ONE_ATTEMPT,
                    options.timeout_seconds,
                    True,
                )
            pictures = await keep_pictures(
                revisions.table, folder, "", None, host.logger, base_url=credentials.base_url
            )
    notes = [revisions.trouble] if revisions.trouble else []
    return await reporter.report(results, pictures, notes=notes)


def _cost(plan: Plan) -> str:
    return (
        "What a revision costs is not documented; as new editable ads they would be "
        f"{plan.new_usd:.2f} USD."
    )
