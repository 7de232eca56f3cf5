"""Gates in a simulator, for tests that do something in the middle, however fast the machine is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.http import endpoint
from prefect_staticadslab.simulator.http.operation import Call, Operation
from tests.support.processes import PATIENCE_SECONDS


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


@contextlib.contextmanager
def creates_held() -> Iterator[threading.Event]:
    """Carries out no create until the end, though each holds its idempotency key's lock.

    All else is answered as ever. Gives an event that is set once a create is held.
    """
    is_held, opened = threading.Event(), threading.Event()
    run_handler = endpoint._run_handler

    async def run_handler_late(operation: Operation, call: Call) -> Any:
        if (operation.method, operation.path) == ("POST", "image-ads"):
            is_held.set()
            await asyncio.to_thread(opened.wait, PATIENCE_SECONDS)
        return await run_handler(operation, call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(endpoint, "_run_handler", run_handler_late)
        try:
            yield is_held
        finally:
            opened.set()
