"""Editable ads are changed and rendered anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from prefect_staticadslab import ImageAdResult, StaticAdsLabCredentials
from prefect_staticadslab.api.waiting import BATCH_TIMEOUT_SECONDS
from prefect_staticadslab.campaign.campaign import Prepared, run
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.runs.credentials import limiters_of
from prefect_staticadslab.campaign.runs.revisions import RevisionOptions, run_revisions
from prefect_staticadslab.campaign.table.limits import RUN_LIMIT_USD
from prefect_staticadslab.flows import run_as_command
from prefect_staticadslab.orchestration.chunk_tasks import opaque
from prefect_staticadslab.orchestration.command_link import begin_flow
from prefect_staticadslab.orchestration.flow_calls import dispatched
from prefect_staticadslab.orchestration.flow_outcome import state_of
from prefect_staticadslab.orchestration.prefect_host import PrefectHost
from prefect_staticadslab.orchestration.run_names import named_by
from prefect_staticadslab.tasks.revisions import revise_image_ads


class RevisionHost(PrefectHost):
    """A flow run that revises ads: its chunks stay in its own process, where the ads' trees are."""

    async def run_chunks(
        self,
        prepared: Prepared[Batch[Any]],
        credentials: Mapping[str, StaticAdsLabCredentials],
        attempts: int,
        timeout_seconds: float,
        wait: bool,
    ) -> list[ImageAdResult]:
        """Revises the ads of all chunks, each in a task run; see `Host.run_chunks`.

        Args:
            attempts, wait: Not used: a revision is tried once, and waited for.
        """

        async def revise_chunk(chunk: Chunk) -> list[ImageAdResult]:
            """Revises a chunk's ads in a task run, whose arguments Prefect does not look into."""
            return await revise_image_ads(
                credentials[chunk.api_key_hash],
                opaque(chunk.jobs),
                timeout_seconds,
                opaque(prepared.batch.table),
            )

        return await run(prepared, revise_chunk, weights=limiters_of(credentials).weights())


@dispatched
@flow(
    name="revise",
    description="Changes editable image ads, and renders them anew.",
    flow_run_name=named_by("revise", "output"),
)
async def revise(
    spreadsheet: str,
    output: str,
    credentials: StaticAdsLabCredentials,
    sheet: str = "",
    encoding: str = "",
    visible_rows: bool = False,
    dry_run: bool = False,
    max_spend_usd: float = RUN_LIMIT_USD,
    timeout_seconds: float = BATCH_TIMEOUT_SECONDS,
    download_images: str = "",
    again: bool = False,
    one_file: bool = False,
) -> State[None]:
    """Revises editable ads, or goes on with it where an earlier run of the same output stopped.

    Args:
        spreadsheet: A .csv, .tsv, .parquet or workbook with a column `image_ad_id`, and in each row
            one of `json_patch` (RFC 6902), `node_overrides` and `current_json_tree`.
        output: The result table: a .csv, .tsv, .xlsx or .parquet; a path or a URL.
        credentials: The API key to use.
        sheet: Which sheet of a workbook; the visible one that has the columns if empty.
        encoding: How a text file is encoded, such as cp1252, if its text leaves doubt about it.
        visible_rows: Leave out the rows that a spreadsheet program hides.
        dry_run: Only check the changes against the ads.
        max_spend_usd: Change nothing if all of it, earlier runs included, might cost more than
            this, in USD; 0 is that nothing may be spent. What a revision costs is not documented,
            so each counts like a new editable ad, 4.00 USD.
        timeout_seconds: How long to wait for one ad before it is left for a later run.
        download_images: A folder to download the pictures to, a path or a URL; none if empty.
        again: If the spreadsheet is a result table of revisions, make them once more. Otherwise
            what it has is taken over, and only what is missing is made.
        one_file: Put small pictures into the contact sheet itself, so that it can be mailed alone.
            The pictures are downloaded for it, beside the table if no folder is named.

    Returns:
        Completed if every revision is, or would be in a dry run; Failed if not, with the counts or
        with what was wrong in its message.
    """
    link = begin_flow()
    options = RevisionOptions(
        spreadsheet=spreadsheet,
        output=output,
        sheet=sheet,
        encoding=encoding,
        visible_rows=visible_rows,
        dry_run=dry_run,
        max_spend_usd=max_spend_usd,
        timeout_seconds=timeout_seconds,
        download_images=download_images,
        again=again,
        one_file=one_file,
    )
    link.end_state = await state_of(await run_revisions(options, credentials, RevisionHost()))
    return link.end_state


if __name__ == "__main__":
    run_as_command("revise")
