"""What a Prefect server knows of a flow run, once it has it."""

from __future__ import annotations

import asyncio
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import State
from prefect.events import Event
from prefect.events.filters import EventFilter, EventNameFilter


async def events_of(state: State[Any], *prefixes: str) -> list[Event]:
    """The events that a flow run's resources are related to, once the server has its last one."""
    run = f"prefect.flow-run.{state.state_details.flow_run_id}"
    wanted = EventFilter(event=EventNameFilter(prefix=list(prefixes)))
    async with get_client() as client:
        for _ in range(3000):
            answer = await client._client.post(
                "/events/filter", json={"filter": wanted.model_dump(mode="json"), "limit": 50}
            )
            found = [
                Event.model_validate(each)
                for each in answer.json()["events"]
                if run in [related["prefect.resource.id"] for related in each["related"]]
            ]
            if any(each.event.endswith(("complete", "completed", "succeeded")) for each in found):
                return sorted(found, key=lambda each: each.occurred)
            await asyncio.sleep(0.2)
    raise AssertionError("the events never came")


async def logs_of(state: State[Any], part: str, *, at_least: int) -> list[str]:
    """The lines of a flow run's log that hold a text, once the server has so many of them."""
    assert state.state_details.flow_run_id is not None
    run = LogFilterFlowRunId(any_=[state.state_details.flow_run_id])
    async with get_client() as client:
        for _ in range(3000):
            logs = await client.read_logs(LogFilter(flow_run_id=run), limit=200)
            found = [each.message for each in logs if part in each.message]
            if len(found) >= at_least:
                return found
            await asyncio.sleep(0.2)
    raise AssertionError(f"only {len(found)} lines with {part!r} came")
