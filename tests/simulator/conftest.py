"""Every answer in these tests is held against the simulator's description of itself."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from starlette.types import ASGIApp

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.http.app import make_app
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.simulator.described import Held


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Fails a test in which an answer differed from the description."""
    held = Held()

    def make_held_app(api: SimulatedAPI) -> ASGIApp:
        return held.around(make_app(api))

    monkeypatch.setattr("prefect_staticadslab.simulator.server.make_app", make_held_app)
    yield held
    assert held.differences == []


@pytest.fixture
def api(simulator: SimulatorServer) -> Iterator[httpx.Client]:
    """A plain HTTP client with a key that may do everything."""
    with httpx.Client(base_url=simulator.url, headers={"X-API-Key": SIMULATOR_API_KEY}) as api:
        yield api
