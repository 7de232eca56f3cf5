"""The same calls in flows that are not async, in scripts, and in async code that these run."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, assert_type

import cloudpickle
import pandas as pd
import pytest
from prefect import Flow, flow, task, unmapped
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingContextError

import prefect_staticadslab
from prefect_staticadslab import (
    CampaignResult,
    ImageAd,
    ImageAdJob,
    ImageAdRequest,
    ImageAdResult,
    StaticAdsLabCredentials,
    create_image_ad,
    generate_image_ads,
    get_image_ad,
    list_brands,
    run_campaign,
    tasks,
    wait_for_image_ad,
)
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import NotFoundError
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.orchestration.flow_calls import DispatchedFlow
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.tasks._step_task import StepTask
from tests.conftest import ROOT, MakeRequest, simulated_ids, write_campaign

pytestmark = [
    pytest.mark.usefixtures("prefect_server"),
    # What Prefect says of every task that is called outside of a flow.
    pytest.mark.filterwarnings("ignore:Logger 'prefect.task_runs' attempted"),
]


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SHORTEST_POLL_SECONDS", 0.1)


def rows_of(*prompts: str) -> pd.DataFrame:
    return pd.DataFrame({**simulated_ids(), "prompt": prompts})


# Who calls


@flow
def sync_flow(call: Callable[[], Any]) -> Any:
    return call()


@flow
async def async_flow(call: Callable[[], Any]) -> Any:
    return await call()


@task
def sync_task(call: Callable[[], Any]) -> Any:
    return call()


@flow
async def sync_flow_in_async_flow(call: Callable[[], Any]) -> Any:
    return sync_flow(call)


@flow
async def helper_in_thread(call: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(call)


@flow
def own_loop_in_sync_flow(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await call()

    return asyncio.run(main())


@flow
def comprehension_in_own_loop(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        (result,) = await asyncio.gather(*[call() for _ in range(1)])
        return result

    return asyncio.run(main())


@flow
def submitted_sync_task(call: Callable[[], Any]) -> Any:
    return sync_task.submit(call).result()


async def notebook_cell(call: Callable[[], Any]) -> Any:
    return await call()


CALLERS: list[Callable[[Callable[[], Any]], Any]] = [
    lambda call: call(),
    sync_flow,
    lambda call: sync_flow(lambda: sync_task(call)),
    submitted_sync_task,
    own_loop_in_sync_flow,
    comprehension_in_own_loop,
    lambda call: asyncio.run(async_flow(call)),
    lambda call: asyncio.run(sync_flow_in_async_flow(call)),
    lambda call: asyncio.run(helper_in_thread(call)),
    lambda call: asyncio.run(notebook_cell(call)),
]
NAMES = [
    "script",
    "sync flow",
    "sync task",
    "submitted sync task",
    "own loop in a sync flow",
    "comprehension in such a loop",
    "async flow",
    "sync flow in an async one",
    "thread of an async flow",
    "notebook",
]

FLOWS = {
    value
    for file in (ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py")
    for value in vars(importlib.import_module(f"prefect_staticadslab.flows.{file.stem}")).values()
    if isinstance(value, Flow)
}
"""All flows of the package."""

every_caller = pytest.mark.parametrize("caller", CALLERS, ids=NAMES)


@every_caller
def test_a_task_gives_its_result_whoever_calls_it(
    caller: Callable[[Callable[[], Any]], Any],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    make_request: MakeRequest,
) -> None:
    ad = caller(lambda: create_image_ad(credentials, make_request("Hi")))
    assert isinstance(ad, ImageAd)
    assert list(simulator.api.jobs) == [ad.id]


@every_caller
def test_a_job_is_triggered_whoever_calls_it(
    caller: Callable[[Callable[[], Any]], Any],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
) -> None:
    job = ImageAdJob(credentials=credentials, **simulated_ids())
    run = caller(job.trigger)
    assert list(simulator.api.jobs) == [run.image_ad_id]
    assert caller(lambda: run.wait_for_completion(poll_seconds=0.1)) is None
    assert caller(run.fetch_result).is_completed


@pytest.mark.parametrize("caller", CALLERS[1:-1], ids=NAMES[1:-1])
def test_a_campaign_runs_in_a_flow_of_either_kind(
    caller: Callable[[Callable[[], Any]], Any],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    tmp_path: Path,
) -> None:
    output = str(tmp_path / "out.csv")
    result = caller(lambda: run_campaign(rows_of("a", "b"), output, credentials))
    assert isinstance(result, CampaignResult)
    assert result.to_frame()["status"].tolist() == ["completed", "completed"]
    assert (tmp_path / "out.html").exists()
    assert len(simulator.api.jobs) == 2


@every_caller
def test_the_campaign_flow_is_run_whoever_calls_it(
    caller: Callable[[Callable[[], Any]], Any],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    tmp_path: Path,
) -> None:
    place, output = write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")
    state = caller(lambda: campaign(place, output, credentials, return_state=True))
    assert state.is_completed(), state.message
    assert len(simulator.api.jobs) == 1


def test_every_flow_is_one_that_any_flow_may_call() -> None:
    assert len(FLOWS) >= 10
    for each in FLOWS:
        assert isinstance(each, DispatchedFlow), each.name
        assert isinstance(each.with_options(retries=1), DispatchedFlow), each.name
        assert isinstance(cloudpickle.loads(cloudpickle.dumps(each)), DispatchedFlow)


def test_a_campaign_outside_of_a_flow_says_that_there_is_none(
    credentials: StaticAdsLabCredentials, simulator: SimulatorServer, tmp_path: Path
) -> None:
    with pytest.raises(MissingContextError):
        run_campaign(rows_of("a"), str(tmp_path / "out.csv"), credentials)
    assert not simulator.api.jobs


# What tasks can do


def test_every_task_may_be_called_in_either_kind_of_code() -> None:
    for name in tasks.__all__:
        assert isinstance(getattr(tasks, name), StepTask), name
        assert isinstance(getattr(tasks, name).with_options(retries=1), StepTask), name


def test_no_exported_name_is_a_coroutine_function_that_nobody_may_call_plainly() -> None:
    for name in prefect_staticadslab.__all__:
        value = getattr(prefect_staticadslab, name)
        assert not inspect.iscoroutinefunction(value), name


def test_in_a_sync_flow_tasks_have_options_states_futures_and_maps(
    credentials: StaticAdsLabCredentials, make_request: MakeRequest
) -> None:
    @flow
    def many() -> list[ImageAd]:
        first: ImageAd = create_image_ad.with_options(name="mine")(credentials, make_request("a"))
        state: State[ImageAd] = wait_for_image_ad(credentials, first.id, return_state=True)
        second = create_image_ad.submit(credentials, make_request("b")).result()
        rest = create_image_ad.map(unmapped(credentials), [make_request("c"), make_request("d")])
        results: list[ImageAdResult] = generate_image_ads(
            credentials, [make_request("e")], wait_for=rest
        )
        assert results[0].state.job_id
        done: Any = state.result()
        return [done, second, *rest.result()]

    made = many()
    assert [ad.prompt for ad in made] == ["a", "b", "c", "d"]
    assert made[0].is_completed


def test_a_task_that_fails_raises_in_a_sync_flow_too(credentials: StaticAdsLabCredentials) -> None:
    with pytest.raises(NotFoundError):
        sync_flow(lambda: get_image_ad(credentials, "ia_00000000000000ff"))


def test_a_task_still_travels() -> None:
    for each in (create_image_ad, create_image_ad.with_options(retries=0)):
        travelled: Any = cloudpickle.loads(cloudpickle.dumps(each))
        assert isinstance(travelled, StepTask)
        assert travelled.name == "create-image-ad"


async def test_types_are_those_of_the_result_in_both_kinds_of_code(
    credentials: StaticAdsLabCredentials, make_request: MakeRequest
) -> None:
    """Mypy reads it: the assertions hold for it alone."""
    created = await asyncio.to_thread(create_one, credentials, make_request)
    assert_type(await get_image_ad(credentials, created), ImageAd)
    job = ImageAdJob(credentials=credentials, **simulated_ids())
    run = await job.trigger()
    await run.wait_for_completion(poll_seconds=0.1)
    assert_type(await run.fetch_result(), ImageAd)
    with pytest.raises(TypeError):
        create_image_ad(credentials, prompt="no such parameter")  # type: ignore[call-overload]


def create_one(credentials: StaticAdsLabCredentials, make_request: MakeRequest) -> str:
    request: ImageAdRequest = make_request("Hi")
    ad: ImageAd = create_image_ad(credentials, request)
    return ad.id


def test_run_campaign_shows_editors_what_is_to_be_given_and_no_more() -> None:
    assert "words" not in inspect.signature(run_campaign).parameters
    assert {"source", "output", "credentials", "max_spend_usd"} <= set(
        inspect.signature(run_campaign).parameters
    )


# One key, many threads


def test_calls_in_many_threads_share_the_rate_limit_of_their_key(make_request: MakeRequest) -> None:
    @flow
    def many(credentials: StaticAdsLabCredentials) -> list[Any]:
        list_brands(credentials)
        submitted = [
            sync_task.submit(partial(create_image_ad, credentials, make_request(str(n))))
            for n in range(10)
        ]
        mapped = create_image_ad.map(
            unmapped(credentials), [make_request(str(n)) for n in range(10, 20)]
        )
        return [*(future.result() for future in submitted), *mapped.result()]

    with SimulatorServer(speed=30, rate_limit=8, rate_window_seconds=1.0) as server:
        credentials = StaticAdsLabCredentials.model_validate(
            {"api_key": SIMULATOR_API_KEY, "base_url": server.url}
        )
        ads = many(credentials)
        assert len({ad.id for ad in ads}) == len(server.api.jobs) == 20
        assert server.api.counts["429"] == 0
