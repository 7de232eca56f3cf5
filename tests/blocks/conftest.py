"""Prefect's server without blocks of ours, for the tests that save some."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.blocks.saving import Environment, forget


@pytest.fixture
def environment(
    prefect_server: Environment, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    """A server without blocks of ours, and a key."""
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
    forget(prefect_server)
    yield prefect_server
    forget(prefect_server)
