"""What every task here shares: when it is tried again, and what its idempotency keys hang on."""

from __future__ import annotations

import uuid
from typing import Any, Final

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.tasks import Task, exponential_backoff

from prefect_staticadslab.api.errors import (
    APIConnectionError,
    ConflictError,
    RateLimitError,
    ServerError,
    UnreadableAnswerError,
)

TRANSIENT_ERRORS: Final = (
    APIConnectionError,
    ConflictError,
    UnreadableAnswerError,
    ServerError,
    RateLimitError,
)
"""Errors that may be over by the next try."""


async def _may_pass(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a task's failure is one that may pass; a 4xx or a failed job is not."""
    outcome = await state.aresult(raise_on_failure=False)
    return isinstance(outcome, TRANSIENT_ERRORS)


# Beyond the client's own retries, which take about a minute: an outage of a quarter of an hour.
RETRIES: Final[dict[str, Any]] = {
    "retries": 4,
    "retry_delay_seconds": exponential_backoff(backoff_factor=30),
    "retry_jitter_factor": 0.2,
    "retry_condition_fn": _may_pass,
    "cache_policy": NO_CACHE,
}


def run_id() -> str:
    """The task run's id, the same in all its retries; without a run, one that is drawn."""
    return str(task_run.id or uuid.uuid4())


def run_key() -> str:
    """An idempotency key that is the same in all retries of this task run."""
    return f"task-run-{run_id()}"
