"""A run with its table and its workers in one process, and mailboxes between them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.pipeline.attempt import Attempt
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult, Journal, PlannedJob
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY
from prefect_staticadslab.tasks.clusters.coordinator import Coordinator
from prefect_staticadslab.tasks.clusters.messages import Answer, Report, Stop, decode
from prefect_staticadslab.tasks.clusters.worker_journal import JournalLink
from tests.conftest import write_campaign

Work = Callable[[Journal], Awaitable[list[ImageAdResult]]]


class MemoryMailboxes:
    """Mailboxes of this process, which can be cut off, and lose what `loses` says yes to."""

    def __init__(self) -> None:
        self.boxes: defaultdict[str, list[bytes]] = defaultdict(list)
        self.is_cut = False
        self.loses: Callable[[Report | Answer | Stop], bool] = lambda message: False
        self.tells_of_losses = True
        self.reports: list[Report] = []

    def put(self, box: str, message: bytes) -> None:
        self._check()
        decoded = decode(message)
        if isinstance(decoded, Report):
            self.reports.append(decoded)
        if not self.loses(decoded):
            self.boxes[box].append(message)
        elif self.tells_of_losses:
            raise ConnectionError("lost")

    def take(self, box: str) -> list[bytes]:
        self._check()
        return self.boxes.pop(box, [])

    def close(self, box: str) -> None:
        self.boxes.pop(box, None)

    def _check(self) -> None:
        if self.is_cut:
            raise ConnectionError("cut")


class Cluster:
    """A run with its table, and workers that are tasks beside it."""

    def __init__(self, folder: Path, *prompts: str) -> None:
        self.output = str(folder / "out.csv")
        campaign = Campaign.open(write_campaign(folder, *prompts), self.output)
        self.table: ImageAdTable = campaign.table
        self.table.save_now()
        (chunk,) = campaign.chunks()
        self.ads: Sequence[PlannedJob] = chunk.jobs
        self.mailboxes = MemoryMailboxes()
        self.now = 0.0
        self.coordinator = Coordinator(self.mailboxes, self.table, lambda: self.now)
        self.workers: list[asyncio.Future[list[ImageAdResult]]] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self.coordinator.listening():
                yield
        finally:
            for worker in self.workers:
                worker.cancel()
            await asyncio.gather(*self.workers, return_exceptions=True)

    def begin(self, journal: JournalLink, work: Work) -> asyncio.Future[list[ImageAdResult]]:
        """A worker begins with a chunk."""
        worker = asyncio.ensure_future(journal.run_with_journal(self.ads, work))
        self.workers.append(worker)
        return worker

    def sent(self, *positions: int) -> dict[int, JobState]:
        """These rows as they are when they are about to be sent for the first time."""
        attempts = [Attempt(self.ads[position]) for position in positions]
        for attempt in attempts:
            attempt.mark(datetime.now(UTC), "00ff" * 4)
        return {attempt.position: attempt.state for attempt in attempts}

    def statuses(self) -> list[str]:
        return [str(state.status) for state in self.table.states]

    def saved(self) -> Any:
        return read_spreadsheet(self.output).frame


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(600):
        while not holds():
            await asyncio.sleep(0.01)


def generating(cluster: Cluster, url: str, **options: Any) -> Work:
    async def work(journal: Journal) -> list[ImageAdResult]:
        async with shared_session(SIMULATOR_API_KEY, url) as session:
            return await generate(session, cluster.ads, journal=journal, **options)

    return work


def processing(job_id: str) -> JobState:
    return JobState(RowStatus.PROCESSING, job_id=job_id, attempts=1)
