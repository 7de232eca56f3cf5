"""A campaign in a process of its own, which checkpoints ten times a second.

Its arguments are the spreadsheet, the output, and the simulator's URL.
"""

from __future__ import annotations

import asyncio
import sys

from prefect_staticadslab import ImageAdResult, StaticAdsLabClient
from prefect_staticadslab.campaign.campaign import prepare, read_campaign, run
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing
from prefect_staticadslab.campaign.table import checkpoints
from prefect_staticadslab.simulator import SIMULATOR_API_KEY


async def main(spreadsheet: str, output: str, url: str) -> None:
    async with (
        StaticAdsLabClient(SIMULATOR_API_KEY, url) as client,
        session.shared_session(SIMULATOR_API_KEY, url) as shared,
    ):
        campaign = await read_campaign(Brief.open(spreadsheet), output, [client])
        prepared = await prepare(campaign, [client], preflight=False)
        campaign.table.save_now()

        async def run_chunk(chunk: Chunk) -> list[ImageAdResult]:
            return await generate(shared, chunk.jobs, journal=campaign.table, attempts=2)

        async with campaign.table.checkpoints(print):
            await run(prepared, run_chunk, weights={client.api_key_hash: 1.0})


if __name__ == "__main__":
    checkpoints.CHECKPOINT_SECONDS = 0.1  # type: ignore[misc]
    session.TIMING = Timing(poll_seconds=0.2, work_seconds=0.1)
    asyncio.run(main(*sys.argv[1:]))
