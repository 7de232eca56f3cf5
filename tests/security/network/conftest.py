"""What attacks on the network share: a client of the simulator, and no settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer

KEY = {"X-API-Key": SIMULATOR_API_KEY}


@pytest.fixture
def api(simulator: SimulatorServer) -> Iterator[httpx.Client]:
    """A plain HTTP client with a key, which waits a minute for a busy machine."""
    with httpx.Client(base_url=simulator.url, headers=KEY, timeout=60) as client:
        yield client


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the user's proxies and allowed hosts out of the environment."""
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name == "SAL_ALLOWED_HOSTS":
            monkeypatch.delenv(name)
