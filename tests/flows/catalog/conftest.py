"""A shell whose key and address are the simulator's."""

from __future__ import annotations

import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
