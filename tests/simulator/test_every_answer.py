"""What every answer of the API has, and what lists may be asked for."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model import chance
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import simulated_ids

LIMITS = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}


def check(answer: httpx.Response, status: int) -> Any:
    """The body of an answer that has all that every answer has."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert re.fullmatch("req_[0-9a-f]{16}", body["meta"]["request_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["meta"]["timestamp"])
    assert set(answer.headers) >= {name.lower() for name in LIMITS}
    assert int(answer.headers["RateLimit-Reset"]) >= 1
    return body


def test_every_answer_says_which_it_is_and_how_the_window_stands(api: httpx.Client) -> None:
    ids = simulated_ids()
    check(api.get("/v1/account"), 200)
    check(api.get("/v1/brands"), 200)
    check(api.post("/v1/image-ads", json=ids), 202)
    check(api.post("/v1/image-ads", json={}), 400)
    check(api.post("/v1/image-ads", content=b"{"), 400)
    check(api.get("/v1/brands/brand_none"), 404)
    check(api.get("/v1/brands/prod_none"), 422)
    check(api.post("/v1/brands", content=bytes(15 * 1024 * 1024 + 1)), 413)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        check(api.request(method, "/v1/unknown"), 404)
    check(api.put("/v1/brands"), 404)
    check(api.get("/v1/account", headers={"X-API-Key": "sal_live_nobody"}), 401)
    check(api.post("/v1/brands", json={}, headers={"X-API-Key": READ_ONLY_API_KEY}), 403)


def test_what_is_asked_of_a_path_that_is_none_counts_too() -> None:
    with (
        SimulatorServer(rate_limit=2, rate_window_seconds=3600) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": SIMULATOR_API_KEY}) as api,
    ):
        assert [api.get("/v1/none").headers["RateLimit-Remaining"] for _ in range(2)] == ["1", "0"]
        check(api.get("/v1/none"), 429)


@pytest.mark.parametrize("fault", ["429", "500", "503"])
def test_injected_refusals_are_answers_of_the_api(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chance, "FAULTS", (fault,))
    monkeypatch.setattr("prefect_staticadslab.simulator.model.simulated_api.FAULTS", (fault,))
    with SimulatorServer(fault_rate=1.0) as server:
        answer = httpx.get(f"{server.url}/v1/account", headers={"X-API-Key": SIMULATOR_API_KEY})
        check(answer, int(fault))
        if fault == "429":
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["RateLimit-Remaining"] == "0"


def test_a_mistake_of_the_simulators_own_is_an_answer_too(
    simulator: SimulatorServer, api: httpx.Client
) -> None:
    simulator.api.catalogue.brands["brand_broken"] = {"id": "brand_broken"}
    answer = api.get("/v1/brands/brand_broken")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert answer.json()["meta"]


FILTERS = {
    "brands": {},
    "products": {"brand_id": "brand_1"},
    "product-variants": {"product_id": "prod_1"},
    "audiences": {"product_id": "prod_1"},
    "images": {"product_id": "prod_1", "image_type": "logo"},
    "design-templates": {
        "status": "completed",
        "industry": "food",
        "ad_format": "Sale",
        "deleted": "false",
        "ids": "dt_1,dt_2",
    },
    "image-ads": {
        "status": "failed",
        "brand_id": "brand_1",
        "product_id": "prod_1",
        "product_variant_id": "pv_1",
        "design_template_id": "dt_1",
        "batch_id": "b",
        "editable": "true",
        "sku_code": "flat_image_ad",
        "ids": "ia_1",
    },
}


@pytest.mark.parametrize("path", FILTERS)
def test_a_list_takes_the_filters_that_are_documented_and_no_other(
    path: str, api: httpx.Client
) -> None:
    for name, value in FILTERS[path].items():
        check(api.get(f"/v1/{path}", params={name: value}), 200)
    for name in ("name", "brand", "statuses", "offset"):
        error = check(api.get(f"/v1/{path}", params={name: "x"}), 400)["error"]
        assert error["code"] == "VALIDATION_ERROR"
        assert [detail["field"] for detail in error["details"]] == [name]


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("image-ads", "status=done", 400),
        ("image-ads", "sku_code=ad", 400),
        ("image-ads", "editable=yes", 400),
        ("image-ads", "editable=1", 400),
        ("image-ads", "limit=0", 400),
        ("image-ads", "limit=101", 400),
        ("image-ads", "limit=many", 400),
        ("image-ads", "brand_id=prod_1", 422),
        ("image-ads", "starting_after=dt_1", 422),
        ("image-ads", "ids=ia_1,dt_1", 422),
        ("image-ads", "ids=" + ",".join(["ia_1"] * 101), 400),
        ("design-templates", "status=ready", 400),
        ("design-templates", "deleted=maybe", 400),
        ("design-templates", "ids=ia_1", 422),
        ("design-templates", "ids=" + ",".join(["dt_1"] * 101), 400),
        ("images", "image_type=poster", 400),
        ("images", "product_id=brand_1", 422),
        ("products", "brand_id=prod_1", 422),
        ("brands", "starting_after=prod_1", 422),
        ("image-ads/ia_1/versions", "limit=0", 400),
        ("image-ads/ia_1/versions", "status=failed", 400),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(
    path: str, query: str, status: int, api: httpx.Client
) -> None:
    error = check(api.get(f"/v1/{path}?{query}"), status)["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]


@pytest.mark.parametrize("path", ["image-ads", "design-templates"])
def test_cursors_do_not_apply_to_ids_and_filters_do(path: str, api: httpx.Client) -> None:
    for _ in range(3):
        check(api.post("/v1/image-ads", json=simulated_ids()), 202)
    items = check(api.get(f"/v1/{path}"), 200)["data"]
    ids = [item["id"] for item in items]
    asked = {"ids": ",".join([*ids, ids[0]]), "limit": "1", "starting_after": ids[-1]}
    body = check(api.get(f"/v1/{path}", params=asked), 200)
    assert sorted(item["id"] for item in body["data"]) == sorted(ids)
    assert body["has_more"] is False
    done = check(api.get(f"/v1/{path}", params={**asked, "status": "failed"}), 200)["data"]
    assert done == []
