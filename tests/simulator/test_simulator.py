"""The simulator behaves as the API is documented to; seen by a plain HTTP client."""

from __future__ import annotations

import io
import json
import os
import re
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from prefect_staticadslab.simulator.model.admission.rate_window import RateWindows
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.resources.ids import make_id
from tests.conftest import simulated_ids
from tests.support.gate import creates_held
from tests.support.processes import PATIENCE_SECONDS, start

BODY = simulated_ids()


@pytest.fixture
def http(simulator: SimulatorServer) -> Iterator[httpx.Client]:
    with client_of(simulator) as client:
        yield client


def client_of(server: SimulatorServer, key: str = SIMULATOR_API_KEY) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"X-API-Key": key})


def create(http: httpx.Client, key: str | None = None, **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return http.post("/v1/image-ads", json={**BODY, **fields}, headers=headers)


def finished(http: httpx.Client, image_ad_id: str) -> dict[str, Any]:
    while True:
        ad: dict[str, Any] = http.get(f"/v1/image-ads/{image_ad_id}").json()["data"]
        if ad["status"] != "processing":
            return ad
        time.sleep(0.05)


def test_an_ad_is_created_renders_and_shows_a_picture(http: httpx.Client) -> None:
    answer = create(http, prompt="Hi")
    assert answer.status_code == 202
    created = answer.json()
    assert created["meta"].keys() == {"request_id", "timestamp"}
    ad = created["data"]
    assert (ad["status"], ad["image_url"], ad["sku_code"]) == ("processing", None, "flat_image_ad")
    assert 0 <= ad["progress"]["percentage"] <= 1
    done = finished(http, ad["id"])
    picture = Image.open(io.BytesIO(httpx.get(done["image_url"]).content))
    assert picture.format == "PNG"
    assert picture.size == (done["width"], done["height"])


def test_pictures_differ_where_ads_do(http: httpx.Client) -> None:
    ads = [finished(http, create(http, prompt=p).json()["data"]["id"]) for p in ("one", "two")]
    assert len({httpx.get(ad["image_url"]).content for ad in ads}) == 2


@pytest.mark.parametrize(
    ("plain", "other"), [("Cafe creme", "Café crème"), ("Mas", "Maß"), ("5 ", "5 €"), ("L", "Ł")]
)
def test_letters_with_accents_and_others_are_drawn(
    plain: str, other: str, http: httpx.Client
) -> None:
    composed, decomposed = (unicodedata.normalize(form, other) for form in ("NFC", "NFD"))
    prompts = (plain, composed, decomposed)
    ads = [finished(http, create(http, prompt=p).json()["data"]["id"]) for p in prompts]
    one, two, three = (httpx.get(ad["image_url"]).content for ad in ads)
    assert one != two
    assert two == three


def test_pictures_have_the_size_of_real_ones_on_request() -> None:
    with SimulatorServer(four_k=True, speed=1000) as server, client_of(server) as http:
        ad = finished(http, create(http, prompt="Hi").json()["data"]["id"])
        first, again = (httpx.get(ad["image_url"], timeout=None).content for _ in range(2))
    assert max(ad["width"], ad["height"]) == 4096
    assert Image.open(io.BytesIO(first)).size == (ad["width"], ad["height"])
    assert first == again
    assert len(first) > 2_000_000


def test_only_completed_ads_are_billed(http: httpx.Client, simulator: SimulatorServer) -> None:
    for prompt, editable in (("a", False), ("b", True), ("SIMULATE_FAILURE", False)):
        ad = finished(http, create(http, prompt=prompt, editable=editable).json()["data"]["id"])
    assert ad["error"]["code"] == "PIPELINE_ERROR"
    stats = httpx.get(f"{simulator.url}/_simulator/stats").json()
    assert (stats["billed_usd"], stats["completed"], stats["failed"]) == (5.0, 2, 1)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"brand_id": None}, 400, "VALIDATION_ERROR"),
        ({"editable": "yes"}, 400, "VALIDATION_ERROR"),
        ({"audience_id": "aud_none"}, 404, "NOT_FOUND"),
        ({"brand_id": make_id("brand", "Fernweh Outdoor")}, 422, "RELATIONSHIP_ERROR"),
        (
            {"design_template_id": make_id("dt", "Still in the works")},
            422,
            "RELATIONSHIP_ERROR",
        ),
    ],
)
def test_what_is_wrong_is_refused(
    http: httpx.Client, fields: dict[str, Any], status: int, code: str
) -> None:
    answer = create(http, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if status == 400:
        assert answer.json()["error"]["details"][0]["field"] in fields


def test_keys_have_scopes(simulator: SimulatorServer) -> None:
    with client_of(simulator, "sal_live_nobody") as nobody:
        assert nobody.get("/v1/account").json()["error"]["code"] == "UNAUTHORIZED"
    with client_of(simulator, READ_ONLY_API_KEY) as reader:
        assert reader.get("/v1/brands").status_code == 200
        assert create(reader).json()["error"]["code"] == "FORBIDDEN"


def test_the_account_says_whose_key_it_is_and_what_it_may_do(simulator: SimulatorServer) -> None:
    with client_of(simulator, READ_ONLY_API_KEY) as reader:
        account = reader.get("/v1/account").json()["data"]
    assert account.keys() == {"organization", "api_key"}
    assert account["organization"] == {"name": "Simulated Shops"}
    assert account["api_key"].keys() == {"scopes"}
    assert {scope.partition(":")[2] for scope in account["api_key"]["scopes"]} == {"read"}


def test_idempotency_replays_conflicts_and_forgets() -> None:
    with SimulatorServer(rate_limit=1000, key_seconds=3600) as server, client_of(server) as http:
        first, again = create(http, "k", prompt="a"), create(http, "k", prompt="a")
        assert first.json()["data"]["id"] == again.json()["data"]["id"]
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        other = create(http, "k", prompt="b")
        assert (other.status_code, other.json()["error"]["code"]) == (409, "IDEMPOTENCY_CONFLICT")
        server.api.age(3600)
        assert create(http, "k", prompt="a").json()["data"]["id"] != first.json()["data"]["id"]


def test_a_key_whose_first_request_still_runs_conflicts() -> None:
    with SimulatorServer(lock_seconds=3600) as server, client_of(server) as http:
        first = threading.Thread(target=create, args=(http, "k"))
        with creates_held() as is_held:
            first.start()
            assert is_held.wait(PATIENCE_SECONDS)
            assert create(http, "k").status_code == 409
        first.join()
        assert create(http, "k").headers["Idempotent-Replayed"] == "true"
        assert len(server.api.jobs) == 1


def test_the_window_rolls_and_says_where_it_stands() -> None:
    with (
        SimulatorServer(rate_limit=3, rate_window_seconds=3600) as server,
        client_of(server) as http,
    ):
        answers = [http.get("/v1/account") for _ in range(4)]
        assert [a.status_code for a in answers] == [200, 200, 200, 429]
        assert [a.headers["RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0"]
        assert answers[3].headers["Retry-After"] in ("3599", "3600")
        assert answers[3].json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"


def test_a_window_rolls_for_each_key() -> None:
    windows = RateWindows(limit=2, seconds=60)
    assert windows.admit("one", 0)["RateLimit-Reset"] == "60"
    assert windows.admit("one", 20)["RateLimit-Remaining"] == "0"
    windows.admit("another", 30)
    with pytest.raises(APIError) as refused:
        windows.admit("one", 50)
    assert refused.value.headers["Retry-After"] == "10"
    assert windows.admit("one", 60)["RateLimit-Remaining"] == "0"
    with pytest.raises(APIError):
        windows.admit("one", 79)
    assert windows.admit("one", 80)["RateLimit-Reset"] == "40"


def test_a_wallet_that_is_empty_says_what_is_missing_and_where_to_pay() -> None:
    with SimulatorServer(wallet_usd=1.5) as server, client_of(server) as http:
        assert create(http).status_code == 202
        refused = create(http, editable=True)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (402, "INSUFFICIENT_BALANCE")
    assert error["top_up_url"] == "https://www.staticadslab.com/settings?tab=billing"
    for told in ("4.00 USD", "0.50 USD", "3.50 USD", error["top_up_url"]):
        assert told in error["message"]


def test_batches_and_filters(http: httpx.Client) -> None:
    ids = [create(http, prompt=str(i)).json()["data"]["id"] for i in range(30)]
    some = http.get(f"/v1/image-ads?ids={ids[3]},ia_none,{ids[1]}").json()["data"]
    assert {ad["id"] for ad in some} == {ids[1], ids[3]}
    page = http.get("/v1/image-ads").json()
    assert (len(page["data"]), page["has_more"]) == (20, True)
    after = page["data"][-1]["id"]
    rest = http.get("/v1/image-ads", params={"starting_after": after}).json()
    assert (len(rest["data"]), rest["has_more"]) == (10, False)
    assert http.get("/v1/image-ads?editable=true").json()["data"] == []
    assert http.get("/v1/image-ads?limit=101").status_code == 400


def test_the_catalogue_is_the_same_in_every_simulator(
    http: httpx.Client, simulator: SimulatorServer
) -> None:
    with SimulatorServer() as other, client_of(other) as second:
        for path in ("brands", "products", "product-variants", "audiences", "design-templates"):
            items = http.get(f"/v1/{path}?limit=100").json()["data"]
            again = second.get(f"/v1/{path}?limit=100").text.replace(other.url, simulator.url)
            assert items == json.loads(again)["data"]
            assert http.get(f"/v1/{path}/{items[0]['id']}").json()["data"] == items[0]
    assert http.get("/v1/brands/brand_none").status_code == 404
    assert http.get("/v1/unknown").status_code == 404


def test_a_stream_tells_the_job_with_heartbeats(simulator: SimulatorServer) -> None:
    with client_of(simulator) as http:
        ad_id = create(http).json()["data"]["id"]
        headers = {"Accept": "text/event-stream"}
        with http.stream("GET", f"/v1/image-ads/{ad_id}", headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            text = stream.read().decode()
        again = http.get(f"/v1/image-ads/{ad_id}", headers=headers).text
    names = re.findall(r"^event: (\w+)$", text, re.MULTILINE)
    assert names[0] == "started"
    assert names[-1] == "complete"
    assert {"progress", "heartbeat"} <= set(names)
    assert re.findall(r"^event: (\w+)$", again, re.MULTILINE) == ["started", "complete"]
    for data in re.findall(r"^data: (.+)$", text, re.MULTILINE):
        json.loads(data)


def test_the_command_prints_its_address_once_it_listens() -> None:
    # Cold, because people start it without Prefect.
    with start(
        *("-m", "prefect_staticadslab.simulator", "--port", "0"), env=os.environ, cold=True
    ) as server:
        assert server.stdout is not None
        try:
            lines = [server.stdout.readline().strip() for _ in range(3)]
            assert "SIMULATOR" in lines[0]
            url = lines[-1]
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
            key = {"X-API-Key": "sal_live_simulator"}
            answer = httpx.get(f"{url}/v1/account", headers=key, timeout=PATIENCE_SECONDS)
            assert answer.status_code == 200
        finally:
            server.terminate()
