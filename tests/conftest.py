"""What tests share: a simulator on a socket, clients for it, and requests that it accepts."""

from __future__ import annotations

import contextlib
import gc
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock
from hypothesis import settings

from prefect_staticadslab import (
    ImageAdRequest,
    ImageAdResult,
    JobState,
    RowStatus,
    StaticAdsLabClient,
    StaticAdsLabCredentials,
)
from prefect_staticadslab.api.rate_limit import limiter
from prefect_staticadslab.api.responses import api_clock
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.campaign.campaign import prepare, read_campaign, run
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.pipeline.chunk_run import generate
from prefect_staticadslab.campaign.pipeline.chunks import Chunk
from prefect_staticadslab.campaign.pipeline.session import shared_session
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests import QUIET, RARELY, USERS_CERTIFICATES
from tests.support import processes
from tests.support.drawing import draw_the_same_whatever_is_imported
from tests.support.processes import SHARED, running, until
from tests.support.quick import wait_for_less

# How long an example takes hangs on what else the machine does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
draw_the_same_whatever_is_imported()
gc.set_threshold(*RARELY)

QUICK_SERVER = {
    f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false"
    for name in ("FOREMAN", "LATE_RUNS", "PAUSE_EXPIRATIONS", "REPOSSESSOR", "TRIGGERS")
} | {"PREFECT_API_BLOCKS_REGISTER_ON_START": "false"}
"""What nothing in these tests needs, and costs a server as much as being asked does; and a second
and a half for Prefect's own block types, since whoever saves a block registers its type."""

MAKE_TABLES = """\
import runpy, sys
import aiosqlite.core

async def execute_at_once(self, function, *arguments, **options):
    return function(*arguments, **options)

aiosqlite.core.Connection._execute = execute_at_once
sys.argv = ["prefect", "server", "database", "upgrade", "-y"]
runpy.run_module("prefect", run_name="__main__")
"""
"""Prefect's migrations, in one thread: to hand each statement to another one, and to wait for it,
takes more than all of them."""

ROOT = Path(__file__).resolve().parent.parent

KNOWN_OF_APIS: tuple[dict[Any, Any], ...] = (
    limiter._limiters,
    key_lock._shared,
    api_clock._shared,
)
"""What a process knows of APIs, by their addresses."""

MakeRequest = Callable[..., ImageAdRequest]


def pytest_configure(config: pytest.Config) -> None:
    """Makes a folder for what all workers share; they inherit its name."""
    # The simulation takes parts of this module, and lives in time of its own.
    wait_for_less(work_seconds=0.1)
    # What a shell runs in the background ignores Ctrl-C, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        # The path of a socket in it must be short.
        folder = tempfile.mkdtemp(prefix="tests-")
        os.environ[SHARED] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The wheel's tests come first: they wait for pip for a minute, beside all the others."""
    items.sort(key=lambda item: item.get_closest_marker("wheel") is None)


def pytest_collection_finish() -> None:
    """What has been imported stays: the garbage collector need not look through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_known_of_an_api() -> Iterator[None]:
    """Forgets limits, keys in use and clocks: a later test's simulator may get the same port."""
    yield
    for known in KNOWN_OF_APIS:
        known.clear()


@pytest.fixture(scope="session")
def prefect_database(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """Prefect's tables with nothing in them, to be copied into a PREFECT_HOME as prefect.db.

    Making them takes seconds of a processor, so all workers share one, and where pytest keeps
    a cache, all sessions with this version of Prefect.
    """
    kept = getattr(pytestconfig, "cache", None)
    folder = kept.mkdir("prefect") if kept else Path(os.environ[SHARED])
    database: Path = folder / f"{version('prefect')}.db"
    with FileLock(database.with_suffix(".lock")):
        if not database.exists():
            home = tmp_path_factory.mktemp("prefect-database")
            made = processes.run(
                "-c", MAKE_TABLES, env={**without_settings(), "PREFECT_HOME": str(home)}
            )
            assert made.status == 0, made.err
            # Beside it first, so that nobody ever finds a part of it.
            shutil.move(home / "prefect.db", database.with_suffix(".new"))
            database.with_suffix(".new").rename(database)
    return database


def without_settings() -> dict[str, str]:
    """The environment, without what this machine's user has set for Prefect and for us."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "SAL_"))}
    return kept | QUIET


def outside_environment() -> dict[str, str]:
    """The environment of a user who installs something: with his certificates, and none of ours."""
    environment = without_settings() | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {"PIP_ROOT_USER_ACTION": "ignore"}
    for name in ("SSL_CERT_FILE", "PYTHONPATH"):
        environment.pop(name, None)
    return environment | ({"SSL_CERT_FILE": USERS_CERTIFICATES} if USERS_CERTIFICATES else {})


@pytest.fixture(scope="session")
def prefect_server(
    tmp_path_factory: pytest.TempPathFactory, prefect_database: Path
) -> Iterator[dict[str, str]]:
    """A real Prefect server on a free port, the one that this process and its children speak to.

    It takes 10 s and more to start, so there is one per session. Gives the environment in which
    other processes find it.
    """
    home = tmp_path_factory.mktemp("prefect")
    shutil.copy(prefect_database, home / "prefect.db")
    with running_prefect(home, "--no-ui", **QUICK_SERVER) as environment:
        yield environment


@contextlib.contextmanager
def running_prefect(home: Path, *options: str, **settings: str) -> Iterator[dict[str, str]]:
    """A Prefect server with these options and settings. Gives the environment to find it in."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, temporary_settings

    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **without_settings(),
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        # Where a browser looks for the server, when it is on a port of its own.
        "PREFECT_UI_API_URL": url,
        **settings,
    }
    command = ("-m", "prefect", "server", "start", *options, "--port", str(port))
    log = home / "server.log"
    with running(*command, env=environment, cwd=home, log=log) as server:
        wait_for_server(f"{url}/health", server, log)
        with temporary_settings({PREFECT_API_URL: url}):
            yield environment
            # What is still to be told to the server is told while it is there.
            APILogWorker.instance().drain()
            EventsWorker.drain_all()


