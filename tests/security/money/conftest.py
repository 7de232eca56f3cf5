"""What tests of money share: a simulator that is quick, and its key as a user has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server


@pytest.fixture
def key(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A key in the environment, as a user has it."""
    environment = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": simulator.url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment
