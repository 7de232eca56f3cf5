"""All tries of a flow run, of which a run in a retried run has several ids.

Whenever a flow is retried, Prefect gives the flows that it calls new runs. What is paid for must
not hang on these: an idempotency key is made of the first run's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentTaskRunId
from prefect.client.schemas.objects import State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.states import Failed

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.table.job_state import TRUSTED_LIFETIME
from prefect_staticadslab.orchestration.flow_outcome import REFUSED_STATE

RUN_NAME: Final = "flow-run-"
"""How the name of ads begins that have none but their flow run's id."""


@dataclass(frozen=True)
class FlowRetries:
    """All tries of a flow run: its own retries, and those of the flow that calls it.

    Attributes:
        name: What idempotency keys can be made of: the same in all of the tries.
        count: How many tries there were, this one included.
        begun: When the first one began; None if that is not known.
        scheduled: When the first one was to start; None if that is not known.
    """

    name: str
    count: int = 1
    begun: datetime | None = None
    scheduled: datetime | None = None

    @classmethod
    async def of_this_run(cls) -> FlowRetries:
        """Asks Prefect's server for all tries of the flow run that this is called in.

        It asks only if another flow has called this one.
        """
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        assert run is not None  # noqa: S101 - only flows call it
        runs = [run]
        if run.parent_task_run_id is not None:
            same_call = FlowRunFilterParentTaskRunId(any_=[run.parent_task_run_id])
            async with get_client() as client:
                runs = await client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(parent_task_run_id=same_call),
                    sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                ) or [run]
        return cls(
            name=f"{RUN_NAME}{runs[0].id}",
            count=max(1, sum(each.run_count for each in runs)),
            scheduled=runs[0].expected_start_time,
            begun=min((each.start_time for each in runs if each.start_time), default=None),
        )

    def check_keys_are_known(self) -> None:
        """Checks that the API still knows the idempotency keys of the first try, for a run that
        keeps no table. It knows them for 24 hours; without them the run would pay again.

        Raises:
            CampaignError: The first try began more than `TRUSTED_LIFETIME` ago.
        """
        if self.begun is not None and datetime.now(UTC) - self.begun > TRUSTED_LIFETIME:
            raise CampaignError(
                f"This run was begun at {self.begun:%Y-%m-%d %H:%M} UTC, and keeps no table of "
                "what it has created by then, so it is not gone on with. Look at its ads, and "
                "start a new run for what is missing."
            )

    def end_state(self, state: State[Any]) -> State[Any]:
        """The state of a run that keeps no table, at its end: one that was refused, and so says
        that nothing was created, says it of this try only if there were earlier ones."""
        if self.count == 1 or state.name != REFUSED_STATE:
            return state
        return Failed(
            message=f"{state.message}\nThis try created nothing. An earlier one of this run may "
            "have: look at your ads before you start a new run."
        )
