"""The job block: Prefect's own standards, and ads that are paid for once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pydantic
import pytest
from prefect import flow, task
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite

from prefect_staticadslab import (
    ImageAd,
    ImageAdJob,
    ImageAdOptions,
    ImageAdRequest,
    ImageAdRun,
    StaticAdsLabCredentials,
)
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import ImageAdFailedError, WaitTimeoutError
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.tasks import _runs
from tests.blocks.test_credentials import logo_url
from tests.conftest import simulated_ids

__all__ = ["logo_url"]


class TestImageAdJob(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, logo_url: str, monkeypatch: pytest.MonkeyPatch) -> type[Block]:
        monkeypatch.setattr(ImageAdJob, "_logo_url", logo_url)
        return ImageAdJob


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SHORTEST_POLL_SECONDS", 0.1)


@pytest.fixture
def job(credentials: StaticAdsLabCredentials) -> ImageAdJob:
    return ImageAdJob(credentials=credentials, **simulated_ids())


def prompts(simulator: SimulatorServer) -> list[str | None]:
    return [each.body.get("prompt") for each in simulator.api.jobs.values()]


# What is asked for


def test_the_blocks_form_asks_for_the_key_and_then_for_what_a_request_holds() -> None:
    form = ImageAdJob.model_json_schema()["properties"]
    request = ImageAdRequest.model_json_schema()["properties"]
    assert list(form) == ["credentials", *(name for name in request if name != "node_overrides")]
    for name in list(form)[1:]:
        assert form[name]["title"] == request[name]["title"], name
    assert form["brand_id"]["pattern"] == "^(brand_.+)?$"
    assert form["brand_id"]["description"] == request["brand_id"]["description"]


def test_what_a_trigger_is_given_comes_before_what_the_block_holds(
    credentials: StaticAdsLabCredentials,
) -> None:
    job = ImageAdJob(
        credentials=credentials,
        **simulated_ids(),
        product_variant_id="pv_1",
        prompt="Ours",
        editable=True,
        options=ImageAdOptions(generate_copy=False),
    )
    assert job.request() == ImageAdRequest(
        **simulated_ids(),
        product_variant_id="pv_1",
        prompt="Ours",
        editable=True,
        options=ImageAdOptions(generate_copy=False),
    )
    changed = job.request(
        audience_id="aud_9", product_variant_id="", prompt="", editable=False, options=None
    )
    assert changed.body() == {
        **simulated_ids(),
        "audience_id": "aud_9",
        "editable": False,
        "options": {"generate_copy": False},
    }


def test_what_is_missing_or_wrong_is_told_before_anything_is_sent(
    credentials: StaticAdsLabCredentials,
) -> None:
    job = ImageAdJob(credentials=credentials, design_template_id="dt_1", brand_id="brand_1")
    with pytest.raises(ValueError, match="needs product_id and audience_id: set it in the block"):
        job.trigger()
    with pytest.raises(pydantic.ValidationError, match="aud_"):
        job.trigger(product_id="prod_1", audience_id="prod_1")
    with pytest.raises(pydantic.ValidationError, match="brand_"):
        ImageAdJob(credentials=credentials, brand_id="prod_1")


# Both kinds of code


def test_plain_code_triggers_waits_and_fetches(job: ImageAdJob) -> None:
    run: Any = job.trigger(prompt="Hi")
    run.wait_for_completion(poll_seconds=0.1)
    result: ImageAd = run.fetch_result()
    assert (result.id, result.prompt) == (run.image_ad_id, "Hi")
    assert result.image_url


async def test_async_code_has_methods_of_its_own_and_may_await_the_plain_ones(
    job: ImageAdJob,
) -> None:
    run = await job.atrigger()
    await run.await_for_completion(poll_seconds=0.1)
    assert (await run.afetch_result()).is_completed
    again: Any = job.trigger()
    another: ImageAdRun = await again
    await another.wait_for_completion(poll_seconds=0.1)
    assert another.image_ad_id != run.image_ad_id


async def test_a_run_goes_on_elsewhere_by_its_id(
    job: ImageAdJob, credentials: StaticAdsLabCredentials
) -> None:
    run = await job.atrigger()
    with pytest.raises(WaitTimeoutError):
        await ImageAdRun(credentials, run.image_ad_id).afetch_result()
    travelled: ImageAdRun = cloudpickle.loads(cloudpickle.dumps(run))
    await travelled.await_for_completion(poll_seconds=0.1)
    assert (await ImageAdRun(credentials, run.image_ad_id).afetch_result()).is_completed


async def test_a_failed_job_is_told_whether_one_waited_or_not(job: ImageAdJob) -> None:
    run = await job.atrigger(prompt="SIMULATE_FAILURE")
    with pytest.raises(ImageAdFailedError, match="PIPELINE_ERROR"):
        await run.await_for_completion(poll_seconds=0.1)
    with pytest.raises(ImageAdFailedError, match="PIPELINE_ERROR"):
        await run.afetch_result()


# Paid once


async def test_a_retried_flow_triggers_the_same_ads_and_as_many_as_it_asks_for(
    prefect_server: dict[str, str], job: ImageAdJob, simulator: SimulatorServer
) -> None:
    tries: list[set[str]] = []

    @flow(retries=2, retry_delay_seconds=0)
    async def three_ads() -> set[str]:
        wanted = ["a", "a", "b"] if not tries else ["b", "a", "a"]
        runs = await asyncio.gather(*(job.atrigger(prompt=p) for p in wanted))
        tries.append({run.image_ad_id for run in runs})
        if len(tries) < 3:
            raise RuntimeError("cut")
        return tries[-1]

    made = await three_ads()
    assert tries == [made] * 3
    assert sorted(map(str, prompts(simulator))) == ["a", "a", "b"]
    await three_ads()
    assert len(simulator.api.jobs) == 6


def test_a_retried_task_triggers_one_ad_in_plain_code_too(
    prefect_server: dict[str, str], job: ImageAdJob, simulator: SimulatorServer
) -> None:
    tries: list[str] = []

    @task(retries=1, retry_delay_seconds=0)
    def one_ad() -> str:
        run: Any = job.trigger()
        tries.append(run.image_ad_id)
        if len(tries) == 1:
            raise RuntimeError("cut")
        return tries[-1]

    @flow
    def two_ads() -> list[str]:
        return [one_ad(), one_ad()]

    made = two_ads()
    assert tries == [made[0], *made]
    assert list(simulator.api.jobs) == made


@pytest.mark.parametrize("kind", ["flow", "task"])
def test_a_run_that_goes_on_is_not_forgotten_whatever_runs_beside_it(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    run, other = (SimpleNamespace(id=None, run_count=1) for _ in range(2))
    monkeypatch.setattr(_runs, "flow_run", run if kind == "flow" else other)
    monkeypatch.setattr(_runs, "task_run", other if kind == "flow" else run)
    monkeypatch.setattr(_runs, "REMEMBERED_RUNS", 3)
    monkeypatch.setattr(_runs, "_trigger_counts", OrderedDict())

    def key_in(name: str) -> str:
        run.id = name
        return _runs.next_trigger_key(request)

    request = ImageAdRequest(**simulated_ids())
    keys = []
    for number in range(10):
        keys += [key_in("long"), key_in(f"short {number}"), key_in(f"shorter {number}")]
    assert len(set(keys)) == 30
    assert keys[-3].endswith("-10")
    assert len(_runs._trigger_counts) == 3


async def test_a_retry_makes_a_new_ad_if_the_job_of_the_old_one_failed(
    prefect_server: dict[str, str], job: ImageAdJob, simulator: SimulatorServer
) -> None:
    @task(retries=3, retry_delay_seconds=0)
    async def one_ad() -> str:
        run = await job.atrigger(prompt="SIMULATE_ONE_FAILURE")
        await run.await_for_completion(poll_seconds=0.1)
        return run.image_ad_id

    @flow
    async def patient() -> str:
        return await one_ad()

    made = await patient()
    first, second = simulator.api.jobs
    assert made == second != first


async def test_a_key_of_ones_own_is_used_as_it_is(
    job: ImageAdJob, simulator: SimulatorServer
) -> None:
    runs = [await job.atrigger(prompt="a", idempotency_key="mine") for _ in range(2)]
    assert len({run.image_ad_id for run in runs}) == 1
    await job.atrigger(prompt="a")
    await job.atrigger(prompt="a")
    assert len(simulator.api.jobs) == 3
