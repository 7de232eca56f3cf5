"""A campaign's chunks on Dask's and Ray's workers, and shared between several keys."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from prefect.client.schemas.objects import State
from prefect.task_runners import TaskRunner
from pydantic import SecretStr

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.pipeline import session
from prefect_staticadslab.campaign.pipeline.poll_schedule import Timing
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import SECOND_API_KEY
from prefect_staticadslab.tasks.clusters.coordinator import Coordinator
from prefect_staticadslab.tasks.clusters.messages import Report
from tests.conftest import write_campaign
from tests.support.gate import closed_gate
from tests.support.processes import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("prefect_server")


def credentials_of(key: str, simulator: SimulatorServer) -> StaticAdsLabCredentials:
    return StaticAdsLabCredentials(api_key=SecretStr(key), base_url=simulator.url)


async def run_on(
    runner: TaskRunner[Any],
    spreadsheet: str,
    output: Path,
    credentials: StaticAdsLabCredentials,
    **options: Any,
) -> State[None]:
    on_workers = campaign.with_options(task_runner=runner)
    state: Any = await on_workers(
        spreadsheet, str(output), credentials, max_spend_usd=230, return_state=True, **options
    )
    return cast(State[None], state)


def prompts(count: int) -> list[str]:
    special = {7: "SIMULATE_FAILURE", 11: "SIMULATE_ONE_FAILURE"}
    return [special.get(i, f"prompt {i}") for i in range(count)]


async def check_campaign_on(runner: TaskRunner[Any], folder: Path) -> None:
    """A campaign of three chunks and two special rows, twice."""
    with SimulatorServer(speed=40, rate_limit=10_000) as simulator:
        credentials = credentials_of(SIMULATOR_API_KEY, simulator)
        place, output = write_campaign(folder, *prompts(230)), folder / "out.csv"
        state = await run_on(runner, place, output, credentials, attempts=2)
        assert state.is_failed()
        assert "229 of 230 rows completed (1 failed)" in (state.message or "")
        frame = read_spreadsheet(str(output)).frame
        assert Counter(frame["status"]) == {"completed": 229, "failed": 1}
        assert frame["attempts"][11] == frame["attempts"][7] == "2"
        assert len(simulator.api.jobs) == 232
        again = await run_on(runner, place, output, credentials, attempts=1)
        assert "229 were completed by an earlier run" in (again.message or "")
        assert len(simulator.api.jobs) == 233


async def check_cancellation_on(
    runner: TaskRunner[Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table knows rows of a chunk that still runs, and a cancellation reaches its worker."""
    heard = asyncio.Event()
    handle_report = Coordinator._handle_report

    def handle_and_tell(self: Coordinator, report: Report) -> None:
        handle_report(self, report)
        if report.is_stopping:
            heard.set()

    monkeypatch.setattr(Coordinator, "_handle_report", handle_and_tell)
    place, output = write_campaign(folder, *prompts(100)), folder / "cancelled.csv"
    with (
        SimulatorServer(speed=10, rate_limit=10_000) as simulator,
        closed_gate(simulator, after=30) as gate,
    ):
        credentials = credentials_of(SIMULATOR_API_KEY, simulator)
        run = asyncio.create_task(run_on(runner, place, output, credentials))
        async with asyncio.timeout(PATIENCE_SECONDS):
            # The worker waits at the gate for its next answer, so its chunk has not ended.
            while not ids_in(output):
                await asyncio.sleep(0.1)
            run.cancel()
            await heard.wait()
        sent = set(simulator.api.jobs)
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert ids_in(output) == set(simulator.api.jobs)
        # What had been sent by then waited for its answers, and nothing was sent after.
        assert len(simulator.api.jobs) <= len(sent) + session.OPEN_CREATES < 100


def ids_in(output: Path) -> set[str]:
    """The ids of ads in a table, which may not be there yet."""
    if not output.exists():
        return set()
    return set(read_spreadsheet(str(output)).frame["image_ad_id"]) - {""}


