"""Editable ads: trees, versions, overrides and syncs, as the API is said to treat them."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids
from tests.simulator.helpers import differ, editable_ad, ended, picture, upload, with_text


def test_a_revision_is_a_new_version_with_another_picture_and_the_old_one_stays(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ad = editable_ad(simulator, api)
    path = f"/v1/image-ads/{ad['id']}"
    before = httpx.get(ad["image_url"]).content
    tree = with_text(ad["current_json_tree"], "Another headline")
    answer = api.patch(path, json={"current_json_tree": tree})
    assert answer.status_code == 200
    again = answer.json()["data"]
    assert (again["status"], again["image_url"]) == ("processing", None)
    assert api.patch(path, json={"current_json_tree": tree}).status_code == 409
    after = ended(simulator, api, path)
    assert after["current_json_tree"] == tree
    assert after["image_url"] != ad["image_url"]
    assert differ(before, httpx.get(after["image_url"]).content)
    assert httpx.get(ad["image_url"]).content == before
    versions = api.get(f"{path}/versions").json()["data"]
    assert [v["version"] for v in versions] == [2, 1]
    assert [v["image_url"] for v in versions] == [after["image_url"], ad["image_url"]]
    assert api.get(f"{path}/versions/{versions[1]['id']}").json()["data"] == versions[1]
    assert api.get(f"{path}/versions/iav_none").status_code == 404


def test_a_revision_is_asked_for_once_per_key(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ad = editable_ad(simulator, api)
    path, key = f"/v1/image-ads/{ad['id']}", {"Idempotency-Key": "one"}
    tree = with_text(ad["current_json_tree"], "x")
    first = api.patch(path, json={"current_json_tree": tree}, headers=key)
    again = api.patch(path, json={"current_json_tree": tree}, headers=key)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["data"] == first.json()["data"]
    other = with_text(ad["current_json_tree"], "y")
    refused = api.patch(path, json={"current_json_tree": other}, headers=key)
    assert refused.json()["error"]["code"] == "IDEMPOTENCY_CONFLICT"
    assert simulator.api.counts["re-renders"] == 1


def test_a_revision_that_fails_leaves_the_old_versions(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ad = editable_ad(simulator, api)
    path = f"/v1/image-ads/{ad['id']}"
    tree = with_text(ad["current_json_tree"], "SIMULATE_FAILURE")
    api.patch(path, json={"current_json_tree": tree})
    assert ended(simulator, api, path)["error"]["code"] == "PIPELINE_ERROR"
    assert len(api.get(f"{path}/versions").json()["data"]) == 1


def test_flat_ads_and_parts_of_trees_are_not_revised(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    flat = editable_ad(simulator, api, editable=False)
    assert flat["current_json_tree"] is None
    tree = {"id": "x", "type": "FRAME", "children": []}
    refused = api.patch(f"/v1/image-ads/{flat['id']}", json={"current_json_tree": tree})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "NOT_EDITABLE")
    ad = editable_ad(simulator, api)
    parts: list[Any] = [[], {"type": "TEXT", "id": "x", "children": []}, {"children": []}, None]
    for part in parts:
        answer = api.patch(f"/v1/image-ads/{ad['id']}", json={"current_json_tree": part})
        assert answer.status_code == 400


def test_overrides_fill_the_tree_and_are_seen_on_the_picture(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    plain = editable_ad(simulator, api)
    texts = {c["name"]: c["id"] for c in plain["current_json_tree"]["children"]}
    image = upload(api, picture("magenta")).json()["data"]
    overrides = {
        texts["Headline"]: {"characters": "Over"},
        texts["Picture"]: {"imageFillUrl": image["src"]},
    }
    ad = editable_ad(simulator, api, node_overrides=overrides)
    children = {c["name"]: c for c in ad["current_json_tree"]["children"]}
    assert children["Headline"]["characters"] == "Over"
    assert children["Body"]["characters"] == "Now"
    drawn = Image.open(io.BytesIO(httpx.get(ad["image_url"]).content)).convert("RGB")
    assert (255, 0, 255) in {color for _, color in drawn.getcolors(1 << 24) or []}
    unfit: list[dict[str, dict[str, str]]] = [
        {"none": {"characters": "x"}},
        {texts["Headline"]: {"imageFillUrl": "x"}},
        {texts["Picture"]: {"characters": "x"}},
        {texts["Headline"]: {}},
    ]
    for wrong in unfit:
        body = {**simulated_ids(), "node_overrides": wrong}
        answer = api.post("/v1/image-ads", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["field"].startswith("node_overrides.")


def test_figma_renders_become_the_ads_pictures(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ad = editable_ad(simulator, api)
    renders = [picture("red"), picture("blue")]
    for render in renders:
        item = {
            "id": ad["id"],
            "current_json_tree": ad["current_json_tree"],
            "figma_render_base64": base64.b64encode(render).decode(),
        }
        answer = api.post("/v1/image-ads/sync", json={"items": [item]})
        assert answer.status_code == 200
        (result,) = answer.json()["data"]["results"]
        assert (result["id"], result["success"], result["error"]) == (ad["id"], True, None)
    synced = api.get(f"/v1/image-ads/{ad['id']}").json()["data"]
    assert httpx.get(synced["figma_render_url"]).content == renders[1]
    assert httpx.get(synced["initial_figma_render_url"]).content == renders[0]
    assert httpx.get(synced["image_url"]).content == renders[1]
    newest = api.get(f"/v1/image-ads/{ad['id']}/versions").json()["data"][0]
    assert (newest["id"], newest["image_url"]) == (result["version_id"], synced["image_url"])


def test_an_item_of_a_sync_that_fails_keeps_no_other_from_its_version(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ads = [editable_ad(simulator, api) for _ in range(2)]
    flat = editable_ad(simulator, api, editable=False)
    simulator.api.settings = replace(simulator.api.settings, speed=0.01)
    busy = api.post("/v1/image-ads", json={**simulated_ids(), "editable": True}).json()["data"]
    item = {
        "current_json_tree": ads[0]["current_json_tree"],
        "figma_render_base64": base64.b64encode(picture()).decode(),
    }
    items = [
        {**item, "id": ads[0]["id"]},
        {**item, "id": "ia_none"},
        {**item, "id": flat["id"]},
        {**item, "id": busy["id"]},
        {**item, "id": ads[1]["id"], "figma_render_base64": "data:image/png;base64,no"},
        {**item, "id": ads[1]["id"], "current_json_tree": {"type": "TEXT"}},
        {**item, "id": ads[1]["id"]},
    ]
    answer = api.post("/v1/image-ads/sync", json={"items": items})
    results = answer.json()["data"]["results"]
    assert (answer.status_code, [r["id"] for r in results]) == (200, [i["id"] for i in items])
    assert [r["error"]["code"] if r["error"] else None for r in results] == [
        None,
        "NOT_FOUND",
        "NOT_EDITABLE",
        "CONFLICT",
        "VALIDATION_ERROR",
        "VALIDATION_ERROR",
        None,
    ]
    assert [r["success"] for r in results] == [r["version_id"] is not None for r in results]
    for ad in ads:
        assert len(api.get(f"/v1/image-ads/{ad['id']}/versions").json()["data"]) == 2


@pytest.mark.parametrize("items", [None, [], {}, [{}] * 11, [{"id": 7}], ["ia_1"]])
def test_a_sync_of_no_items_or_too_many_is_refused(items: Any, api: httpx.Client) -> None:
    answer = api.post("/v1/image-ads/sync", json={"items": items})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


def test_an_ad_that_was_deleted_is_gone(simulator: SimulatorServer, api: httpx.Client) -> None:
    ad = editable_ad(simulator, api)
    answer = api.delete(f"/v1/image-ads/{ad['id']}")
    assert (answer.status_code, answer.json()) == (200, {"deleted": True})
    assert answer.headers["RateLimit-Limit"] == "10000"
    assert api.get(f"/v1/image-ads/{ad['id']}").status_code == 404
    assert api.delete(f"/v1/image-ads/{ad['id']}").status_code == 404
