"""The simulator's OpenAPI document: it is valid, complete, strict enough, and of use."""

from __future__ import annotations

import base64
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import outside_environment, simulated_ids
from tests.simulator.described import Held, differences, document
from tests.simulator.helpers import picture


def test_the_document_is_valid_and_asks_for_no_key(simulator: SimulatorServer) -> None:
    answer = httpx.get(f"{simulator.url}/openapi.json")
    described = answer.json()
    assert answer.status_code == 200
    assert described["openapi"].startswith("3.1.")
    assert described["servers"] == [{"url": simulator.url}]
    assert {**described, "servers": []} == {**document(), "servers": []}
    validate(described)


def test_every_call_that_is_described_is_answered_as_it_says(
    simulator: SimulatorServer, api: httpx.Client, held: Held
) -> None:
    file = {"file": ("a.png", picture(), "image/png")}

    def created(path: str, **fields: Any) -> str:
        answer = api.post(f"/v1/{path}", json=fields)
        assert answer.is_success, answer.text
        return f"/v1/{path}/{answer.json()['data']['id']}"

    def read_and_deleted(path: str, **change: Any) -> None:
        whole, _, identifier = path.rpartition("/")
        assert identifier in api.get(whole, params={"limit": 100}).text
        assert api.get(path).is_success
        if change:
            assert api.patch(path, json=change).is_success
        assert api.delete(path).is_success

    assert api.get("/v1/account").is_success
    brand = created("brands", name="Acme", color_palettes={"main": ["#112233"]})
    product = created("products", name="Anvil", brand_id=brand.rpartition("/")[2])
    child = {"name": "x", "product_id": product.rpartition("/")[2]}
    read_and_deleted(created("product-variants", **child), sort_order=2)
    read_and_deleted(created("audiences", **child), description="x")
    read_and_deleted(product, details={"a": [1, None]})
    read_and_deleted(brand, fonts=[{"name": "Lora"}])
    image = api.post("/v1/images", files=file, data={"image_type": "logo"}).json()["data"]
    read_and_deleted(f"/v1/images/{image['id']}")

    made = api.post("/v1/design-templates", files=file).json()["data"]
    simulator.api.age(100_000)
    template = f"/v1/design-templates/{made['id']}"
    tree = api.get(template).json()["data"]["current_json_tree"]
    read_and_deleted(template, current_json_tree=tree, change_summary="x")
    assert api.post(f"{template}/restore").is_success

    ad = created("image-ads", **simulated_ids(), editable=True, options={"generate_copy": False})
    job = api.get(ad).json()["data"]["job_id"]
    assert api.get(f"/v1/jobs/{job}").is_success
    assert "started" in api.get(ad, headers={"Accept": "text/event-stream"}).text
    simulator.api.age(100_000)
    item = {
        "id": ad.rpartition("/")[2],
        "current_json_tree": api.get(ad).json()["data"]["current_json_tree"],
        "figma_render_base64": base64.b64encode(picture()).decode(),
    }
    assert api.post("/v1/image-ads/sync", json={"items": [item]}).is_success
    versions = api.get(f"{ad}/versions").json()["data"]
    assert api.get(f"{ad}/versions/{versions[0]['id']}").is_success
    read_and_deleted(ad, current_json_tree=item["current_json_tree"])

    calls = {c["operationId"] for path in document()["paths"].values() for c in path.values()}
    assert held.asked == calls


LIMITS = {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}
META = {"request_id": f"req_{0:016}", "timestamp": "2026-01-05T09:00:00.000Z"}
BRAND: dict[str, Any] = {
    "id": f"brand_{0:016}",
    "name": "Acme",
    "description": None,
    "color_palettes": None,
    "fonts": [],
    "logo_image_ids": None,
    "details": None,
    "created_at": META["timestamp"],
    "updated_at": META["timestamp"],
}


@pytest.mark.parametrize(
    ("brand", "more", "status", "headers"),
    [
        ({"id": "brand_1"}, {}, 200, LIMITS),
        ({"name": None}, {}, 200, LIMITS),
        ({"color_palettes": "red"}, {}, 200, LIMITS),
        ({"created_at": "2026-01-05T09:00:00Z"}, {}, 200, LIMITS),
        ({"logo": None}, {}, 200, LIMITS),
        ({}, {"has_more": False}, 200, LIMITS),
        ({}, {"meta": {**META, "request_id": "1"}}, 200, LIMITS),
        ({}, {}, 204, LIMITS),
        ({}, {}, 200, LIMITS - {"ratelimit-reset"}),
    ],
)
def test_an_answer_that_differs_is_told(
    brand: dict[str, Any], more: dict[str, Any], status: int, headers: set[str]
) -> None:
    def held(brand: dict[str, Any], more: dict[str, Any], status: int, headers: set[str]) -> int:
        body = json.dumps({"data": {**BRAND, **brand}, "meta": META, **more}).encode()
        place = ("GET", f"/v1/brands/{BRAND['id']}", status, "application/json")
        return len(differences(*place, headers, body, b""))

    assert held({}, {}, 200, LIMITS) == 0
    assert held(brand, more, status, headers) == 1


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    """openapi-python-client, in an environment of its own: it wants older versions of what Prefect
    uses."""
    environment = outside_environment()
    empty = [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")]
    subprocess.run(empty, check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    install = [*pip, "install", "-qq", "--no-compile", "openapi-python-client>=0.25"]
    subprocess.run(install, env=environment, check=True)
    return python


@pytest.mark.wheel
def test_a_client_that_a_generator_makes_of_it_creates_an_ad(
    simulator: SimulatorServer,
    api: httpx.Client,
    generator: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    description, config = tmp_path / "openapi.json", tmp_path / "config.json"
    description.write_text(api.get("/openapi.json").text)
    config.write_text(json.dumps({"post_hooks": []}))
    options: list[str | Path] = ["--path", description, "--config", config, "--meta", "none"]
    options += ["--output-path", tmp_path / "generated_client"]
    subprocess.run([generator, "-m", "openapi_python_client", "generate", *options], check=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    client_module, models, create, get = (
        importlib.import_module(f"generated_client{name}")
        for name in ("", ".models", ".api.image_ads.create_image_ad", ".api.image_ads.get_image_ad")
    )
    client = client_module.AuthenticatedClient(
        base_url=simulator.url, token=SIMULATOR_API_KEY, prefix="", auth_header_name="X-API-Key"
    )
    with client:
        body = models.NewImageAd(**simulated_ids(), prompt="Made by a generated client")
        answer = create.sync_detailed(client=client, body=body, idempotency_key="one")
        assert answer.status_code == 202
        simulator.api.age(100_000)
        ad = get.sync(answer.parsed.data.id, client=client).data
        assert (ad.status, ad.prompt) == ("completed", "Made by a generated client")
        body.brand_id = "brand_none"
        refused = create.sync(client=client, body=body)
        assert refused.error.code == "NOT_FOUND"
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]
