"""Against the simulator all holds, nothing is made, and the key is told to nobody."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from prefect_staticadslab.contract.assumptions import ASSUMPTIONS
from prefect_staticadslab.contract.probes.free import QUESTIONS
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.contract.command import Contract
from tests.contract.conftest import fill
from tests.contract.deviating import Answer, Deviation, deviating

UNSEEN = {"retry-after"}
"""What never shows: it takes a request too many."""


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(speed=0.01, rate_limit=10_000, earlier_ads=True) as started:
        yield started


def untouched(server: SimulatorServer) -> list[object]:
    """All that there is."""
    key = {"X-API-Key": SIMULATOR_API_KEY}
    with httpx.Client(base_url=server.url, headers=key) as http:
        lists = ["image-ads", "design-templates", "brands", "products", "audiences", "images"]
        return [
            http.get(f"/v1/{name}", params={"limit": 100}).json()["data"]
            for name in [*lists, "product-variants"]
        ]


def test_all_that_is_free_holds(contract: Contract, server: SimulatorServer) -> None:
    fill(server)
    run = contract.against(server)
    assert run.named("differs") == set(), run.out
    left = run.named("could not be seen") - UNSEEN
    assert left == {name for name, each in ASSUMPTIONS.items() if each.is_paid}
    assert run.status == 0


def test_it_changes_nothing(contract: Contract, server: SimulatorServer) -> None:
    before = untouched(server)
    run = contract.against(server)
    assert untouched(server) == before
    assert server.api.counts["created"] == 0
    assert server.api.counts["deleted"] == 0
    assert run.report["image_ad_id"] is None


def test_it_says_beforehand_what_it_will_do_and_cost(
    contract: Contract, server: SimulatorServer
) -> None:
    asked = server.api.counts["requests"]
    run = contract.against(server)
    asked = server.api.counts["requests"] - asked
    assert run.err.startswith(f"Asking {server.url} what can be asked for nothing")
    assert f"about {QUESTIONS} requests" in run.err
    assert "Cost: 0.00 USD." in run.err
    assert QUESTIONS - 10 <= asked <= QUESTIONS <= 100
    assert run.report["requests"] in (asked, asked + 1)  # the description may not be counted


def test_it_keeps_to_the_rate_limit(contract: Contract) -> None:
    with SimulatorServer(rate_limit=20, rate_window_seconds=1.0, earlier_ads=True) as server:
        run = contract.against(server)
        assert server.api.counts["429"] == 0
    assert run.named("differs") == set(), run.out


def test_a_report_has_requests_and_their_ids(contract: Contract, server: SimulatorServer) -> None:
    run = contract.against(server)
    entries = {entry["name"]: entry for entry in run.report["assumptions"]}
    assert list(entries) == list(ASSUMPTIONS)
    (request,) = entries["key-scopes"]["requests"]
    assert request["question"] == "GET /v1/account"
    assert request["status"] == 200
    assert request["request_id"].startswith("req_")
    assert request["request_id"] in run.out
    counts = run.report["counts"]
    assert sum(counts.values()) == len(ASSUMPTIONS)
    assert f"{counts['holds']} hold, 0 differ" in run.out


def test_the_key_is_told_to_nobody(contract: Contract) -> None:
    def echo(answer: Answer) -> None:
        answer.headers["x-request-id"] = SIMULATOR_API_KEY
        answer.body["meta"]["request_id"] = f"req_{SIMULATOR_API_KEY}"
        if "error" in answer.body:
            answer.body["error"]["code"] = f"{SIMULATOR_API_KEY}\n"

    with deviating(Deviation("", lambda answer: answer.body, echo), speed=30) as server:
        run = contract.against(server, "--spend", "1")
    told = run.out + run.err + (contract.folder / "contract.json").read_text()
    assert "sal_…" in told
    assert SIMULATOR_API_KEY not in told


def test_a_key_that_may_only_read_is_no_difference(
    contract: Contract, server: SimulatorServer
) -> None:
    run = contract("--spend", "1", url=server.url, key=READ_ONLY_API_KEY)
    assert run.named("differs") == set(), run.out
    assert "the key may not ask it (403)" in run.seen("ad-created")
    assert "the key may not ask it (403)" in run.seen("empty-creates")
    assert run.status == 0


def test_an_organization_with_nothing_is_no_difference(
    contract: Contract, server: SimulatorServer
) -> None:
    catalog = server.api.catalogue
    for name in ("brands", "products", "product_variants", "audiences"):
        getattr(catalog, name).clear()
    server.api.jobs.clear()
    run = contract.against(server, "--spend", "1")
    assert run.named("differs") == set(), run.out
    assert server.api.counts["created"] == 0
    assert "no product with its brand" in run.seen("ad-created")
