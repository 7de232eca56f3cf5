"""One world: an API, a disk, a clock, and the processes that run one campaign in it."""

from __future__ import annotations

import asyncio
import contextvars
import random
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.api.rate_limit import limiter
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.planned_job import ImageAdResult
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.conftest import run_batch
from tests.simulation.clock import Clock
from tests.simulation.disk import new_disk
from tests.simulation.loop import VirtualLoop
from tests.simulation.network import Fault, Network
from tests.simulation.process import End, Killed, Process, current

Row = dict[str, str]

THREAD_SECONDS: Final = (0.001, 0.3)
"""How long what is done in a thread takes, such as a write: at least, and at most."""


class World:
    """One campaign's world. All that happens in it comes from its seed.

    Args:
        seed: Of everything.
        fault: What happens to a request of this method and path; None for nothing.
        settings: How the API behaves.

    Attributes:
        trace: What happened, a line each.
    """

    def __init__(
        self,
        seed: object,
        *,
        fault: Callable[[str, str], Fault | None] = lambda method, path: None,
        **settings: Any,
    ) -> None:
        self.chance = random.Random(str(seed))
        self.trace: list[str] = []
        self.clock = Clock()
        self._fault = fault
        self._settings = settings
        self._processes = 0
        self._is_over = False

    @contextmanager
    def existing(self) -> Iterator[World]:
        """Lets it exist while the body runs."""
        with ExitStack() as stack:
            stack.enter_context(self.clock.ruling())
            self.folder = stack.enter_context(new_disk(lambda: self._is_over))
            # Ids, names of temporary files and the jitter of pauses are of the seed as well.
            stack.callback(random.setstate, random.getstate())
            random.seed(self.chance.random())
            hexadecimal = lambda count: self.chance.randbytes(count).hex()  # noqa: E731
            stack.enter_context(patch.object(secrets, "token_hex", hexadecimal))
            self.api = SimulatedAPI(
                Settings(**{"seed": self.chance.randrange(2**32)} | self._settings)
            )
            self.network = Network(self.api, self.log, self.chance, self._fault)
            self._new_client = partial(StaticAdsLabClient, transport=self.network)
            stack.enter_context(patch.object(session, "StaticAdsLabClient", self._new_client))
            self.loop = VirtualLoop(self.clock, lambda: self.chance.uniform(*THREAD_SECONDS))
            stack.callback(self.loop.close)
            stack.callback(self._end)
            stack.callback(limiter._limiters.clear)
            stack.callback(key_lock._shared.clear)
            asyncio.set_event_loop(self.loop)
            stack.callback(asyncio.set_event_loop, None)
            yield self

    def _end(self) -> None:
        self._is_over = True
        self.loop.bury()

    def log(self, what: str) -> None:
        """Notes what happens, and when."""
        self.trace.append(f"{self.clock.now:10.3f}  {what}")

    def run(self, *ends: Mapping[int, End], spreadsheet: Path, output: Path) -> list[Process]:
        """Runs the campaign in processes side by side, and returns once all have ended.

        Args:
            ends: For each process, at which point of I/O it is ended, and how.
            spreadsheet, output: Of the campaign.
        """
        processes = []
        for end in ends:
            self._processes += 1
            processes.append(Process(f"run {self._processes}", self.log, dict(end)))
        self.loop.run_until_complete(self._all_of(processes, str(spreadsheet), str(output)))
        return processes

    async def _all_of(self, processes: Sequence[Process], spreadsheet: str, output: str) -> None:
        ended = []
        for process in processes:
            await asyncio.sleep(self.chance.uniform(0.0, 3.0) if len(processes) > 1 else 0.0)
            process.main = self._start(process, spreadsheet, output)
            ended.append(asyncio.create_task(_ended(process)))
        await asyncio.wait(ended)

    def _start(self, process: Process, spreadsheet: str, output: str) -> asyncio.Task[object]:
        context = contextvars.copy_context()
        context.run(current.set, process)
        number = process.name.split()[-1]
        return self.loop.create_task(
            self._campaign(spreadsheet, output, f"https://api-{number}.example", process),
            context=context,
        )

    async def _campaign(
        self, spreadsheet: str, output: str, url: str, process: Process
    ) -> list[ImageAdResult]:
        try:
            campaign = Campaign.open(spreadsheet, output, base_url=url)
            return await run_batch(campaign, url, preflight=True, new_client=self._new_client)
        except CampaignError as error:
            self.log(f"{process.name} ends: {error}")
            process.refusal = str(error)
            return []


async def _ended(process: Process) -> None:
    """Waits until a process has ended, or is dead."""
    assert process.main is not None
    while not process.main.done() and not process.is_dead:
        await asyncio.wait({process.main}, timeout=1.0)
    if process.main.done() and not process.is_dead and not process.main.cancelled():
        error = process.main.exception()
        if error is not None and not isinstance(error, Killed):
            raise error