def wait_for_server(url: str, server: subprocess.Popen[str], log: Path) -> None:
    """Returns once `url` answers."""
    # One client: making one takes more of a busy machine than the question.
    with httpx.Client(timeout=60) as client:

        def answers() -> bool:
            try:
                return client.get(url).is_success
            except httpx.HTTPError:
                return False

        until(lambda: server.poll() is not None or answers())
    if server.poll() is not None:
        raise RuntimeError(f"Prefect's server did not start:\n{log.read_text()}")


def free_port() -> int:
    """A port that nobody listens on, and that no simulator of another worker can be given: it is
    below those of which a system gives one to whoever asks for any."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """A simulator whose jobs take one to two seconds, with the limit out of the way."""
    with SimulatorServer(speed=30, rate_limit=10_000) as server:
        yield server


def key_of(simulator: SimulatorServer) -> dict[str, str]:
    """A simulator's key and address, as a user has them in the environment."""
    return {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}


def set_key(monkeypatch: pytest.MonkeyPatch, simulator: SimulatorServer) -> dict[str, str]:
    """Has this process, and what it starts, find a simulator. Gives what it has set."""
    environment = key_of(simulator)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
async def client(simulator: SimulatorServer) -> AsyncIterator[StaticAdsLabClient]:
    async with StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url) as made:
        yield made


@pytest.fixture
def credentials(simulator: SimulatorServer) -> StaticAdsLabCredentials:
    return StaticAdsLabCredentials.model_validate(
        {"api_key": SIMULATOR_API_KEY, "base_url": simulator.url}
    )


@pytest.fixture(scope="session")
def make_request() -> MakeRequest:
    """Makes requests that every simulator accepts."""
    ids = simulated_ids()

    def make(prompt: str | None = None, **fields: object) -> ImageAdRequest:
        return ImageAdRequest.model_validate({**ids, "prompt": prompt, **fields})

    return make


def simulated_ids() -> dict[str, str]:
    """The four ids of things that belong together in every simulator."""
    from prefect_staticadslab.simulator.model.catalogue.seeds import seeded_catalogue

    catalog = seeded_catalogue()
    product = next(iter(catalog.products.values()))
    audience = next(a for a in catalog.audiences.values() if a["product_id"] == product["id"])
    template = next(t for t in catalog.design_templates.values() if t["status"] == "completed")
    return {
        "design_template_id": template["id"],
        "brand_id": product["brand_id"],
        "product_id": product["id"],
        "audience_id": audience["id"],
    }


def write_campaign(folder: Path, *prompts: str) -> str:
    """Writes a campaign of one row per prompt, and returns where it is."""
    ids = simulated_ids()
    lines = [",".join([*ids, "prompt"]), *(",".join([*ids.values(), p]) for p in prompts)]
    (folder / "in.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "in.csv")


def sent_at(moment: datetime, api_key_hash: str) -> JobState:
    """A row that was sent then, with such an API key, and has no answer."""
    return JobState(
        RowStatus.SUBMITTING,
        attempts=1,
        submitted_at=moment,
        idempotency_key="00ff" * 16,
        api_key_hash=api_key_hash,
        asked_at=moment,
    )


async def run_campaign(
    spreadsheet: str, output: str, url: str, *, attempts: int = 2
) -> tuple[Campaign, list[ImageAdResult]]:
    """What the campaign flow does, without Prefect."""
    async with StaticAdsLabClient(SIMULATOR_API_KEY, url) as client:
        campaign = await read_campaign(Brief.open(spreadsheet), output, [client])
    return campaign, await run_batch(campaign, url, attempts=attempts)


async def run_batch(
    batch: Batch[Any],
    url: str,
    *,
    attempts: int = 2,
    preflight: bool = False,
    new_client: Callable[[str, str], StaticAdsLabClient] = StaticAdsLabClient,
) -> list[ImageAdResult]:
    """What a flow does with a batch, without Prefect."""
    async with (
        new_client(SIMULATOR_API_KEY, url) as client,
        shared_session(SIMULATOR_API_KEY, url) as session,
    ):
        prepared = await prepare(batch, [client], preflight=preflight)
        batch.table.save_now()

        async def run_chunk(chunk: Chunk) -> list[ImageAdResult]:
            return await generate(session, chunk.jobs, journal=batch.table, attempts=attempts)

        async with batch.table.checkpoints(print):
            return await run(prepared, run_chunk, weights={client.api_key_hash: 1.0})
