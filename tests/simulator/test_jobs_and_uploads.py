"""Trees, versions, templates and uploads: the simulator does what the API is said to do."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image, ImageChops

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import simulated_ids

DAY = 24 * 3600.0


@pytest.fixture
def api(simulator: SimulatorServer) -> Any:
    with httpx.Client(base_url=simulator.url, headers={"X-API-Key": SIMULATOR_API_KEY}) as http:
        yield http


def picture(color: str = "teal", size: tuple[int, int] = (80, 100), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def upload(api: httpx.Client, content: bytes, name: str = "a.png", **fields: str) -> httpx.Response:
    files = {"file": (name, content, "image/png")}
    return api.post("/v1/images", files=files, data={"image_type": "product", **fields})


def ended(simulator: SimulatorServer, api: httpx.Client, path: str) -> Any:
    """What is at `path` once all jobs have ended."""
    simulator.api.age(DAY)
    return api.get(path).json()["data"]


def editable_ad(simulator: SimulatorServer, api: httpx.Client, **fields: Any) -> Any:
    body = {**simulated_ids(), "editable": True, "prompt": "Now", **fields}
    created = api.post("/v1/image-ads", json=body).json()["data"]
    assert created["current_json_tree"] is None
    return ended(simulator, api, f"/v1/image-ads/{created['id']}")


def with_text(tree: dict[str, Any], characters: str) -> dict[str, Any]:
    children = [
        {**child, "characters": characters} if child["name"] == "Headline" else child
        for child in tree["children"]
    ]
    return {**tree, "children": children}


def differ(one: bytes, other: bytes) -> bool:
    first, second = (Image.open(io.BytesIO(png)).convert("RGB") for png in (one, other))
    return ImageChops.difference(first, second).getbbox() is not None


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


# The catalogue


def test_a_catalogue_is_built_and_taken_down(api: httpx.Client) -> None:
    brand = api.post("/v1/brands", json={"name": "Acme", "fonts": [{"name": "Inter"}]}).json()
    brand_id = brand["data"]["id"]
    product = api.post("/v1/products", json={"name": "Anvil", "brand_id": brand_id}).json()
    product_id = product["data"]["id"]
    children = [
        api.post(f"/v1/{path}", json={"name": "x", "product_id": product_id}).json()["data"]["id"]
        for path in ("product-variants", "audiences")
    ]
    changed = api.patch(f"/v1/brands/{brand_id}", json={"description": "Heavy"}).json()["data"]
    assert (changed["name"], changed["description"]) == ("Acme", "Heavy")
    assert api.delete(f"/v1/brands/{brand_id}").status_code == 409
    for path in (
        f"product-variants/{children[0]}",
        f"audiences/{children[1]}",
        f"products/{product_id}",
        f"brands/{brand_id}",
    ):
        deleted = api.delete(f"/v1/{path}")
        assert (deleted.status_code, deleted.json()) == (200, {"deleted": True})
        assert api.get(f"/v1/{path}").status_code == 404
        assert api.delete(f"/v1/{path}").status_code == 404


def test_what_may_be_null_is_null_until_it_is_set(api: httpx.Client) -> None:
    brand = api.post("/v1/brands", json={"name": "Acme"}).json()["data"]
    nothing = dict.fromkeys(("description", "color_palettes", "logo_image_ids", "details"))
    assert brand.items() >= nothing.items()
    assert brand["fonts"] == []
    palettes = {"main": ["#112233", "#445566", "#778899"]}
    path = f"/v1/brands/{brand['id']}"
    changed = api.patch(path, json={"color_palettes": palettes, "details": {"a": 1}})
    assert changed.json()["data"]["color_palettes"] == palettes
    cleared = api.patch(path, json={"color_palettes": None, "details": None}).json()["data"]
    assert cleared.items() >= nothing.items()
    image = upload(api, picture(), image_type="").json()
    assert image["error"]["code"] == "VALIDATION_ERROR"
    files = {"file": ("a.png", picture(), "image/png")}
    assert api.post("/v1/images", files=files).json()["data"]["image_type"] is None
    ad = api.post("/v1/image-ads", json=simulated_ids()).json()["data"]
    assert (ad["options"], ad["prompt"], ad["product_variant_id"]) == (None, None, None)
    chosen = {**simulated_ids(), "options": {"generate_copy": False}}
    ad = api.post("/v1/image-ads", json=chosen).json()["data"]
    assert ad["options"] == {"generate_ai_images": True, "generate_copy": False}


def test_the_start_has_objects_and_nulls() -> None:
    with (
        SimulatorServer(more_brands=2) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": SIMULATOR_API_KEY}) as api,
    ):
        brands = api.get("/v1/brands?limit=100").json()["data"]
        for field in ("description", "color_palettes", "logo_image_ids", "details"):
            assert {brand[field] is None for brand in brands} == {True, False}
        assert {type(b["color_palettes"]) for b in brands} == {dict, type(None)}


def test_two_of_one_name_below_one_parent_are_a_conflict(api: httpx.Client) -> None:
    def create(path: str, **fields: str) -> httpx.Response:
        return api.post(f"/v1/{path}", json=fields)

    brands = [create("brands", name=name).json()["data"]["id"] for name in ("A", "B")]
    products = [
        create("products", name="C", brand_id=brand).json()["data"]["id"] for brand in brands
    ]
    for path in ("product-variants", "audiences"):
        for product in products:
            assert create(path, name="D", product_id=product).status_code == 201
    again = [
        create("brands", name="A"),
        create("products", name="C", brand_id=brands[0]),
        create("audiences", name="D", product_id=products[0]),
        create("product-variants", name="D", product_id=products[1]),
        api.patch(f"/v1/brands/{brands[0]}", json={"name": "B"}),
        api.patch(f"/v1/products/{products[0]}", json={"brand_id": brands[1]}),
    ]
    assert [(a.status_code, a.json()["error"]["code"]) for a in again] == [(409, "CONFLICT")] * 6
    assert api.patch(f"/v1/brands/{brands[0]}", json={"name": "A"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("brands", {}, 400, "name"),
        ("brands", {"name": " "}, 400, "name"),
        ("brands", {"name": "x", "logo": "y"}, 400, "logo"),
        ("products", {"name": "x"}, 400, "brand_id"),
        ("products", {"name": "x", "brand_id": "brand_none"}, 422, None),
        ("audiences", {"name": "x", "product_id": 7}, 400, "product_id"),
        ("brands", [], 400, "body"),
    ],
)
def test_what_makes_no_sense_is_not_created(
    path: str, body: Any, status: int, field: str | None, api: httpx.Client
) -> None:
    answer = api.post(f"/v1/{path}", json=body)
    assert answer.status_code == status
    if field:
        assert field in [d["field"] for d in answer.json()["error"]["details"]]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "brands/prod_1", None),
        ("PATCH", "audiences/brand_1", {"name": "x"}),
        ("DELETE", "images/ia_1", None),
        ("GET", "image-ads/dt_1", None),
        ("GET", "image-ads/1", None),
        ("PATCH", "image-ads/iav_1", {"current_json_tree": {}}),
        ("GET", "image-ads/aud_1/versions", None),
        ("GET", "design-templates/ia_1", None),
        ("DELETE", "design-templates/img_1", None),
        ("POST", "design-templates/ia_1/restore", None),
        ("POST", "image-ads", {**simulated_ids(), "brand_id": "prod_1"}),
        ("POST", "image-ads", {**simulated_ids(), "design_template_id": "brand_1"}),
        ("POST", "image-ads", {**simulated_ids(), "product_variant_id": "prod_1"}),
        ("POST", "products", {"name": "x", "brand_id": "prod_1"}),
        ("POST", "audiences", {"name": "x", "product_id": "brand_1"}),
    ],
)
def test_an_id_of_something_else_is_told_from_one_that_does_not_exist(
    method: str, path: str, body: Any, api: httpx.Client
) -> None:
    answer = api.request(method, f"/v1/{path}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "VALIDATION_ERROR")
    assert "begin with" in error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "brands"),
        ("PATCH", "audiences/aud_1"),
        ("DELETE", "products/prod_1"),
        ("POST", "images"),
        ("POST", "design-templates"),
        ("PATCH", "image-ads/ia_1"),
        ("POST", "image-ads/sync"),
    ],
)
def test_a_key_needs_the_scope_of_what_it_does(
    method: str, path: str, simulator: SimulatorServer
) -> None:
    headers = {"X-API-Key": READ_ONLY_API_KEY}
    answer = httpx.request(method, f"{simulator.url}/v1/{path}", headers=headers, json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_more_brands_come_in_pages_and_earlier_ads_are_not_billed() -> None:
    with (
        SimulatorServer(more_brands=120, earlier_ads=True) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": SIMULATOR_API_KEY}) as api,
    ):
        first = api.get("/v1/brands?limit=100").json()
        after = first["data"][-1]["id"]
        rest = api.get(f"/v1/brands?limit=100&starting_after={after}").json()
        assert (len(first["data"]), first["has_more"]) == (100, True)
        assert (len(rest["data"]), rest["has_more"]) == (24, False)
        ads = api.get("/v1/image-ads").json()["data"]
        assert [ad["editable"] for ad in ads] == [False, True, True, True]
        assert {ad["status"] for ad in ads} == {"completed"}
        assert api.get("/_simulator/stats").json()["billed_usd"] == 0
