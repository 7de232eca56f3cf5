"""The catalogue: what is created, changed and deleted, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import simulated_ids
from tests.simulator.helpers import picture, upload


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
