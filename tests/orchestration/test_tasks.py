"""The tasks in flows of both kinds, on a real Prefect server and a simulator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from prefect import Task, flow
from prefect.cache_policies import NO_CACHE

import prefect_staticadslab
from prefect_staticadslab import (
    ImageAd,
    ImageAdEvent,
    ImageAdRequest,
    ImageAdResult,
    StaticAdsLabClient,
    StaticAdsLabCredentials,
    create_image_ad,
    generate_image_ads,
    get_image_ad,
    tasks,
    wait_for_image_ad,
    wait_for_image_ads,
    watch_image_ad,
)
from prefect_staticadslab.api import errors
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import MakeRequest
from tests.support.scripted import data, error, scripted

pytestmark = pytest.mark.usefixtures("prefect_server")

ALL: list[Task[..., Any]] = [
    value
    for name in prefect_staticadslab.__all__
    if isinstance(value := getattr(prefect_staticadslab, name), Task)
]


def test_every_task_is_exported_from_the_package_and_from_its_tasks() -> None:
    assert {t.fn.__name__ for t in ALL} == set(tasks.__all__)
    assert all(getattr(tasks, t.fn.__name__) is t for t in ALL)
    assert set(tasks.__all__) <= set(prefect_staticadslab.__all__)
    assert len(ALL) >= 20


@pytest.mark.parametrize("each", ALL, ids=lambda t: t.name)
def test_every_task_says_what_it_is_and_none_is_cached(each: Task[..., Any]) -> None:
    assert each.name == each.fn.__name__.replace("_", "-")
    assert each.description
    assert each.cache_policy == NO_CACHE
    assert asyncio.iscoroutinefunction(each.fn)


async def test_in_an_async_flow_tasks_are_awaited(
    credentials: StaticAdsLabCredentials, make_request: MakeRequest
) -> None:
    @flow
    async def one_ad(credentials: StaticAdsLabCredentials, request: ImageAdRequest) -> ImageAd:
        ad = await create_image_ad(credentials, request)
        assert (await get_image_ad(credentials, ad.id)).id == ad.id
        return await wait_for_image_ad(credentials, ad.id, poll_seconds=2)

    assert (await one_ad(credentials, make_request("Hi"))).is_completed


def test_in_a_sync_flow_tasks_are_submitted(
    credentials: StaticAdsLabCredentials, simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    events: list[ImageAdEvent] = []

    @flow
    def three_ads(credentials: StaticAdsLabCredentials) -> list[ImageAd]:
        # Two equal requests among them: they are two ads.
        requests = [make_request("a"), make_request("a"), make_request("b")]
        # Prefect's types take what an async task's future gives for a coroutine.
        created: list[Any] = [create_image_ad.submit(credentials, r) for r in requests]
        ids = [future.result().id for future in created]
        watched: Any = watch_image_ad.submit(credentials, ids[0], events.append)
        rest: Any = wait_for_image_ads.submit(credentials, ids[1:], poll_seconds=2)
        return [watched.result(), *rest.result()]

    ads = three_ads(credentials)
    assert all(ad.is_completed for ad in ads)
    assert len({ad.id for ad in ads}) == len(simulator.api.jobs) == 3
    assert events


async def test_a_retried_create_never_creates_a_second_ad(
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first run of the task gets its ad, and dies before it can say so."""
    original = StaticAdsLabClient.create_image_ad
    calls = 0

    async def dies_once(self: StaticAdsLabClient, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = await original(self, *args, **kwargs)
        if calls == 1:
            raise errors.APIConnectionError("cut")
        return answer

    monkeypatch.setattr(StaticAdsLabClient, "create_image_ad", dies_once)

    @flow
    async def one_ad(credentials: StaticAdsLabCredentials) -> ImageAd:
        return await create_image_ad.with_options(retry_delay_seconds=0)(
            credentials, make_request()
        )

    ad = await one_ad(credentials)
    assert calls == 2
    assert list(simulator.api.jobs) == [ad.id]
    assert simulator.api.counts["replayed"] == 1


async def test_a_create_that_cannot_succeed_is_not_retried(make_request: MakeRequest) -> None:
    @flow
    async def one_ad(credentials: StaticAdsLabCredentials) -> ImageAd:
        return await create_image_ad.with_options(retry_delay_seconds=0)(
            credentials, make_request()
        )

    async with scripted([error(422, "RELATIONSHIP_ERROR"), data({"id": "ia_1"})]) as server:
        credentials = StaticAdsLabCredentials.model_validate(
            {"api_key": "sal_live_x", "base_url": server.url}
        )
        with pytest.raises(errors.UnprocessableError):
            await one_ad(credentials)
        assert len(server.received) == 1


async def test_a_chunk_of_requests_becomes_results(
    credentials: StaticAdsLabCredentials,
    make_request: MakeRequest,
) -> None:
    @flow
    async def chunk(credentials: StaticAdsLabCredentials) -> list[ImageAdResult]:
        requests = [make_request("a"), make_request("a"), make_request("SIMULATE_FAILURE")]
        return await generate_image_ads(credentials, requests, attempts=1)

    results = await chunk(credentials)
    assert [str(r.state.status) for r in results] == ["completed", "completed", "failed"]
    assert len({r.state.job_id for r in results}) == 3


async def test_a_chunk_with_a_key_of_its_own_is_the_same_ads_in_every_run(
    credentials: StaticAdsLabCredentials, simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    requests = [make_request("a"), make_request("a"), make_request("b")]

    @flow
    async def chunk(key: str | None) -> list[str | None]:
        results = await generate_image_ads(credentials, requests, wait=False, idempotency_key=key)
        return [result.state.job_id for result in results]

    first = await chunk("mine")
    assert await chunk("mine") == first
    assert len(set(first)) == len(simulator.api.jobs) == 3
    await chunk(None)
    assert len(simulator.api.jobs) == 6


async def test_outside_of_any_flow_a_task_is_a_function(
    credentials: StaticAdsLabCredentials, make_request: MakeRequest
) -> None:
    create: Callable[..., Awaitable[ImageAd]] = create_image_ad.fn
    ad = await create(credentials, make_request())
    assert ad.id.startswith("ia_")
