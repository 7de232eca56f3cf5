"""Trees, versions, templates and uploads: the simulator does what the API is said to do."""

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
from tests.simulator.helpers import DAY, differ, editable_ad, ended, picture, upload, with_text

# Editable ads


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


def test_no_body_may_have_more_than_15_mb(api: httpx.Client) -> None:
    render = "A" * (4 * 1024 * 1024)
    items = [{"id": "ia_1", "current_json_tree": {}, "figma_render_base64": render}] * 4
    content = picture().ljust(15 * 1024 * 1024 - 50)  # a form has more around it
    answers = [
        api.post("/v1/image-ads/sync", json={"items": items}),
        api.post("/v1/brands", json={"name": "x", "description": "A" * 15 * 1024 * 1024}),
        upload(api, content),
        api.post("/v1/design-templates", files={"file": ("a.png", content, "image/png")}),
    ]
    assert [answer.status_code for answer in answers] == [413] * 4
    assert api.post("/v1/image-ads/sync", json={"items": items[:3]}).status_code == 200


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


# Jobs


def test_a_job_waits_runs_and_ends_as_its_ad_does(api: httpx.Client) -> None:
    with SimulatorServer(speed=1 / 1000) as slow:
        api = httpx.Client(base_url=slow.url, headers=api.headers)
        with api:
            body = {**simulated_ids(), "editable": True}
            ad = api.post("/v1/image-ads", json=body).json()["data"]
            failing = {**body, "prompt": "SIMULATE_FAILURE"}
            failed = api.post("/v1/image-ads", json=failing).json()["data"]

            def job(ad: Any) -> Any:
                return api.get(f"/v1/jobs/{ad['job_id']}").json()["data"]

            waiting = job(ad)
            assert (waiting["job_id"], waiting["status"]) == (ad["job_id"], "pending")
            assert (waiting["started_at"], waiting["completed_at"]) == (None, None)
            slow.api.age(15_000)
            assert (job(ad)["status"], job(ad)["result"]) == ("processing", None)
            assert 0.1 < job(ad)["progress"] < 1
            slow.api.age(60_000)
            done = job(ad)
            assert (done["status"], done["progress"], done["error"]) == ("completed", 1, None)
            assert done["created_at"] < done["started_at"] < done["completed_at"]
            assert done["result"] == {"image_ad_id": ad["id"]}
            assert job(failed)["status"] == "failed"
            assert isinstance(job(failed)["error"], str)

            path = f"/v1/image-ads/{ad['id']}"
            tree = api.get(path).json()["data"]["current_json_tree"]
            again = api.patch(path, json={"current_json_tree": tree}).json()["data"]
            assert again["job_id"] != ad["job_id"]
            assert job(again)["status"] == "pending"
            assert job(ad)["status"] == "completed"
            assert api.get("/v1/jobs/job_none").status_code == 404


# Design templates


