"""A shell whose key and address are the simulator's."""

from __future__ import annotations

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import set_key


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch, simulator)
