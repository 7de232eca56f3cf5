"""A gate in a simulator, for tests that interrupt in the middle, however fast the machine is."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from tests.processes import PATIENCE_SECONDS


@contextlib.contextmanager
def closed_gate(simulator: SimulatorServer, *, after: int) -> Iterator[threading.Event]:
    """Lets so many ads be created, and then nothing be answered, until the gate is opened.

    So whoever counts jobs and then interrupts is never too late. Gives the event that opens it.
    """
    opened = threading.Event()
    create = simulator.api.create_image_ad

    def create_or_wait(*request: Any) -> Any:
        # In the simulator's only thread, so that all of it waits.
        if len(simulator.api.jobs) >= after:
            opened.wait(PATIENCE_SECONDS)
        return create(*request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator.api, "create_image_ad", create_or_wait)
        try:
            yield opened
        finally:
            opened.set()