@pytest.mark.distributed
async def test_a_campaign_on_two_dask_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from distributed import LocalCluster
    from prefect_dask.task_runners import DaskTaskRunner

    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        runner = DaskTaskRunner(address=cluster.scheduler_address)
        await check_campaign_on(runner, tmp_path)
        await check_cancellation_on(runner, tmp_path, monkeypatch)


@pytest.mark.distributed
async def test_what_a_killed_worker_had_sent_is_not_paid_for_twice(tmp_path: Path) -> None:
    from distributed import LocalCluster
    from prefect_dask.task_runners import DaskTaskRunner

    def kill_a_worker() -> int:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(simulator.api.jobs) < 120 and time.monotonic() < deadline:
            time.sleep(0.02)
        pid: int = cluster.workers[0].pid
        os.kill(pid, signal.SIGKILL)
        return len(simulator.api.jobs)

    with (
        SimulatorServer(speed=10, rate_limit=10_000) as simulator,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        credentials = credentials_of(SIMULATOR_API_KEY, simulator)
        place, output = write_campaign(tmp_path, *(f"p{i}" for i in range(200))), tmp_path / "o.csv"
        killing = asyncio.create_task(asyncio.to_thread(kill_a_worker))
        state = await run_on(
            DaskTaskRunner(address=cluster.scheduler_address), place, output, credentials
        )
        assert await killing >= 120
        if not state.is_completed():
            state = await run_on(
                DaskTaskRunner(address=cluster.scheduler_address), place, output, credentials
            )
        assert state.is_completed(), state.message
        assert len(simulator.api.jobs) == 200
        ids = read_spreadsheet(str(output)).frame["image_ad_id"]
        assert set(ids) == set(simulator.api.jobs)


@pytest.mark.distributed
async def test_a_campaign_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # No wheels of Ray for the newest Pythons, some of the time.
    ray = pytest.importorskip("ray")
    from prefect_ray.task_runners import RayTaskRunner

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    # The path of a socket in it must be short.
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        options = {"num_cpus": 2, "include_dashboard": False, "_temp_dir": folder}
        ray.init(**options)
        try:
            await check_campaign_on(RayTaskRunner(), tmp_path)
            await check_cancellation_on(RayTaskRunner(), tmp_path, monkeypatch)
        finally:
            ray.shutdown()


async def test_two_keys_share_a_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One key's window holds 100 requests and is longer than this test: 130 ads need both keys."""
    monkeypatch.setattr(session, "TIMING", Timing(poll_seconds=2, work_seconds=0.1))
    with SimulatorServer(speed=100, rate_limit=100, rate_window_seconds=3600) as simulator:
        creates: Counter[str] = Counter()
        begin = simulator.api.idempotency.begin

        def counted(api_key: str, *request: Any) -> Any:
            creates[api_key] += 1
            return begin(api_key, *request)

        monkeypatch.setattr(simulator.api.idempotency, "begin", counted)
        first, second = (
            credentials_of(key, simulator) for key in (SIMULATOR_API_KEY, SECOND_API_KEY)
        )
        place = write_campaign(tmp_path, *(f"prompt {i}" for i in range(130)))
        # As in a deployment's parameters. The first key once more is still one key.
        await second.save("second", overwrite=True)
        saved = {"$ref": {"block_document_slug": "static-ads-lab-credentials/second"}}
        state: Any = await campaign(
            place,
            str(tmp_path / "out.csv"),
            first,
            more_credentials=[saved, first],
            max_spend_usd=130,
            return_state=True,
        )
        assert state.is_completed()
        assert len(simulator.api.jobs) == creates.total() == 130
        assert simulator.api.counts["429"] == 0
        assert min(creates[SIMULATOR_API_KEY], creates[SECOND_API_KEY]) >= 30