def test_a_template_shows_its_reference_and_so_do_its_ads(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    files = {"file": ("ad.png", picture("#00ff00", (90, 160)), "image/png")}
    created = api.post("/v1/design-templates", files=files)
    assert created.status_code == 202
    template = created.json()["data"]
    assert (template["status"], template["preview_url"]) == ("processing", None)
    refused = api.post(
        "/v1/image-ads", json={**simulated_ids(), "design_template_id": template["id"]}
    )
    assert refused.status_code == 422
    path = f"/v1/design-templates/{template['id']}"
    template = ended(simulator, api, path)
    assert (template["status"], template["aspect_ratio"]) == ("completed", "9:16")
    assert (template["width"], template["height"]) == (1080, 1920)
    assert httpx.get(template["reference_image_url"]).content == files["file"][1]
    ad = editable_ad(simulator, api, design_template_id=template["id"])
    for url in (template["preview_url"], ad["image_url"]):
        drawn = Image.open(io.BytesIO(httpx.get(url).content)).convert("RGB")
        assert drawn.size == (1080, 1920)
        red, green, blue = drawn.getpixel((60, 300))  # type: ignore[misc]
        assert green > red
        assert green > blue


def test_templates_are_billed_a_quarter_when_they_complete(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    for name in ("fine.png", "SIMULATE_FAILURE.png"):
        api.post("/v1/design-templates", files={"file": (name, picture(), "image/png")})
    simulator.api.age(DAY)
    assert api.get("/_simulator/stats").json()["billed_usd"] == 0.25


def test_a_reference_may_be_an_address_on_this_machine(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    image = upload(api, picture("navy", (100, 100))).json()["data"]
    made = api.post("/v1/design-templates", json={"reference_image_url": image["src"]})
    assert made.json()["data"]["aspect_ratio"] == "1:1"
    for url, status in (
        ("https://example.com/a.png", 422),
        ("file:///etc/passwd", 400),
        (None, 400),
    ):
        answer = api.post("/v1/design-templates", json={"reference_image_url": url})
        assert answer.status_code == status


def test_a_deleted_template_is_listed_apart_and_can_be_restored(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    ad = editable_ad(simulator, api)
    identifier = ad["design_template_id"]
    path, deleted = f"/v1/design-templates/{identifier}", {"deleted": "true"}
    template = api.get(path).json()["data"]

    def listed(**query: str) -> list[str]:
        return [t["id"] for t in api.get("/v1/design-templates", params=query).json()["data"]]

    assert api.post(f"{path}/restore").status_code == 404
    answer = api.delete(path)
    assert (answer.status_code, answer.json()) == (200, {"deleted": True})
    change = {"current_json_tree": template["current_json_tree"]}
    for again in (api.get(path), api.patch(path, json=change), api.delete(path)):
        assert (again.status_code, again.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert api.post("/v1/image-ads", json=simulated_ids()).status_code == 404
    assert identifier not in listed()
    assert listed(ids=identifier) == []
    assert listed(**deleted) == [identifier]
    assert httpx.get(ad["image_url"]).status_code == 200

    restored = api.post(f"{path}/restore")
    assert (restored.status_code, restored.json()["data"]) == (200, template)
    assert listed(**deleted) == []
    assert identifier in listed()
    assert api.post("/v1/image-ads", json=simulated_ids()).status_code == 202


def test_templates_are_filtered_and_changed(api: httpx.Client) -> None:
    path = "/v1/design-templates"
    sale = api.get(path, params={"ad_format": "Sale"}).json()["data"]
    assert {t["ad_format"] for t in sale} == {"Sale"}
    assert api.get(path, params={"deleted": "true"}).json()["data"] == []
    ids = [t["id"] for t in api.get(path).json()["data"]][:2]
    assert [t["id"] for t in api.get(path, params={"ids": ",".join(ids)}).json()["data"]] == ids
    template = sale[0]
    tree = with_text(template["current_json_tree"], "Other")
    body = {"current_json_tree": tree, "change_summary": "x" * 500}
    changed = api.patch(f"{path}/{template['id']}", json=body).json()["data"]
    assert changed["json_tree_version"] == template["json_tree_version"] + 1
    assert changed["current_json_tree"] == tree
    too_long = {**body, "change_summary": "x" * 501}
    assert api.patch(f"{path}/{template['id']}", json=too_long).status_code == 400


# Images


def test_an_image_is_served_as_it_was_uploaded_and_small(api: httpx.Client) -> None:
    content = picture("orange", (900, 300), "JPEG")
    answer = upload(api, content, "photo.jpg", alt_text="Orange")
    assert answer.status_code == 201
    image = answer.json()["data"]
    assert (image["format"], image["width"], image["size_bytes"]) == ("jpeg", 900, len(content))
    assert httpx.get(image["src"]).content == content
    for name, longest in (("small", 150), ("medium", 400), ("large", 800)):
        served = httpx.get(image[f"thumbnail_{name}_src"])
        small = Image.open(io.BytesIO(served.content))
        assert (served.headers["content-type"], small.format) == ("image/webp", "WEBP")
        assert max(small.size) == longest
    assert api.get("/v1/images", params={"image_type": "logo"}).json()["data"] == []
    assert api.get(f"/v1/images/{image['id']}").json()["data"] == image
    assert api.delete(f"/v1/images/{image['id']}").json() == {"deleted": True}
    assert httpx.get(image["src"]).status_code == 404


def test_what_is_no_image_is_refused(api: httpx.Client) -> None:
    assert upload(api, b"Hello").status_code == 400
    assert upload(api, picture(), image_type="poster").status_code == 400
    assert upload(api, picture(kind="BMP")).status_code == 400
    assert upload(api, picture() + bytes(15 * 1024 * 1024)).status_code == 413
    assert upload(api, picture(), product_id="prod_none").status_code == 422


def test_an_upload_is_made_once_per_key_whatever_the_boundary(api: httpx.Client) -> None:
    files = {"file": ("a.png", picture(), "image/png")}
    data, key = {"image_type": "logo"}, {"Idempotency-Key": "k"}
    first, again = (
        api.post("/v1/images", files=files, data=data, headers=key).json()["data"] for _ in range(2)
    )
    assert first == again
    other = {"file": ("a.png", picture("red"), "image/png")}
    assert api.post("/v1/images", files=other, data=data, headers=key).status_code == 409
