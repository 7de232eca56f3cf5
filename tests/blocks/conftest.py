"""Prefect's server without blocks of ours, for the tests that save some."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.blocks.saving import Environment, forget
from tests.conftest import set_key


@pytest.fixture
def environment(
    prefect_server: Environment, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Environment]:
    """A server without blocks of ours, and a key."""
    set_key(monkeypatch, simulator)
    forget(prefect_server)
    yield prefect_server
    forget(prefect_server)
