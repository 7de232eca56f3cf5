"""One world: an API, a disk, a clock, and the processes that run one campaign in it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import StrEnum
from functools import cache, partial
from typing import Any, Final, TypeVar
from unittest.mock import patch

from prefect_staticadslab import StaticAdsLabClient
from prefect_staticadslab.api.rate_limit import limiter
from prefect_staticadslab.api.responses import api_clock
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.pipeline import batch, session
from prefect_staticadslab.campaign.pipeline.chunks import CHUNK_JOBS
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.simulator.http import endpoint
from prefect_staticadslab.simulator.http.app import make_app
from prefect_staticadslab.simulator.model.image_ads import job
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.simulation.world.baton import Baton
from tests.simulation.world.clock import Clock
from tests.simulation.world.disk import new_disk
from tests.simulation.world.loop import VirtualLoop
from tests.simulation.world.network import Fault, Network
from tests.simulation.world.places import FilePlace, ObjectPlace, Place
from tests.simulation.world.process import Killed, Process, Visit, current
from tests.simulation.world.store import ObjectStore, reached

T = TypeVar("T")


class Storage(StrEnum):
    """Where tables are kept."""

    DISK = "a disk"
    CONDITIONAL = "a store that keeps conditions"
    PLAIN = "a store that keeps no conditions"


THREAD_SECONDS: Final = (0.001, 0.3)
"""How long what is done in a thread takes, such as a write: at least, and at most."""

LONGEST_RUN_SECONDS: Final = 3 * 3600.0
"""A row that another run may have sent long ago is looked for for up to two hours."""

FOLDER_URL: Final = "file:///world"
"""What the folder of every world is called where its name counts."""

LATENESS_STEP_SECONDS: Final = 1.0
"""How often what is late looks at the clock."""

RunCampaign = Callable[[Process, str, Callable[[str, str], StaticAdsLabClient]], Awaitable[object]]
"""What a process does, given itself, where the API is, and what makes a client."""


def no_fault(number: int, method: str) -> Fault | None:
    """Nothing happens to a request."""
    return None


class World:
    """One campaign's world. All that happens in it comes from its seed.

    Args:
        seed: Of everything.
        fault: What happens to the nth request, of this method; None for nothing.
        write_fails: Whether the nth write fails.
        chunk_ads: How many rows a chunk has at most.
        hasty_progress: Whether jobs look nearly done long before they are.
        storage: Where tables are kept.
        settings: How the API behaves.

    Attributes:
        trace: What happened, a line each.
        processes: All that ever ran.
        switches: How often those that run in turns changed places.
        write_failed: Whether a write ever did.
        written: Called with what a table held and what it holds by now.
    """

    def __init__(
        self,
        seed: object,
        *,
        fault: Callable[[int, str], Fault | None] = no_fault,
        write_fails: Callable[[int], bool] = lambda number: False,
        chunk_ads: int = CHUNK_JOBS,
        hasty_progress: bool = False,
        storage: str = "a disk",
        **settings: Any,
    ) -> None:
        self.chance = random.Random(str(seed))
        self._uuids = random.Random(f"uuids {seed}")
        self.trace: list[str] = []
        self.processes: list[Process] = []
        self.clock = Clock()
        self._fault = fault
        self._write_fails = write_fails
        self._writes = 0
        self.write_failed = False
        self.written: Callable[[bytes, bytes], None] = lambda earlier, content: None
        self._storage = Storage(storage)
        self.store: ObjectStore | None = None
        self._chunk_ads = chunk_ads
        self._hasty_progress = hasty_progress
        self._settings = settings
        self._is_over = False
        self.switches = 0

    @contextmanager
    def existing(self) -> Iterator[World]:
        """Lets it exist while the body runs."""
        with ExitStack() as stack:
            stack.enter_context(self.clock.ruling())
            is_over = lambda: self._is_over  # noqa: E731
            self.folder = stack.enter_context(
                new_disk(is_over, self._next_write_fails, self._written, self.clock)
            )
            # What is left over as garbage ends when it is collected: not at a moment of the world.
            stack.enter_context(_no_collections())
            # A campaign's keys are made of its table's place, and the folder's name is new.
            here, canonical = self.folder.as_uri(), storage.canonical
            named = lambda location: canonical(location).replace(here, FOLDER_URL)  # noqa: E731
            stack.enter_context(patch.object(storage, "canonical", named))
            # Ids, names of temporary files and the jitter of pauses are of the seed as well.
            stack.callback(random.setstate, random.getstate())
            random.seed(self.chance.random())
            hexadecimal = lambda count: self.chance.randbytes(count).hex()  # noqa: E731
            stack.enter_context(patch.object(batch, "CHUNK_JOBS", self._chunk_ads))
            stack.enter_context(patch.object(secrets, "token_hex", hexadecimal))
            stack.enter_context(patch.object(uuid, "uuid4", self._new_uuid))
            stack.enter_context(
                patch.object(endpoint, "WAITING_STEP_SECONDS", LATENESS_STEP_SECONDS)
            )
            if self._hasty_progress:
                stack.enter_context(patch.object(job, "current_step", _hasty(job.current_step)))
            self.api, app = _only_api()
            # Anew in its place: to make an application of it takes longer than a campaign's run.
            self.api.__init__(  # type: ignore[misc]
                Settings(**{"seed": self.chance.randrange(2**32)} | self._settings)
            )
            self.network = Network(self.api, app, self.log, self.chance, self._fault)
            self.new_client = partial(StaticAdsLabClient, transport=self.network)
            told = _telling(JobTable._store_state)
            stack.enter_context(patch.object(JobTable, "_store_state", told))
            stack.enter_context(patch.object(session, "StaticAdsLabClient", self.new_client))
            self.loop = VirtualLoop(self.clock, lambda: self.chance.uniform(*THREAD_SECONDS))
            if self._storage is not Storage.DISK:
                self.store = ObjectStore(
                    keeps_conditions=self._storage is Storage.CONDITIONAL,
                    chance=self.chance,
                    threads=self.loop.threads,
                    is_over=is_over,
                    fails=self._next_write_fails,
                    written=self._written,
                    now=self.clock,
                )
                stack.enter_context(reached(self.store, self.clock.sleep))
            stack.callback(self.loop.close)
            stack.callback(self._end)
            stack.callback(limiter._limiters.clear)
            stack.callback(key_lock._shared.clear)
            stack.callback(api_clock._shared.clear)
            asyncio.set_event_loop(self.loop)
            stack.callback(asyncio.set_event_loop, None)
            yield self

    def _new_uuid(self) -> uuid.UUID:
        return uuid.UUID(bytes=self._uuids.randbytes(16), version=4)

    def _end(self) -> None:
        self._is_over = True
        self.loop.bury()

    def _next_write_fails(self) -> bool:
        self._writes += 1
        fails = self._write_fails(self._writes)
        self.write_failed = self.write_failed or fails
        return fails

    def _written(self, earlier: bytes, content: bytes) -> None:
        self.written(earlier, content)

    def log(self, what: str) -> None:
        """Notes what happens, and when."""
        told = what.replace(str(self.folder), "")
        self.trace.append(f"{self.clock.now:10.3f}  {told}")

    def let_pass(self, seconds: float) -> None:
        """Lets time pass in which no process runs, and what was sent before arrives."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def place(self, name: str) -> Place:
        """Where a table of this name is kept."""
        return (
            FilePlace(self.folder / name) if self.store is None else ObjectPlace(self.store, name)
        )

    @property
    def undoes_nothing(self) -> bool:
        """Whether the storage keeps one run from undoing what another one has written."""
        return self._storage is not Storage.PLAIN

    def fill_wallet(self, usd: float) -> None:
        """Lets the organization have so much, what it has spent included."""
        self.api.settings = replace(self.api.settings, wallet_usd=usd)

    def run(
        self, run_campaign: RunCampaign, visits: Sequence[Visit], order: Sequence[int] = ()
    ) -> list[Process]:
        """Runs processes side by side, and returns once all have ended, or took too long.

        Args:
            run_campaign: What each does.
            visits: What is drawn for each.
            order: How many points of I/O each reaches in turn while nothing of the others runs; ()
                if they run as it comes.
        """
        processes = []
        for visit in visits:
            process = Process(f"run {len(self.processes) + 1}", self.log, visit)
            process.put_to_sleep = self.loop.put_to_sleep
            process.wake_up = partial(self.loop.wake, process)
            self.processes.append(process)
            processes.append(process)
        if order:
            baton = Baton(order, list(processes))
            self.loop.run_in_turns(baton)
            for process in processes:
                process.has_reached = baton.reached
                process.has_ended = baton.has_ended
        self.loop.run_until_complete(self._all_of(processes, run_campaign))
        if order:
            self.switches += baton.switches
        return processes

    async def _all_of(self, processes: Sequence[Process], run_campaign: RunCampaign) -> None:
        ended = []
        for process in processes:
            await asyncio.sleep(process.visit.starts_after)
            over: asyncio.Future[None] = self.loop.create_future()
            process.has_died = partial(self._end_of, over)
            process.main = self._start(process, run_campaign)
            process.main.add_done_callback(partial(_set, over), context=contextvars.Context())
            over.add_done_callback(partial(_tell, process), context=contextvars.Context())
            ended.append(over)
        asleep = max(process.visit.asleep_seconds for process in processes)
        _, late = await asyncio.wait(ended, timeout=2 * LONGEST_RUN_SECONDS + asleep)
        for process, over in zip(processes, ended, strict=True):
            process.is_dead = process.is_dead or over in late

    def _end_of(self, over: asyncio.Future[None]) -> None:
        self.loop.call_soon(_set, over, context=contextvars.Context())

    def _start(self, process: Process, run_campaign: RunCampaign) -> asyncio.Task[object]:
        context = contextvars.copy_context()
        context.run(current.set, process)
        # Each has the limiter and the locks that a process has for itself. A simulator's keys are
        # refused for an API that is elsewhere.
        url = f"https://127.0.0.{process.name.split()[-1]}"
        return self.loop.create_task(self._live(process, run_campaign, url), context=context)

    async def _live(self, process: Process, run_campaign: RunCampaign, url: str) -> None:
        try:
            await run_campaign(process, url, self.new_client)
        except CampaignError as error:
            self.log(f"{process.name} ends: {error}")
            process.refusal = str(error)
        except (asyncio.CancelledError, Killed):
            raise
        except BaseException as error:
            self.log(f"{process.name} breaks down: {error!r}")
            process.error = error


@contextmanager
def _no_collections() -> Iterator[None]:
    """Collects no garbage while the body runs."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _telling(note: Callable[[Any, int, JobState], None]) -> Callable[[Any, int, JobState], None]:
    """What notes a row's state, and says so in the trace."""

    def noted(table: Any, position: int, state: JobState) -> None:
        process, before = current.get(), table.states[position]
        note(table, position, state)
        if process is not None and state != before:
            said = f" {state.job_id or ''} {state.error or ''}".rstrip()
            process.log(f"{process.name}: row {position + 1} is {state.status}{said}")

    return noted


def _tell(process: Process, _: object) -> None:
    process.has_ended(process)


def _hasty(current_step: Callable[[float], T]) -> Callable[[float], T]:
    """The progress of a bar that is in a hurry at first, as many are."""
    return lambda share: current_step(share**0.5)


@cache
def _only_api() -> tuple[SimulatedAPI, Any]:
    """The API of all worlds of this process, one after another, and the application of it."""
    api = SimulatedAPI()
    return api, make_app(api)


def _set(over: asyncio.Future[None], _: object = None) -> None:
    if not over.done():
        over.set_result(None)
