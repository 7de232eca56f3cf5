"""The tasks for the catalogue and for editable ads' versions, in flows on a real Prefect server."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import stamina
from prefect import Task, flow

from prefect_staticadslab import (
    FigmaRender,
    StaticAdsLabClient,
    StaticAdsLabCredentials,
    create_audience,
    create_brand,
    create_product,
    create_product_variant,
    get_image_ad_version,
    list_audiences,
    list_brands,
    list_design_templates,
    list_image_ad_versions,
    list_images,
    list_product_variants,
    list_products,
    revise_image_ad,
    sync_image_ads,
)
from prefect_staticadslab.api.errors import ConflictError
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, Received, answer, data, error, scripted

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def one_try_per_request() -> Iterator[None]:
    """So that it is the task run which is retried, and at once."""
    with stamina.set_testing(True, attempts=1):
        yield


PAGE = {"meta": {"request_id": "req_1"}}


def credentials_for(url: str) -> StaticAdsLabCredentials:
    return StaticAdsLabCredentials.model_validate({"api_key": "sal_live_x", "base_url": url})


async def run_once(task: Task[..., Any], *arguments: Any, **fields: Any) -> Any:
    """The task, in a flow of its own."""

    @flow
    async def one() -> Any:
        return await task(*arguments, **fields)

    return await one()


async def test_lists_are_read_to_their_last_page() -> None:
    first = answer({"data": [{"id": "brand_1", "name": "A"}], "has_more": True, **PAGE})
    last = answer({"data": [{"id": "brand_2", "name": "B"}], "has_more": False, **PAGE})
    async with scripted([first, last]) as server:
        brands = await run_once(list_brands, credentials_for(server.url))
    assert [brand.name for brand in brands] == ["A", "B"]
    assert server.received[1].path == "/v1/brands?limit=100&starting_after=brand_1"


@pytest.mark.parametrize(
    ("task", "filters", "query"),
    [
        (list_products, {"brand_id": "brand_1"}, "/v1/products?brand_id=brand_1&limit=100"),
        (list_products, {}, "/v1/products?limit=100"),
        (
            list_product_variants,
            {"product_id": "prod_1"},
            "/v1/product-variants?product_id=prod_1&limit=100",
        ),
        (list_audiences, {"product_id": "prod_1"}, "/v1/audiences?product_id=prod_1&limit=100"),
        (
            list_images,
            {"product_id": "prod_1", "image_type": "logo"},
            "/v1/images?product_id=prod_1&image_type=logo&limit=100",
        ),
        (
            list_design_templates,
            {"status": "completed", "deleted": False},
            "/v1/design-templates?status=completed&deleted=false&limit=100",
        ),
    ],
)
async def test_a_list_passes_its_filters_on(
    task: Task[..., Any], filters: dict[str, Any], query: str
) -> None:
    async with scripted([answer({"data": [], "has_more": False, **PAGE})]) as server:
        assert await run_once(task, credentials_for(server.url), **filters) == []
    assert [r.path for r in server.received] == [query]


async def test_design_templates_by_id_are_asked_for_a_hundred_at_a_time() -> None:
    ids = [f"dt_{i}" for i in range(150)]
    async with scripted([answer({"data": [], "has_more": False, **PAGE})]) as server:
        await run_once(list_design_templates, credentials_for(server.url), ids=[*ids, "dt_0"])
    assert [r.path.count("dt_") for r in server.received] == [100, 50]


@pytest.mark.parametrize(
    ("task", "fields", "sent"),
    [
        (create_brand, {"name": "A"}, {"name": "A"}),
        (
            create_product,
            {"brand_id": "brand_1", "name": "A", "details": {"tone": "dry"}},
            {"brand_id": "brand_1", "name": "A", "details": {"tone": "dry"}},
        ),
        (
            create_product_variant,
            {"product_id": "prod_1", "name": "Red", "sort_order": 0},
            {"product_id": "prod_1", "name": "Red", "sort_order": 0},
        ),
        (
            create_audience,
            {"product_id": "prod_1", "name": "A", "description": "B"},
            {"product_id": "prod_1", "name": "A", "description": "B"},
        ),
    ],
)
async def test_a_retried_create_asks_with_the_same_key(
    task: Task[..., Any], fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    trouble = error(503, "UNAVAILABLE")
    retried = task.with_options(retry_delay_seconds=0)
    async with scripted([trouble, trouble, data({"id": "x_1", "name": "A"})]) as server:
        made = await run_once(retried, credentials_for(server.url), **fields)
    assert made.id == "x_1"
    assert len(server.received) > 1
    assert len({r.headers["idempotency-key"] for r in server.received}) == 1
    assert all(json.loads(r.body) == sent for r in server.received)


async def test_two_creates_have_two_keys() -> None:
    async with scripted([data({"id": "brand_1", "name": "A"})]) as server:
        credentials = credentials_for(server.url)

        @flow
        async def two() -> None:
            await create_brand(credentials, "A")
            await create_brand(credentials, "A")

        await two()
        await run_once(create_brand, credentials, "A", idempotency_key="mine")
    keys = [r.headers["idempotency-key"] for r in server.received]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def renders(count: int) -> list[FigmaRender]:
    picture = base64.b64encode(b"PNG").decode()
    return [
        FigmaRender(id=f"ia_{i}", current_json_tree={"n": i}, figma_render_base64=picture)
        for i in range(count)
    ]


def item_ids(received: Received) -> list[str]:
    return [item["id"] for item in json.loads(received.body)["items"]]


async def test_what_was_changed_in_figma_is_handed_in_ten_at_a_time() -> None:
    async with scripted([data([{"id": "ia_1", "status": "processing"}])]) as server:
        ads = await run_once(sync_image_ads, credentials_for(server.url), renders(23))
    assert [len(item_ids(r)) for r in server.received] == [10, 10, 3]
    assert [i for r in server.received for i in item_ids(r)] == [f"ia_{i}" for i in range(23)]
    assert len({r.headers["idempotency-key"] for r in server.received}) == 3
    assert len(ads) == 3


async def test_a_retried_sync_repeats_its_batches_with_their_keys() -> None:
    done = data([{"id": "ia_1", "status": "processing"}])
    script = [done, error(503, "UNAVAILABLE"), error(503, "UNAVAILABLE"), done]
    retried = sync_image_ads.with_options(retry_delay_seconds=0)
    async with scripted(script) as server:
        await run_once(retried, credentials_for(server.url), renders(12))
    by_batch: dict[tuple[str, ...], set[str]] = {}
    for received in server.received:
        key = received.headers["idempotency-key"]
        by_batch.setdefault(tuple(item_ids(received)), set()).add(key)
    assert sorted(map(len, by_batch)) == [2, 10]
    assert all(len(keys) == 1 for keys in by_batch.values())


async def test_versions_are_listed_and_read() -> None:
    version = {"id": "iav_1", "image_ad_id": "ia_1", "version": 1}
    script = [answer({"data": [version], "has_more": False, **PAGE}), data(version)]
    async with scripted(script) as server:
        credentials = credentials_for(server.url)
        (listed,) = await run_once(list_image_ad_versions, credentials, "ia_1")
        assert await run_once(get_image_ad_version, credentials, "ia_1", "iav_1") == listed
    assert [r.path for r in server.received] == [
        "/v1/image-ads/ia_1/versions?limit=100",
        "/v1/image-ads/ia_1/versions/iav_1",
    ]


def ad_as(status: str, *headlines: str) -> bytes:
    children = [{"id": h, "type": "TEXT", "characters": h} for h in headlines]
    tree = {"id": "0", "type": "FRAME", "children": children}
    ad = {"id": "ia_1", "status": status, "editable": True, "current_json_tree": tree}
    return data(ad | ({"image_url": "https://cdn/1.png"} if status == "completed" else {}))


def one_more(tree: dict[str, Any]) -> dict[str, Any]:
    """A change that shows how often it was made."""
    more = {"id": "more", "type": "TEXT", "characters": "more"}
    return {**tree, "children": [*tree["children"], more]}


async def test_a_revision_whose_answer_was_lost_is_made_once(
    simulator: SimulatorServer,
    client: StaticAdsLabClient,
    credentials: StaticAdsLabCredentials,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ad = (await client.create_image_ad(make_request(editable=True))).image_ad
    simulator.api.age(3600)
    before = await client.get_image_ad(ad.id)
    faults = iter([None, "dropped after"])
    monkeypatch.setattr(simulator.api, "draw_fault", lambda: next(faults, None))
    retried = revise_image_ad.with_options(retry_delay_seconds=1.2)
    revised = await run_once(retried, credentials, ad.id, one_more)
    assert revised.is_completed
    assert before.current_json_tree is not None
    assert revised.current_json_tree == one_more(before.current_json_tree)
    assert simulator.api.counts["re-renders"] == 1


async def test_a_rendering_of_somebody_elses_is_not_taken_for_the_revision() -> None:
    script = [
        ad_as("completed", "a"),
        DROP,
        ad_as("processing", "a", "theirs"),
        ad_as("completed", "a", "theirs"),
        ad_as("processing", "a", "theirs", "more"),
    ]
    async with scripted(script) as server:
        retried = revise_image_ad.with_options(retry_delay_seconds=0)
        await run_once(retried, credentials_for(server.url), "ia_1", one_more)
    assert [r.method for r in server.received] == ["GET", "PATCH", "GET", "GET", "PATCH"]
    first, second = (r for r in server.received if r.method == "PATCH")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    sent = json.loads(second.body)["current_json_tree"]["children"]
    assert [child["id"] for child in sent] == ["a", "theirs", "more"]


async def test_an_ad_that_is_being_rendered_is_told_without_a_change() -> None:
    async with scripted([ad_as("processing", "a")]) as server:
        once = revise_image_ad.with_options(retries=0)
        with pytest.raises(ConflictError, match="ia_1 is being rendered at this moment"):
            await run_once(once, credentials_for(server.url), "ia_1", one_more)
    assert [r.method for r in server.received] == ["GET"]
