"""What tests of money share: a simulator that is quick, and its key as a user has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import set_key


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server


@pytest.fixture
def key(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A key in the environment, as a user has it."""
    return set_key(monkeypatch, simulator)
