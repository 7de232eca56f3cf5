"""Jobs, templates and uploads: the simulator does what the API is said to do."""

from __future__ import annotations

import io
from typing import Any

import httpx
from PIL import Image

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids
from tests.simulator.helpers import DAY, editable_ad, ended, picture, upload, with_text

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


# Bodies


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
