"""Creating one ad, where it may have been created although nobody has heard of it."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import InsufficientBalanceError
from prefect_staticadslab.campaign.runs.credentials import KeyCredentials
from prefect_staticadslab.campaign.runs.host import Host
from prefect_staticadslab.campaign.runs.one_ad import (
    MAY_BE_CREATED,
    OneAdOptions,
    run_create_and_watch,
)
from prefect_staticadslab.flows.watch import create_and_watch
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.flows.test_watch import HARBOR


async def test_a_retry_that_is_refused_does_not_say_that_nothing_was_created(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create, calls = waiting.create_or_reuse_ad, 0

    async def created_unheard(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise InsufficientBalanceError("The wallet is empty", status=402)
        await create(*arguments, **keywords)
        raise RuntimeError("cut")

    monkeypatch.setattr(waiting, "create_or_reuse_ad", created_unheard)
    retried = create_and_watch.with_options(retries=5, retry_delay_seconds=0)
    state = await retried(credentials=credentials, **HARBOR, return_state=True)
    assert state.name == "Failed"
    assert "The wallet is empty" in (state.message or "")
    assert "An earlier one of this run may have" in (state.message or "")
    # What only people can mend is not tried again, as before.
    assert (calls, len(simulator.api.jobs)) == (2, 1)
    # Of a first try nothing can have come.
    state = await create_and_watch(credentials=credentials, **HARBOR, return_state=True)
    assert (state.name, state.message) == ("Refused", "The wallet is empty (402)")


async def test_whoever_interrupts_a_create_is_told_that_there_may_be_an_ad(
    simulator: SimulatorServer,
) -> None:
    told: list[tuple[str, int]] = []

    class Listening(Host[KeyCredentials]):
        def set_interruption_message(self, message: str) -> None:
            told.append((message, len(simulator.api.jobs)))

    credentials = KeyCredentials.of(SIMULATOR_API_KEY, simulator.url)
    values: dict[str, Any] = {**HARBOR}
    await run_create_and_watch(OneAdOptions(**values), credentials, Listening(), name="one")
    assert told[0] == (MAY_BE_CREATED, 0)
    assert told[1][1] == 1
    assert "staticadslab watch ia_" in told[1][0]
