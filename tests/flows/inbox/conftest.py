"""A simulator for the tests of the inbox flow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_staticadslab.simulator import SimulatorServer


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One whose jobs take no time worth mentioning."""
    with SimulatorServer(speed=300, rate_limit=10_000) as server:
        yield server
