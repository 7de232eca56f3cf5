"""What tests share: a simulator on a socket, clients for it, and requests that it accepts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from prefect_staticadslab import ImageAdRequest, StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

# Before Prefect is imported anywhere: its servers in these tests tell nobody about themselves.
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"

ROOT = Path(__file__).resolve().parent.parent

MakeRequest = Callable[..., ImageAdRequest]


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Prefect's test server; about 10 s to start, so there is one per session."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        yield


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """A simulator whose jobs take one to two seconds, with the limit out of the way."""
    with SimulatorServer(speed=30, rate_limit=10_000) as server:
        yield server


@pytest.fixture
async def client(simulator: SimulatorServer) -> AsyncIterator[StaticAdsLabClient]:
    async with StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url) as made:
        yield made


@pytest.fixture
def credentials(simulator: SimulatorServer) -> StaticAdsLabCredentials:
    return StaticAdsLabCredentials.model_validate(
        {"api_key": SIMULATOR_API_KEY, "base_url": simulator.url}
    )


@pytest.fixture(scope="session")
def make_request() -> MakeRequest:
    """Makes requests that every simulator accepts."""
    ids = simulated_ids()

    def make(prompt: str | None = None, **fields: object) -> ImageAdRequest:
        return ImageAdRequest.model_validate({**ids, "prompt": prompt, **fields})

    return make


def simulated_ids() -> dict[str, str]:
    """The four ids of things that belong together in every simulator."""
    from prefect_staticadslab.simulator.catalog import seeded_catalog

    catalog = seeded_catalog()
    product = next(iter(catalog.products.values()))
    audience = next(a for a in catalog.audiences.values() if a["product_id"] == product["id"])
    template = next(t for t in catalog.design_templates.values() if t["status"] == "completed")
    return {
        "design_template_id": template["id"],
        "brand_id": product["brand_id"],
        "product_id": product["id"],
        "audience_id": audience["id"],
    }
