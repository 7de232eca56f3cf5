"""Changes editable ads and has them rendered anew: from options to an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from prefect_staticadslab.api.errors import StaticAdsLabError
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import prepare
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.revisions import Revisions
from prefect_staticadslab.campaign.pictures.pictures import prepare_places
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.runs.credentials import C
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.outcome import NOTHING_CHANGED, End, Outcome
from prefect_staticadslab.campaign.runs.picture_outputs import download_pictures_or_log
from prefect_staticadslab.campaign.runs.run_reporter import BatchOptions, RunReporter
from prefect_staticadslab.campaign.table.limits import check_limit

ONE_ATTEMPT: Final = 1
"""How many jobs a row has in a round: after a failed rendering only `Revisions` knows which tree to
send."""


@dataclass(frozen=True, kw_only=True)
class RevisionOptions(BatchOptions):
    """What ads are revised with; see `flows/revise.py` for what each says."""

    spreadsheet: str
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS


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
            revisions = Revisions.open(
                options.spreadsheet, options.output, options=options.reading, again=options.again
            )
            prepared = await prepare(
                revisions,
                [client],
                max_spend_usd=options.max_spend_usd,
                dry_run=options.dry_run,
            )
            plan = prepared.plan
            for line in plan.reading_lines:
                host.logger.info(line)
            if options.dry_run:
                message = f"Dry run: all {plan.creates} changes fit their ads.\n{_cost(plan)}"
                return Outcome(End.COMPLETED, message)
            if folder := options.pictures_folder:
                prepare_places(folder, output=options.output)
            revisions.table.save_now()
        except (CampaignError, StaticAdsLabError) as error:
            return Outcome.refused(error, title=NOTHING_CHANGED)

        host.logger.info(
            "%s; %d to revise. %s",
            plan.progress_text,
            plan.creates,
            _cost(plan),
        )
        reporter = RunReporter(
            host,
            prepared,
            client.limiter.seconds_for,
            options.spreadsheet,
            one_file=options.one_file,
        )
        download = partial(
            download_pictures_or_log,
            revisions.table,
            folder,
            host.logger,
            base_url=credentials.base_url,
        )
        return await reporter.run(
            {client.api_key_hash: credentials},
            attempts=ONE_ATTEMPT,
            timeout_seconds=options.timeout_seconds,
            download_pictures=download if folder else None,
        )


def _cost(plan: Plan) -> str:
    """What the revisions may cost, for people."""
    return (
        "What a revision costs is not documented; as new editable ads they would be "
        f"{plan.new_usd:.2f} USD."
    )
