"""A key is locked for 30 s: what is sent again later, while the first is not answered, runs twice.

The lock and the keys last a thousand times longer here, so that none lapses because a machine is
slow, and it is the clock that is put forward.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import simulated_ids
from tests.simulator.helpers import picture
from tests.support.processes import PATIENCE_SECONDS, until

SECONDS = 1000
"""That what takes a second of the API's takes here."""

LATE = 10_000 * SECONDS
"""How long the first answer takes: until the clock is put forward."""


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(rate_limit=10_000, lock_seconds=30 * SECONDS, key_seconds=1e9) as server:
        yield server


@pytest.fixture
def api(server: SimulatorServer) -> Iterator[httpx.Client]:
    key = {"X-API-Key": SIMULATOR_API_KEY, "Idempotency-Key": "one"}
    with httpx.Client(base_url=server.url, headers=key, timeout=PATIENCE_SECONDS) as api:
        yield api


def create_ad(api: httpx.Client) -> httpx.Response:
    return api.post("/v1/image-ads", json=simulated_ids())


def create_template(api: httpx.Client) -> httpx.Response:
    return api.post("/v1/design-templates", files={"file": ("a.png", picture(), "image/png")})


def change_template(api: httpx.Client) -> httpx.Response:
    path = f"/v1/design-templates/{simulated_ids()['design_template_id']}"
    tree = {"type": "FRAME", "id": "1", "children": []}
    return api.patch(path, json={"current_json_tree": tree})


def count_of_template_changes(server: SimulatorServer) -> int:
    identifier = simulated_ids()["design_template_id"]
    return int(server.api.catalogue.design_templates[identifier]["json_tree_version"]) - 1


Ask = Callable[[httpx.Client], httpx.Response]
Count = Callable[[SimulatorServer], int]

CALLS: list[tuple[Ask, Count]] = [
    (create_ad, lambda server: len(server.api.jobs)),
    (create_template, lambda server: len(server.api.templates)),
    (change_template, count_of_template_changes),
]


@pytest.mark.parametrize(("ask", "count"), CALLS, ids=lambda call: getattr(call, "__name__", ""))
def test_what_is_sent_again_after_the_lock_runs_twice(
    ask: Ask, count: Count, server: SimulatorServer, api: httpx.Client
) -> None:
    assert api.post("/_simulator/slow", params={"seconds": LATE}).status_code == 200
    first: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: first.append(ask(api)))
    waiting.start()
    until(lambda: server.api.counts["slow answers"] == 1)
    for _ in range(2):
        refused = ask(api)
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            409,
            "IDEMPOTENCY_CONFLICT",
        )
        assert count(server) == 0
        server.api.age(28 * SECONDS)
    server.api.age(3 * SECONDS)
    second = ask(api)
    assert second.is_success
    assert "Idempotent-Replayed" not in second.headers
    assert (count(server), first) == (1, [])
    server.api.age(LATE)
    waiting.join()
    assert first[0].is_success
    assert count(server) == 2
    replayed = ask(api)
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.json()["data"] == first[0].json()["data"]


def test_a_revision_that_is_sent_again_after_the_lock_is_rendered_twice(
    server: SimulatorServer, api: httpx.Client
) -> None:
    body = {**simulated_ids(), "editable": True}
    ad = api.post("/v1/image-ads", json=body, headers={"Idempotency-Key": "ad"}).json()["data"]
    server.api.age(100)
    path, change = f"/v1/image-ads/{ad['id']}", {"type": "FRAME", "id": "1", "children": []}

    def revise() -> httpx.Response:
        return api.patch(path, json={"current_json_tree": change})

    api.post("/_simulator/slow", params={"seconds": LATE})
    first: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: first.append(revise()))
    waiting.start()
    until(lambda: server.api.counts["slow answers"] == 1)
    assert revise().status_code == 409
    server.api.age(31 * SECONDS)
    assert revise().status_code == 200
    server.api.age(LATE)
    waiting.join()
    assert first[0].status_code == 200
    assert server.api.counts["re-renders"] == 2


def test_a_request_that_fails_late_leaves_its_key_free(
    server: SimulatorServer, api: httpx.Client
) -> None:
    body = {**simulated_ids(), "node_overrides": {"none": {"characters": "x"}}}
    api.post("/_simulator/slow", params={"seconds": LATE})
    first: list[httpx.Response] = []

    def create(body: dict[str, Any]) -> httpx.Response:
        return api.post("/v1/image-ads", json=body)

    waiting = threading.Thread(target=lambda: first.append(create(body)))
    waiting.start()
    until(lambda: server.api.counts["slow answers"] == 1)
    server.api.age(LATE)
    waiting.join()
    assert first[0].status_code == 400
    # It left no answer behind, so the key is free, also for another body.
    assert create(simulated_ids()).status_code == 202


@pytest.mark.parametrize("query", ["", "seconds=x", "seconds=-1", "seconds=1&count=0", "second=1"])
def test_an_order_that_makes_no_sense_is_refused(query: str, api: httpx.Client) -> None:
    answer = api.post(f"/_simulator/slow?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert create_ad(api).status_code == 202
